import { type Bands, valueAt } from "./bands";
import { boxOf } from "./carrier";
import { make } from "./dom";
import { type Field, RADIUS } from "./field";
import type { Sheet } from "./placing";
import { COLOURS, DIFFERENCE, RAMP } from "./ramp";

/** What the picture shows: the heat of a field, that of elements, or bands. */
export type Drawing = { readonly field: Field } | { readonly sheets: readonly Sheet[] } | { readonly bands: Bands } | null;

/** The visible part of the page, page px, and where the page ends. */
export interface Slice {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly pageHeight: number;
}

/** A canvas of the viewport's size. */
export interface Picture {
  readonly canvas: HTMLCanvasElement;
  /** Draws a slice of a page; an empty drawing clears the canvas. */
  draw(drawing: Drawing, slice: Slice): void;
}

/** Device px a CSS px beyond which a smooth picture gains nothing. */
const MAX_RATIO = 3;

/** Opacity of bands: text below them stays readable. */
const BAND_OPACITY = 0.42;

/** Makes a picture. */
export function makePicture(): Picture {
  const canvas = make("canvas"), context = canvas.getContext("2d")!;
  const small = make("canvas"), smallContext = small.getContext("2d")!;
  const plain = new Uint32Array(RAMP.buffer), twoSided = new Uint32Array(DIFFERENCE.buffer); // bytes of a colour as one word, in whatever order the machine has them
  let pixels = smallContext.createImageData(1, 1);
  let words = new Uint32Array(pixels.data.buffer);

  function draw(drawing: Drawing, slice: Slice): void {
    const ratio = Math.min(devicePixelRatio || 1, MAX_RATIO);
    const width = Math.max(Math.round(slice.width * ratio), 1), height = Math.max(Math.round(slice.height * ratio), 1);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!drawing) return;
    context.setTransform(width / slice.width, 0, 0, height / slice.height, 0, 0);
    if ("field" in drawing) drawField(drawing.field, slice);
    else if ("sheets" in drawing) for (const sheet of drawing.sheets) drawSheet(sheet, slice);
    else drawBands(drawing.bands, slice);
  }

  /** Draws heat where its carrier is now, in place of what was drawn behind that. */
  function drawSheet({ carrier, field }: Sheet, { left, top, width, height, pageHeight }: Slice): void {
    const clip = carrier.clip(), [x, y] = carrier.origin(), shiftX = scrollX - left, shiftY = scrollY - top; // from the viewport to the canvas
    context.save();
    if (clip) {
      context.beginPath();
      context.rect(clip.left + shiftX, clip.top + shiftY, Math.max(clip.right - clip.left, 0), Math.max(clip.bottom - clip.top, 0));
      context.clip();
    }
    if (carrier.before) {
      const box = boxOf(carrier.element!);
      context.clearRect(box.left + shiftX, box.top + shiftY, box.right - box.left, box.bottom - box.top);
    }
    drawField(field, { left: RADIUS - x - shiftX, top: RADIUS - y - shiftY, width, height, pageHeight });
    context.restore();
  }

  /** Colours the samples in sight, and one more between every two, and lets the browser draw that larger and smooth. */
  function drawField({ left: x0, top: y0, step, cols, rows, colours, signed }: Field, s: Slice): void {
    const palette = signed ? twoSided : plain;
    const first = (at: number) => Math.max(Math.floor(at / step), 0);
    const last = (at: number, n: number) => Math.min(Math.ceil(at / step), n - 1);
    const left = first(s.left - x0), top = first(s.top - y0);
    const width = 2 * (last(s.left - x0 + s.width, cols) - left) + 1, height = 2 * (last(s.top - y0 + s.height, rows) - top) + 1;
    if (width <= 0 || height <= 0) return;
    sizeSmall(width, height);
    for (let j = 0, to = 0; j < height; j++) {
      // The colours of numbers halfway, not halves of colours: the ramp is not straight.
      let upper = (top + (j >> 1)) * cols + left, lower = upper + (j & 1) * cols;
      let here = colours[upper]! + colours[lower]!;
      words[to++] = palette[(here + 1) >> 1]!;
      for (let i = 1; i < width; i += 2) {
        const next = colours[++upper]! + colours[++lower]!;
        words[to++] = palette[(here + next + 2) >> 2]!;
        words[to++] = palette[(next + 1) >> 1]!;
        here = next;
      }
    }
    const pixel = step / 2; // its middle is on its sample
    enlarge(x0 + left * step - pixel / 2 - s.left, y0 + top * step - pixel / 2 - s.top, width * pixel, height * pixel);
  }

  /** Colours a column of pixels and draws it as wide as the viewport. */
  function drawBands(b: Bands, s: Slice): void {
    const height = Math.ceil(Math.min(s.height, s.pageHeight - s.top));
    if (height <= 0 || b.max <= 0) return;
    sizeSmall(1, height);
    for (let j = 0; j < height; j++) {
      const share = Math.min(valueAt(b, s.top + j + 0.5) / b.max, 1);
      const at = Math.max(Math.round(share * (COLOURS - 1)), 1) * 4;
      pixels.data.set(RAMP.subarray(at, at + 3), j * 4);
      pixels.data[j * 4 + 3] = 255 * BAND_OPACITY * Math.min(share * 20, 1);
    }
    enlarge(0, 0, s.width, height);
  }

  function sizeSmall(width: number, height: number): void {
    if (small.width === width && small.height === height) return;
    small.width = width;
    small.height = height;
    pixels = smallContext.createImageData(width, height);
    words = new Uint32Array(pixels.data.buffer);
  }

  function enlarge(x: number, y: number, width: number, height: number): void {
    smallContext.putImageData(pixels, 0, 0);
    context.drawImage(small, x, y, width, height);
  }

  return { canvas, draw };
}
