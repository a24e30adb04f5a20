import { useEffect, useState } from "preact/hooks";
import { Failure, send, type Site } from "./api";
import { sentence, urlParts } from "./format";
import { go, pageLink, siteLink, type PageRoute } from "./route";

const hintTime = 120_000; // ms, of which some go by on the page that was opened

/** A link that opens a page with its map, and the token in it. */
export interface MapLink {
  readonly link: string;
  readonly token: string;
  readonly expires: string;
}

/** Asks for the link that opens a page with its map. Throws a Failure. */
export async function linkTo(site: string, url: string, generation = "", other = ""): Promise<MapLink> {
  const answer = await send<MapLink>("POST", "v1/overlay-links", { site, url, ...(generation && { generation }), ...(other && { minus_generation: other }) });
  if (!/^https?:\/\//i.test(answer.link)) throw new Failure(0, "The server gave no link to open.");
  return answer;
}

/** Opens the page itself with the map on it. */
export function OpenMap({ site, route, other }: { site: Site; route: PageRoute; other: string }) {
  const [problem, setProblem] = useState("");
  const [link, setLink] = useState("");
  const [opened, setOpened] = useState(0); // times
  const [hint, setHint] = useState(false);
  const url = route.at || route.url, many = standsForMany(url), hindrance = many ? "" : whyClosed(site, url);
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
      const answer = await linkTo(site.key, url, route.generation, other);
      if (!tab) return setLink(answer.link);
      tab.location.replace(answer.link);
      setOpened((n) => n + 1);
    } catch (err) {
      tab?.close();
      setProblem(sentence((err as Failure).message));
    }
  };
  if (many || route.at) {
    return <div class="open-map"><OneOf site={site} route={route} />{route.at && <button type="button" class="button primary" disabled={hindrance !== ""} onClick={open}>Open with map</button>}<p class="problem" role="status">{problem || hindrance}</p></div>;
  }
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

/** Asks which of many pages to open: the map of all of them is on each. */
function OneOf({ site, route }: { site: Site; route: PageRoute }) {
  const [text, setText] = useState(route.at || startOf(route.url));
  const [problem, setProblem] = useState("");
  const use = (e: Event) => {
    e.preventDefault();
    const why = standsForMany(text.trim()) ? "Give the address of one page." : whyClosed(site, text.trim());
    setProblem(why);
    if (!why) go(pageLink(site.key, route.url, { ...route, at: text.trim() }));
  };
  return (
    <form class="one-of" onSubmit={use}>
      <label for="one-of">This stands for many pages. Open one of them:</label>
      <div class="with-button">
        <input id="one-of" type="url" value={text} spellcheck={false} autocapitalize="none" onInput={(e) => setText((e.currentTarget as HTMLInputElement).value)} aria-describedby="one-of-problem" />
        <button class="button small">Use</button>
      </div>
      <p id="one-of-problem" class="problem" role="alert">{problem}</p>
    </form>
  );
}

/** Whether a page's URL stands for many: a pattern, or the page of a group. */
export function standsForMany(url: string): boolean {
  return url.includes("*") || /\/:\w+/.test(urlParts(url).path);
}

/** What the pages of a group begin with. */
function startOf(url: string): string {
  return url.replace(/(\/):\w+.*$|\*.*$/, "$1");
}

/** Why a page cannot be opened with its map; "" if it can. */
export function whyClosed(site: Site, url: string): string {
  let origin = "";
  try {
    origin = new URL(url).origin;
  } catch {
    return "This is not a URL that can be opened.";
  }
  if (site.origins.includes(origin)) return "";
  return site.origins.length > 0 ? `${origin} is not an origin of this site (${site.origins.join(", ")}).` : "The site has no origins, so no page can show its map.";
}
