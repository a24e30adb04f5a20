import { useEffect, useLayoutEffect, useState } from "preact/hooks";

/** How many days back a view looks; "all" has no bounds. */
export type Range = "1" | "7" | "30" | "90" | "all";

/** The hits that a map is drawn of. */
export type Kind = "click" | "rage" | "dead";

/** What the page in a frame shows in place of clicks; "" = the clicks of the kind. */
export type Layer = "" | "scroll" | "attention";

/** The window of time of a list of pages that changes as they are visited; "" = the range. */
export type Trending = "" | "1h" | "24h";

/** Whose hits are counted; "" = everybody's. */
export type Device = "" | "desktop" | "tablet" | "mobile";

/** What the part of the address after # asks for. */
export type Route =
  | { view: "sites" }
  | { view: "new"; key: string }
  | SiteRoute
  | PageRoute
  | { view: "open"; url: string } // opens a page with its map: where the bookmarklet leads
  | { view: "rules" }
  | { view: "newRules"; like: string } // begins with the rules of this generation; "" = the active one
  | { view: "generation"; id: string }
  | { view: "none" };

/** A site with its pages. */
export interface SiteRoute {
  view: "site";
  key: string;
  range: Range;
  q: string;
  offset: number;
  trending: Trending; // in the place of the pages of the range
  install: boolean; // begins at how to install the tag
  generation: string; // "" = the active one
}

/** One page or pattern. */
export interface PageRoute {
  view: "page";
  key: string;
  url: string;
  range: Range;
  device: Device;
  kind: Kind;
  bots: boolean;
  generation: string; // "" = the active one
  minus: string; // what the map is compared with: "" = nothing, "before" = as many days before, or a generation
  frame: number; // px that the page is wide in its frame; 0 = it is shown from above
  layer: Layer;
  at: string; // URL of the page to open, where url stands for many; "" = url itself
}

/** Values of a Range with what they are called. */
export const ranges: [Range, string][] = [["1", "Today"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["all", "All"]];
/** Values of a Trending with what they are called. */
export const trendings: [Trending, string][] = [["", "In the range"], ["1h", "Last hour"], ["24h", "Last 24 hours"]];
/** Values of a Kind with what they are called. */
export const kinds: [Kind, string][] = [["click", "Clicks"], ["rage", "Rage"], ["dead", "Dead"]];
/** Values of a Layer with what they are called. */
export const layers: [Exclude<Layer, "">, string][] = [["scroll", "Scroll"], ["attention", "Attention"]];
/** The least and the most px that a page is wide in its frame. */
export const frameBounds = [240, 3840] as const;
/** Values of a Device with what they are called. */
export const devices: [Device, string][] = [["", "All devices"], ["desktop", "Desktop"], ["tablet", "Tablet"], ["mobile", "Mobile"]];

const usualRange: Range = "30";
const isGeneration = /^g[1-9]\d{0,17}$/;

/** Reads a location.hash. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = split(hash.replace(/^#\/?/, ""), "?");
  const p = new URLSearchParams(query);
  const [first = "", key = "", last = "", ...more] = path.split("/");
  if (path === "") return { view: "sites" };
  if (path === "open") return { view: "open", url: p.get("url") ?? "" };
  if (path === "new") return { view: "new", key: p.get("key") ?? "" };
  if (first === "rules" && more.length === 0 && last === "") {
    if (key === "") return { view: "rules" };
    if (key === "new") return { view: "newRules", like: generationOf(p.get("like")) };
    return isGeneration.test(key) ? { view: "generation", id: key } : { view: "none" };
  }
  if (first !== "site" || !/^[a-z0-9-]{1,32}$/.test(key) || more.length > 0) return { view: "none" };
  const range = oneOf(ranges, p.get("range"), usualRange);
  if (last === "") {
    return {
      view: "site", key, range,
      q: p.get("q") ?? "",
      offset: Math.max(0, Math.trunc(Number(p.get("offset"))) || 0),
      trending: oneOf(trendings, p.get("trending"), ""),
      install: p.get("at") === "install",
      generation: generationOf(p.get("generation")),
    };
  }
  const url = p.get("url");
  if (last !== "page" || !url) return { view: "none" };
  return {
    view: "page", key, url, range,
    device: oneOf(devices, p.get("device"), ""),
    kind: oneOf(kinds, p.get("kind"), "click"),
    bots: p.get("bots") === "1",
    generation: generationOf(p.get("generation")),
    minus: p.get("minus") === "before" ? "before" : generationOf(p.get("minus")),
    frame: frameOf(p.get("frame")),
    layer: oneOf(layers, p.get("layer"), ""),
    at: p.get("at") ?? "",
  };
}

/** The address of a site; what is left out is as usual. */
export function siteLink(key: string, with_: Partial<SiteRoute> = {}): string {
  return `#/site/${key}` + queryOf({ range: rangeOf(with_.range), q: with_.q, offset: with_.offset || undefined, trending: with_.trending, at: with_.install ? "install" : undefined, generation: with_.generation });
}

/** The address of a page; what is left out is as usual. */
export function pageLink(key: string, url: string, with_: Partial<PageRoute> = {}): string {
  return `#/site/${key}/page` + queryOf({
    url,
    range: rangeOf(with_.range),
    device: with_.device,
    kind: with_.kind === "click" ? undefined : with_.kind,
    bots: with_.bots ? 1 : undefined,
    generation: with_.generation,
    minus: with_.minus,
    frame: with_.frame || undefined,
    layer: with_.layer,
    at: with_.at,
  });
}

/** The address of the form for a new site. */
export function newLink(key?: string): string {
  return "#/new" + queryOf({ key });
}

/** The address of all generations, of one, or of the form for other rules that begins with those of one. */
export const rulesLink = "#/rules";
export const generationLink = (id: string): string => `${rulesLink}/${id}`;
export const newRulesLink = (like?: string): string => `${rulesLink}/new` + queryOf({ like });

/** Goes to an address; without a step back to where one was if replace is set. */
export function go(hash: string, replace = false): void {
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(history.state, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The route of the address, followed. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    follow(); // it may have changed since it was rendered
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parseRoute(hash);
}

// Where one was on each place when one left it, px.
const left = new Map<string, number>();

/** Begins each place at its top, but for going back to where one was. */
export function useScroll(place: string): void {
  useLayoutEffect(() => {
    const note = () => left.set(place, scrollY);
    scrollTo(0, history.state ? (left.get(place) ?? 0) : 0);
    history.replaceState(true, ""); // what was set tells an entry that one goes back to from a new one
    addEventListener("scroll", note, { passive: true });
    return () => removeEventListener("scroll", note);
  }, [place]);
}

function frameOf(px: string | null): number {
  const [least, most] = frameBounds, wide = Math.trunc(Number(px)) || 0;
  return wide > 0 ? Math.min(Math.max(wide, least), most) : 0;
}

function generationOf(id: string | null): string {
  return id && isGeneration.test(id) ? id : "";
}

function rangeOf(range: Range | undefined): Range | undefined {
  return range === usualRange ? undefined : range;
}

function queryOf(values: Record<string, string | number | undefined>): string {
  const p = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== "") p.set(name, String(value));
  }
  return p.size > 0 ? `?${p}` : "";
}

function oneOf<T extends string, U extends string>(known: [T, string][], value: string | null, usual: U): T | U {
  return known.find(([name]) => name === value)?.[0] ?? usual;
}

function split(text: string, at: string): [string, string] {
  const i = text.indexOf(at);
  return i < 0 ? [text, ""] : [text.slice(0, i), text.slice(i + 1)];
}
