import { hitsNear, type Points } from "./field";
import type { Placed } from "./placing";
import type { Choices } from "./question";
import { count, countOf, finePercent, nameOfHits } from "./words";

/** Both sides of a difference: hits of the whole map, and where they are. */
export interface Sides {
  readonly names: readonly [shown: string, other: string];
  readonly hits: number;
  readonly minus: number;
  readonly shown: Points;
  readonly other: Points;
}

/** What is said of an element, of so many hits in all. */
export function tipOfElement(p: Placed, hits: number, c: Choices): string {
  const more = (["rage", "dead"] as const).filter((kind) => p[kind] && c.clicks !== kind);
  return [countOf(p.hits, nameOfHits(c)), finePercent(p.hits / hits), `rank ${p.rank}`, ...more.map((kind) => `${count(p[kind])} ${kind}`)].join(" · ");
}

/** What lies at a place of the page on both sides of a difference, "" for nothing. */
export function tipOfSides(s: Sides, x: number, y: number): string {
  const now = hitsNear(s.shown, x, y), before = hitsNear(s.other, x, y);
  if (!now && !before) return "";
  const [shown, other] = s.names;
  return `${finePercent(now / s.hits)} ${shown} (${count(now)}) · ${finePercent(before / s.minus)} ${other} (${count(before)})`;
}
