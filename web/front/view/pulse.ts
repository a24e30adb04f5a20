import { guard, make } from "./dom";

/** Something new on the page: where it is in the viewport now, null where it cannot be seen, and how many hits it was. */
export interface Landed {
  at(): readonly [x: number, y: number] | null;
  readonly hits: number;
}

/** Most rings at a time. */
const MOST = 24;

/** Rings are no nearer to one another, px: where much lands, one stands for all. */
const APART = 40;

/** A quiet ring where something new landed. */
export interface Pulses {
  readonly element: HTMLElement;
  show(landed: readonly Landed[]): void;
  /** Puts rings where their places are now. */
  draw(): void;
  clear(): void;
}

export function makePulses(): Pulses {
  const element = make("div", "pulses"), rings = new Map<HTMLElement, Landed>();
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  function show(landed: readonly Landed[]): void {
    if (still.matches) return;
    const places = [...rings.values()].map((l) => l.at());
    for (const l of [...landed].sort((a, b) => b.hits - a.hits)) {
      if (rings.size >= MOST) return;
      const place = l.at();
      if (!place || places.some((p) => p && Math.abs(p[0] - place[0]) < APART && Math.abs(p[1] - place[1]) < APART)) continue;
      places.push(place);
      begin(l);
    }
    draw();
  }

  function begin(l: Landed): void {
    const ring = make("div", "pulse", {}, make("i"));
    const end = guard(() => {
      rings.delete(ring);
      ring.remove();
    });
    ring.addEventListener("animationend", end);
    ring.addEventListener("animationcancel", end);
    rings.set(ring, l);
    element.append(ring);
  }

  function draw(): void {
    const places = [...rings].map(([ring, l]) => [ring, l.at()] as const); // all is read before anything is written
    for (const [ring, place] of places) {
      ring.hidden = !place;
      if (place) ring.style.transform = `translate(${place[0]}px,${place[1]}px)`;
    }
  }

  function clear(): void {
    rings.clear();
    element.replaceChildren();
  }

  return { element, show, draw, clear };
}
