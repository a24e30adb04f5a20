import { useEffect, useState } from "preact/hooks";
import type { Failure, Site } from "./api";
import { sentence } from "./format";
import { linkTo } from "./openmap";
import { Title, Trouble, useTabTitle } from "./parts";
import type { Polled } from "./poll";
import { newLink } from "./route";

/** What a bookmark holds that opens a page with its map: it has the app make a link for who is signed in, and knows no secret. */
export function bookmarkletOf(base: string): string {
  return `javascript:void open(${JSON.stringify(base + "/#/open?url=")}+encodeURIComponent(location.href),"_blank","noopener")`;
}

/** Leads to a page with its map: that of the site whose origin the page has. */
export function Open({ url, sites }: { url: string; sites: Polled<{ sites: Site[] }> }) {
  const [problem, setProblem] = useState<Failure | null>(null);
  const [tries, setTries] = useState(0);
  const list = sites.data?.sites, origin = originOf(url);
  const found = (list ?? []).filter((s) => s.origins.includes(origin));
  const [chosen, setChosen] = useState("");
  const key = chosen || (found.length === 1 ? found[0]!.key : "");
  useTabTitle("Open with map");
  useEffect(() => {
    if (!key) return;
    setProblem(null);
    linkTo(key, url).then(({ link }) => location.replace(link), setProblem);
  }, [key, url, tries]);
  if (sites.error && !list) return <Trouble error={sites.error} again={sites.again} />;
  if (problem) return <Trouble error={problem} again={() => setTries(tries + 1)} />;
  if (!list || key) return <p class="hint opening" role="status">Opening {url || "the page"} with its map…</p>;
  if (found.length > 1) {
    return (
      <div class="card empty">
        <Title>Which site?</Title>
        <p>Several sites list <code>{origin}</code>.</p>
        <div class="actions">{found.map((s) => <button key={s.key} type="button" class="button" onClick={() => setChosen(s.key)}>{s.key}</button>)}</div>
      </div>
    );
  }
  return (
    <div class="card empty">
      <Title>{origin ? "No site has this page" : "There is no page to open"}</Title>
      <p>{origin ? <>No site lists the origin <code>{origin}</code>. Add it as a site, or give it to one that there is with <code>heatlog site add</code>.</> : sentence("the bookmarklet works on pages of your sites")}</p>
      <div class="actions"><a class="button primary" href="#/">All sites</a>{origin && <a class="button" href={newLink()}>Add site</a>}</div>
    </div>
  );
}

function originOf(url: string): string {
  return /^https?:/i.test(url) && URL.canParse(url) ? new URL(url).origin : "";
}
