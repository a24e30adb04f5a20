import { type Failure, pathOf, type Session, type Site, type Trend, zoneOf } from "./api";
import { Spark } from "./chart";
import { Demo, demoKey } from "./demo";
import { compact, count, date, daysOf, plural } from "./format";
import { Ghost, Title, Trouble, useSeen, useTabTitle } from "./parts";
import { askCalmly, usePoll, type Polled } from "./poll";
import { newLink, siteLink } from "./route";

/** All sites, each with how it goes. */
export function Sites({ sites, who }: { sites: Polled<{ sites: Site[] }>; who: Session }) {
  useTabTitle("Sites");
  const list = sites.data?.sites;
  return (
    <>
      <header class="head">
        <Title>Sites</Title>
        <a class="button primary" href={newLink()}>Add site</a>
      </header>
      {sites.error && !list && <Trouble error={sites.error} again={sites.again} />}
      {!list && !sites.error && <div class="card pad"><Ghost tall={72} /></div>}
      {list?.length === 0 && <NoSites />}
      {list && list.length > 0 && (
        <ul class="sites card">
          {list.map((site) => <SiteRow key={site.key} site={site} who={who} every={Math.max(5000, list.length * 600)} />)}
        </ul>
      )}
    </>
  );
}

function NoSites() {
  return (
    <div class="card empty">
      <h2>No sites yet</h2>
      <p>A site is what you want to see heat of: one key, and the origins that its pages are on.</p>
      <a class="button primary" href={newLink()}>Add the first site</a>
    </div>
  );
}

function SiteRow({ site, who, every }: { site: Site; who: Session; every: number }) {
  const [ref, seen] = useSeen<HTMLLIElement>();
  const path = seen ? pathOf("trend", { site: site.key, ...daysOf(14, zoneOf(site)), by: "day" }) : null;
  const trend = usePoll<Trend>(path, every, askCalmly);
  const week = trend.data?.buckets.slice(-7) ?? [];
  const sum = (of: "hits" | "views") => (trend.data ? week.reduce((n, b) => n + b[of], 0) : undefined);
  return (
    <li class="site" ref={ref}>
      <div class="site-name">
        <a class="site-link" href={siteLink(site.key)}>{site.key}</a>
        <span class="site-origins">{site.origins.length > 0 ? site.origins.join(" · ") : "no origins: only imported hits"}</span>
      </div>
      <Fortnight trend={trend.data} error={trend.error} />
      <Week name="Hits, 7 days" value={sum("hits")} failed={!!trend.error} />
      <Week name="Views, 7 days" value={sum("views")} failed={!!trend.error} />
      {site.key === demoKey && <Demo possible={who.demo} again={trend.again} />}
    </li>
  );
}

function Week({ name, value, failed }: { name: string; value: number | undefined; failed: boolean }) {
  const none = failed ? "–" : <Ghost width={3} />;
  return (
    <div class="site-figure">
      <span class="figure-name">{name}</span>
      <span class="site-count" title={value === undefined ? undefined : count(value)}>{value === undefined ? none : compact(value)}</span>
    </div>
  );
}

function Fortnight({ trend, error }: { trend: Trend | undefined; error: Failure | undefined }) {
  if (!trend && error) return <div class="site-trend"><span class="badge" title={error.message}>No counts at present</span></div>;
  if (!trend) return <div class="site-trend"><Ghost tall={28} /></div>;
  if (trend.hits > 0) {
    return <div class="site-trend"><Spark values={trend.buckets.map((b) => b.hits)} label={`${plural(trend.hits, "hit")} in the last 14 days`} /></div>;
  }
  const before = trend.why?.reason === "outside_range" && trend.why.to;
  return <div class="site-trend"><span class="badge">{before ? `Last hit ${date(before, true)}` : "No hits yet"}</span></div>;
}
