import { later, members, now, px, type Sizes, sizes, unique, visible } from "./page";
import type { Hit } from "./send";

const settling = 200; // ms that a URL must stand to be a page, so that redirects are none and a new route is drawn
const resting = 250; // ms without a scroll that make a place
const step = 50; // px that make it another place: attention is kept in bands of as many
const longest = 600_000; // ms of one hit

export interface View {
  /** Queues a hit of this view. */
  hit(json: string): Hit;
  /** The page can be seen, from now on or again. */
  show(): void;
  /** The page was scrolled, or its viewport has another size. */
  move(): void;
  /** Makes it a view now; false if nobody has seen it yet. */
  settle(): boolean;
  /** The page cannot be seen any more. */
  hide(): void;
  /** Another page has taken its place. */
  end(): void;
}

/**
 * Begins a view of a page: its view hit, and its scroll hits. The first of these has from = 0 and there is one whatever
 * happens. Each tells of a place where the page rested: its top, how long it could be seen there, and the lowest px seen
 * by then. add takes the hits.
 */
export function beginView(url: string, add: (h: Hit) => void): View {
  const page = members({ url, view: unique() });
  let settled = false; // whether it is a view
  let top = 0, size: Sizes, depth = 0; // of the place; lowest px seen when the page came there
  let low = 0, told = 0; // lowest px seen, and that of the hit before
  let dwell = 0, since = 0; // ms at the place, and from when more counts, 0 = it does not: nobody sees it
  let moved = 0, timer = 0; // last scroll of a motion, 0 = at rest

  function hit(json: string): Hit {
    const h = { json: `{"age":${Date.now()}` + json, page };
    add(h);
    return h;
  }

  function show(): void {
    since = since || now();
    if (!settled && !timer) timer = later(settle, settling);
  }

  function settle(): boolean {
    if (settled || !since) return settled;
    settled = true;
    clearTimeout(timer);
    arrive();
    hit(members({ kind: "view" }, size));
    depth = low = Math.max(1, low); // with 0 the second hit would begin another view
    tell();
    return true;
  }

  /** Begins a place. */
  function arrive(): void {
    top = px(scrollY);
    size = sizes();
    depth = see();
  }

  function see(): number {
    return low = Math.max(low, px(scrollY + innerHeight));
  }

  /** Counts the time until now. */
  function pass(): void {
    if (since) {
      dwell += now() - since;
      since = now();
    }
  }

  function move(): void {
    if (!settled) return;
    pass();
    since = 0;
    see();
    moved = now();
    clearTimeout(timer);
    timer = later(land, resting);
  }

  /** Ends a motion. */
  function land(): void {
    if (!moved) return;
    if (Math.abs(scrollY - top) < step && innerHeight === size.vh) depth = low;
    else {
      tell();
      arrive();
    }
    if (visible()) since = moved;
    moved = 0;
  }

  /** Queues what is to be told of the place until now. */
  function tell(): void {
    pass();
    size.dh = sizes().dh; // it grows as pictures come
    while (dwell >= 1 || depth > told) {
      const part = Math.min(longest, Math.round(dwell));
      hit(members({ kind: "scroll", depth, from: told, dwell: part, y: top }, size));
      told = depth;
      dwell = dwell > part ? dwell - part : 0;
    }
  }

  function hide(): void {
    if (!settle()) return;
    land();
    tell();
    since = 0;
  }

  function end(): void {
    clearTimeout(timer);
    if (!settled) return;
    tell();
    if (low > depth) { // it was moving; where it went is known by how far, as the page may be elsewhere by now
      top = px(low - size.vh);
      depth = low;
      tell();
    }
    since = 0;
    settled = false;
  }

  if (visible()) show();
  return { hit, show, move, settle, hide, end };
}
