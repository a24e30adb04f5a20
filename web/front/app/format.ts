import type { Bucket } from "./api";
import type { Range } from "./route";

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A count with its thousands set apart. */
export const count = (n: number): string => whole.format(n);

/** A count that takes little room: 12,044 is written out, 1,204,400 is 1.2M. */
export const compact = (n: number): string => (n < 100_000 ? count(n) : short.format(n));

/** "1 hit", "2 hits". */
export const plural = (n: number, one: string, many = one + "s"): string => `${count(n)} ${n === 1 ? one : many}`;

/** A share of 1 in per cent, with a digit more where it is small. */
export const finePercent = (share: number): string => (share > 0 && share < 0.0995 ? `${(share * 100).toFixed(1)} %` : percent(share));

/** A share of 1 in per cent. */
export const percent = (share: number): string => `${Math.round(share * 100)} %`;

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** A date of the form 2026-01-31, for people; with its year if asked. */
export function date(iso: string, year = false): string {
  const time = Date.parse(iso.slice(0, 10) + "T00:00:00Z");
  return Number.isNaN(time) ? iso : (year ? dayOfYear : day).format(time);
}

/** What a bucket is called: its day, or its hours. */
export function bucketName(b: Bucket, by: "day" | "hour", long = false): string {
  if (by === "day") return date(b.start, long);
  const hour = b.start.slice(11, 13);
  return long ? `${date(b.start)}, ${hour}:00–${hour}:59` : `${hour}:00`;
}

const moment = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** An instant in the browser's zone: "3 Feb, 10:02". */
export const dayAndTime = (iso: string): string => moment.format(new Date(iso));

/** A time that something takes, roughly: "40 s", "12 min", "3 h". */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** A difference with its sign, "" for none. */
export const signed = (n: number): string => (n === 0 ? "" : `${n > 0 ? "+" : "−"}${count(Math.abs(n))}`);

/** The time of day of now, in the browser's zone. */
export const clock = (at: Date): string => at.toLocaleTimeString("en-GB");

/** The first and last day of a range that ends today in a time zone, as parameters of a query. */
export function daysOf(range: Range | number, zone: string): { from?: string; to?: string } {
  if (range === "all") return {};
  return { from: daysAgo(Number(range) - 1, zone), to: daysAgo(0, zone) };
}

/** As many days as a range has, before it, as parameters of the other side of a difference map. */
export function daysBefore(range: Range, zone: string): { minus_from?: string; minus_to?: string } {
  if (range === "all") return {};
  return { minus_from: daysAgo(2 * Number(range) - 1, zone), minus_to: daysAgo(Number(range), zone) };
}

function daysAgo(n: number, zone: string): string {
  return new Date(Date.parse(dayIn(zone) + "T00:00:00Z") - n * 86_400_000).toISOString().slice(0, 10);
}

function dayIn(zone: string): string {
  try {
    return new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(new Date());
  } catch {
    return new Date().toISOString().slice(0, 10); // a zone that the server knows and this browser does not
  }
}

/** A URL as two parts to read: where it lies and what it is there. Text that is no URL is all path. */
export function urlParts(url: string): { origin: string; path: string } {
  const found = /^(https?:\/\/[^/?#]*)(.*)$/is.exec(url);
  return found ? { origin: found[1] ?? "", path: found[2] || "/" } : { origin: "", path: url };
}

// What Unicode calls a letter, number or mark, but for those that are drawn as nothing.
const drawn = /^(?!\p{Default_Ignorable_Code_Point})[\p{L}\p{N}\p{M}]$/u;

/** A stored URL for people: escapes of letters and numbers beyond ASCII as these, every other escape as it is. */
export function readable(url: string): string {
  const plain = url.replace(/%[C-F][\dA-F](?:%[89AB][\dA-F])+/gi, (escaped) => {
    try {
      const character = decodeURIComponent(escaped);
      return drawn.test(character) ? character : escaped;
    } catch {
      return escaped; // not UTF-8
    }
  });
  // A mark without a letter would be drawn on the delimiter or the escape before it.
  return plain.replace(/(?:(?<=%[\dA-F]{2})|(?<![\p{L}\p{N}\p{M}]))\p{M}+/giu, encodeURIComponent);
}

/** Text as it is in stored URLs, which are ASCII alone. */
export const asStored = (text: string): string => text.replace(/[^\0-\x7f]+/g, encodeURIComponent);

/** A message of the API as a sentence. */
export function sentence(message: string): string {
  return message.replace(/^url\b|^./, (start) => start.toUpperCase()) + (/[.!?]$/.test(message) ? "" : ".");
}
