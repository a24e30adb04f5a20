/** What an element is known by: a selector as the tracker makes it, and the hash of what it says, if it has one. */
export interface Anchor {
  readonly sel: string;
  readonly check?: number;
}

/** One element of a selector. */
export interface Step {
  /** Local name, "*" where the selector does not say it. */
  readonly name: string;
  /** An id, without its #, or "". */
  readonly id: string;
  /** What stands in brackets, with them, or "". */
  readonly mark: string;
  /** Its number among its like, 0 where it has none beside it. */
  readonly nth: number;
}

/** The hash of what something says that has an element around in common, so many steps up. */
export interface Near {
  readonly hash: number;
  readonly up: number;
}

/** A selector within one document, frame or shadow root. */
export interface Part {
  /** The selector as browsers read it. */
  readonly css: string;
  /** Whether steps say all that css does, from an id or the body on, each a child of the one before. */
  readonly whole: boolean;
  /** Its elements, the outermost first. */
  readonly steps: readonly Step[];
  /** What is said near the last step. */
  readonly near: readonly Near[];
}

/** Takes a selector apart. One that the tracker did not make may give steps that say little, but its css is whole. */
export function parse(sel: string): Part[] {
  return sel.split(">>>").map((css) => {
    const texts = css.split(/[>\s]+/).filter(Boolean);
    const near = texts.flatMap((text, i) => {
      const hash = /\/\*([0-9a-z]{1,4})\*\/$/.exec(text)?.[1];
      return hash ? [{ hash: parseInt(hash, 36), up: texts.length - 1 - i }] : [];
    });
    return { css, whole: css.split(">").every((text, i) => (i ? plain : start).test(text)), steps: texts.map(step), near };
  });
}

const start = /^(#[\w-]+|body|html)$/;
const plain = /^[a-z][\w-]*(\[[\w-]+="[\w-]+"\])?(:nth-of-type\(\d+\))?(\/\*\w+\*\/)?$/;

function step(text: string): Step {
  return {
    name: /^[a-z][\w-]*/i.exec(text)?.[0] ?? "*",
    id: /^#([\w-]+)/.exec(text)?.[1] ?? "",
    mark: /\[[\w-]+="[\w-]+"\]/.exec(text)?.[0] ?? "",
    nth: Number(/:nth-of-type\((\d+)\)/.exec(text)?.[1] ?? 0),
  };
}

/** What people call an element of a selector: its last step, without what is only for finding it. */
export function nameOf(sel: string): string {
  return sel.replace(/\/\*\w*\*\//g, "").split(/>+/).slice(-2).join(" › ");
}

/** Parts of a page that are never taken for each other. */
const landmarks = ["header", "nav", "main", "aside", "footer", "dialog", "form"];

/** Share of an element's way from the root that must be as a selector says, for it to be the one. */
export const alike = 0.8;

/**
 * How like the way to an element is to that of a selector, 0 to 1: twice the steps that both have in the same order, by the
 * steps of both. Names count, not numbers. It is 0 outside of an id that the selector begins with and that is there.
 */
export function likeness(e: Element, steps: readonly Step[]): number {
  const way: string[] = [], [first] = steps, root = e.getRootNode() as Document | ShadowRoot;
  const start = first?.id ? root.getElementById(first.id) : null;
  if (start && !start.contains(e)) return 0;
  for (let o: Element | null = e; o && o !== start; o = o.parentElement) way.unshift(o.localName);
  const names = steps.map((s) => s.name).slice(first?.id ? 1 : 0);
  if (first?.id && !start) way.splice(0, way.length - names.length); // nobody knows what was around the id
  else if (way[0] === "html" && names[0] !== "html") way.shift();
  const marks = (list: readonly string[]) => list.filter((n) => landmarks.includes(n)).join();
  if (marks(way) !== marks(names)) return 0;
  return way.length + names.length ? (2 * common(way, names)) / (way.length + names.length) : 1;
}

/** Length of the longest sequence that two lists have in common; "*" is any name. */
function common(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    b.forEach((y, j) => next.push(x === y || y === "*" ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!)));
    row = next;
  }
  return row[b.length]!;
}
