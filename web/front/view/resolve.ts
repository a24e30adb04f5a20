import { hash } from "../anchor";
import { parentOf } from "./dom";
import { alike, type Anchor, likeness, parse, type Part, type Step } from "./path";

/** Where an anchor's element is: found, not on the page now, or still looked for. */
export type Found = Element | null | undefined;

/** Finds elements by their anchors on the page as it is now. */
export interface Resolver {
  /** The element of an anchor; null if it is not on the page, or if nobody could say which of several it is; undefined if that is not known yet. */
  find(a: Anchor): Found;
  /** Goes on looking for what is not known yet, for about some ms. Reports whether all is known. */
  work(ms: number): boolean;
  /** How many anchors were looked for so far, again too: something may have been found since this was less. */
  readonly verdicts: number;
  /** Whether an element has got a shadow root or a document since it was looked for in it: nothing else tells of that. */
  opened(): boolean;
  /** The page has changed, as records say: all that was found is looked for again by the next work, and holds until then. */
  changed(records: readonly MutationRecord[]): void;
}

/** Characters of a text that is hardly on a page twice: what is shorter may be the label of another like it. */
const distinct = 24;

type Root = Document | ShadowRoot;

/** In the place of a name: all elements, those in shadow roots too. */
const deep = ">>>";

/** Elements of one name in one root, by the hash of what they say. */
interface Index {
  readonly all: readonly Element[];
  readonly by: Map<number, Element[]>;
  next: number; // of all: the first that is not in by yet
}

/** An answer, and whether it rests on the order of elements alone. */
type Verdict = readonly [element: Element | null, ordered?: boolean];

interface Entry {
  readonly anchor: Anchor;
  verdict?: Verdict;
}

/** A search that lets others have the thread when its time is over: whoever runs it goes on with it later. */
type Search<T> = Generator<void, T, void>;

/**
 * Makes a Resolver of the anchors of a site; entered is called with each document and shadow root that it looks into. An anchor's own selector is believed if what it finds says what the anchor's
 * hashes say; else all elements of its name that say so are looked at, and the one that is clearly it is taken. Where
 * several say the same, their order decides, unless another anchor has shown that things were moved there.
 */
export function makeResolver(site: string, entered: (root: Root) => void = () => {}): Resolver {
  const entries = new Map<string, Entry>();
  const said = new WeakMap<Element, number>();
  let queue: Entry[] = [], search: Search<Verdict> | null = null; // search is for the last of the queue
  let stale = false, until = 0, verdicts = 0;
  let shut = new Set<Element>(); // what was to be looked into and had nothing
  let indexes = new Map<Root, Map<string, Index>>();
  let moved = new Set<Element>(); // elements whose children are in other places than anchors say

  function find(a: Anchor): Found {
    const key = a.sel + "\n" + a.check;
    let entry = entries.get(key);
    if (!entry) {
      entries.set(key, entry = { anchor: a });
      queue.push(entry);
    }
    if (!entry.verdict) return undefined;
    const [e, ordered] = entry.verdict;
    if (e && !e.ownerDocument.defaultView) stale = true; // its frame shows another page
    return e && (!e.isConnected || !e.ownerDocument.defaultView || (ordered && inMoved(e))) ? null : e;
  }

  function changed(records: readonly MutationRecord[]): void {
    stale = true;
    for (const { type, target } of records) {
      if (type === "childList" && target instanceof Element) for (const e of target.children) said.delete(e); // what stands beside them is another
      for (let o: Node | null = target; o; o = type === "attributes" ? null : o.parentNode) if (o instanceof Element) said.delete(o);
    }
  }

  function work(ms: number): boolean {
    until = performance.now() + ms;
    if (stale) begin();
    while (queue.length) {
      const entry = queue[queue.length - 1]!, step = (search ??= resolve(entry.anchor)).next();
      if (!step.done) return false; // there was no time to look at all
      entry.verdict = step.value;
      verdicts++;
      search = null;
      queue.pop();
      if (late()) break;
    }
    return !queue.length;
  }

  const late = () => performance.now() > until;

  const opened = () => [...shut].some((e) => e.isConnected && inside(e));

  /** Forgets what is known of the page, but not what was found on it. */
  function begin(): void {
    stale = false;
    indexes = new Map();
    moved = new Set();
    shut = new Set();
    search = null;
    queue = [...entries.values()];
  }

  /** Looks for an element, through the shadow roots and frames around it. */
  function* resolve(a: Anchor): Search<Verdict> {
    const parts = parse(a.sel), own = parts.pop();
    let root: Root = document, ordered = false;
    for (const part of parts) {
      const [host, byOrder]: Verdict = yield* inRoot(root, part, undefined), next: Root | null = host && inside(host);
      if (host && !next) shut.add(host);
      if (!next) return [null];
      entered(root = next);
      ordered ||= !!byOrder;
    }
    if (!own) return [null];
    const [e, byOrder] = yield* inRoot(root, own, a.check);
    return [e, ordered || !!byOrder];
  }

  function* inRoot(root: Root, part: Part, check: number | undefined): Search<Verdict> {
    const { steps, near } = part, matches = query(root, part), exact = matches[0] ?? null, leaf = steps[steps.length - 1]!;
    const numbered = steps.some((s) => s.nth > 0), only = !numbered && matches.length === 1;
    if (check === undefined && !near.length) return numbered ? [exact, true] : [only ? exact : null];
    if (only && check !== undefined && say(exact!) === check) return [exact];

    const named = yield* candidates(root, leaf.name, check);
    let beside = named, gone = false, vague = true;
    for (const { hash, up } of near) {
      const texts = yield* candidates(root, deep, hash);
      if (single(texts)) vague = false;
      if (!texts.length) gone = true;
      else beside = yield* saidIn(beside, up, texts.map((t) => outermost(t, root)));
    }
    const [best, tied] = yield* nearest(beside, steps);
    const sure = (e: Element) => !gone || e.textContent!.length > distinct; // what is left of its kind need not be it
    if (exact && best.includes(exact) && sure(exact) && !(tied && (gone || matches.length > 1))) return [exact, tied];
    if (best.length === 1 && sure(best[0]!)) {
      compare(best[0]!, steps);
      return [best[0]!];
    }
    if (best.length) return [null];
    if (only) return [exact]; // it says something else now, but there is nothing else that it could be
    if (check !== undefined && vague) { // what was near is gone, or could be anywhere
      const [alone, several] = yield* nearest(named, steps);
      if (alone.length && !several && sure(alone[0]!)) return [alone[0]!];
    }
    if (exact) suspect(exact, steps);
    return [null];
  }

  /** The elements of a name, of those the ones that say what a hash says. */
  function* candidates(root: Root, name: string, check: number | undefined): Search<readonly Element[]> {
    let names = indexes.get(root), index = names?.get(name);
    if (!names) indexes.set(root, names = new Map());
    if (!index) names.set(name, index = { all: name === deep ? yield* everything(root) : [...root.querySelectorAll(name)], by: new Map(), next: 0 });
    if (check === undefined) return index.all;
    while (index.next < index.all.length) {
      const e = index.all[index.next++]!, h = say(e), like = index.by.get(h);
      if (like) like.push(e);
      else index.by.set(h, [e]);
      if (index.next % 4 === 0 && late()) yield;
    }
    return index.by.get(check) ?? [];
  }

  /** All elements of a root, and those in the shadow roots of these. */
  function* everything(root: Root): Search<Element[]> {
    const all: Element[] = [];
    for (const e of root.querySelectorAll("*")) {
      all.push(e);
      if (e.shadowRoot) all.push(...(yield* everything(e.shadowRoot)));
      if (all.length % 64 === 0 && late()) yield;
    }
    return all;
  }

  /** Those of the elements that have one of some texts in the element around them, so many steps up. */
  function* saidIn(elements: readonly Element[], up: number, texts: readonly Element[]): Search<Element[]> {
    const beside: Element[] = [];
    for (const e of elements) {
      const around = above(e, up);
      if (texts.some((t) => around.contains(t))) beside.push(e);
      if (late()) yield;
    }
    return beside;
  }

  /** The elements that the steps lead to best, if well enough, and whether these are several. */
  function* nearest(elements: readonly Element[], steps: readonly Step[]): Search<[best: Element[], tied: boolean]> {
    const { mark } = steps[steps.length - 1]!;
    let best: Element[] = [], most = alike;
    for (const e of elements) {
      const score = likeness(e, steps) + (mark && e.matches(mark) ? 1 : 0);
      if (score > most) best = [];
      if (score >= most) {
        best.push(e);
        most = score;
      }
      if (late()) yield;
    }
    return [best, best.length > 1];
  }

  function say(e: Element): number {
    let h = said.get(e);
    if (h === undefined) said.set(e, h = hash(e, site));
    return h;
  }

  /** Remembers where an element has another number than the steps to it say. */
  function compare(e: Element, steps: readonly Step[]): void {
    let o: Element | null = e;
    for (let i = steps.length - 1; i >= 0 && o?.parentElement; i--, o = o.parentElement) {
      const { nth, name } = steps[i]!;
      if (name !== o.localName) return;
      if (nth && nth !== numberOf(o)) moved.add(o.parentElement);
    }
  }

  /** Remembers that an element is in the place of another, which is gone. */
  function suspect(e: Element, steps: readonly Step[]): void {
    let o: Element | null = e;
    for (let i = steps.length - 1; i >= 0 && o?.parentElement; i--, o = o.parentElement) {
      if (steps[i]!.nth) return void moved.add(o.parentElement);
    }
  }

  function inMoved(e: Element): boolean {
    for (let o = parentOf(e); o; o = parentOf(o)) if (moved.has(o)) return true;
    return false;
  }

  return { find, work, opened, changed, get verdicts() { return verdicts; } };
}

/** The element of a root that an element is in. */
function outermost(e: Element, root: Root): Element {
  const own = e.getRootNode();
  return own !== root && own instanceof ShadowRoot ? outermost(own.host, root) : e;
}

/** What an element shows that has a document or a tree of its own; null if it has none or nobody may see into it. */
function inside(e: Element): Root | null {
  try {
    return e.shadowRoot ?? (e as HTMLIFrameElement).contentDocument ?? null;
  } catch {
    return null;
  }
}

/** The elements that a selector finds. */
function query(root: Root, { css, whole, steps }: Part): readonly Element[] {
  try {
    if (!whole) return [...root.querySelectorAll(css)];
    // Step by step from above: a browser begins at the end, with all elements of the last name.
    return steps.slice(1).reduce((found, s) => found.flatMap((e) => stepFrom(e, s)), [...root.querySelectorAll(css.split(">")[0]!)]);
  } catch {
    return []; // whoever sent the hit wrote no selector
  }
}

/** The children of an element that a step says. */
function stepFrom(e: Element, { name, mark, nth }: Step): Element[] {
  const found: Element[] = [];
  let n = 0;
  for (let c = e.firstElementChild; c; c = c.nextElementSibling) {
    if (c.localName === name && (++n === nth || !nth) && (!mark || c.matches(mark))) found.push(c);
  }
  return found;
}

/** Whether a text is in one place only: elements that say it are all in each other. */
function single(elements: readonly Element[]): boolean {
  const last = elements[elements.length - 1];
  return last !== undefined && elements.every((e) => e.contains(last));
}

/** The element around another, so many steps up. */
function above(e: Element, up: number): Element {
  let o = e;
  for (; up && o.parentElement; up--) o = o.parentElement;
  return o;
}

/** The number of an element among those of its name beside it, from 1. */
function numberOf(e: Element): number {
  let n = 1;
  for (let o = e.previousElementSibling; o; o = o.previousElementSibling) if (o.localName === e.localName) n++;
  return n;
}
