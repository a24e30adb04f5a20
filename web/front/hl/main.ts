// The tracker, /hl.js: sends what visitors do on a page to POST /v1/in. Nothing in it may disturb the page: handlers are passive and
// never throw, nothing is written to the console, nothing but what could not be delivered is kept in a visitor's browser, and
// sending is never done while the page handles an event, unless it goes away.
import { isElement } from "../anchor";
import { watch, type Watch } from "./alive";
import { keptToken, openOverlay, takeToken } from "./overlay";
import { guard, listen, members, quote, visible } from "./page";
import { presses } from "./press";
import { sender } from "./send";
import { beginView, type View } from "./view";

const plain = /#(?![!/]).*/; // a fragment that is a place, not a route

/** What of a URL makes another page. What advertisements add does not, as many pages take it off. */
const pageOf = (url: string): string =>
  url.replace(plain, "").replace(/[?&](utm_|\w+clk?id)[^&#]*/gi, "").replace("?", "&");

/** The URL that hits have: without its query if it is longer than the server takes. */
const hitURL = (): string => location.href.replace(plain, "").replace(/\?.{7000,}/, "");

/** What is left of data-respect without the signals that a visitor's browser does not send: these, and what nobody knows; true if it names none. */
const heeded = (signals: string): unknown => !signals || signals.replace((navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl ? " " : "gpc", "")
  .replace(+navigator.doNotTrack! > 0 ? " " : "dnt", "").trim();

/** What a script leaves for another: how to tell each tracker of this window about consent, by server and site. */
type Trackers = Record<string, (yes: unknown) => void>;

/** What windows have of ours. */
type Globals = { heatlog?: { consent?: unknown }; "hl:"?: Trackers };

/** Starts the tracker of the script element that this is in: <script src="…/hl.js" data-site="KEY">. It throws if there is none. */
function start(): void {
  // null in a module, and anything that the page names so
  const own = document.currentScript as HTMLScriptElement | null, tag = "script[data-site]";
  const script = own && own.matches(tag) ? own : document.querySelector<HTMLScriptElement>(tag + '[src*="hl.js"]')!;
  const { site = "", tags = "", check, sample = "", store, respect = " ", consent: asked } = script.dataset, base = /^[^?#]*\//.exec(script.src)![0]!;
  const globals = window as unknown as Globals, all = globals["hl:"] = globals["hl:"] || {};
  if (!site || all[base + site] || !location.host) return;
  all[base + site] = consent;

  const sampled = /^0\.\d+$/.test(sample), within = !sampled || Math.random() < +sample;
  const send = sender(base + "v1/in", head(site, (sampled ? `sampled:${sample},` : "") + tags), store ? "" : `hl:${site}:`);
  let allowed = within && asked == null && !heeded(respect);
  let answers: Watch, press: ReturnType<typeof presses>, view: View | undefined, href = "", page = "", recording = true;

  /** Notices that the page became another one. It is called ahead of everything, so that hits have the URL of their moment. */
  function look(): void {
    if (href === location.href) return;
    takeToken(open);
    href = location.href;
    if (page === (page = pageOf(href))) return;
    answers.sign();
    begin();
  }

  function begin(): void {
    view && view.end();
    view = recording && allowed ? beginView(hitURL(), send.add) : undefined;
  }

  function record(on: boolean): void {
    if (recording !== (recording = on)) begin();
  }

  /** Records from now on, or stops and drops what waits. A page that is not in the sample stays out of it. */
  function consent(yes: unknown): void {
    if (yes === true && allowed === within) return;
    allowed = yes === true && within;
    send.allow(allowed);
    begin();
  }

  function open(token: string): void {
    recording = recording && self === top; // in heatlog's own frame nobody is a visitor
    openOverlay({ token, site, base, record: guard(record), get recording() { return recording; } }, script);
  }

  function leave(): void {
    look();
    view && view.hide();
    send.flush(true);
  }

  function click(e: Event, frame?: Element): void {
    look();
    if (view && view.settle() && !send.full()) press(e, frame);
  }

  /** Listens to clicks in what a frame of this origin shows, unless it is a page that counts its own. */
  const enter = guard((frame: HTMLIFrameElement) => {
    const inner = frame.contentDocument!;
    if (inner.readyState === "complete" && !inner.querySelector("script[data-site]")) listen("click", (e) => click(e, frame), inner);
  });

  function run(): void {
    if (allowed) send.allow(true);
    listen("pointerdown popstate hashchange", look); // before an answer to this press can be expected
    answers = watch();
    press = presses(answers, check ? "" : site, (json) => view!.hit(json));
    const [token, off] = keptToken(site);
    recording = !off;
    if (token) open(token);
    look(); // a link's overlay takes the place of that one

    listen("click", (e) => click(e));
    listen("load", (e) => enter(e.target as HTMLIFrameElement), document); // it never gets to the window
    document.querySelectorAll("iframe").forEach(enter);
    listen("scroll resize", (e) => {
      look();
      isElement(e.target!) || view && view.move();
    });
    listen("pagehide", leave);
    listen("visibilitychange", () => visible() ? (look(), view && view.show()) : leave());
    listen("pageshow", (e) => (e as PageTransitionEvent).persisted && begin());
    const navigation = (window as unknown as { navigation?: EventTarget }).navigation;
    if (navigation) {
      listen("currententrychange", look, navigation);
      listen("navigate", answers.sign, navigation);
    } else setInterval(guard(look), 500);
  }

  if ((document as Document & { prerendering?: boolean }).prerendering) listen("prerenderingchange", run);
  else run();
  // the last, as what a page calls so may throw; the consent in it is what the page knew before this was loaded
  const given = globals.heatlog = globals.heatlog || {}, early = given.consent;
  if (typeof early !== "function") {
    given.consent = (yes: unknown) => Object.values(all).forEach((tell) => tell(yes));
    if (early != null) consent(early);
  }
}

/** The members that all batches have. */
const head = (site: string, tags: string): string => members({ site }) +
  `,"tags":[${tags.trim().split(/\s*[,\n\t]\s*/).filter((t) => t && new Blob([t]).size <= 64).slice(0, 16).map(quote)}]`;

guard(start)();
