import { guard, later, listen, members, now, unique, visible } from "./page";

/** A hit that waits to be sent. */
export interface Hit {
  /** Its JSON members but age, url and view, as members() makes them. */
  json: string;
  /** When it happened, as now() says it. */
  readonly at: number;
  readonly url: string;
  readonly view: string;
  /** It may turn out to be a dead click and waits for that, unless the page goes. */
  undecided?: boolean;
}

interface Batch {
  readonly id: string;
  readonly hits: Hit[];
  /** Hits dropped since the batch before. */
  readonly lost: number;
  tries: number;
  /** When it was sent first. */
  first?: number;
  /** Bytes on the way, 0 = none. */
  flying: number;
}

export interface Sender {
  /** Whether another click would be dropped; if so, it is counted as dropped. */
  full(): boolean;
  /** Queues a hit. It is dropped only if many more wait than there may be clicks: without its view and its first scroll a page's counts would be wrong. */
  add(h: Hit): void;
  /** Sends what is queued; if the page goes, also what is undecided and what failed. */
  flush(leaving?: boolean): void;
}

const most = 200; // hits in memory until clicks are dropped and counted
const soon = 40; // hits that are sent at once
const largest = 48 << 10; // bytes of a batch
const quota = 60_000; // bytes on the way when the page goes: browsers allow 65,536, with those of the page's own requests
const pause = 1000; // ms from a hit to its sending
const tooLate = 540_000; // ms after which a batch is not sent again: the server knows its id for ten minutes

/**
 * Sends hits to a server in batches, one after the other, each until the server has it. head is the JSON members that all
 * batches have; before is called ahead of every sending and may add hits.
 */
export function sender(url: string, head: string, before: () => void): Sender {
  const prefix = unique() + "-", fetch = window.fetch;
  let queue: Hit[] = [], batches: Batch[] = [];
  let held = 0, lost = 0, bytes = 0, count = 0; // hits in both, hits dropped and not told of, bytes of the queue, batches made
  let timer = 0, notBefore = 0;
  let refused = false;

  const full = (more = 0) => refused || held >= most + more && !!++lost;

  function add(h: Hit): void {
    if (full(50)) return;
    held++;
    queue.push(h);
    bytes += size(h);
    const now = queue.length >= soon || bytes > largest;
    if (!timer || now) plan(now ? 0 : pause);
  }

  function plan(ms: number): void {
    clearTimeout(timer);
    timer = later(flush, ms);
  }

  function flush(leaving?: boolean): void {
    before();
    clearTimeout(timer);
    timer = 0;
    const all = queue;
    let b: Batch | undefined;
    queue = [];
    bytes = 0;
    for (const h of all) {
      if (h.undecided && !leaving) {
        queue.push(h);
        continue;
      }
      h.undecided = false;
      bytes += size(h);
      if (!b || bytes > largest) {
        batches.push(b = { id: prefix + ++count, hits: [], lost, tries: 0, flying: 0 });
        lost = 0;
        bytes = size(h);
      }
      b.hits.push(h);
    }
    bytes = 0;
    if (queue[0]) plan(pause / 2);
    pump(leaving);
  }

  /** Sends the batch that is next, if none is on the way and the server does not want a pause; all of them if the page goes. */
  function pump(leaving?: boolean): void {
    const waiting = batches.filter((b) => !b.flying), wait = notBefore - now();
    if (leaving) waiting.forEach(send);
    else if (waiting[0] && waiting.length === batches.length) {
      if (wait > 0) plan(wait);
      else send(waiting[0]);
    }
  }

  function send(b: Batch): void {
    const body = compose(b);
    b.first = b.first || now();
    b.flying = body.length;
    const keepalive = batches.reduce((sum, o) => sum + o.flying, 0) <= quota;
    try {
      fetch.call(window, url, { method: "POST", body, credentials: "omit", keepalive }).then(
        guard((r: Response) => done(b, r.status, +r.headers.get("retry-after")!)),
        guard(() => done(b, visible() ? 0 : beacon(body))),
      );
    } catch {
      done(b, beacon(body));
    }
  }

  /** The second choice: blockers refuse it more often, and it does not tell the answer. Gives a status. */
  function beacon(body: string): number {
    return guard(() => navigator.sendBeacon(url, body))() ? 204 : 0;
  }

  /** Takes the status of the answer to a batch, 0 = none, and the seconds for which the server wants peace. */
  function done(b: Batch, status: number, seconds?: number): void {
    b.flying = 0;
    notBefore = 0;
    if ((!status || status === 429 || status > 499) && now() - b.first! < tooLate) {
      notBefore = now() + 1000 * Math.max(Math.min(seconds || 0, 3600), Math.min(60, 2 ** b.tries++) * (1 + Math.random() / 4));
    } else {
      batches = batches.filter((o) => o !== b);
      held -= b.hits.length;
      if ((status / 100 | 0) !== 2) lost += b.hits.length;
      if (status === 403) { // the site or this origin is not known: nothing of this page will be taken
        refused = true;
        queue = batches = [];
      }
    }
    pump();
  }

  /** A batch as it is sent; ages are those of this moment. */
  function compose(b: Batch): string {
    const { url, view } = b.hits[0]!, sent = now();
    return "{" + head + members({ url, view, b: b.id, lost: b.lost || undefined }) + ',"hits":[' + b.hits.map((h) =>
      `{"age":${Math.round(sent - h.at)}` + h.json + (h.view === view ? "" : members({ url: h.url, view: h.view })) + "}",
    ) + "]}";
  }

  listen("online", () => {
    notBefore = 0;
    flush();
  });
  return { full, add, flush };
}

/** How long a hit makes a batch at most, bytes. */
const size = (h: Hit): number => h.json.length + h.url.length + 80;
