import { guard, later, listen, now, unique } from "./page";
import { keep, takeAll } from "./store";

/** A hit that waits to be sent. */
export interface Hit {
  /** Its JSON but its end and what page has. The age is when it happened, as Date.now() says it: the true one is put there as it is sent. */
  json: string;
  /** Members of its page, as members() makes them. */
  readonly page: string;
  /** It may turn out to be a dead click and waits for that, unless the page goes. */
  undecided?: boolean;
}

/** Hits as they are sent. */
export interface Batch {
  /** When it is too late to send it, as Date.now() says it, which goes on from page to page. */
  until: number;
  /** Bytes on the way, 0 = none. */
  flying: number;
  readonly body: string;
}

/** How many hits a batch has. */
export const held = (b: Batch): number => b.body.split('{"age":').length - 1;

export interface Sender {
  /** Whether another click would be dropped; if so, it is counted as dropped. */
  full(): boolean;
  /** Queues a hit. It is dropped only if many more wait than there may be clicks: without its view and its first scroll a page's counts would be wrong. */
  add(h: Hit): void;
  /** Sends what is queued; if the page goes, also what is undecided and what failed. */
  flush(leaving?: boolean): void;
  /** Begins to take hits, or stops: then what waits is dropped, in the browser's storage too. */
  allow(on: boolean): void;
}

const most = 200; // hits in memory until clicks are dropped and counted
const large = 40; // hits of a batch at most
const quota = 60_000; // bytes on the way when the page goes: browsers allow 65,536, with those of the page's own requests
const pause = 700; // ms from a hit to its sending
const again = 600; // ms from a sending to the next, if by then it is known what a click is that was undecided
const look = 100; // ms after which such a click is looked at again, if it is all that waits
const slow = 3000; // ms without an answer that are trouble
const longest = 8; // s between tries, and up to a quarter more by chance, so that pages do not come all at once when the server is back
const peace = 60; // s for which the server may have its peace: what waits is of no use after ten minutes
const known = 540_000; // ms for which a batch that may have arrived is sent again: the server knows its id for ten minutes
const tooOld = 86_400_000; // ms for which a batch is sent that has not: the server takes no greater age

/**
 * Sends hits to a server in batches, one after the other, each until the server has it. head is the JSON members that all
 * batches have. place is the prefix of what is kept in the browser's storage, "" = nothing: what could not be delivered, as long
 * as that is so, for the next page of this origin: a browser may end a page without telling it. Until it is allowed it takes nothing.
 */
export function sender(url: string, head: string, place: string): Sender {
  const prefix = unique(), fetch = window.fetch;
  let queue: Hit[] = [], batches: Batch[] = [];
  let lost = 0, count = 0; // hits dropped and not told of, batches made
  let timer = 0, notBefore = 0, left = quota;
  let off = true;
  let kept = place; // what of the storage is ours: at first what pages before have left, then what this one keeps, "" = nothing
  let trouble = 0; // how many times it failed since nothing waited; not 0 too if what was sent may have failed

  const full = (more = 0) => off || batches.reduce((sum, b) => sum + held(b), queue.length) >= most + more && !!++lost;

  function add(h: Hit): void {
    if (full(50)) return;
    queue.push(h);
    timer = timer || later(flush, pause);
  }

  function flush(leaving?: boolean): void {
    clearTimeout(timer);
    timer = 0;
    if (off) return;
    sift(); // ahead of the first batch, which tells what was lost
    const ready = queue.filter((h) => leaving || !h.undecided);
    queue = leaving ? [] : queue.filter((h) => h.undecided);
    if (queue[0]) timer = later(flush, ready[0] ? again : look);
    while (ready[0]) pack(ready.splice(0, large));
    pump(leaving);
  }

  /** Makes hits a batch. */
  function pack(hits: Hit[]): void {
    const { page } = hits[0]!;
    batches.push({
      until: Date.now() + tooOld, flying: 0,
      body: `{"b":"${prefix + ++count}"` + head + page + (lost ? `,"lost":${lost}` : "") + ',"hits":[' + hits.map((h) => h.json + (h.page === page ? "" : h.page) + "}") + "]}",
    });
    lost = 0;
  }

  /** Takes what pages before have left, drops what another page has taken over of this one's, and batches that it is too late for. */
  function sift(): void {
    if (kept && (kept === place || !guard(() => kept in localStorage)())) {
      batches = guard(takeAll)(kept) || [];
      if (batches[0]) trouble = trouble || 1;
      kept = "";
    }
    batches = batches.filter((b) => {
      const good = b.flying || Date.now() < b.until;
      if (!good) lost += held(b);
      return good;
    });
  }

  /**
   * Sends the batch that is next, if none is on the way and the server does not want a pause; all of them if the page goes. What is
   * to be kept is so before that, and as it will be after it: a browser may end the page at any moment.
   */
  function pump(leaving?: boolean): void {
    sift();
    const wait = notBefore - now(), offline = !navigator.onLine;
    let due: Batch[] = [];
    if (leaving) {
      if (!trouble || !offline) due = batches.filter((b) => !b.flying);
    } else if (batches[0] && left === quota) {
      if (wait > 0) later(pump, wait);
      else due = [batches[0]];
    }
    const untils = due.map((b) => b.until);
    for (const b of due) b.until = Math.min(b.until, Date.now() + known);
    if (due.map((b) => b.body).join("").length > left) trouble = trouble || 1; // the browser may not send all of it
    if (place && batches[0] && (trouble || offline)) {
      batches.push({ until: 1e12, flying: 0, body: '{"age":'.repeat(lost) }); // what was lost, as a batch that it is too late for
      lost = 0;
      kept = guard(keep)(place + prefix, batches) || "";
    } else if (kept) {
      guard(takeAll)(kept);
      kept = "";
    }
    due.forEach((b, i) => send(b, untils[i]!));
  }

  /** Sends a batch, which is good until then if it turns out not to have left the browser. */
  function send(b: Batch, until: number): void {
    const offline = !navigator.onLine, now = Date.now();
    const body = b.body.replace(/{"age":(\d+)/g, (_, at) => '{"age":' + (now - at));
    left -= b.flying = body.length;
    const keepalive = left >= 0;
    later(() => {
      if (!b.flying) return;
      trouble = trouble || 1;
      pump();
    }, slow);
    try {
      fetch(url, { method: "POST", body, credentials: "omit", keepalive }).then(
        guard((r: Response) => done(b, r.status, +r.headers.get("retry-after")!)),
        guard(() => {
          if (offline && !navigator.onLine) b.until = until; // else it may have arrived
          done(b);
        }),
      );
    } catch { // the second choice: blockers refuse it more often, and it does not tell the answer
      done(b, guard(() => navigator.sendBeacon(url, body))() ? 204 : 0);
    }
  }

  /** Takes the status of the answer to a batch, 0 = none, and the seconds for which the server wants peace, NaN if it says a date. */
  function done(b: Batch, status = 0, seconds = 0): void {
    left += b.flying;
    b.flying = notBefore = 0;
    sift();
    if (!status || status > 428) {
      notBefore = now() + 1000 * Math.min(peace, Math.max(seconds || 0, Math.min(longest, 2 ** trouble++) * (1 + Math.random() / 4)));
    } else {
      batches = batches.filter((o) => o !== b);
      if (!batches[0]) trouble = 0; // until then what waits stays kept
      if (status > 299) lost += held(b);
      if (status === 403) allow(false); // the site or this origin is not known: nothing of this page will be taken
    }
    pump();
  }

  function allow(on: boolean): void {
    off = !on;
    if (on) return;
    queue = [];
    batches = [];
    lost = 0;
    if (place) guard(takeAll)(place);
  }

  listen("online", () => {
    notBefore = 0;
    flush();
  });
  return { full, add, flush, allow };
}
