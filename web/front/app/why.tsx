import type { Site, Why } from "./api";
import { date } from "./format";
import { PageName } from "./parts";
import { newLink, pageLink, type Device, type Kind, type PageRoute } from "./route";

const kindNames: Record<string, string> = { click: "clicks", rage: "rage clicks", dead: "dead clicks", move: "mouse moves", scroll: "scrolling", view: "views" };

/** Why a map is empty, and links that put it right. */
export function WhyEmpty({ why, site, route }: { why: Why | undefined; site: Site; route: PageRoute }) {
  const { head, text, fixes } = explain(why, site, route);
  return (
    <div class="empty why" role="status">
      <h3>{head}</h3>
      <p>{text}</p>
      {fixes.length > 0 && <div class="actions">{fixes.map(([name, href], i) => <a key={href} class={i === 0 ? "button primary" : "button"} href={href}>{name}</a>)}</div>}
      {why?.nearest && why.nearest.length > 0 && (
        <ul class="nearest" aria-label="Similar pages">
          {why.nearest.map((url) => <li key={url}><a href={pageLink(site.key, url, { ...route, url })}><PageName url={url} own={site.origins} /></a></li>)}
        </ul>
      )}
    </div>
  );
}

interface Help {
  head: string;
  text: string;
  fixes: [name: string, href: string][];
}

function explain(why: Why | undefined, site: Site, route: PageRoute): Help {
  const to = (change: Partial<PageRoute>) => pageLink(site.key, route.url, { ...route, ...change });
  switch (why?.reason) {
    case "unknown_site":
      return { head: "The server does not know this site", text: "Hits of an unknown site are refused.", fixes: [["Add the site", newLink(site.key)]] };
    case "no_hits_for_url":
      return {
        head: "No hits for this URL",
        text: why.nearest?.length
          ? "URLs are normalised before they are counted: tracking parameters, trailing slashes and most fragments are dropped. These pages are the most similar:"
          : "The site has no hits yet, or none whose page matches.",
        fixes: why.nearest?.length ? [] : [["Back to the site", `#/site/${site.key}`]],
      };
    case "outside_range":
      return { head: "No hits in this range", text: `They are from ${date(why.from ?? "", true)} to ${date(why.to ?? "", true)}.`, fixes: [["Show all time", to({ range: "all" })]] };
    case "other_kind":
      return ofOtherKind(why, route.kind, to);
    case "other_device":
      return {
        head: `No hits from ${route.device || "this device"}`,
        text: `This page was seen on ${list(why.devices ?? [])}.`,
        fixes: [["Show all devices", to({ device: "" })], ...(why.devices ?? []).map((d): [string, string] => [`Show ${d}`, to({ device: d as Device })])],
      };
    case "only_bots":
      return { head: "Only bots were here", text: "Hits whose user agent is on the list of bots are left out of every count.", fixes: [["Count bots too", to({ bots: true })]] };
  }
  return {
    head: "Nothing meets all the filters at once",
    text: "The page has hits, but none of them of this kind, device and range together.",
    fixes: [["Clear all filters", to({ range: "all", device: "", kind: "click" })]],
  };
}

function ofOtherKind(why: Why, kind: Kind, to: (change: Partial<PageRoute>) => string): Help {
  const drawn = (why.kinds ?? []).filter((k): k is Kind => k === "click" || k === "rage" || k === "dead");
  const also = (why.kinds ?? []).map((k) => kindNames[k] ?? k);
  return {
    head: kind === "click" ? "Nobody has clicked here" : kind === "rage" ? "No rage clicks" : "No dead clicks",
    text: kind === "rage" ? "Good: nobody clicked one place three times within a second." : kind === "dead" ? "Good: every click that was watched did something." : `In this range there is only ${list(also)}.`,
    fixes: drawn.map((k) => [`Show ${kindNames[k]}`, to({ kind: k })]),
  };
}

function list(names: string[]): string {
  return names.length < 2 ? (names[0] ?? "other devices") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
