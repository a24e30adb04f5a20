import { IGNORE } from "./link";

const longest = 256; // characters of a selector
const marks = /^(data-(test|cy|qa|id)[\w-]*|name)$/; // attributes that people write by hand
const unsaid = `style,script,textarea,[contenteditable],[${IGNORE}]`; // elements whose text nobody sees, or may see

/** Whether a node is an element, of whatever window: the document and the window are none. */
export const isElement = (n: unknown): n is Element => "localName" in (n as object);

/** Whether a node is a shadow root, of whatever window. */
export const isShadow = (n: unknown): n is ShadowRoot => (n as Node).nodeType === 11;

/**
 * A CSS selector of the first node of an event's path. It begins at the nearest id that looks hand-made, else at body, and
 * has a step for each element below, with an attribute that people write by hand if it has one, and its number among its
 * like where it has any. A step into an open shadow root or a frame is written >>>, on whose two sides are selectors of
 * their own. With a salt, the nearest two elements around that have others of their name beside them have the hash of what
 * they say besides as a comment, so that a cell of one row of many is known when their order has changed. What does not fit is left out at the front.
 */
export function selector(path: readonly EventTarget[], salt?: string | null): string {
  let out = "", join = "", anchored = false;
  for (const node of path) {
    if (isShadow(node) || out && "contentWindow" in node) {
      join = out && ">>>";
      anchored = false;
    }
    if (!anchored && isElement(node)) {
      const s = step(node, out && !out.split("*/")[2] && salt, path[0] as Element), longer = s + join + out;
      if (longer.length > longest) break;
      out = longer;
      join = ">";
      anchored = s[0] === "#" || s === "body";
    }
  }
  return out;
}

/** The part of a selector that is about one element. */
function step(e: Element, salt: string | false | null | undefined, target: Element): string {
  const id = e.getAttribute("id")!, name = CSS.escape(e.localName);
  if (/^[a-z][a-z_-]*$/i.test(id) && (e.getRootNode() as Document).getElementById(id) === e) return "#" + id;
  if (name === "body" || name === "html") return name;
  const mark = [...e.attributes].find((a) => marks.test(a.name) && /^[\w-]+$/.test(a.nodeValue!)), like = name + (mark ? `[${mark.name}="${mark.nodeValue}"]` : "");
  const kin = [...e.parentNode!.children].filter((o) => o.localName === e.localName);
  return like + (kin.some((o) => o !== e && o.matches(like)) ? `:nth-of-type(${kin.indexOf(e) + 1})` : "") +
    (salt && kin[1] ? `/*${hash(e, salt, target).toString(36)}*/` : "");
}

/**
 * A 16-bit hash of what an element says, outside of another and of buttons if there is another: its longest piece of text, without digits and signs, which change often; where it has none, an attribute that says what it is, else what the element around it says. What people
 * type is never read.
 */
export function hash(e: Element, salt: string, outside?: Element): number {
  const walker = document.createTreeWalker(e.shadowRoot || e, 4);
  let words = "", h = 1;
  for (let left = 99; left-- && walker.nextNode();) { // more would take long, in a section of a long page
    const node = walker.currentNode as Text, text = node.data.trim();
    if (text.length > words.length && !(outside && outside.contains(node)) && !node.parentElement!.closest(outside ? unsaid + ",button" : unsaid)) words = text;
  }
  words = words.replace(/[\s!-@]+/g, "") || words || "alt aria-label title href src".split(" ").map((a) => e.getAttribute(a)).find((v) => v) || "";
  if (!words && outside) return hash(e, salt);
  if (!words && e.parentElement) return hash(e.parentElement, salt + "^");
  for (const c of salt + words) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return (h ^ h >>> 16) & 65535;
}
