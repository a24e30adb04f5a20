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

/** An element of the page and its clicks: those of all anchors that lead to it. */
export interface Placed {
  readonly element: Element;
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
  /** Looks for elements and measures them if anything may have changed. Reports whether it is to be called in the next frame again. */
  update(): boolean;
  /** Something may have moved: a window was resized, or time has passed. */
  look(): void;
  /** Changes with what is below. */
  readonly version: number;
  /** The page's own first. */
  readonly sheets: readonly Sheet[];
  /** By their clicks, the most first. */
  readonly placed: readonly Placed[];
  readonly missing: readonly Missing[];
  /** What is known of the element under a place of the viewport. */
  at(x: number, y: number): Placed | null;
  close(): void;
}

// Times in ms.
const WORK = 4; // of a frame, for finding elements
const CALM = 500; // between two searches on a page that changes all the time
const FOLLOWED = 700; // how long a change of the page is followed frame by frame: menus open and boxes unfold in that time
const REDRAWN = 120; // between two new fields

/** Makes a Placing for a site. changed is called when update has something to do. */
export function makePlacing(site: string, changed: () => void): Placing {
  const resolver = makeResolver(site), roots = new WeakSet<Node>();
  const observer = new MutationObserver(guard(notice));
  let counts: readonly ElementCount[] = [], rest: Points = new Float64Array(0);
  let sheets: readonly Sheet[] = [], placed: readonly Placed[] = [], missing: readonly Missing[] = [];
  let byElement = new Map<Element, Placed>();
  let version = 0, until = 0, searched = 0, drawn = 0, seen = "", fresh = true;
  let records: MutationRecord[] = [];

  function set(now: readonly ElementCount[], others: Points): void {
    counts = now;
    rest = others;
    fresh = true;
    watch(document);
  }

  function watch(root: Node): void {
    if (roots.has(root)) return;
    roots.add(root);
    observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  }

  function notice(all: MutationRecord[]): void {
    const of = all.filter(({ target, attributeName }) => attributeName !== "popover" && !(target instanceof Element && target.closest("[data-hl-ignore]")));
    if (!of.length) return;
    for (const r of of) if (r.attributeName !== "style" && r.attributeName !== "class") records.push(r);
    look();
  }

  function look(): void {
    until = performance.now() + FOLLOWED;
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
    const known = resolver.work(WORK);
    if (fresh || now - drawn > REDRAWN) {
      drawn = now;
      measure();
      fresh = false;
    }
    return !known || records.length > 0 || now < until;
  }

  /** Measures all elements, and makes new fields if one of them is not where it was. */
  function measure(): void {
    const of = carriers(), points = new Map<Carrier, number[]>([[page, [...rest]]]), found = new Map<Element, Placed>();
    const lacking: Missing[] = [], boxes: number[] = [];
    for (const c of counts) {
      const e = resolver.find(c);
      if (e === undefined) continue;
      if (!e || !visible(e)) {
        lacking.push({ count: c, why: e ? "hidden" : "gone" });
        continue;
      }
      watch(e.getRootNode());
      const box = boxOf(e), carrier = of(e), [x, y] = carrier.origin();
      const left = box.left - x, top = box.top - y, width = box.right - box.left, height = box.bottom - box.top;
      const known = found.get(e);
      if (known) {
        known.hits += c.hits;
        known.rage += c.rage;
        known.dead += c.dead;
      } else found.set(e, { element: e, sel: c.sel, hits: c.hits, rage: c.rage, dead: c.dead, rank: 0 });
      const list = points.get(carrier) ?? [];
      points.set(carrier, list);
      for (const [fx = 0, fy = 0, n = 0] of c.cells) list.push(left + fx * width, top + fy * height, n);
      boxes.push(left, top, width, height);
    }
    const state = boxes.map((v) => Math.round(v * 4)).join() + lacking.map((m) => m.count.sel + m.why).join();
    if (!fresh && state === seen) return;
    seen = state;
    byElement = found;
    placed = [...found.values()].sort((a, b) => b.hits - a.hits);
    placed.forEach((p, i) => (p.rank = i + 1));
    missing = lacking;
    const list = [...points], fields = makeFields(list.map(([, p]) => shifted(p)), document.documentElement.scrollWidth);
    sheets = list.flatMap(([carrier], i) => (fields[i] ? [{ carrier, field: fields[i]! }] : [])).sort((a, b) => depth(a.carrier) - depth(b.carrier));
    version++;
  }

  function at(x: number, y: number): Placed | null {
    for (let e = deepest(x, y); e; e = e.parentElement ?? (e.getRootNode() as ShadowRoot).host ?? null) {
      const p = byElement.get(e);
      if (p) return p;
    }
    return null;
  }

  return {
    set, update, look, at,
    get version() { return version; },
    get sheets() { return sheets; },
    get placed() { return placed; },
    get missing() { return missing; },
    close: () => observer.disconnect(),
  };
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
