// What the script does is in the script, which comes from the server that it belongs to. Here is its tag alone.

/** @typedef {import("./index.d.ts").Options} Options */

/** @type {typeof import("./index.d.ts").install} */
export function install(options) {
  const data = attributes(options);
  if (typeof document === "undefined") return { consent() {} };
  if (!isThere(options)) add(options, data);
  return { consent };
}

/**
 * Tells the script, or leaves it where the script looks when it runs.
 * @param {boolean} on
 */
function consent(on) {
  const page = /** @type {{ heatlog?: { consent?: unknown } }} */ (window), own = (page.heatlog ||= {});
  if (typeof own.consent === "function") own.consent(!!on);
  else own.consent = !!on;
}

/**
 * Whether the page has the tag already.
 * @param {Options} options
 */
function isThere({ src, site }) {
  const { href } = new URL(String(src), document.baseURI);
  return Array.from(document.scripts).some((s) => s.src === href && s.getAttribute("data-site") === site);
}

/**
 * @param {Options} options
 * @param {Record<string, string>} data
 */
function add(options, data) {
  const script = document.createElement("script");
  script.async = true;
  if (options.nonce) script.nonce = options.nonce;
  if (options.integrity) {
    script.integrity = options.integrity;
    script.crossOrigin = "anonymous";
  }
  for (const name in data) script.setAttribute(name, /** @type {string} */ (data[name]));
  script.src = /** @type {string} */ (options.src);
  (document.head || document.documentElement).appendChild(script);
}

/**
 * The attributes of the tag. The error names the option that is none.
 * @param {Options} o
 */
function attributes(o) {
  /** @type {Record<string, string>} */
  const data = { "data-site": o.site };
  must(/^(https?:)?\/\/|^\.{0,2}\//.test(String(o.src)), "src", o.src, "the address of hl.js, such as https://maps.shop.example/hl.js");
  must(typeof o.site === "string" && /^[a-z0-9-]{1,32}$/.test(o.site), "site", o.site, "1 to 32 of a-z, 0-9 and -");
  const { tags = [], sample = 1, respect = [] } = o;
  must(Array.isArray(tags) && tags.length <= 16 && tags.every(isTag), "tags", tags, "a list of up to 16, of 1 to 64 bytes, without commas");
  if (tags.length) data["data-tags"] = tags.join();
  const share = +(+sample).toFixed(6);
  must(share > 0 && share <= 1, "sample", sample, "a number from 0.000001 to 1");
  if (share < 1) data["data-sample"] = share.toFixed(6).replace(/0+$/, "");
  must(o.consent === undefined || o.consent === "required", "consent", o.consent, '"required" or nothing');
  if (o.consent) data["data-consent"] = o.consent;
  must(Array.isArray(respect) && respect.every((s) => s === "gpc" || s === "dnt"), "respect", respect, 'a list of "gpc" and "dnt"');
  if (respect.length) data["data-respect"] = respect.join(" ");
  for (const name of /** @type {const} */ (["check", "store"])) {
    must(o[name] === undefined || typeof o[name] === "boolean", name, o[name], "true or false");
    if (o[name] === false) data["data-" + name] = "off";
  }
  return data;
}

/** @param {unknown} tag */
const isTag = (tag) => typeof tag === "string" && tag.trim() !== "" && !tag.includes(",") && new TextEncoder().encode(tag).length <= 64;

/**
 * @param {boolean} ok
 * @param {string} name
 * @param {unknown} value
 * @param {string} want
 */
function must(ok, name, value, want) {
  if (!ok) throw new TypeError(`heatlog-tag: ${name} is ${JSON.stringify(value)}, want ${want}`);
}
