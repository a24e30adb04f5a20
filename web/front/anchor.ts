import { IGNORE } from "./link";

const longest = 256; // characters of a selector
const large = 64; // elements in one whose text is not read
const marks = ["data-testid", "data-test", "data-cy", "data-qa", "data-id", "name"];
const titles = "h1,h2,h3,h4,th,summary";
const typed = `textarea,[contenteditable],[${IGNORE}]`;

/** Whether a node is an element, of whatever window: the document and the window are none. */
export const isElement = (n: unknown): n is Element => "localName" in (n as object);

/** Whether a node is a shadow root, of whatever window. */
export const isShadow = (n: unknown): n is ShadowRoot => "mode" in (n as object);

/** Elements that have the same parent, those in front first. */
const siblings = (e: Element): Element[] => [...e.parentNode!.children];

/**
 * A CSS selector of the first node of an event's path. It begins at the nearest id that looks hand-made, else at body, and
 * has a step for each element below, with an attribute that people write by hand if it has one, and its number among its
 * like where it has any. A step into an open shadow root or a frame is written >>>, on whose two sides are selectors of
 * their own. With a salt, the nearest element around that has others of its name beside it has the hash of what it says as
 * a comment, so that one card of many is known when their order has changed. What does not fit is left out at the front.
 */
export function selector(path: readonly EventTarget[], salt?: string | null): string {
  let out = "", join = "", anchored = false;
  for (const node of path) {
    if (isShadow(node) || out && "contentWindow" in node) {
      join = ">>>";
      anchored = false;
    }
    if (!anchored && isElement(node)) {
      const s = step(node, out && salt), longer = s + (out && (join || ">")) + out;
      if (longer.length > longest) break;
      out = longer;
      join = "";
      if (/\/$/.test(s)) salt = "";
      anchored = s[0] === "#" || s === "body";
    }
  }
  return out;
}

/** The part of a selector that is about one element. */
function step(e: Element, salt?: string | null): string {
  const id = e.getAttribute("id")!, name = /^[a-z][\w-]*$/i.test(e.localName) ? e.localName : "*";
  if (/^[a-z][a-z_-]{0,39}$/i.test(id) && (e.getRootNode() as Document).getElementById(id) === e) return "#" + id;
  if (name === "body" || name === "html") return name;
  const mark = marks.find((m) => /^[\w-]+$/.test(e.getAttribute(m) || "")), like = name + (mark ? `[${mark}="${e.getAttribute(mark)}"]` : "");
  const kin = siblings(e).filter((o) => o.localName === e.localName);
  return like + (kin.some((o) => o !== e && o.matches(like)) ? `:nth-of-type(${kin.indexOf(e) + 1})` : "") +
    (salt && kin[1] ? `/*${hash(e, salt).toString(36)}*/` : "");
}

/**
 * A 16-bit hash of what an element says: its title or text without digits and signs, which change often; where it has none,
 * an attribute that says what it is; else what stands beside it. What people type is never read.
 */
export function hash(e: Element, salt: string): number {
  const t = e.querySelector(titles) || e, words = t.closest(typed) || t.querySelector(typed) || t.getElementsByTagName("*").length > large ? "" : t.textContent!.trim();
  let h = 1;
  for (const c of salt + (words.replace(/[\s!-@]+/g, "") || words || ["aria-label", "alt", "title", "href", "src"].map((a) => e.getAttribute(a)).find(Boolean) ||
    siblings(e).map((o) => o.localName))) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return (h ^ h >>> 16) & 65535;
}
