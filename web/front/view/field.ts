import { COLOURS, SAME } from "./ramp";

/** How far the heat of a point reaches, page px. */
export const RADIUS = 24;

/** Most samples of a field: 5 MB of memory a million. */
const MAX_SAMPLES = 1 << 22;

/** Page px that a field is wide at least before points to the right of the page are left out. */
const WIDE = 4096;

/** Places and weights, three numbers a point: x and y of the cell's centre in page px, and hits, or a difference of shares. */
export type Points = Float64Array;

/** The points of an answer as centres of their cells; weight says which of a point's numbers it is. */
export function centres(points: readonly (readonly number[])[], cell: number, weight = 2): Points {
  const flat = new Float64Array(points.length * 3);
  for (let i = 0; i < points.length; i++) {
    const p = points[i]!;
    flat[i * 3] = p[0]! + cell / 2;
    flat[i * 3 + 1] = p[1]! + cell / 2;
    flat[i * 3 + 2] = p[weight]!;
  }
  return flat;
}

/** Heat of a page, or of a part of it, as numbers of colours on a lattice. */
export interface Field {
  /** Page px between samples; sample (i, j) is at (left + i·step, top + j·step). */
  readonly step: number;
  readonly left: number;
  readonly top: number;
  readonly cols: number;
  readonly rows: number;
  /** Heat of the last colour: the sum over points of hits · (1 − d²/24²)². */
  readonly max: number;
  /** Whether it is of a difference: numbers are of the two ramps that meet at SAME. */
  readonly signed: boolean;
  readonly colours: Uint8Array;
}

/** Makes the field of a page at least pageWidth px wide, signed if weights may be below 0; null without points. */
export function makeField(points: Points, pageWidth: number, signed = false): Field | null {
  return makeFields([points], pageWidth, signed)[0]!;
}

/** Makes a field of each set of points, with colours that mean the same in all; null in the place of a set that is empty. */
export function makeFields(sets: readonly Points[], pageWidth: number, signed = false): (Field | null)[] {
  const lattices = sets.map((points) => (points.length ? makeLattice(points, Math.max(pageWidth, WIDE)) : null));
  let max = 0;
  for (const l of lattices) if (l) for (let i = 0; i < l.heat.length; i++) max = Math.max(max, Math.abs(l.heat[i]!));
  return lattices.map((l) => l && { step: l.step, left: l.left, top: l.top, cols: l.cols, rows: l.rows, signed, max, colours: colour(l.heat, max, signed) });
}

interface Lattice extends Pick<Field, "step" | "left" | "top" | "cols" | "rows"> {
  readonly heat: Float32Array;
}

function makeLattice(points: Points, widest: number): Lattice {
  const [right, bottom] = extent(points, widest);
  let step = 4;
  while ((right / step + 2) * (bottom / step + 2) > MAX_SAMPLES) step *= 2;
  const origin = step === 4 ? 0 : 4; // centres of cells are odd multiples of 4, and the greatest heat is near one
  const cols = Math.ceil((right - origin) / step) + 1, rows = Math.ceil((bottom - origin) / step) + 1;
  const heat = new Float32Array(cols * rows);
  for (let i = 0; i < points.length; i += 3) {
    add(heat, cols, rows, (points[i]! - origin) / step, (points[i + 1]! - origin) / step, points[i + 2]!, RADIUS / step);
  }
  return { step, left: origin, top: origin, cols, rows, heat };
}

/** Where the heat ends to the right and below, page px. */
function extent(points: Points, widest: number): [right: number, bottom: number] {
  let right = 0, bottom = 0;
  for (let i = 0; i < points.length; i += 3) {
    right = Math.max(right, points[i]!);
    bottom = Math.max(bottom, points[i + 1]!);
  }
  return [Math.min(right + RADIUS, widest), bottom + RADIUS];
}

/** Adds the heat of a point; x, y and reach are in steps. */
function add(heat: Float32Array, cols: number, rows: number, x: number, y: number, weight: number, reach: number): void {
  const r2 = reach * reach;
  const lastRow = Math.min(Math.floor(y + reach), rows - 1), lastCol = Math.min(Math.floor(x + reach), cols - 1);
  const firstCol = Math.max(Math.ceil(x - reach), 0);
  for (let j = Math.max(Math.ceil(y - reach), 0); j <= lastRow; j++) {
    const left = 1 - ((j - y) * (j - y)) / r2;
    for (let i = firstCol, at = j * cols + firstCol; i <= lastCol; i++, at++) {
      const k = left - ((i - x) * (i - x)) / r2;
      if (k > 0) heat[at]! += weight * k * k;
    }
  }
}

function colour(heat: Float32Array, max: number, signed: boolean): Uint8Array {
  const colours = new Uint8Array(heat.length), zero = signed ? SAME : 0, last = COLOURS - 1 - zero;
  if (zero) colours.fill(zero);
  for (let i = 0; i < heat.length; i++) {
    const share = heat[i]! / max;
    if (share) colours[i] = zero + Math.sign(share) * last * Math.sqrt(Math.abs(share)) + 0.5;
  }
  return colours;
}

/** The heat at a place of the page: that of the sample next to it, to about 1 % of the greatest; 0 outside of the field. */
export function heatNear(f: Field, x: number, y: number): number {
  const i = Math.round((x - f.left) / f.step), j = Math.round((y - f.top) / f.step);
  if (i < 0 || j < 0 || i >= f.cols || j >= f.rows) return 0;
  return f.max * (f.colours[j * f.cols + i]! / (COLOURS - 1)) ** 2;
}

/** The sum of the points that are nearer than RADIUS to a place of the page. */
export function hitsNear(points: Points, x: number, y: number): number {
  let sum = 0;
  for (let i = 0; i < points.length; i += 3) {
    const dx = points[i]! - x, dy = points[i + 1]! - y;
    if (dx * dx + dy * dy < RADIUS * RADIUS) sum += points[i + 2]!;
  }
  return sum;
}

/** Reports whether two answers have the same points. */
export function samePoints(a: Points, b: Points): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
