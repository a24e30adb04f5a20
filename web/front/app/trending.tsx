import { useRef } from "preact/hooks";
import type { PageCount, Pages, Site } from "./api";
import { useAlive } from "./alive";
import { compact, count, percent, plural } from "./format";
import { useLife, type Life } from "./liveswitch";
import { Ghost, PageName, Trouble, useTint } from "./parts";
import { pageLink, type SiteRoute, type Trending } from "./route";

/** How many pages are listed. */
const most = 25;

/** How often a window moves on. */
const panes: Record<Exclude<Trending, "">, string> = { "1h": "1m", "24h": "10m" };

/** The pages that most happens on now, as it happens. */
export function TrendingPages({ site, route, window, paused, lives }: { site: Site; route: SiteRoute; window: Exclude<Trending, "">; paused: boolean; lives: (life: Life) => void }) {
  const pages = useAlive<Pages>("pages", { site: site.key, window, every: panes[window], limit: most, generation: route.generation }, paused);
  const data = pages.data, span = window === "1h" ? "hour" : "24 hours";
  useLife(pages, lives);
  if (pages.error && !data) return <div class="pad"><Trouble error={pages.error} again={pages.again} /></div>;
  if (!data || pages.stale) return <div class="pad"><Ghost tall={120} /></div>;
  if (!pages.complete && data.hits === 0) return <div class="pad"><Ghost tall={120} /></div>;
  if (data.pages.length === 0) return <div class="empty"><h3>Nothing in the last {span}</h3><p>Pages appear here as soon as somebody is on them.</p></div>;
  return (
    <>
      <table class={pages.complete ? "pages trending" : "pages trending stale"} aria-label={`Trending pages of the last ${span}`}>
        <thead><tr><th scope="col">Page</th><th scope="col">Share</th><th scope="col">Visitors</th><th scope="col">Views</th><th scope="col">Clicks</th><th scope="col">Hits</th></tr></thead>
        <tbody>{data.pages.map((p, i) => <Row key={p.url} page={p} rank={i + 1} all={data.hits} site={site} route={route} />)}</tbody>
      </table>
      <p class="hint trending-sum">{plural(data.hits, "hit")} on {plural(data.total, "page")} in the last {span}{!pages.complete && ", so far"}</p>
    </>
  );
}

function Row({ page, rank, all, site, route }: { page: PageCount; rank: number; all: number; site: Site; route: SiteRoute }) {
  const ref = useRef<HTMLTableRowElement>(null);
  useTint(ref, page.hits);
  const { visitors } = page, share = page.hits / Math.max(all, 1);
  return (
    <tr ref={ref}>
      <th scope="row"><span class="rank">{rank}</span><a href={pageLink(site.key, page.url, { range: "1", generation: route.generation })}><PageName url={page.url} own={site.origins} /></a></th>
      <td class="cell-share" title="Of all hits"><i style={{ width: `${Math.max(1, share * 60)}%` }} />{percent(share)}</td>
      <td data-name="Visitors">{visitors === undefined ? "–" : <span title={count(visitors)}>{compact(visitors)}</span>}</td>
      <td data-name="Views" title={count(page.views)}>{compact(page.views)}</td>
      <td data-name="Clicks" title={count(page.clicks)}>{compact(page.clicks)}</td>
      <td data-name="Hits" title={count(page.hits)}>{compact(page.hits)}</td>
    </tr>
  );
}
