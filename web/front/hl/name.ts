import { isElement } from "./page";

const longest = 256; // characters of a selector
const marks = ["data-testid", "data-test", "data-cy", "data-qa"];

/** What people write by hand: no counters, hashes or names that frameworks make at run time. */
const handmade = (s: string | null): s is string =>
  !!s && /^[a-z][\w-]{0,39}$/i.test(s) && !/\d{3}|\d[a-z]+\d|^(radix|headlessui|react|ember|mui|ext|yui).*\d/i.test(s);

/**
 * A CSS selector of the first node of an event's path. It begins at the nearest id that looks hand-made, else at body, and
 * has a step for each element below, with its mark for tests if it has one and its number among its like where it has
 * any. A step into an open shadow root is written >>>, on whose two sides are selectors of their own. What does
 * not fit is left out at the front.
 */
export function selector(path: readonly EventTarget[]): string {
  let out = "", join = "", anchored = false;
  for (const node of path) {
    if (node instanceof ShadowRoot) {
      join = ">>>";
      anchored = false;
    } else if (!anchored && isElement(node)) {
      const s = step(node), longer = s + (out && (join || ">")) + out;
      if (longer.length > longest) break;
      out = longer;
      join = "";
      anchored = s[0] === "#" || s === "body";
    }
  }
  return out;
}

/** The part of a selector that is about one element. */
function step(e: Element): string {
  const id = e.getAttribute("id");
  if (handmade(id) && (e.getRootNode() as Document).getElementById(id) === e) return "#" + id;
  const name = /^[a-z][\w-]*$/i.test(e.localName) ? e.localName : "*";
  if (name === "body" || name === "html") return name;
  const mark = marks.find((m) => handmade(e.getAttribute(m))), value = mark && e.getAttribute(mark);
  const kin = (o: Element) => o.localName === e.localName, twin = (o: Element) => kin(o) && (!mark || o.getAttribute(mark) === value);
  let n = 1, alone = true, o: Element | null = e;
  while ((o = o.previousElementSibling)) {
    if (kin(o)) n++;
    if (twin(o)) alone = false;
  }
  for (o = e; alone && (o = o.nextElementSibling);) alone = !twin(o);
  return name + (mark ? `[${mark}="${value}"]` : "") + (alone ? "" : `:nth-of-type(${n})`);
}
