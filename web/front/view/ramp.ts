/** Number of colours: colour i is for the share (i/255)² of the greatest heat, as in the server's pictures. */
export const COLOURS = 256;

/** Share of the greatest heat, sRGB and opacity of the colours that the ramp passes through; the server has the same. */
const STOPS = [
  [0, 0x6a5cff, 0],
  [0.012, 0x5f63fa, 0.2],
  [0.06, 0x3f7df8, 0.46],
  [0.15, 0x1aa9ee, 0.6],
  [0.27, 0x1cc7b4, 0.66],
  [0.42, 0x6fd655, 0.72],
  [0.6, 0xf6dd3b, 0.81],
  [0.8, 0xff8f1f, 0.88],
  [1, 0xe01b30, 0.94],
] as const;

/** The number of no difference: numbers above are more, to orange, those below less, to blue. The server has the same. */
export const SAME = 128;

const MORE = [
  [0, 0xffa94d, 0],
  [0.012, 0xffa94d, 0.22],
  [0.15, 0xfd8a22, 0.62],
  [0.45, 0xf76b15, 0.8],
  [1, 0xe04a00, 0.94],
] as const;

const LESS = [
  [0, 0x66b2ff, 0],
  [0.012, 0x66b2ff, 0.22],
  [0.15, 0x3d94ff, 0.62],
  [0.45, 0x2b7cfa, 0.8],
  [1, 0x175fee, 0.94],
] as const;

type Stops = readonly (readonly [at: number, rgb: number, opacity: number])[];

type Triple = [number, number, number];

/** Each colour as r, g, b, a, one after the other, 0 to 255. Straight lines in OKLab join the stops. */
export const RAMP = makeRamp(STOPS);

/** The same for a difference: two ramps that meet at SAME, where the page shows. */
export const DIFFERENCE = makeDifference();

function makeDifference(): Uint8ClampedArray {
  const both = new Uint8ClampedArray(COLOURS * 4), more = makeRamp(MORE), less = makeRamp(LESS);
  for (let i = 0; i < SAME; i++) {
    const at = Math.trunc((i * (COLOURS - 1)) / (SAME - 1)) * 4;
    both.set(more.subarray(at, at + 4), (SAME + i) * 4);
    both.set(less.subarray(at, at + 4), (SAME - i) * 4);
  }
  both.set(both.subarray(4, 8), 0);
  return both;
}

function makeRamp(stops: Stops): Uint8ClampedArray {
  const ramp = new Uint8ClampedArray(COLOURS * 4);
  for (let i = 1, k = 0; i < COLOURS; i++) {
    const share = (i / (COLOURS - 1)) ** 2;
    while (k < stops.length - 2 && share > stops[k + 1]![0]) k++;
    const [fromAt, from, fromOpacity] = stops[k]!, [toAt, to, toOpacity] = stops[k + 1]!;
    const t = Math.min((share - fromAt) / (toAt - fromAt), 1);
    const a = toOKLab(from), b = toOKLab(to);
    const mix = (j: 0 | 1 | 2) => a[j] + (b[j] - a[j]) * t;
    ramp.set(fromOKLab(mix(0), mix(1), mix(2)), i * 4);
    ramp[i * 4 + 3] = 255 * (fromOpacity + (toOpacity - fromOpacity) * t);
  }
  return ramp;
}

function toOKLab(rgb: number): Triple {
  const r = linear(rgb >> 16), g = linear((rgb >> 8) & 255), b = linear(rgb & 255);
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const n = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * n,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * n,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * n,
  ];
}

function fromOKLab(lightness: number, a: number, b: number): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const n = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * n),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * n),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * n),
  ];
}

function linear(byte: number): number {
  const x = byte / 255;
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
}

function gamma(x: number): number {
  return 255 * (x <= 0.0031308 ? x * 12.92 : 1.055 * x ** (1 / 2.4) - 0.055);
}

/** A CSS gradient of the ramp from left to right, for a legend; opaque, so that it reads the same on any panel. */
export function rampGradient(): string {
  const stops: string[] = [];
  for (let i = 0; i < COLOURS; i += 15) {
    stops.push(`rgb(${RAMP[i * 4] || 106} ${RAMP[i * 4 + 1] || 92} ${RAMP[i * 4 + 2] || 255})`);
  }
  return `linear-gradient(90deg,${stops.join()})`;
}

/** A CSS gradient of the two ramps, from less to more, over the colour of a panel in the middle. */
export function differenceGradient(): string {
  const stops: string[] = [];
  for (let i = 1; i < COLOURS; i += 14) stops.push(`rgb(${DIFFERENCE.subarray(i * 4, i * 4 + 3).join(" ")}/${DIFFERENCE[i * 4 + 3]! / 255})`);
  return `linear-gradient(90deg,${stops.join()})`;
}
