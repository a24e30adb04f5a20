import { useEffect, useState } from "preact/hooks";
import { ask, pathOf, send, type Failure, type Pages, type Session, type Site } from "./api";
import { Demo, demoKey } from "./demo";
import { clock, plural, sentence } from "./format";
import { bookmarkletOf } from "./open";
import { Copy, Mark } from "./parts";
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
  changed: () => void; // called when the site has another origin
}

/** How to put the tag on the pages, and whether hits come. */
export function Install({ site, who, waiting, hits, arrived, changed }: InstallProps) {
  const base = (who.public_url || new URL(".", document.baseURI).href).replace(/\/$/, "");
  const tag = tagOf(site.key, base);
  return (
    <section class="card pad install" aria-labelledby="install">
      <h2 id="install">Install</h2>
      {site.key === demoKey && <><p>The demo pages have this site's tag already.</p><Demo possible={who.demo} /></>}
      <p>Paste this into the <code>&lt;head&gt;</code> of every page of {site.origins.length > 0 ? <Origins list={site.origins} /> : "the site"}.</p>
      <div class="tag"><pre><code>{tag}</code></pre><Copy text={tag} /></div>
      {waiting ? <FirstHit site={site.key} arrived={arrived} /> : <Received hits={hits} />}
      <Bookmarklet base={base} />
      <Refused site={site} every={waiting && !hits ? 2000 : 15_000} changed={changed} />
      <details class="more">
        <summary>Pages with a Content-Security-Policy</summary>
        <p>Allow <code>{new URL(base).origin}</code> in <code>script-src</code> and <code>connect-src</code>, and for the map <code>heatlog</code> in <code>trusted-types</code>, if there is such a list.</p>
      </details>
    </section>
  );
}

/** A bookmark that opens the page one is on with its map. */
function Bookmarklet({ base }: { base: string }) {
  const [pressed, setPressed] = useState(false);
  const press = (e: Event) => {
    e.preventDefault(); // it does nothing here
    setPressed(true);
  };
  return (
    <div class="bookmarklet">
      <a class="button small" href={bookmarkletOf(base)} onClick={press} draggable={true}><Mark /> Show the map</a>
      <p class="hint" role="status">{pressed ? "Not here: drag it to the bookmarks bar, and press it on a page of the site." : "Drag it to the bookmarks bar: on any page of the site it opens the map. It holds no secret; you must be signed in here."}</p>
    </div>
  );
}

function Received({ hits }: { hits: number | undefined }) {
  if (!hits) return <p class="hint">{hits === 0 ? "There are no hits in this range." : "…"}</p>;
  return <p class="live on"><span class="lamp" />Counted: {plural(hits, "hit")} in this range.</p>;
}

function Origins({ list }: { list: string[] }) {
  return <>{list.map((o, i) => <span key={o}>{i > 0 && (i === list.length - 1 ? " and " : ", ")}<code>{o}</code></span>)}</>;
}

/** Says whose hits are refused because the site does not list their origin, and adds it; asks every so many ms. */
function Refused({ site, every, changed }: { site: Site; every: number; changed: () => void }) {
  const sites = usePoll<{ sites: Site[] }>("v1/sites", every);
  const now = sites.data?.sites.find((s) => s.key === site.key) ?? site;
  const [added, setAdded] = useState<string[]>([]); // an answer that was under way does not know of them
  const refused = (now.refused_origins ?? []).filter((o) => !now.origins.includes(o) && !added.includes(o));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const add = async (origin: string) => {
    setBusy(true);
    setProblem("");
    try {
      // Asked for now: what is shown may lack an origin that was added a moment ago, and the server would drop it.
      const { origins, timezone } = (await ask<{ sites: Site[] }>("v1/sites")).sites.find((s) => s.key === site.key) ?? site;
      await send<Site>("POST", "v1/sites", { key: site.key, origins: [...origins.filter((o) => o !== origin), origin], timezone });
      setAdded([...added, origin]);
      sites.again();
      changed();
    } catch (err) {
      setProblem(sentence((err as Failure).message));
    }
    setBusy(false);
  };
  return (
    <div class="refused" role="status">
      {refused.map((origin) => (
        <div key={origin} class="notice quiet">
          <p>Hits from <code>{origin}</code> were refused: the site does not list this origin.</p>
          {isOrigin(origin) && <button type="button" class="button small" disabled={busy} onClick={() => add(origin)}>Add this origin</button>}
        </div>
      ))}
      {refused.length > 0 && <p class="hint">Add only origins whose pages are yours.</p>}
      {refused.length > 0 && problem && <p class="problem">{problem}</p>}
    </div>
  );
}

/** Whether text is the origin of web pages, and not such as "null", which a page from a file has. */
function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
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
