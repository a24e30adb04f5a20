import { useEffect, useState } from "preact/hooks";
import { pathOf, type Pages, type Session, type Site } from "./api";
import { Demo, demoKey } from "./demo";
import { clock, plural } from "./format";
import { Copy } from "./parts";
import { usePoll } from "./poll";

/** The tag of a site, exactly as it is to be pasted. */
export function tagOf(site: string, base: string): string {
  return `<script defer src="${base}/hl.js" data-site="${site}"></script>`;
}

interface InstallProps {
  site: Site;
  who: Session;
  waiting: boolean; // no hit was there when one came to the view
  hits: number | undefined; // in the range, undefined while that is not known
  arrived: () => void; // called at the first hit of a site that waits
}

/** How to put the tag on the pages, and whether hits come. */
export function Install({ site, who, waiting, hits, arrived }: InstallProps) {
  const base = (who.public_url || new URL(".", document.baseURI).href).replace(/\/$/, "");
  const tag = tagOf(site.key, base);
  return (
    <section class="card pad install" aria-labelledby="install">
      <h2 id="install">Install</h2>
      {site.key === demoKey && <><p>The demo pages have this site's tag already.</p><Demo possible={who.demo} /></>}
      <p>Paste this into the <code>&lt;head&gt;</code> of every page of {site.origins.length > 0 ? <Origins list={site.origins} /> : "the site"}.</p>
      <div class="tag"><pre><code>{tag}</code></pre><Copy text={tag} /></div>
      {waiting ? <FirstHit site={site.key} arrived={arrived} /> : <Received hits={hits} />}
      <details class="more">
        <summary>Pages with a Content-Security-Policy</summary>
        <p>Allow <code>{new URL(base).origin}</code> in <code>script-src</code> and <code>connect-src</code>.</p>
      </details>
    </section>
  );
}

function Received({ hits }: { hits: number | undefined }) {
  if (!hits) return <p class="hint">{hits === 0 ? "There are no hits in this range." : "…"}</p>;
  return <p class="live on"><span class="lamp" />Counted: {plural(hits, "hit")} in this range.</p>;
}

function Origins({ list }: { list: string[] }) {
  return <>{list.map((o, i) => <span key={o}>{i > 0 && (i === list.length - 1 ? " and " : ", ")}<code>{o}</code></span>)}</>;
}

/** Watches for the first hit of a site, each second. */
function FirstHit({ site, arrived }: { site: string; arrived: () => void }) {
  const [at, setAt] = useState<Date | null>(null);
  const pages = usePoll<Pages>(at ? null : pathOf("pages", { site, limit: 1 }), 1000);
  const some = (pages.data?.hits ?? 0) > 0;
  useEffect(() => {
    if (!some) return;
    setAt(new Date());
    arrived();
  }, [some]);
  return (
    <p class={at ? "live on" : "live"} role="status">
      <span class="lamp" />
      {at ? `First hit received at ${clock(at)}.`
        : pages.data?.why?.reason === "only_bots" ? "Hits come, but only from bots so far, which are not counted. Open one of the pages in a browser."
        : "Waiting for the first hit… Open one of the pages and click somewhere."}
    </p>
  );
}
