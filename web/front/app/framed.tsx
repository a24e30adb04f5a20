import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FrameNews, FrameOrder } from "../frame";
import { type Failure, type Site } from "./api";
import { count, sentence, urlParts } from "./format";
import { linkTo, standsForMany, whyClosed, type MapLink } from "./openmap";
import { Choice, Ghost, Sampled, useWidth } from "./parts";
import { frameBounds, go, pageLink, siteLink, type Device, type PageRoute } from "./route";

const widths = [390, 768, 1280, 1920]; // px, those that are offered
const patience = 5000; // ms that a page which has loaded may take to say that its map is there
const longest = 20_000; // ms until a page must have loaded
const early = 60_000; // ms before the end of a link's token that another one is asked for
const lifeOf = [60_000, 840_000] as const; // ms after which it is at the soonest and at the latest
const pause = 30_000; // ms between tries
const opacityOf = { least: 0.1, most: 1, usual: 0.85 };

/** The width of a frame that is like the windows of a device, px. */
export const widthOf = (device: Device): number => (device === "mobile" ? 390 : device === "tablet" ? 768 : 1280);

/** How high a window so wide is, as a rule, px: pages that are as high as their window look as they do to people. */
const heightOf = (wide: number): number => (wide < 600 ? 844 : wide < 1024 ? 1024 : Math.round(Math.min(wide * 0.625, 1200)));

interface FramedProps {
  site: Site;
  route: PageRoute;
  given: Record<string, string>; // parameters of the question: days, device, bots, what it is compared with
  to: (change: Partial<PageRoute>) => string;
}

/** The living page in a frame with its map on it. */
export function Framed(props: FramedProps) {
  const { site, route } = props, address = route.at || route.url;
  const closed = standsForMany(address) ? "Give the address of one of these pages above: it has the map of all of them." : whyClosed(site, address);
  if (closed) return <div class="empty framed-none"><h3>No page to show</h3><p>{closed}</p></div>;
  // What is behind the token, such as a generation, needs another link.
  return <Linked key={[address, route.generation, props.given.minus_generation].join()} {...props} address={address} />;
}

function Linked({ site, route, given, to, address }: FramedProps & { address: string }) {
  const ask = () => linkTo(site.key, address, route.generation, given.minus_generation);
  const { link, problem, again, ended } = useLink(ask);
  const [opacity, setOpacity] = useState(opacityOf.usual);
  const [numbers, setNumbers] = useState(true);
  const [allWidths, setAllWidths] = useState(false);
  const compare = given.minus_generation ? "rules" : given.minus_from ? "before" : "";
  const wanted = JSON.stringify({ choices: { map: route.layer || "clicks", clicks: route.kind, compare, given }, allWidths, opacity, numbers });
  return (
    <div class="framed">
      <div class="frame-tools">
        <Wide route={route} to={to} />
        <label class="check"><input type="checkbox" checked={allWidths} onChange={() => setAllWidths(!allWidths)} />Windows of all widths</label>
        {!route.layer && !compare && <label class="check"><input type="checkbox" checked={numbers} onChange={() => setNumbers(!numbers)} />Numbers</label>}
        <label class="check">Opacity <input type="range" min={opacityOf.least} max={opacityOf.most} step="0.05" value={opacity} onInput={(e) => setOpacity((e.currentTarget as HTMLInputElement).valueAsNumber)} /></label>
      </div>
      {problem && <div class="notice bad" role="alert"><p>{problem}</p><button type="button" class="button small" onClick={again}>Try again</button></div>}
      {!problem && !link && <Ghost tall={480} />}
      {link && <Page key={link.link} site={site} route={route} address={address} {...link} wanted={wanted} again={again} ended={ended} />}
    </div>
  );
}

/** A link to a page in the frame. Its token lasts minutes: others take its place while the page stays, by which its map goes on. */
interface Opened {
  readonly link: string;
  readonly tokens: readonly string[]; // the last one is good
  readonly due: number; // when it is to have another
}

/** Has a link that stays good: ask gives one. The frame that says that it has ended gets another, unless it just got one. */
function useLink(ask: () => Promise<MapLink>) {
  const [opened, setOpened] = useState<Opened | null>(null);
  const [problem, setProblem] = useState("");
  const [round, setRound] = useState(0);
  const renewed = useRef(0); // when it was tried
  const [soonest, latest] = lifeOf;
  const take = ({ link, token, expires }: MapLink, before: Opened | null): Opened => {
    const life = Math.min(Math.max(Date.parse(expires) - Date.now() - early, soonest), latest); // our clock may be wrong
    return { link: before?.link ?? link, tokens: [...(before?.tokens.slice(-8) ?? []), token], due: Date.now() + life };
  };
  useEffect(() => {
    let current = true;
    setOpened(null);
    setProblem("");
    ask().then((got) => current && setOpened(take(got, null)), (err: Failure) => current && setProblem(sentence(err.message)));
    return () => void (current = false);
  }, [round]);
  const renew = () => {
    if (Date.now() - renewed.current < pause) return;
    renewed.current = Date.now();
    ask().then((got) => setOpened((old) => old === opened ? take(got, old) : old), () => {}); // it is tried again
  };
  useEffect(() => {
    if (!opened) return;
    const look = () => document.hidden || Date.now() < opened.due || renew();
    const timer = setInterval(look, 10_000); // and not once: computers sleep
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [opened]);
  return { link: opened, problem, again: () => setRound((n) => n + 1), ended: renew };
}

/** Chooses how wide the page is. */
function Wide({ route, to }: { route: PageRoute; to: FramedProps["to"] }) {
  const [own, setOwn] = useState(String(route.frame));
  const [least, most] = frameBounds;
  useEffect(() => setOwn(String(route.frame)), [route.frame]);
  const use = (e: Event) => {
    e.preventDefault();
    if (Number(own)) go(to({ frame: Number(own) }), true);
    else setOwn(String(route.frame));
  };
  return (
    <form class="frame-wide" onSubmit={use}>
      <Choice label="Width of the page" value={String(route.frame)} options={widths.map((w) => [String(w), String(w), to({ frame: w })])} />
      <label><input type="number" aria-label="Width of the page, px" min={least} max={most} value={own} onInput={(e) => setOwn((e.currentTarget as HTMLInputElement).value)} onBlur={use} /> px</label>
    </form>
  );
}

interface PageProps {
  site: Site;
  route: PageRoute;
  address: string;
  link: string;
  tokens: readonly string[];
  wanted: string; // JSON of the rest of a FrameOrder
  again: () => void;
  ended: () => void; // called when the frame says that it asks no more
}

function Page({ site, route, address, link, tokens, wanted, again, ended }: PageProps) {
  const [ref, room] = useWidth<HTMLDivElement>();
  const frame = useRef<HTMLIFrameElement>(null);
  const { news, silent, refused, loaded } = useOverlay(frame, address, tokens, wanted);
  useEffect(() => {
    if (news?.life === "off") ended();
  }, [news?.life]);
  const wide = route.frame, tall = heightOf(wide), scale = Math.min(1, room / wide);
  const away = silent || refused; // it loads still, and may come back
  const own = new URL(address).origin === location.origin; // of the demo: a frame of our own origin cannot be shut in
  return (
    <>
      {away ? <Silent site={site} refused={refused} again={again} /> : <Caption news={news} site={site} route={route} again={again} />}
      <div class="frame-room" ref={ref}>
        {room > 0 && (
          <div class="frame-box" hidden={away} style={{ width: `${Math.round(wide * scale)}px`, height: `${Math.round(tall * scale)}px` }}>
            <iframe
              ref={frame} src={link} title="The page with its map" onLoad={loaded} {...(own ? {} : { sandbox: "allow-scripts allow-same-origin allow-forms allow-popups allow-modals" })}
              style={{ width: `${wide}px`, height: `${tall}px`, transform: `scale(${scale})` }}
            />
          </div>
        )}
      </div>
      {scale < 1 && !away && <p class="hint frame-scale">{count(wide)} × {count(tall)} px, at {Math.round(scale * 100)} % of its size</p>}
    </>
  );
}

/** Talks to the overlay in a frame: says what it is to show, and hears what it shows. */
function useOverlay(frame: { current: HTMLIFrameElement | null }, address: string, tokens: readonly string[], wanted: string) {
  const [news, setNews] = useState<FrameNews | null>(null);
  const [silent, setSilent] = useState(false);
  const [refused, setRefused] = useState(false);
  const origin = useMemo(() => new URL(address).origin, [address]);
  const heard = useRef({ now: 0, atLoad: 0, timer: 0 }); // pages whose overlay said that it is here
  const order = () => frame.current?.contentWindow?.postMessage({ hl: "show", token: tokens.at(-1)!, before: tokens.slice(0, -1), ...JSON.parse(wanted) } satisfies FrameOrder, origin);

  useEffect(() => {
    const hear = ({ source, origin: from, data }: MessageEvent) => {
      if (!frame.current || source !== frame.current.contentWindow || from !== origin) return;
      if (data?.hl === "here") {
        heard.current.now++;
        order();
      } else if (data?.hl === "shown") {
        setNews(data as FrameNews);
        setSilent(false);
      }
    };
    addEventListener("message", hear);
    if (heard.current.now > 0) order();
    return () => removeEventListener("message", hear);
  }, [wanted, tokens]);

  useEffect(() => {
    const violated = (e: SecurityPolicyViolationEvent) => e.effectiveDirective === "frame-src" && setRefused(true);
    heard.current.timer = setTimeout(() => setSilent(true), longest);
    document.addEventListener("securitypolicyviolation", violated);
    return () => {
      clearTimeout(heard.current.timer);
      document.removeEventListener("securitypolicyviolation", violated);
    };
  }, []);

  /** Each page in the frame says that its map is there, some before they have loaded. */
  const loaded = () => {
    const h = heard.current;
    clearTimeout(h.timer);
    h.timer = setTimeout(() => {
      if (h.now === h.atLoad) {
        setSilent(true);
        setNews(null);
      }
      h.atLoad = h.now;
    }, patience);
  };
  return { news, silent, refused, loaded };
}

/** What the map in the frame says. */
function Caption({ news, site, route, again }: { news: FrameNews | null; site: Site; route: PageRoute; again: () => void }) {
  if (!news) return <div class="frame-says" role="status"><p class="hint">Looking at the page…</p></div>;
  const { figures, notice, life, absent } = news;
  const whole = (url: string) => url.replace(/\/$/, "");
  const other = news.page !== "" && whole(news.page) !== whole(route.url) && !route.url.includes("*");
  return (
    <div class="frame-says" role="status">
      {notice && <div class="notice"><p><strong>{notice.title}.</strong> {notice.text}</p>{life === "off" && <button type="button" class="button small" onClick={again}>Load again</button>}</div>}
      {!notice && figures.length > 0 && <dl class="counted">{figures.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value.replace(/(\d)%/, "$1 %")}</dd></div>)}</dl>}
      {!notice && figures.length === 0 && <p class="hint">Looking at the page…</p>}
      {news.sampled !== null && <Sampled of={{ share: news.sampled, hits: 0 }} />}
      {other && <p class="hint">The frame shows <a href={pageLink(site.key, news.page, { ...route, url: news.page, at: "" })}>{urlParts(news.page).path}</a>, not {urlParts(route.url).path}.</p>}
      {!notice && !route.layer && absent.hits > 0 && (
        <details>
          <summary>{count(absent.hits)} not drawn: their elements are hidden or gone</summary>
          <ul class="absent">{absent.elements.map((e, i) => <li key={i}><span>{e.name}</span><em>{e.why}</em><b>{count(e.hits)}</b></li>)}</ul>
        </details>
      )}
    </div>
  );
}

/** Says why there may be no map in the frame, and what to do instead. */
function Silent({ site, refused, again }: { site: Site; refused: boolean; again: () => void }) {
  if (refused) {
    return (
      <div class="empty why" role="status">
        <h3>This site is newer than this window</h3>
        <p>heatlog may frame the sites that it had when it was loaded. Load it once more.</p>
        <div class="actions"><button type="button" class="button primary" onClick={() => location.reload()}>Load heatlog again</button></div>
      </div>
    );
  }
  return (
    <div class="empty why silent" role="status">
      <h3>This page does not show its map in a frame</h3>
      <p><strong>Open with map</strong> above shows it in a tab of its own, and the bookmarklet on the page itself. What may be in the way here:</p>
      <ul class="reasons">
        <li>The page forbids frames, by <code>X-Frame-Options</code> or <code>frame-ancestors</code>. It may allow this one: <code>frame-ancestors 'self' {location.origin}</code></li>
        <li>It asks for a sign-in: browsers keep its cookies from frames of other sites.</li>
        <li>It lacks <a href={siteLink(site.key, { install: true })}>the tag</a>, or its policy keeps scripts of <code>{location.origin}</code> out.</li>
      </ul>
      <div class="actions">
        <button type="button" class="button" onClick={again}>Try again</button>
        <a class="button" href={siteLink(site.key, { install: true })}>Get the bookmarklet</a>
      </div>
    </div>
  );
}
