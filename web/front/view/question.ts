import { LIMIT } from "./strip";

/** Which picture of the page is shown. */
export type MapKind = "clicks" | "scroll" | "attention";

/** Which clicks a click map counts. */
export type ClickKind = "click" | "rage" | "dead";

/** Which days are counted. */
export type Range = "today" | "7" | "30" | "all";

/** Which viewports are counted: a group, the 32 px band of this window, or all. */
export type Width = "phones" | "tablets" | "desktops" | "this" | "all";

/** What a click map is compared with: nothing, the same number of days before, or the link's other generation. */
export type Compare = "" | "before" | "rules";

/** What the panel asks for. */
export interface Choices {
  map: MapKind;
  clicks: ClickKind;
  range: Range;
  width: Width;
  /** Side of a cell, px: more than 8 only for a map that the server keeps coarser. */
  cell: number;
  /** Generation whose counts are shown, "" for the active one. */
  readonly generation: string;
  compare: Compare;
  /** Generation that the map can be compared with, "" for none. */
  readonly other: string;
  /** Only hits with this tag, "" for all. */
  tag: string;
  /** Only hits whose URL is this one's, where the page stands for several. */
  alone: boolean;
  /** Bots are counted too. */
  bots: boolean;
  /** Parameters of the question in the place of range and comparison, where something else than the panel chooses. */
  given: Readonly<Record<string, string>> | null;
}

/** What the shown map is compared with, "" where that makes no sense: all time has nothing before it. */
export function comparedWith(c: Choices): Compare {
  return c.map !== "clicks" || (c.compare === "before" && c.range === "all") ? "" : c.compare;
}

/** Whether the question is for a difference: of all cells, as no few points can stand for them. */
function compares(c: Choices): boolean {
  return c.given ? Object.keys(c.given).some((name) => name.startsWith("minus_")) : comparedWith(c) !== "";
}

const GROUPS = { phones: "0-767", tablets: "768-1023", desktops: "1024-65535" } as const;

/** The group that a viewport width belongs to. */
export function groupOf(width: number): Width {
  return width < 768 ? "phones" : width < 1024 ? "tablets" : "desktops";
}

/** The first and last px of the 32 px band that a viewport width is counted in. */
export function bandOf(width: number): [number, number] {
  const from = Math.floor(width / 32) * 32;
  return [from, from + 31];
}

/** The page's URL as hits name it: a fragment counts only where it is a route. */
export function pageURL(): string {
  const { href, hash } = location;
  const routed = hash.startsWith("#/") || hash.startsWith("#!");
  return hash && !routed ? href.slice(0, href.length - hash.length) : href.replace(/#$/, "");
}

/**
 * The parts of what a link brought: the token, and behind it the generation that is to be shown, "" for the active one, and
 * the one that it is to be compared with, "" for none.
 */
export function partsOf(linked: string): [token: string, generation: string, other: string] {
  const [, token = linked, generation = "", other = ""] = /^(.*)\.(?=[g-])(g\d+)?(?:-(g\d+))?$/.exec(linked) || [];
  return [token, generation, other];
}

/** The address of the reading route that answers the choices: clicks by place as points that may be thinned, but for a comparison; byElement asks for clicks by element, without a comparison. */
export function questionURL(base: string, site: string, c: Choices, zone: string | undefined, byElement = false): string {
  const u = new URL(c.map !== "clicks" ? "v1/scroll" : byElement ? "v1/elements" : "v1/heatmap", base);
  const set = (name: string, value: string) => u.searchParams.set(name, value);
  set("site", site);
  set("url", pageURL());
  if (c.generation) set("generation", c.generation);
  if (c.map === "clicks") {
    set("kind", c.clicks);
    set("limit", String(byElement || compares(c) ? 0 : LIMIT));
    if (byElement) set("cells", "1");
    else if (c.cell > 8) set("cell", String(c.cell));
  }
  if (c.width === "this") set("vw", bandOf(innerWidth).join("-"));
  else if (c.width !== "all") set("vw", GROUPS[c.width]);
  if (c.bots) set("bots", "1");
  const where = whereOf(c);
  if (where) set("where", where);
  if (c.given) {
    for (const name of Object.keys(c.given)) if (c.map === "clicks" || !name.startsWith("minus_")) set(name, c.given[name]!);
    return u.href;
  }
  if (c.range !== "all") set("from", daysAgo(daysOf(c.range) - 1, zone));
  const compare = comparedWith(c);
  if (compare === "rules") set("minus_generation", c.other);
  if (compare === "before" && c.range !== "all") {
    const days = daysOf(c.range);
    set("minus_from", daysAgo(2 * days - 1, zone));
    set("minus_to", daysAgo(days, zone));
  }
  return u.href;
}

/** The address that answers for one day in steps, or for the days of the choices, of what the address of a map is about. */
export function historyURL(map: string, route: "timeline" | "trend", day: string): string {
  const u = new URL(map), p = u.searchParams;
  u.pathname = u.pathname.replace(/[a-z]+$/, route);
  for (const name of ["limit", "cells", ...(day ? [] : ["kind", "cell"])]) p.delete(name);
  for (const [name, value] of Object.entries(day ? { from: day, to: day, step: "60s" } : { by: "day" })) p.set(name, value);
  return u.href;
}

/** The address of the app's view of a page with these choices. */
export function appURL(base: string, site: string, c: Choices, page: string): string {
  const range = { today: "1", 7: "7", 30: "", all: "all" }[c.range], compare = comparedWith(c);
  const kind = c.map === "clicks" && c.clicks !== "click" ? c.clicks : "", minus = compare === "rules" ? c.other : compare;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ url: page, range, kind, bots: c.bots ? "1" : "", generation: c.generation, minus })) if (value) query.set(name, value);
  return `${base}#/site/${site}/page?${query}`;
}

/** The condition on hits, "" for none: the server answers it from its journal, not from what it has counted. */
function whereOf(c: Choices): string {
  const all: string[] = [];
  if (c.tag) all.push(`${JSON.stringify(c.tag)} in tags`);
  if (c.alone) all.push(`(raw_url == ${JSON.stringify(pageURL())} || url == ${JSON.stringify(plainURL(location))})`);
  return all.join(" && ");
}

/** A URL as the usual rules write it. */
function plainURL({ origin, pathname, search, hash }: Location): string {
  const path = pathname.replace(/\/index\.html$/, "/").replace(/%[\da-f]{2}/gi, (code) => {
    const letter = String.fromCharCode(parseInt(code.slice(1), 16));
    return /[\w.~-]/.test(letter) ? letter : code.toUpperCase();
  });
  const kept = search.slice(1).split("&").filter((pair) => pair && !/^(utm_[^=]*|gclid|fbclid|msclkid)(=|$)/i.test(pair)).sort();
  return origin + (path.length > 1 ? path.replace(/\/$/, "") : path) + (kept.length ? "?" + kept.join("&") : "") + (/^#[/!]/.test(hash) ? hash : "");
}

/** Whether a page as the server counts it is another than the one here, by more than the usual rules: it stands for several. */
export function standsForMore(page: string): boolean {
  const plain = (url: string) => decoded(url.replace(/[?#].*/, "").replace(/\/index\.html$|\/$/, "")).toLowerCase();
  return page !== "" && plain(page) !== plain(location.href);
}

function decoded(text: string): string {
  try {
    return decodeURI(text);
  } catch {
    return text;
  }
}

/** The number of days of a range that ends today. */
export function daysOf(range: "today" | "7" | "30"): number {
  return range === "today" ? 1 : Number(range);
}

/** Today as the clocks in a zone have it; without a zone, as those of this browser do. */
export const today = (zone: string | undefined): string => daysAgo(0, zone);

/** The day that was so many days ago, as the clocks in a zone have it; without a zone, those of this browser. */
function daysAgo(back: number, zone: string | undefined): string {
  const [year, month, day] = dayIn(new Date(), zone);
  return new Date(Date.UTC(year, month - 1, day - back)).toISOString().slice(0, 10);
}

function dayIn(now: Date, zone: string | undefined): [number, number, number] {
  try {
    const parts = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", { timeZone: zone, year: "numeric", month: "numeric", day: "numeric" }).format(now).split("/");
    return [Number(parts[2]), Number(parts[0]), Number(parts[1])];
  } catch {
    return [now.getFullYear(), now.getMonth() + 1, now.getDate()];
  }
}
