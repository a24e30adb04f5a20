import { useEffect, useState } from "preact/hooks";
import { Failure, pathOf, send, type Bucket, type Heat, type Scroll, type Site, type Trend, zoneOf } from "./api";
import { Compare, Compared, NothingBefore, minusOf, useCompared } from "./compare";
import { compact, count, daysOf, percent, plural, readable, sentence, urlParts } from "./format";
import { ByGeneration } from "./generation";
import { Choice, Ghost, Title, Trouble, useTabTitle } from "./parts";
import { usePoll } from "./poll";
import { devices, kinds, pageLink, ranges, siteLink, type Kind, type PageRoute } from "./route";
import { Sheet, depthOf } from "./sheet";
import { Numbers } from "./site";
import { WhyEmpty } from "./why";

const fewViews = 5;
const hintTime = 120_000; // ms, of which some go by on the page that was opened

/** One page: its numbers, the heat on it and how far people scroll. */
export function PageView({ site, route }: { site: Site; route: PageRoute }) {
  const { url, range, device, kind, bots } = route;
  const asked = { site: site.key, url, ...daysOf(range, zoneOf(site)), device, bots: bots ? 1 : undefined, generation: route.generation };
  const trend = usePoll<Trend>(pathOf("trend", { ...asked, by: range === "1" ? "hour" : "day" }));
  const minus = minusOf(route, site);
  const heat = usePoll<Heat>(pathOf("heatmap", { ...asked, ...minus, kind, cell: 32 }), 3000);
  const others = useCompared(route);
  const lost = heat.error && (!heat.data || (heat.stale && heat.error.status >= 400 && heat.error.status < 500)) ? heat.error : undefined;
  const scroll = usePoll<Scroll>(pathOf("scroll", asked));
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
        <OpenMap site={site} url={url} generation={route.generation} other={minus.minus_generation ?? ""} />
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
          <Choice label="Kind" value={kind} options={kinds.map(([v, name]) => [v, <>{name} <Total of={trend.data?.buckets} kind={v} /></>, to({ kind: v })])} />
        </div>
        <Compare route={route} others={others} to={to} />
        {lost && <div class="pad"><Trouble error={lost} again={heat.again} /></div>}
        {!heat.data && !heat.error && <div class="pad"><Ghost tall={320} /></div>}
        {heat.data && heat.data.hits === 0 && !heat.stale && <WhyEmpty why={heat.data.why} site={site} route={route} />}
        {heat.data && heat.data.hits > 0 && heat.data.minus?.hits === 0 && !heat.stale && <NothingBefore why={heat.data.minus.why} alone={to({ minus: "" })} />}
        {!lost && heat.data && (heat.data.hits > 0 || (scroll.data?.views ?? 0) > 0) && (
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

/** Opens the page itself with the map on it. */
function OpenMap({ site, url, generation, other }: { site: Site; url: string; generation: string; other: string }) {
  const [problem, setProblem] = useState("");
  const [link, setLink] = useState("");
  const [opened, setOpened] = useState(0); // times
  const [hint, setHint] = useState(false);
  const hindrance = whyClosed(site, url);
  useEffect(() => {
    if (opened === 0) return;
    setHint(true);
    const timer = setTimeout(() => setHint(false), hintTime);
    return () => clearTimeout(timer);
  }, [opened]);
  const open = async () => {
    setProblem("");
    setLink("");
    setHint(false);
    // Opened within the click: a tab that is opened after an answer came counts as a pop-up.
    const tab = window.open("about:blank", "_blank");
    if (tab) tab.opener = null;
    try {
      const answer = await send<{ link: string }>("POST", "v1/overlay-links", { site: site.key, url, ...(generation && { generation }), ...(other && { minus_generation: other }) });
      if (!/^https?:\/\//i.test(answer.link)) throw new Failure(0, "The server gave no link to open.");
      if (!tab) return setLink(answer.link);
      tab.location.replace(answer.link);
      setOpened((n) => n + 1);
    } catch (err) {
      tab?.close();
      setProblem(sentence((err as Failure).message));
    }
  };
  return (
    <div class="open-map">
      <button type="button" class="button primary" disabled={hindrance !== ""} aria-describedby="open-map" onClick={open}>Open with map</button>
      <p id="open-map" class={problem ? "problem" : "hint"} role="status">
        {problem || hindrance || (link && <>Your browser kept the tab shut. <a href={link} target="_blank" rel="noopener noreferrer">Open the page</a></>)
          || (hint && <>No panel on the page? It needs <a href={siteLink(site.key, { install: true })}>the tag of this site</a>.</>)}
      </p>
    </div>
  );
}

/** Why a page cannot be opened with its map; "" if it can. */
function whyClosed(site: Site, url: string): string {
  if (url.includes("*") || /\/:\w+/.test(urlParts(url).path)) return "This stands for many pages; open one of them.";
  let origin = "";
  try {
    origin = new URL(url).origin;
  } catch {
    return "This is not a URL that can be opened.";
  }
  if (site.origins.includes(origin)) return "";
  return site.origins.length > 0 ? `${origin} is not an origin of this site (${site.origins.join(", ")}).` : "The site has no origins, so no page can show its map.";
}
