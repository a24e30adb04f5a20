import { Store } from "./store";

/** Who is signed in, as GET v1/session says. */
export interface Session {
  public_url: string;
  version: string;
  demo: boolean;
  expires: string;
}

/** A registered site. */
export interface Site {
  key: string;
  origins: string[];
  timezone: string;
  /** The zone in which days are counted, where the rules name another one. */
  counted_timezone?: string;
  /** Origins that hits were refused from because the site does not list them, newest first: whatever the sender wrote. */
  refused_origins?: string[];
}

/** The zone in which a site's days are counted. */
export const zoneOf = (site: Site): string => site.counted_timezone ?? site.timezone;

/** Why an answer is empty. */
export interface Why {
  reason: string;
  message: string;
  nearest?: string[];
  from?: string;
  to?: string;
  kinds?: string[];
  devices?: string[];
}

interface Answer {
  why?: Why;
  lag_hits: number;
  /** Hits of page loads of which only a share is recorded; left out where there are none. */
  sampled?: { share: number; hits: number };
}

/** Counts of one day or hour; start is local time of the site with its offset. */
export interface Bucket {
  start: string;
  hits: number;
  views: number;
  clicks: number;
  rage: number;
  dead: number;
  visitors: number;
}

/** The answer of v1/trend. */
export interface Trend extends Answer {
  by: "day" | "hour";
  timezone: string; // of the generation that answers
  buckets: Bucket[];
  hits: number;
  views: number;
  visitors: number;
}

/** Counts of one page. */
export interface PageCount {
  url: string;
  hits: number;
  views: number;
  clicks: number;
  scrolls: number;
  rage: number;
  dead: number;
  /** Of a window: distinct, whatever their width and device. */
  visitors?: number;
}

/** The answer of v1/pages. */
export interface Pages extends Answer {
  pages: PageCount[];
  total: number;
  offset: number;
  next_offset: number | null;
  hits: number;
}

/** The answer of v1/heatmap. */
export interface Heat extends Answer {
  generation: string;
  url: string;
  hits: number;
  views: number;
  visitors: number;
  points: [x: number, y: number, weight: number, ...more: number[]][];
  /** Of a difference map: the share of hits that lie elsewhere than on the other side. */
  moved?: number;
  /** The other side of a difference map. */
  minus?: { hits: number; generation: string; why?: Why };
}

/** The answer of v1/scroll: reach and attention by the top of each band, px. */
export interface Scroll extends Answer {
  views: number;
  band: number;
  reach: [top: number, share: number][];
  fold: { average: number | null; p50: number | null };
}

/** Where a generation stands. */
export type State = "building" | "catching-up" | "verifying" | "ready" | "active" | "retired" | "failed";

/** What became of the hits that a generation has read. */
export interface Counts {
  read: number;
  repeated_hits: number;
  excluded: number;
  excluded_by?: { rule: string; hits: number }[];
  carried: number;
  hits: number;
  views: number;
  clicks: number;
  scrolls: number;
  moves: number;
  bots: number;
  dead: number;
  bursts: number;
  lost_hits: number;
}

/** What the comparison of a generation with the active one has found. */
export interface Report {
  generation: string;
  active: string;
  compared?: string;
  took_ms: number;
  same_rules?: boolean;
  problems?: string[];
  warnings?: string[];
  notes?: string[];
  checks?: { name: string; what: string; done: number; failed: number }[];
  before?: ReportSide;
  after?: ReportSide;
  pages?: PageChanges;
}

/** What the journal's hits are by one set of rules. */
export interface ReportSide {
  counts: Counts;
  visitors: number;
  pages: number;
  first_day?: string;
  last_day?: string;
}

/** What becomes of the pages; the lists are bounded. */
export interface PageChanges {
  same: number;
  changed: number;
  appeared: number;
  disappeared: number;
  merged: number;
  moved: number;
  top?: { site: string; page: string; before: number; after: number }[];
  merges?: { site: string; page: string; hits: number; of: number; from: { page: string; hits: number }[] }[];
}

/** A set of counts of the whole journal by one set of rules. */
export interface Generation {
  id: string;
  state: State;
  paused?: boolean;
  reason?: string;
  /** What may not have been meant. */
  warnings?: string[];
  spec: string;
  /** The rules as they were given; left out of lists, and empty for the default rules. */
  rules_text?: string;
  scope?: { sites?: string[]; from?: string };
  /** What it has from another generation instead of counting it anew. */
  carried?: { site: string; from_generation: string; before?: string; source?: string; hits: number }[];
  activate?: boolean;
  skip_damaged?: boolean;
  created: string;
  until?: string;
  progress: { hits: number; of: number; hits_per_second: number; eta_seconds?: number };
  counts?: Counts;
  active_counts?: Counts;
}

/** The answer of v1/generations. */
export interface Generations {
  active: string;
  generations: Generation[];
}

/** A request that did not succeed. status 0: no answer came. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly field = "",
    readonly retryAfter = 0, // s
  ) {
    super(message);
  }
}

/** The session: undefined while it is not known, null when nobody is signed in. */
export const session = new Store<Session | null | undefined>(undefined);

/** Whether the last request reached the server. */
export const reachable = new Store(true);

/** Asks for JSON. Throws a Failure, or the AbortError of signal. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request("GET", path, undefined, signal)).json() as Promise<T>;
}

/** Asks for a picture and gives it as a data: URL. An img that asked by itself would show an old one again: the address is the same. */
export async function askPicture(path: string, signal: AbortSignal): Promise<string> {
  const picture = await (await request("GET", path, undefined, signal)).blob();
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result as string);
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(picture);
  });
}

/** Sends JSON and gives the answer, undefined where it has no body. */
export async function send<T>(method: "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const response = await request(method, path, body);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The path with a query of those values that are set. */
export function pathOf(route: string, query: Record<string, string | number | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") params.set(name, String(value));
  }
  return `v1/${route}?${params}`;
}

async function request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { method, cache: "no-store", credentials: "same-origin" };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (err) {
    if (signal?.aborted) throw err;
    reachable.set(false);
    throw new Failure(0, "The server does not answer.");
  }
  // A proxy answers so when the server behind it does not.
  reachable.set(response.status !== 502 && response.status !== 504);
  if (response.ok) return response;
  const failure = await failureOf(response);
  if (response.status === 401 && !(method === "POST" && path === "v1/session")) session.set(null);
  throw failure;
}

async function failureOf(response: Response): Promise<Failure> {
  let message = "", field = "";
  try {
    const { error } = (await response.json()) as { error: { message?: string; field?: string } };
    message = error.message ?? "";
    field = error.field ?? "";
  } catch {
    // Not one of the server's own answers: its status must do.
  }
  const wait = Number(response.headers.get("Retry-After")) || 0;
  return new Failure(response.status, message || `The server answered with status ${response.status}.`, field, wait);
}
