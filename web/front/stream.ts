// Answers that stay alive: a question is put once, and what changes comes by itself, over one connection that comes back
// where it was cut. A browser has six connections to a server over HTTP/1.1 for all its windows, so who can dial, who needs no
// header, reads over a WebSocket; others have a few streams at most. Nobody has one while nobody sees the page.

import { type Message, makeTold, type News } from "./told";

/** A question that stays alive: a reading route and its parameters. */
export interface Question {
  readonly kind: "heatmap" | "scroll" | "elements" | "pages" | "trend";
  readonly params: Readonly<Record<string, string>>;
}

/** Why there is no stream. The status is 0 where the server could not be reached, or was silent or cut it off. */
export interface Lost {
  readonly status: number;
  /** It is not tried again. */
  readonly final: boolean;
}

/** Whom a stream tells. */
export interface Ears<A> {
  /** The answer as it is now, in the form that the route's GET has. Parts that are the same as before are the same objects. */
  told(answer: A, news: News): void;
  /** There is nothing new, but how far history is read or the server is behind. */
  lives(answer: A, news: News): void;
  lost(l: Lost): void;
}

export interface Stream {
  /** Tries at once, where it waits: the server is there again. */
  again(): void;
  close(): void;
}

/**
 * Opens a WebSocket at an address of http, and tells the texts that come until it ends or the signal does. Gives whether it was
 * open at all; it never throws.
 */
export type Dial = (url: string, signal: AbortSignal, hear: (text: string) => void) => Promise<boolean>;

// Times in ms.
const SILENCE = 20_000; // the server gives a sign of life every 5 s
const FIRST_WAIT = 500;
const RARELY = 60_000; // between tries after MANY failures

/** Failures in a row after which a stream is tried rarely. */
const MANY = 3;

/** WebSockets that did not open where events came, after which none is tried any more: something between lets none through. */
const MISSES = 2;
let missed = 0;

/** Statuses that the same question has again: it cannot be put, not so, or not by this one. */
const FINAL = [400, 401, 403, 405, 410, 501];

/** Opens a stream. init is what goes along with each request, such as who asks; dial is for who is known without it. */
export function openStream<A>(base: string, q: Question, init: RequestInit, ears: Ears<A>, dial?: Dial): Stream {
  const told = makeTold(q.kind);
  let id = "", token = "", tries = 0, ended = false;
  let heard = false; // this connection has told something
  let cut: AbortController | null = null;
  let wake = () => {};

  const visible = () => document.visibilityState === "visible";

  /** What became of one connection: how many ms later the next may follow, -1 for never. */
  type Next = { readonly wait: number; readonly status: number };

  async function run(): Promise<void> {
    while (!ended) {
      if (!visible()) {
        await rest(-1);
        continue;
      }
      const own = (cut = new AbortController());
      let next: Next = { wait: 0, status: 0 };
      heard = false;
      try {
        next = await connect(own.signal);
      } catch {
        // cut off
      }
      own.abort();
      if (ended || !visible()) continue;
      const final = next.wait < 0;
      if (final || !heard) tell(next.status, final); // a cut alone is nothing to tell: it comes back
      if (final || ended) return;
      await rest(next.wait || pause());
    }
  }

  function tell(status: number, final: boolean): void {
    tries++;
    ears.lost({ status, final });
  }

  /** How long to wait after a cut, and longer after each failure: not all come back at once. */
  function pause(): number {
    const most = tries >= MANY ? RARELY : FIRST_WAIT * 2 ** tries;
    return most * (0.5 + Math.random() / 2);
  }

  /** Waits so many ms, for ever if they are less than 0, or until somebody wakes it. */
  function rest(ms: number): Promise<void> {
    return new Promise((done) => {
      const timer = ms < 0 ? 0 : setTimeout(done, ms);
      wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  /** Puts the question if the server does not know it, and hears what it tells. */
  async function connect(signal: AbortSignal): Promise<Next> {
    const dials = dial && missed < MISSES;
    let failed = id && !dials ? null : await ask(signal); // a WebSocket that does not open does not say why
    if (failed) return failed;
    const talked = dials ? await talk(dial, signal) : null;
    if (talked) return talked;
    let response = await listen(signal);
    if (response.status === 404) { // the question has ended, or the server was started anew
      token = "";
      if ((failed = await ask(signal))) return failed;
      response = await listen(signal);
    }
    if (response.status === 400 && token) { // what the token was for is no more
      token = "";
      response = await listen(signal);
    }
    if (!response.ok || !response.body) return refused(response);
    if (dials) missed++;
    return hear(response.body.getReader());
  }

  const address = () => {
    const u = new URL(`v1/queries/${id}/stream`, base);
    if (token) u.searchParams.set("after", token);
    return u.href;
  };

  const listen = (signal: AbortSignal) =>
    fetch(address(), { ...init, signal, cache: "no-store", headers: { ...init.headers, Accept: "text/event-stream" } });

  async function ask(signal: AbortSignal): Promise<Next | null> {
    const headers = { ...init.headers, "Content-Type": "application/json" };
    const response = await fetch(new URL("v1/queries", base).href, { ...init, signal, method: "POST", cache: "no-store", headers, body: JSON.stringify(q) });
    if (!response.ok) return response.status === 404 ? { wait: -1, status: 404 } : refused(response);
    const before = id;
    id = String((await response.json()).id);
    if (id !== before) token = "";
    return null;
  }

  function refused(response: Response): Next {
    const later = Number(response.headers.get("Retry-After")) * 1000;
    return { wait: FINAL.includes(response.status) ? -1 : later, status: response.status };
  }

  /** Hears messages over a WebSocket until it ends or falls silent; null if it does not open. */
  async function talk(by: Dial, signal: AbortSignal): Promise<Next | null> {
    let last: Next | null = null;
    const alarm = () => setTimeout(() => cut?.abort(), SILENCE);
    let timer = alarm();
    const opened = await by(address(), signal, (text) => {
      clearTimeout(timer);
      if (ended) return;
      timer = alarm();
      try {
        last ??= take(JSON.parse(text) as Message);
      } catch {
        cut?.abort();
      }
    });
    clearTimeout(timer);
    return opened || signal.aborted ? (last ?? { wait: 0, status: 0 }) : null;
  }

  /** Reads messages until the stream ends or falls silent. */
  async function hear(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Next> {
    const decoder = new TextDecoder();
    const read = makeReader();
    for (;;) {
      const timer = setTimeout(() => cut?.abort(), SILENCE);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done || ended) return { wait: 0, status: 0 };
      for (const text of read(decoder.decode(value, { stream: true }))) {
        const bye = take(JSON.parse(text) as Message);
        if (bye) return bye;
      }
    }
  }

  /** Takes a message, and gives what it says about coming back if it is the last. */
  function take(m: Message): Next | null {
    if (m.event === "bye") return { wait: m.retry_ms === undefined ? -1 : Math.max(m.retry_ms, 1), status: 0 };
    token = m.token ?? token;
    const news = told.take(m);
    if (!news) return null;
    tries = 0;
    heard = true;
    (m.event === "progress" ? ears.lives : ears.told)(told.answer() as A, news);
    return null;
  }

  const seen = () => {
    if (!visible()) cut?.abort();
    wake();
  };
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", seen);
  void run();
  return {
    again() {
      tries = 0; // what is being tried may have begun before
      wake();
    },
    close() {
      ended = true;
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("online", seen);
      cut?.abort();
      wake();
    },
  };
}

/** Makes a function that takes pieces of an event stream and gives the data of those events that are whole. */
export function makeReader(): (piece: string) => string[] {
  let rest = "", data: string[] = [];
  return (piece) => {
    const whole: string[] = [];
    if (!piece.includes("\n")) {
      rest += piece;
      return whole;
    }
    const lines = (rest + piece).split(/\r?\n/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      else if (line === "" && data.length) {
        whole.push(data.join("\n"));
        data = [];
      }
    }
    return whole;
  };
}
