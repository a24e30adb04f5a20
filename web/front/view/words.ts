import type { History } from "../told";
import type { Trouble, Why } from "./feed";
import { type Choices, type ClickKind, comparedWith, daysOf, type Range } from "./question";

/** What a button of a notice does to the choices. */
export interface Remedy {
  readonly label: string;
  readonly choose: Partial<Choices>;
}

/** A message in the place of the numbers. */
export interface Notice {
  readonly alarming: boolean;
  readonly title: string;
  readonly text: string;
  readonly remedies?: readonly Remedy[];
  readonly links?: readonly string[];
}

const NAMES: Readonly<Record<ClickKind, string>> = { click: "clicks", rage: "rage clicks", dead: "dead clicks" };

/** What the hits of the shown map are called. */
export function nameOfHits(c: Choices): string {
  return c.map === "clicks" ? NAMES[c.clicks] : "views";
}

/** What the two sides of a comparison are called, which are by these generations. */
export function sideNames(c: Choices, shown: string, other: string): readonly [shown: string, other: string] {
  return comparedWith(c) === "rules" ? [`by ${shown}`, `by ${other}`] : ["now", "before"];
}

/** What days before those of a range are called; "" where there are none. */
export function daysBefore(range: Range): string {
  return range === "all" ? "" : range === "today" ? "yesterday" : `the ${daysOf(range)} days before`;
}

/** Says why there is nothing to compare a map with. */
export function nothingBefore(why: Why | undefined): Notice {
  const text = why ? sentence(why.message) : "Nothing is counted on the other side.";
  return { alarming: false, title: "Nothing to compare with", text, remedies: [{ label: "Show the map alone", choose: { compare: "" } }] };
}

/** Says that a day is empty. */
export function emptyDay(name: string): Notice {
  return { alarming: false, title: `No ${name} on this day`, text: "Choose another day below, or go back to the live map." };
}

/** Says why a map is empty, and what shows more. */
export function emptyNotice(why: Why | undefined, c: Choices): Notice {
  const what = c.map === "clicks" ? NAMES[c.clicks] : "scrolling";
  const text = why ? sentence(why.message) : "Nothing is counted for this page yet.";
  return { alarming: false, title: `No ${what} to show`, text, remedies: why ? remedies(why, c) : [], links: why?.nearest ?? [] };
}

function remedies(why: Why, c: Choices): Remedy[] {
  const all: Remedy[] = [];
  const kinds = why.kinds ?? [];
  if (c.map === "clicks" && c.clicks !== "click" && kinds.includes("click")) all.push({ label: "Show all clicks", choose: { clicks: "click" } });
  else if (c.map !== "clicks" && kinds.includes("click")) all.push({ label: "Show clicks", choose: { map: "clicks", clicks: "click" } });
  else if (c.map === "clicks" && kinds.includes("scroll")) all.push({ label: "Show scroll", choose: { map: "scroll" } });
  const open = why.reason === "no_hits";
  if (why.reason === "only_bots" && !c.bots) all.push({ label: "Count bots too", choose: { bots: true } });
  if (c.tag) all.push({ label: "Whatever their tag", choose: { tag: "" } });
  if (c.alone) all.push({ label: "All pages of its group", choose: { alone: false } });
  if (c.width !== "all" && (open || why.reason === "other_width")) all.push({ label: "Show all widths", choose: { width: "all" } });
  if (c.range !== "all" && (open || why.reason === "outside_range")) all.push({ label: "Show all time", choose: { range: "all" } });
  return all;
}

/** What stands in the way of an answer: for good (final), or for a while (passing). */
export type Failing = Notice & { readonly final: boolean; readonly passing: boolean };

/** Says what stands in the way of an answer: for good, for a while, or until something else is asked. */
export function troubleNotice(t: Trouble, base: string, c: Choices): Failing {
  const of = (title: string, text: string, final: boolean, passing = false) => ({ alarming: true, title, text, final, passing });
  const { status, code } = t, message = sentence(t.message || `it answered with status ${status}`);
  const anew = "Open the map again from heatlog.";
  if (code === "expired") return of("This link has expired", anew, true);
  if (status === 401) return of("This link is not valid", anew, true);
  if (code === "origin_not_listed") return of("This page is not part of the site", message, true);
  if (status === 403) return of("This link is for another site", message, true);
  if (status === 0) {
    const hint = "If it runs, the page's Content-Security-Policy may lack it in connect-src.";
    return of("heatlog cannot be reached", `No answer from ${new URL(base).origin}. Trying again. ${hint}`, false, true);
  }
  if ((c.tag || c.alone) && status !== 429 && status > 0) {
    const text = `${message} Hits of one tag, or of one page of a group, are counted from the journal, which may take too long.`;
    return { ...of("heatlog cannot answer this", text, false), remedies: [{ label: "Show all hits", choose: { tag: "", alone: false } }] };
  }
  if (status === 429 || status >= 500) return of("heatlog is busy", `${message} Trying again.`, false, true);
  return of("heatlog cannot answer this", message, false);
}

/** Says that not all page loads are recorded. */
export function sampleText(share: number): string {
  return `A sample: ${finePercent(share)} of page loads`;
}

/** A text with its first letter in upper case. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text: string): string {
  const s = capital(text);
  return /[.!?]$/.test(s) || s === "" ? s : s + ".";
}

/** A count with separators, shortened from ten million on. */
export function count(n: number): string {
  return n < 1e7 ? Math.round(n).toLocaleString("en") : n.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}

/** A count with the name of what is counted, which ends in s. */
export function countOf(n: number, name: string): string {
  return `${count(n)} ${Math.round(n) === 1 ? name.slice(0, -1) : name}`;
}

/** A duration as people say it. */
export function seconds(ms: number): string {
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : ms < 119_500 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}

/** Says how far history is read, and how long that will take. */
export function readingText({ share, eta_ms }: History): string {
  return `${percent(share)} read` + (eta_ms ? ` · ${seconds(eta_ms)} left` : "");
}

/** A share in per cent; what is not all never reads as 100%. */
export function percent(share: number): string {
  const p = share * 100;
  return `${p >= 99.5 && p < 100 ? 99 : p > 0 && p < 1 ? "<1" : Math.round(p)}%`;
}

/** A share in per cent with enough digits to tell small ones apart. */
export function finePercent(share: number): string {
  const p = share * 100, digits = p >= 10 || p === 0 ? 0 : p >= 0.1 ? 1 : 2;
  return `${p.toFixed(digits)}%`;
}
