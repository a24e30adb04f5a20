import { useEffect, useRef, useState } from "preact/hooks";
import { useAlive, type Alive } from "./alive";
import { pathOf, type PageCount, type Pages, type Session, type Site, type Trend, zoneOf } from "./api";
import { metrics, Spark, TrendChart, type Metric, type Names } from "./chart";
import { asStored, compact, count, date, daysOf, plural } from "./format";
import { ByGeneration } from "./generation";
import { Install } from "./install";
import { LiveSwitch, together, useLife, type Life } from "./liveswitch";
import { Choice, Figure, Ghost, PageName, Sampled, Title, Trouble, useSeen, useTabTitle, useTint } from "./parts";
import { askCalmly, usePoll, type Polled } from "./poll";
import { go, pageLink, ranges, siteLink, trendings, type Device, type Range, type SiteRoute } from "./route";
import { TrendingPages } from "./trending";

const pagesAtOnce = 25;
const many = 0.08; // share of clicks that stands out when they are rage or dead

// Reasons of an empty trend that mean that nobody was there yet.
const neverHit = ["no_hits_for_url", "only_bots"];

/** A site: its numbers, its pages, and how to install the tag, which comes first while it has no hits. changed is called when the site is another. */
export function SiteView({ site, route, who, changed }: { site: Site; route: SiteRoute; who: Session; changed: () => void }) {
  const { range } = route;
  const days = daysOf(range, zoneOf(site));
  const by = range === "1" ? "hour" : "day";
  const [paused, pause] = useState(false);
  const trend = useAlive<Trend>("trend", { site: site.key, ...days, by, generation: route.generation }, paused);
  const hits = trend.stale ? undefined : trend.data?.hits;
  // Both stay as they are once set, so that the sign that the first hit came does not go away with it.
  const [total, setTotal] = useState<number>(); // of pages
  const [list, setList] = useState<Life>(); // of pages, below the numbers
  const isNew = useRef(false), started = useRef(false);
  if (hits === 0 && neverHit.includes(trend.data?.why?.reason ?? "")) isNew.current = true;
  if (hits) started.current = true;
  const waits = isNew.current && !started.current;
  useTabTitle(site.key);
  const complete = trend.data !== undefined && total !== undefined; // nothing above it grows any more
  useEffect(() => {
    if (route.install && complete) document.getElementById("install")?.scrollIntoView();
  }, [complete]);

  const install = <Install site={site} who={who} waiting={isNew.current} hits={hits} arrived={trend.again} changed={changed} />;
  return (
    <>
      <header class="head">
        <Title crumb={<a href="#/">Sites</a>}>{site.key}</Title>
        {!waits && <div class="head-tools"><LiveSwitch of={together(trend, list)} paused={paused} pause={pause} /><Choice label="Range" value={range} options={ranges.map(([r, name]) => [r, name, siteLink(site.key, { ...route, range: r, offset: 0 })])} /></div>}
      </header>
      <ByGeneration id={route.generation} back={siteLink(site.key, { ...route, generation: "" })} />
      {isNew.current && install}
      {!waits && (
        <>
          <Numbers trend={trend} site={site} range={range} />
          <PageCard site={site} route={route} days={days} paused={paused} total={total} listed={setTotal} lives={setList} />
        </>
      )}
      {!isNew.current && install}
    </>
  );
}

/** The numbers of a range, each of which the chart can show. */
export function Numbers({ trend, site, range, device = "" }: { trend: Polled<Trend>; site: Site; range: Range; device?: Device }) {
  const [metric, setMetric] = useState<Metric>("hits");
  const data = trend.data;
  // Visitors are counted by page and range alone, whatever else is filtered.
  const names: Names = { hits: "Hits", views: "Views", visitors: device ? "Visitors, all devices" : "Visitors" };
  return (
    <section class={trend.stale && data ? "card numbers stale" : "card numbers"} aria-label="Numbers">
      <div class="figures">
        {metrics.map((m) => <Figure key={m} name={names[m]} value={data?.[m]} chosen={m === metric} onChoose={() => setMetric(m)} />)}
      </div>
      <div class="numbers-chart">
        {trend.error && !data ? <Trouble error={trend.error} again={trend.again} /> : <TrendChart trend={data} metric={metric} names={names} />}
        <p class="hint">{spanOf(data, range)} · days of {data?.timezone ?? zoneOf(site)}{data && <Lag hits={data.lag_hits} />}</p>
        <Sampled of={data?.sampled} />
      </div>
    </section>
  );
}

/** Says that answers are behind, once that is more than the hits of a moment. */
function Lag({ hits }: { hits: number }) {
  if (hits < 1000) return null;
  return <span class="lag" role="status"> · catching up: {plural(hits, "newer hit")} not counted yet</span>;
}

function spanOf(trend: Trend | undefined, range: Range): string {
  const first = trend?.buckets[0], last = trend?.buckets.at(-1);
  if (!first || !last) return range === "all" ? "All time" : "…";
  const [a, b] = [first.start.slice(0, 10), last.start.slice(0, 10)];
  return a === b ? date(a, true) : `${date(a, a.slice(0, 4) !== b.slice(0, 4))} – ${date(b, true)}`;
}

interface TableProps {
  site: Site;
  route: SiteRoute;
  days: { from?: string; to?: string };
  paused: boolean;
  /** Called with how many pages there are. */
  listed: (total: number | undefined) => void;
  /** Called with what the switch is to say of the list. */
  lives: (life: Life) => void;
}

/** The pages of the range, or those that most happens on now. */
function PageCard({ site, route, days, paused, total, listed, lives }: TableProps & { total: number | undefined }) {
  const { trending } = route;
  return (
    <section class="card" aria-labelledby="pages">
      <div class="card-head">
        <h2 id="pages">{trending ? "Trending" : <>Pages{!!total && <span class="soft"> {count(total)}</span>}</>}</h2>
        <Choice label="Which pages" value={trending} options={trendings.map(([v, name]) => [v, name, siteLink(site.key, { ...route, trending: v, q: "", offset: 0 })])} />
        {!trending && <Search route={route} />}
      </div>
      {trending ? <TrendingPages key={trending} site={site} route={route} window={trending} paused={paused} lives={lives} /> : <PageTable site={site} route={route} days={days} paused={paused} listed={listed} lives={lives} />}
    </section>
  );
}

function PageTable({ site, route, days, paused, listed, lives }: TableProps) {
  const query = { site: site.key, ...days, q: asStored(route.q), offset: route.offset || undefined, limit: pagesAtOnce, generation: route.generation };
  const pages: Alive<Pages> = useAlive<Pages>("pages", query, paused), data = pages.data;
  const move = (offset: number) => siteLink(site.key, { ...route, offset });
  useEffect(() => listed(data?.total), [data?.total]);
  useLife(pages, lives);
  return (
    <>
      {pages.error && !data && <div class="pad"><Trouble error={pages.error} again={pages.again} /></div>}
      {!data && !pages.error && <div class="pad"><Ghost tall={120} /></div>}
      {data && data.pages.length === 0 && <NoPages site={site} route={route} pages={data} />}
      {data && data.pages.length > 0 && (
        <table class={pages.stale ? "pages stale" : "pages"}>
          <thead>
            <tr>
              <th scope="col">Page</th><th scope="col">Trend</th><th scope="col">Views</th><th scope="col">Clicks</th>
              <th scope="col">Rage</th><th scope="col">Dead</th><th scope="col">Scrolls</th>
            </tr>
          </thead>
          <tbody>{data.pages.map((p) => <PageRow key={p.url} page={p} site={site} route={route} />)}</tbody>
        </table>
      )}
      {data && (data.offset > 0 || data.next_offset !== null) && (
        <nav class="paging" aria-label="More pages">
          <span class="hint">{count(data.offset + 1)}–{count(data.offset + data.pages.length)} of {count(data.total)}</span>
          {data.offset > 0 && <a class="button small" href={move(Math.max(0, data.offset - pagesAtOnce))}>Previous</a>}
          {data.next_offset !== null && <a class="button small" href={move(data.next_offset)}>Next</a>}
        </nav>
      )}
    </>
  );
}

function PageRow({ page, site, route }: { page: PageCount; site: Site; route: SiteRoute }) {
  const { range, generation } = route;
  const [ref, seen] = useSeen<HTMLTableRowElement>();
  useTint(ref, page.hits);
  return (
    <tr ref={ref}>
      <th scope="row"><a href={pageLink(site.key, page.url, { range, generation })}><PageName url={page.url} own={site.origins} /></a></th>
      <td class="cell-trend">{seen ? <PageTrend page={page.url} site={site} range={range} generation={generation} /> : <Ghost tall={28} />}</td>
      <Cell name="Views" n={page.views} />
      <Cell name="Clicks" n={page.clicks} />
      <Cell name="Rage" n={page.rage} warn={page.rage >= page.clicks * many} />
      <Cell name="Dead" n={page.dead} warn={page.dead >= page.clicks * many} />
      <Cell name="Scrolls" n={page.scrolls} />
    </tr>
  );
}

function Cell({ name, n, warn }: { name: string; n: number; warn?: boolean }) {
  return <td data-name={name} class={n === 0 ? "none" : warn ? "warn" : undefined} title={count(n)}>{compact(n)}</td>;
}

function PageTrend({ page, site, range, generation }: { page: string; site: Site; range: Range; generation: string }) {
  const path = pathOf("trend", { site: site.key, url: page, ...daysOf(range, zoneOf(site)), by: range === "1" ? "hour" : "day", generation });
  const trend = usePoll<Trend>(path, 60_000, askCalmly);
  if (!trend.data) return trend.error ? null : <Ghost tall={28} />;
  return <Spark values={trend.data.buckets.map((b) => b.hits)} label={`${plural(trend.data.hits, "hit")} by ${trend.data.by}`} />;
}

function Search({ route }: { route: SiteRoute }) {
  const [text, setText] = useState(route.q);
  useEffect(() => setText(route.q), [route.q]);
  useEffect(() => {
    if (text === route.q) return;
    const timer = setTimeout(() => go(siteLink(route.key, { ...route, q: text, offset: 0 }), true), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <input
      class="search" type="search" aria-label="Find pages whose URL contains" placeholder="URL contains…" spellcheck={false} autocapitalize="none"
      value={text} onInput={(e) => setText((e.currentTarget as HTMLInputElement).value)}
    />
  );
}

function NoPages({ site, route, pages }: { site: Site; route: SiteRoute; pages: Pages }) {
  if (route.q) {
    return (
      <div class="empty">
        <h3>No page contains “{route.q}”</h3>
        <p>The search looks in normalised URLs, in the chosen range.</p>
        <a class="button" href={siteLink(site.key, { ...route, q: "", offset: 0 })}>Clear the search</a>
      </div>
    );
  }
  if (pages.why?.reason === "outside_range") {
    return (
      <div class="empty">
        <h3>No hits in this range</h3>
        <p>The hits of this site are from {date(pages.why.from ?? "", true)} to {date(pages.why.to ?? "", true)}.</p>
        <a class="button primary" href={siteLink(site.key, { range: "all", generation: route.generation })}>Show all time</a>
      </div>
    );
  }
  return <div class="empty"><h3>No pages</h3><p>{pages.why?.message ?? "Nothing was counted."}</p></div>;
}
