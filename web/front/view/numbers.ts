import type { FrameNews } from "../frame";
import { make, write } from "./dom";
import { nameOf } from "./path";
import type { Missing, Placed, Placing } from "./placing";
import { count, finePercent } from "./words";

/** Most elements that have their number on the page. */
const LABELS = 30;

/** Most elements that the list has lines for. */
const LINES = 50;

/** Numbers on the elements of a page: rank and share of the clicks. */
export interface Numbers {
  readonly element: HTMLElement;
  show(on: boolean): void;
  /** Puts the numbers where the elements are now, of so many hits in all. */
  draw(placing: Placing, hits: number): void;
  clear(): void;
}

export function makeNumbers(): Numbers {
  const element = make("div", "numbers"), labels: HTMLElement[] = [];
  let on = false;

  function draw({ placed }: Placing, hits: number): void {
    if (!on) return;
    const right = document.documentElement.clientWidth || innerWidth, shown = placed.slice(0, LABELS), places = apart(shown.map(placeOf)); // all is read before anything is written: else the page is laid out for each
    while (labels.length < shown.length) element.append((labels[labels.length] = make("div", "number", {}, make("b"), make("span"))));
    labels.forEach((label, i) => {
      const p = shown[i], place = places[i];
      label.hidden = !place;
      if (!p || !place) return;
      write(label.firstElementChild!, String(p.rank));
      write(label.lastElementChild!, finePercent(p.hits / Math.max(hits, 1)));
      label.style.transform = `translate(${within(place[0], right)},${within(place[1], innerHeight)})`;
    });
  }

  function show(to: boolean): void {
    on = to;
    element.hidden = !to;
  }

  function clear(): void {
    for (const label of labels) label.hidden = true;
  }

  show(false);
  return { element, show, draw, clear };
}

type Place = readonly [x: number, y: number] | null;

/** Where the number of an element is in the viewport, px; null where the element cannot be seen: it is scrolled out of the window or a box around it. */
function placeOf({ element, carrier, left, top, width, height }: Placed): Place {
  const [ox, oy] = carrier.origin(), clip = carrier.clip(), x = ox + left, y = oy + top, cx = x + width / 2, cy = y + height / 2;
  if (!element.isConnected || y + height < 0 || y > innerHeight || x + width < 0 || x > innerWidth) return null;
  if (clip && (cx < clip.left || cx > clip.right || cy < clip.top || cy > clip.bottom)) return null;
  return [Math.max(x, 0), Math.max(y - 10, 0)];
}

/** A way of so many px that does not lead beyond an edge of the window; per cent are of what is moved. */
const within = (px: number, edge: number): string => `min(${px}px,calc(${edge}px - 100%))`;

/** What a number takes on the page, px. */
const WIDE = 60, TALL = 22;

/** The places without those that lie over one before. */
function apart(places: readonly Place[]): Place[] {
  return places.reduce<Place[]>((kept, p) => [...kept, p && kept.some((q) => q && Math.abs(q[0] - p[0]) < WIDE && Math.abs(q[1] - p[1]) < TALL) ? null : p], []);
}

/** The list of elements that have clicks and are not drawn. */
export interface Absent {
  readonly element: HTMLElement;
  /** Shows elements, the hits of others that no answer names, and the name of hits. */
  show(missing: readonly Missing[], others: number, name: string): void;
}

/** Makes the list. told is called with what it says, where somebody else shows it. */
export function makeAbsent(told?: (hits: number, elements: FrameNews["absent"]["elements"]) => void): Absent {
  const title = make("summary"), list = make("ul"), element = make("details", "absent", {}, title, list);
  let shown = "";

  function show(missing: readonly Missing[], others: number, name: string): void {
    const hits = missing.reduce((sum, m) => sum + m.count.hits, others), now = [hits, ...missing.map((m) => m.count.sel + m.count.hits + m.why)].join();
    element.hidden = hits === 0;
    if (now === shown) return;
    shown = now;
    told?.(hits, sorted(missing).slice(0, LINES).map(({ count: c, why }) => ({ name: nameOf(c.sel), why, hits: c.hits })));
    write(title, `${count(hits)} ${name} not drawn: hidden or gone`);
    const lines = sorted(missing).slice(0, LINES).map(({ count: c, why }) =>
      make("li", "", { title: c.sel }, make("span", "", {}, nameOf(c.sel)), make("em", "", {}, why), make("b", "", {}, count(c.hits))));
    if (missing.length > LINES) lines.push(make("li", "", {}, make("span", "", {}, `${count(missing.length - LINES)} more elements`)));
    if (others) lines.push(make("li", "", {}, make("span", "", {}, "Elements that are not listed"), make("b", "", {}, count(others))));
    list.replaceChildren(...lines);
  }

  element.hidden = true;
  return { element, show };
}

function sorted(missing: readonly Missing[]): Missing[] {
  return [...missing].sort((a, b) => b.count.hits - a.count.hits);
}
