import { boxOf, type Carrier, carriers, page } from "./carrier";
import { guard } from "./dom";
import { type Field, makeFields, type Points, RADIUS } from "./field";
import type { Anchor } from "./path";
import { makeResolver } from "./resolve";

/** What an answer says about one element. Cells are places as shares of its box, and the clicks there. */
export interface ElementCount extends Anchor {
  readonly hits: number;
  readonly rage: number;
  readonly dead: number;
  readonly cells: readonly (readonly number[])[];
}

/** An element of the page, where it was when it was measured, px from the origin of its carrier, and its clicks: those of all anchors that lead to it. */
export interface Placed {
  readonly element: Element;
  readonly carrier: Carrier;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly sel: string;
  hits: number;
  rage: number;
  dead: number;
  /** 1 for the one with the most clicks. */
  rank: number;
}

/** An anchor whose element is not drawn, and why. */
export interface Missing {
  readonly count: ElementCount;
  readonly why: "gone" | "hidden";
}

/** Heat that moves with a carrier. Its field begins RADIUS px above and to the left of the carrier's origin. */
export interface Sheet {
  readonly carrier: Carrier;
  readonly field: Field;
}

/** Where the clicks on elements are on the page as it is now. */
export interface Placing {
  /** Takes the counts of an answer, and the clicks that were at no element, by places of the page. */
  set(counts: readonly ElementCount[], rest: Points): void;
  /** Goes on looking for elements and measuring them, for some ms, if anything may have changed. Reports whether it is to be called in the next frame again. */
  update(): boolean;
  /** Something has moved: a window was resized, or the page has changed. */
  look(): void;
  /** Something may have moved that nothing tells of. */
  check(): void;
  /** Changes with what is below. */
  readonly version: number;
  /** The page's own first. */
  readonly sheets: readonly Sheet[];
  /** By their clicks, the most first. */
  readonly placed: readonly Placed[];
  readonly missing: readonly Missing[];
  /** What is known of the element under a place of the viewport. */
  at(x: number, y: number): Placed | null;
  /** Where the element of a count that was set is, null if it is not on the page. */
  where(count: ElementCount): Measured | null;
  close(): void;
}

// Times in ms.
const SEARCH = 4; // of a frame, for finding elements
const MEASURE = 2; // of a frame, for measuring them
const CALM = 500; // between two searches on a page that changes all the time
const FOLLOWED = 700; // how long a change of the page is followed frame by frame: menus open and boxes unfold in that time
const REDRAWN = 120; // between two rounds, and after new fields SHARE times what making these took

/** Where there is much to draw, a change is followed in fewer steps. */
const SHARE = 4;

/** What of a page moves elements without changing it. */
const MOVES = ["load", "transitionrun", "animationstart"];

/** Where an element was when it was measured, px from the origin of its carrier. */
export interface Measured {
  readonly count: ElementCount;
  readonly element: Element;
  readonly carrier: Carrier;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** One round of measuring, which takes as many frames as it needs. */
interface Round {
  readonly carrier: (e: Element) => Carrier;
  readonly measured: Measured[];
  readonly missing: Missing[];
  next: number; // of counts
}

/** Makes a Placing for a site. changed is called when update has something to do. */
export function makePlacing(site: string, changed: () => void): Placing {
  const resolver = makeResolver(site, watch), roots = new WeakSet<Node>();
  const observer = new MutationObserver(guard(notice)), ended = new AbortController();
  let counts: readonly ElementCount[] = [], rest: Points = new Float64Array(0);
  let sheets: readonly Sheet[] = [], placed: readonly Placed[] = [], missing: readonly Missing[] = [];
  let byElement = new Map<Element, Placed>(), byCount = new Map<ElementCount, Measured>();
  let version = 0, until = 0, searched = 0, verdicts = 0, drawn = 0, pause = REDRAWN;
  let fresh = true, moved = false; // there are other counts; elements may be elsewhere than in the last round
  let round: Round | null = null, last: Round | null = null; // under way, and shown
  let records: MutationRecord[] = [];

  function set(now: readonly ElementCount[], others: Points): void {
    counts = now;
    rest = others;
    fresh = true;
    round = null;
    watch(document);
  }

  function watch(root: Node): void {
    if (roots.has(root)) return;
    roots.add(root);
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    for (const type of MOVES) root.addEventListener(type, moves, { capture: true, passive: true, signal: ended.signal });
  }

  const moves = guard(({ target }: Event) => {
    if ((target as Element).localName === "iframe") resolver.changed([]); // it shows another page
    look();
  });

  function notice(all: MutationRecord[]): void {
    const of = all.filter(({ target, attributeName }) => attributeName !== "popover" && !(target instanceof Element && target.closest("[data-hl-ignore]")));
    if (!of.length) return;
    for (const r of of) if (r.attributeName !== "style" && r.attributeName !== "class") records.push(r);
    look();
  }

  function look(): void {
    until = performance.now() + FOLLOWED;
    check();
  }

  function check(): void {
    if (resolver.opened()) resolver.changed([]);
    moved = true;
    changed();
  }

  function update(): boolean {
    const now = performance.now();
    if (!counts.length && !rest.length && !sheets.length) return false;
    if (records.length && now - searched > CALM) {
      searched = now;
      resolver.changed(records);
      records = [];
    }
    if (fresh) for (const c of counts) resolver.find(c);
    const known = resolver.work(SEARCH);
    moved ||= fresh || verdicts !== resolver.verdicts || now < until;
    verdicts = resolver.verdicts;
    if (moved && !round && (fresh || now - drawn > pause)) {
      moved = false;
      round = { carrier: carriers(), measured: [], missing: [], next: 0 };
    }
    if (round && measure(round)) finish();
    return !known || moved || records.length > 0 || round !== null || performance.now() < until;
  }

  /** Goes on measuring. Reports whether all elements are. */
  function measure(r: Round): boolean {
    const end = performance.now() + MEASURE;
    while (r.next < counts.length) {
      one(r, counts[r.next++]!);
      if (r.next % 8 === 0 && performance.now() > end) break;
    }
    return r.next === counts.length;
  }

  function one(r: Round, count: ElementCount): void {
    const element = resolver.find(count);
    if (element === undefined) return;
    if (!element || !visible(element)) {
      r.missing.push({ count, why: element ? "hidden" : "gone" });
      return;
    }
    const box = boxOf(element), carrier = r.carrier(element), [x, y] = carrier.origin();
    r.measured.push({ count, element, carrier, left: box.left - x, top: box.top - y, width: box.right - box.left, height: box.bottom - box.top });
  }

  /** Ends the round, and makes new fields if an element is not where it was. */
  function finish(): void {
    const now = round!, begun = performance.now();
    round = null;
    drawn = begun;
    pause = REDRAWN;
    if (!fresh && last && same(last, now)) return;
    fresh = false;
    last = now;
    missing = now.missing;
    rank(now);
    draw(now);
    version++;
    drawn = performance.now();
    pause = Math.max(REDRAWN, SHARE * (drawn - begun));
  }

  /** Adds up the clicks of elements that several anchors lead to. */
  function rank(now: Round): void {
    byElement = new Map();
    byCount = new Map(now.measured.map((m) => [m.count, m]));
    for (const { element, carrier, left, top, width, height, count: c } of now.measured) {
      const known = byElement.get(element);
      if (known) {
        known.hits += c.hits;
        known.rage += c.rage;
        known.dead += c.dead;
      } else byElement.set(element, { element, carrier, left, top, width, height, sel: c.sel, hits: c.hits, rage: c.rage, dead: c.dead, rank: 0 });
    }
    placed = [...byElement.values()].sort((a, b) => b.hits - a.hits);
    placed.forEach((p, i) => (p.rank = i + 1));
  }

  function draw(now: Round): void {
    const points = new Map<Carrier, number[]>([[page, [...rest]]]);
    for (const { carrier, left, top, width, height, count } of now.measured) {
      let list = points.get(carrier);
      if (!list) points.set(carrier, list = []);
      for (const [fx = 0, fy = 0, n = 0] of count.cells) list.push(left + fx * width, top + fy * height, n);
    }
    const list = [...points], fields = makeFields(list.map(([, p]) => shifted(p)), document.documentElement.scrollWidth);
    sheets = list.flatMap(([carrier], i) => (fields[i] ? [{ carrier, field: fields[i]! }] : [])).sort((a, b) => depth(a.carrier) - depth(b.carrier));
  }

  function at(x: number, y: number): Placed | null {
    for (let e = deepest(x, y); e; e = e.parentElement ?? (e.getRootNode() as ShadowRoot).host ?? null) {
      const p = byElement.get(e);
      if (p) return p;
    }
    return null;
  }

  const where = (count: ElementCount) => byCount.get(count) ?? null;

  function close(): void {
    observer.disconnect();
    ended.abort();
  }

  return {
    set, update, look, check, at, where, close,
    get version() { return version; },
    get sheets() { return sheets; },
    get placed() { return placed; },
    get missing() { return missing; },
  };
}

/** Whether two rounds found all elements in the same places, to a quarter of a px. */
function same(a: Round, b: Round): boolean {
  const near = (v: number, w: number) => Math.abs(v - w) < 0.25;
  return a.measured.length === b.measured.length && a.missing.length === b.missing.length &&
    a.missing.every((m, i) => m.count === b.missing[i]!.count && m.why === b.missing[i]!.why) &&
    a.measured.every((m, i) => {
      const n = b.measured[i]!;
      return m.element === n.element && m.carrier.element === n.carrier.element && near(m.left, n.left) && near(m.top, n.top) && near(m.width, n.width) && near(m.height, n.height);
    });
}

/** Whether anybody could see an element, if the window were large enough. */
function visible(e: Element): boolean {
  const { width, height } = e.getBoundingClientRect();
  const check = (e as { checkVisibility?: (o: object) => boolean }).checkVisibility;
  return width > 0 && height > 0 && (!check || check.call(e, { visibilityProperty: true, opacityProperty: true }));
}

/** Points moved so that the heat of those at the upper left edge is whole. */
function shifted(points: readonly number[]): Points {
  return Float64Array.from(points, (v, i) => (i % 3 === 2 ? v : v + RADIUS));
}

/** Carriers that are in others are drawn after these, and what is fixed after all that scrolls. */
function depth(c: Carrier): number {
  return (c.before ? 100 : 0) + (c.outer ? 1 + depth(c.outer) : c.element ? 50 : 0);
}

/** The element at a place of the viewport, in shadow roots and frames too. */
function deepest(x: number, y: number): Element | null {
  let root: Document | ShadowRoot = document, e: Element | null = null;
  for (;;) {
    const next: Element | null = root.elementFromPoint(x, y);
    if (!next || next === e) return e;
    e = next;
    if (e.shadowRoot) root = e.shadowRoot;
    else if (e.localName === "iframe" && (e as HTMLIFrameElement).contentDocument) {
      const box = e.getBoundingClientRect();
      x -= box.left + e.clientLeft;
      y -= box.top + e.clientTop;
      root = (e as HTMLIFrameElement).contentDocument!;
    } else return e;
  }
}
