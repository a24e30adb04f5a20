import { openStream, type Question, type Stream } from "../stream";
import type { News } from "../told";
import { guard } from "./dom";
import type { ElementCount } from "./placing";

/** Why a map is empty, as the server explains it. */
export interface Why {
  readonly reason: string;
  readonly message: string;
  readonly nearest?: readonly string[];
  readonly kinds?: readonly string[];
}

interface Tail {
  /** The page as the server counts it: that of its group, where it has one. */
  readonly url: string;
  /** Hits that came from page loads of which only a share is recorded; left out where there are none. */
  readonly sampled?: { readonly share: number; readonly hits: number };
  readonly visitors: number;
  readonly views: number;
  readonly generation: string;
  readonly lag_hits: number;
  readonly why?: Why;
}

export interface HeatmapAnswer extends Tail {
  readonly hits: number;
  readonly cell: number;
  /** How far the points' drawing is from exact, as a share of the greatest heat; a difference map has none. */
  readonly error?: number;
  /** Points are x, y, hits; of a difference map x, y, difference of shares, hits, minus hits. */
  readonly points: readonly (readonly number[])[];
  /** Share of hits that lie elsewhere than on the other side of a difference map. */
  readonly moved?: number;
  /** The other side of a difference map. */
  readonly minus?: { readonly hits: number; readonly generation: string; readonly why?: Why };
}

/** The clicks of a page by element. */
export interface ElementsAnswer extends Tail {
  readonly hits: number;
  /** Hits that are at an element. */
  readonly anchored: number;
  readonly elements: readonly ElementCount[];
  /** Elements that the answer does not list, and their hits. */
  readonly others: { readonly elements: number; readonly hits: number };
  /** Hits at no element: by their places on the page. */
  readonly rest: { readonly hits: number; readonly cell: number; readonly points: readonly (readonly number[])[] };
}

export interface ScrollAnswer extends Tail {
  readonly band: number;
  readonly reach: readonly (readonly number[])[];
  readonly attention_ms: readonly (readonly number[])[];
  readonly fold: { readonly average: number };
}

export type Answer = HeatmapAnswer | ElementsAnswer | ScrollAnswer;

/** Why there is no answer. The status is 0 where the server could not be reached. */
export interface Trouble {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly field: string;
}

/** Whom a Feed tells. */
export interface Listener {
  /** The address to ask now. */
  question(): string;
  /** Takes the answer of an address; news says what of it changed where it came by a stream. Reports whether it differs from the one before. */
  answer(url: string, answer: Answer, news: News | null): boolean;
  /** Takes how far the answer of an address is behind, where nothing of it changed. */
  lives(url: string, answer: Answer, news: News): void;
  /** Takes a failure; reports whether asking again is of use. */
  trouble(trouble: Trouble): boolean;
}

// Times in ms.
const EVERY = 1000;
const IDLE_EVERY = 5000;
const IDLE_AFTER = 60_000;
const PATIENCE = 20_000;
const MAX_WAIT = 5000;

/**
 * Most cells of a map that come by a stream, which has all of them: each message draws the whole map anew, 5 ms for so many on a
 * desktop. A map of more is asked for again and again, merged to few points or as the heat itself.
 */
export const MOST_CELLS = 20_000;

/** Hears of changes while the page is visible; where there is no stream, it asks the server again and again, one request at a time. */
export interface Feed {
  /** Asks at once. */
  ask(): void;
  /** Asks at once if the question is another one than before. */
  look(): void;
  close(): void;
}

/** Makes a feed; it begins with the first ask or look. */
export function makeFeed(base: string, token: string, listener: Listener): Feed {
  const read = reader();
  let timer = 0, failures = 0, changed = Date.now(), asked = "", ended = false;
  let request: AbortController | null = null;
  let stream: Stream | null = null, streams = true; // the server has them
  let polls = false; // there is no stream, or it has nothing to tell yet

  const visible = () => document.visibilityState === "visible";

  function ask(): void {
    if (ended) return;
    asked = listener.question();
    changed = Date.now();
    failures = 0;
    stream?.close();
    stream = null;
    const live = streams ? liveOf(asked) : null;
    if (live) {
      rest();
      listen(asked, live);
    } else poll();
  }

  function look(): void {
    if (listener.question() !== asked) ask();
  }

  function listen(url: string, live: Question): void {
    const init: RequestInit = { headers: { Authorization: "Bearer " + token }, credentials: "omit", referrerPolicy: "no-referrer" };
    const own: Stream = stream = openStream<Answer>(base, live, init, {
      told: guard((answer, news) => {
        if (stream !== own) return;
        rest();
        if ("points" in answer && answer.points.length > MOST_CELLS) {
          own.close();
          stream = null;
          poll();
        } else listener.answer(url, answer, news);
      }),
      lives: guard((answer, news) => {
        if (stream === own) listener.lives(url, answer, news);
      }),
      lost: guard(({ status, final }) => {
        if (stream !== own) return;
        if (status === 404 || status === 405) streams = false;
        if (final) stream = null;
        if (!polls) poll();
      }),
    });
  }

  /** Stops asking again and again. */
  function rest(): void {
    polls = false;
    clearTimeout(timer);
    request?.abort();
    request = null;
  }

  function poll(): void {
    rest();
    polls = true;
    if (visible()) void turn();
  }

  async function turn(): Promise<void> {
    if (listener.question() !== asked) return ask();
    const own = (request = new AbortController()), begun = Date.now();
    const limit = setTimeout(() => own.abort(), PATIENCE);
    let again = true;
    try {
      const got = await get<Answer>(asked, token, own.signal, read);
      if (request === own && !ended) again = take(asked, got); // else somebody asked something else meanwhile
    } catch {
      failures++; // an answer that makes no sense now may make some later
    }
    clearTimeout(limit);
    if (request !== own) return;
    request = null;
    if (again && !ended) plan(Date.now() - begun);
  }

  function take(url: string, got: Answer | Trouble): boolean {
    if ("status" in got) {
      failures++;
      return listener.trouble(got);
    }
    if (failures) stream?.again(); // the server is back
    failures = 0;
    if (listener.answer(url, got, null)) changed = Date.now();
    return true;
  }

  /** Plans the next turn: later after failures, when nothing happens, and when answers take the server long. */
  function plan(took: number): void {
    if (!visible() || !polls) return;
    const calm = Date.now() - changed > IDLE_AFTER ? IDLE_EVERY : Math.max(EVERY, Math.min(took * 4, IDLE_EVERY));
    clearTimeout(timer);
    timer = setTimeout(() => void turn(), failures ? Math.min(EVERY * 2 ** (failures - 1), MAX_WAIT) : calm);
  }

  const onVisible = guard(() => {
    if (!polls) return; // a stream looks after itself
    if (visible()) poll();
    else clearTimeout(timer);
  });
  document.addEventListener("visibilitychange", onVisible);

  function close(): void {
    ended = true;
    stream?.close();
    rest();
    document.removeEventListener("visibilitychange", onVisible);
  }

  return { ask, look, close };
}

/** What to ask for the answer of an address to be told of its changes; null for a difference of maps, which has no stream. */
function liveOf(url: string): Question | null {
  const u = new URL(url), params = Object.fromEntries(u.searchParams), kind = u.pathname.split("/").pop() as Question["kind"];
  if (Object.keys(params).some((name) => name.startsWith("minus_"))) return null;
  if (kind === "heatmap") delete params.limit; // all cells, always
  return { kind, params };
}

/** What comes last in an answer: how much of the log it holds, which is another each time. */
const TAIL = ',"generation":';

/** Makes a function that reads answers, and gives what it gave before for what is the same: an answer may be megabytes. */
function reader(): (text: string) => Answer {
  let head = "", before: Answer | null = null;
  return (text) => {
    const end = Math.max(text.lastIndexOf(TAIL), 0), now = text.slice(0, end);
    const answer = before && end && now === head ? { ...before, ...JSON.parse("{" + text.slice(end + 1)) } as Answer : JSON.parse(text) as Answer;
    head = now;
    return (before = answer);
  };
}

/** Gets an answer of a reading route in JSON, or what is wrong. It never throws. */
export function get<A = Answer>(url: string, token: string, signal?: AbortSignal, read: (text: string) => A = JSON.parse): Promise<A | Trouble> {
  return request(url, token, signal, async (response) => read(await response.text()));
}

/** Gets an answer of a reading route, or what is wrong. It never throws. */
export async function request<A>(url: string, token: string, signal: AbortSignal | undefined, read: (response: Response) => Promise<A>): Promise<A | Trouble> {
  let status = 0;
  try {
    const response = await fetch(url, {
      headers: { Authorization: "Bearer " + token },
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      ...(signal && { signal }),
    });
    status = response.status;
    if (status === 200) return await read(response);
    const body = JSON.parse(await response.text());
    return { status, code: String(body.error.code), message: String(body.error.message), field: String(body.error.field ?? "") };
  } catch {
    return { status: status === 200 ? 0 : status, code: "", message: "", field: "" };
  }
}

/** Whether two parts of answers say the same. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b || typeof a !== "object" || typeof b !== "object" || !a || !b) return a === b;
  const names = Object.keys(a) as (keyof object)[];
  return names.length === Object.keys(b).length && names.every((n) => equal(a[n], b[n]));
}
