import type { ComponentChildren } from "preact";
import { pathOf, type Bucket, type Heat, type Scroll, type Site, type Trend, zoneOf } from "./api";
import { Compare, Compared, NothingBefore, minusOf, useCompared } from "./compare";
import { compact, count, daysOf, percent, plural, readable, urlParts } from "./format";
import { Framed, widthOf } from "./framed";
import { ByGeneration } from "./generation";
import { OpenMap } from "./openmap";
import { Choice, Ghost, Title, Trouble, useTabTitle } from "./parts";
import { useAlive } from "./alive";
import { usePoll } from "./poll";
import { devices, kinds, layers, pageLink, ranges, siteLink, type Kind, type PageRoute } from "./route";
import { Sheet, depthOf } from "./sheet";
import { Numbers } from "./site";
import { WhyEmpty } from "./why";

const fewViews = 5;

/** One page: its numbers, the heat on it and how far people scroll. */
export function PageView({ site, route }: { site: Site; route: PageRoute }) {
  const { url, range, device, kind, bots, frame, layer } = route;
  const asked = { site: site.key, url, ...daysOf(range, zoneOf(site)), device, bots: bots ? 1 : undefined, generation: route.generation };
  const trend = useAlive<Trend>("trend", { ...asked, by: range === "1" ? "hour" : "day" });
  const minus = minusOf(route, site);
  const heat = usePoll<Heat>(frame ? null : pathOf("heatmap", { ...asked, ...minus, kind, cell: 32, limit: 0 }), 3000);
  const others = useCompared(route);
  const lost = heat.error && (!heat.data || (heat.stale && heat.error.status >= 400 && heat.error.status < 500)) ? heat.error : undefined;
  const scroll = usePoll<Scroll>(frame ? null : pathOf("scroll", asked));
  const to = (change: Partial<PageRoute>) => pageLink(site.key, url, { ...route, ...change });
  const { origin, path: stored } = urlParts(url);
  const path = readable(stored);
  const refused = [heat, trend, scroll].find((p) => p.error?.status === 400 && !p.data); // such as a URL that is none
  const unknown = heat.data?.why?.reason === "no_hits_for_url" && !heat.stale; // no numbers, then, but what is near
  useTabTitle(path.length > 40 ? path.slice(0, 39) + "…" : path);

  return (
    <>
      <header class="head head-page">
        <Title crumb={<><a href="#/">Sites</a><a href={siteLink(site.key, { range, generation: route.generation })}>{site.key}</a></>}>
          <span class="page-origin">{origin}</span><bdi dir="ltr">{path}</bdi>
        </Title>
        <OpenMap site={site} route={route} other={minus.minus_generation ?? ""} />
      </header>
      <ByGeneration id={route.generation} back={to({ generation: "" })} />
      <div class="filters">
        <Choice label="Range" value={range} options={ranges.map(([v, name]) => [v, name, to({ range: v })])} />
        <Choice label="Device" value={device} options={devices.map(([v, name]) => [v, name, to({ device: v })])} />
        {bots && <a class="button small" href={to({ bots: false })}>Bots are counted. Leave them out</a>}
      </div>
      {refused?.error ? <Trouble error={refused.error} /> : <>
      {!unknown && <Numbers trend={trend} site={site} range={range} device={device} />}
      <section class="card" aria-labelledby="map">
        <div class="card-head">
          <h2 id="map">Map</h2>
          <Choice label="View" value={frame ? "frame" : ""} options={[["", "From above", to({ frame: 0, layer: "" })], ["frame", "On the page", to({ frame: frame || widthOf(device) })]]} />
          <Choice
            label="Kind" value={layer || kind}
            options={[
              ...kinds.map(([v, name]): Option => [v, <>{name} <Total of={trend.data?.buckets} kind={v} /></>, to({ kind: v, layer: "" })]),
              ...(frame ? layers.map(([v, name]): Option => [v, name, to({ layer: v })]) : []),
            ]}
          />
        </div>
        {!layer && <Compare route={route} others={others} to={to} />}
        {frame > 0 && <Framed site={site} route={route} given={givenOf({ ...daysOf(range, zoneOf(site)), device, bots: bots ? "1" : "", ...minus })} to={to} />}
        {!frame && lost && <div class="pad"><Trouble error={lost} again={heat.again} /></div>}
        {!frame && !heat.data && !heat.error && <div class="pad"><Ghost tall={320} /></div>}
        {!frame && heat.data && heat.data.hits === 0 && !heat.stale && <WhyEmpty why={heat.data.why} site={site} route={route} />}
        {!frame && heat.data && heat.data.hits > 0 && heat.data.minus?.hits === 0 && !heat.stale && <NothingBefore why={heat.data.minus.why} alone={to({ minus: "" })} />}
        {!frame && !lost && heat.data && (heat.data.hits > 0 || (scroll.data?.views ?? 0) > 0) && (
          <div class={heat.stale ? "pad map stale" : "pad map"}>
            <aside>{heat.data.minus ? <Compared heat={heat.data} kind={kind} route={route} /> : <Legend hits={heat.data.hits} kind={kind} />}<Summary scroll={scroll.data} />{!device && <p class="hint">All devices lie over one another here. Choose one for the layout that its people saw.</p>}</aside>
            <Sheet heat={heat.data} scroll={scroll.data} picture={(size) => pathOf("heatmap", { ...asked, ...minus, kind, format: "png", ...size })} />
          </div>
        )}
      </section>
      </>}
    </>
  );
}

type Option = [value: string, name: ComponentChildren, href: string];

/** The parameters that are set. */
function givenOf(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((pair): pair is [string, string] => !!pair[1]));
}

function Total({ of, kind }: { of: Bucket[] | undefined; kind: Kind }) {
  const name = kind === "click" ? "clicks" : kind;
  return of ? <span class="soft">{compact(of.reduce((n, b) => n + b[name], 0))}</span> : null;
}

function Legend({ hits, kind }: { hits: number; kind: Kind }) {
  if (hits === 0) return null;
  return <div class="legend" aria-hidden="true"><span>few</span><i /><span>most {kind === "click" ? "" : kind} clicks</span></div>;
}

/** What the scroll curve says, in words and numbers; nothing of so few views that shares mean nothing. */
function Summary({ scroll }: { scroll: Scroll | undefined }) {
  if (!scroll || scroll.views < fewViews) return null;
  const fold = scroll.fold.p50;
  const below = fold ? (scroll.reach.find(([top]) => top >= fold)?.[1] ?? 0) : 1;
  const views = plural(scroll.views, "view"), where = fold && <>the fold at {count(Math.round(fold))} px</>;
  return (
    <>
      <p class="summary">
        {below === 0 ? <>None of {views} went below {where}.</>
          : below < 0.5 ? <><strong>{below < 0.01 ? "Less than 1 %" : percent(below)}</strong> of {views} went below {where}.</>
          : <>Half of {views} came down to <strong>{count(depthOf(scroll, 0.5))} px</strong>{fold ? <>; <strong>{percent(below)}</strong> saw what is below {where}</> : null}.</>}
      </p>
      <table class="depths">
        <thead><tr><th scope="col">Views</th><th scope="col">came down to</th></tr></thead>
        <tbody>{[0.9, 0.75, 0.5, 0.25, 0.1].map((s) => <tr key={s}><th scope="row">{percent(s)}</th><td>{count(depthOf(scroll, s))} px</td></tr>)}</tbody>
      </table>
    </>
  );
}
