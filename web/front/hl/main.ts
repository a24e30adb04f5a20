// The tracker, /hl.js: sends what visitors do on a page to POST /v1/in. Nothing in it may disturb the page: handlers are passive and
// never throw, nothing is written to the console or kept in a visitor's browser, and sending is never done while the page handles
// an event, unless it goes away.
import { isElement } from "../anchor";
import { watch as watchAnswers } from "./alive";
import { keptToken, openOverlay, takeToken } from "./overlay";
import { guard, listen, members, quote, visible } from "./page";
import { presses } from "./press";
import { sender } from "./send";
import { beginView, type View } from "./view";

/** The script element that this is in: <script src="…/hl.js" data-site="KEY">. */
function tag(): HTMLScriptElement | undefined {
  const own = document.currentScript; // null in a module, and anything that the page names so
  if (own && isElement(own) && own.hasAttribute("data-site")) return own as HTMLScriptElement;
  return [...document.querySelectorAll<HTMLScriptElement>("script[data-site]")].find((s) => /\bhl\.js/.test(s.src));
}

const plain = /#(?![!/]).*/; // a fragment that is a place, not a route

/** What of a URL makes another page. What advertisements add does not, as many pages take it off. */
const pageOf = (url: string): string =>
  url.replace(plain, "").replace(/[?&](utm_|gclid|fbclid|msclkid)[^&#]*/gi, "").replace("?", "&");

/** The URL that hits have: without its query if it is longer than the server takes. */
function hitURL(): string {
  const url = location.href.replace(plain, "");
  return url.length > 8000 ? url.replace(/[?#].*/, "") : url;
}

function start(script: HTMLScriptElement): void {
  const base = script.src.replace(/[?#].*/, "").replace(/[^/]*$/, ""), site = script.getAttribute("data-site") || "";
  const mark = Symbol.for("hl " + base + site), own = window as unknown as Record<symbol, boolean>;
  if (!site || !/^http/.test(location.protocol) || own[mark]) return;
  own[mark] = true;

  const send = sender(base + "v1/in", head(site, script.getAttribute("data-tags")), () => view && view.start());
  listen("pointerdown popstate hashchange", look); // before an answer to this press can be expected
  const answers = watchAnswers();
  let view: View | undefined, href = "", page = "", recording = true, opened = false;
  const press = presses(answers, script.getAttribute("data-check") ? null : site, (json) => view!.hit(json));

  /** Notices that the page became another one. It is called ahead of everything, so that hits have the URL of their moment. */
  function look(): void {
    if (href === location.href) return;
    const token = takeToken();
    if (token) open(token);
    href = location.href;
    if (page === (page = pageOf(href))) return;
    answers.sign();
    begin();
  }

  function begin(): void {
    view && view.end();
    view = recording ? beginView(hitURL(), send.add) : undefined;
  }

  function record(on: boolean): void {
    if (on === recording) return;
    recording = on;
    begin();
  }

  function open(token: string): void {
    opened = true;
    openOverlay({ token, site, base, record: guard(record), get recording() { return recording; } }, script.nonce || "");
  }

  function leave(): void {
    look();
    view && view.hide();
    send.flush(true);
  }

  const [token, uncounted] = keptToken(site);
  recording = !uncounted;
  look();
  if (token && !opened) open(token);
  function click(e: Event, frame?: Element): void {
    look();
    if (view && view.settle() && !send.full()) press(e, frame);
  }

  /** Listens to clicks in what a frame of this origin shows, unless it is a page that counts its own. */
  const enter = guard((frame: HTMLIFrameElement) => {
    const inner = frame.contentDocument!;
    if (inner.readyState === "complete" && !inner.querySelector("script[data-site]")) listen("click", (e) => click(e, frame), inner);
  });

  listen("click", (e) => click(e));
  listen("load", (e) => enter(e.target as HTMLIFrameElement), document); // it never gets to the window
  document.querySelectorAll("iframe").forEach(enter);
  listen("scroll resize", (e) => {
    look();
    if (e.target === document || e.target === window) view && view.move();
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

/** The members that all batches have. */
function head(site: string, tags: string | null): string {
  const list = (tags || "").split(",").map((t) => t.trim()).filter((t) => t && new Blob([t]).size <= 64).slice(0, 16);
  return members({ site }).slice(1) + (list.length ? `,"tags":[${list.map(quote)}]` : "");
}

guard(() => {
  const script = tag(), go = () => start(script!);
  if (!script) return;
  if ((document as Document & { prerendering?: boolean }).prerendering) listen("prerenderingchange", go);
  else go();
})();
