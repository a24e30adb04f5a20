/** What an answer says about horizontal bands of a page, from its top on. */
export interface Bands {
  /** Height of a band, page px. */
  readonly size: number;
  /** Where in its band a value holds, page px from the top of it. */
  readonly offset: number;
  readonly values: readonly number[];
  /** Value of the last colour. */
  readonly max: number;
}

/** A line across the page. */
export interface Line {
  /** Page px from the top. */
  readonly y: number;
  readonly text: string;
  readonly fold: boolean;
}

/** The bands of an answer's [[top, value], …]. Without a max the greatest value is it. */
export function makeBands(size: number, offset: number, pairs: readonly (readonly number[])[], max?: number): Bands {
  const values: number[] = [];
  for (const [top, value] of pairs) values[Math.round(top! / size)] = value!;
  for (let i = 0; i < values.length; i++) values[i] ??= 0;
  let most = 0;
  for (const v of values) most = Math.max(most, v);
  return { size, offset, values, max: max ?? most };
}

/** The value at a place of the page: on a straight line between those of bands, 0 below the last. */
export function valueAt(b: Bands, y: number): number {
  const at = Math.max((y - b.offset) / b.size, 0), i = Math.floor(at);
  const upper = b.values[i] ?? 0, lower = b.values[i + 1] ?? 0;
  return upper + (lower - upper) * (at - i);
}

/** Where the value falls below a level for the first time, page px; null if it does not reach the level at all. */
export function fallsBelow(b: Bands, level: number): number | null {
  for (let i = 0; i < b.values.length; i++) {
    const upper = b.values[i]!, lower = b.values[i + 1] ?? 0;
    if (upper < level) return null;
    if (lower < level) return b.offset + (i + (upper - level) / (upper - lower)) * b.size;
  }
  return null;
}

/** The lines of a scroll map: the average fold, and how far three quarters, half and a quarter of the views came. */
export function reachLines(reach: Bands, fold: number): Line[] {
  const lines: Line[] = [];
  if (fold > 0) lines.push({ y: fold, text: `Average fold · ${Math.round(fold)} px`, fold: true });
  for (const percent of [75, 50, 25]) {
    const y = fallsBelow(reach, percent / 100);
    if (y !== null) lines.push({ y, text: `${percent}% got here`, fold: false });
  }
  return lines;
}
