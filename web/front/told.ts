/** How far history is read. */
export interface History {
  readonly done: number; // hits
  readonly total: number;
  readonly share: number; // 0 to 1
  readonly eta_ms?: number;
}

/** A message of a stream. What else it has are members of the answer. */
export interface Message {
  readonly event: "snapshot" | "patch" | "progress" | "reset" | "bye";
  readonly token?: string;
  readonly complete?: boolean;
  readonly history?: History;
  readonly retry_ms?: number;
  readonly gone?: readonly unknown[];
  readonly bands?: number;
  readonly [member: string]: unknown;
}

/** A row that changed: what it is and was, undefined for nothing. */
export interface Change<R = unknown> {
  readonly now: R | undefined;
  readonly was: R | undefined;
}

/** What a message changed. */
export interface News {
  /** All rows are told anew: which of them changed is not known. */
  readonly whole: boolean;
  /** All of the log is in the answer, else history is still read. */
  readonly complete: boolean;
  readonly history: History | null;
  /** Rows of the answer's list: elements, pages or buckets. */
  readonly rows: readonly Change<Row>[];
  /** Points, as [x, y, hits]. */
  readonly points: readonly Change<Point>[];
}

type Row = Readonly<Record<string, unknown>>;
type Point = readonly number[];

/** What a stream has told so far. */
export interface Told {
  /** Takes a message in; null if it changes nothing: it is no part of an answer yet. */
  take(m: Message): News | null;
  /** The answer, as the route's GET gives it. Lists that did not change since the call before are the same. */
  answer(): Row;
}

/** Rows by key, in the order of their first coming unless they are sorted. */
interface Table<R> {
  clear(): void;
  set(key: unknown, row: R | undefined): Change<R> | null;
  list(): readonly R[];
  cut(more: (row: R) => boolean): void;
}

/** The list of each kind of answer, what its rows are known by, and their order in the answer of GET. */
const LISTS: Readonly<Record<string, { readonly name: string; readonly key: (row: Row) => unknown; readonly order: (a: Row, b: Row) => number }>> = {
  elements: { name: "elements", key: (e) => [e.sel, e.check, e.fixed].join("\n"), order: (a, b) => byHits(a, b) || compare(a.sel, b.sel) },
  pages: { name: "pages", key: (p) => p.url, order: (a, b) => byHits(a, b) || compare(a.url, b.url) },
  trend: { name: "buckets", key: (b) => b.start, order: (a, b) => Date.parse(String(a.start)) - Date.parse(String(b.start)) },
};

/** What of a message is no member of the answer, or has rows that are kept apart. */
const APART = new Set(["event", "id", "token", "version", "complete", "history", "gone", "bands", "points", "reach", "attention_ms", "elements", "pages", "buckets", "rest"]);

const byHits = (a: Row, b: Row) => Number(b.hits) - Number(a.hits);
const compare = (a: unknown, b: unknown) => (String(a) < String(b) ? -1 : 1);

/** Makes a Told for a kind of answer. */
export function makeTold(kind: string): Told {
  const list = LISTS[kind], rows = makeTable<Row>(list?.order), points = makeTable<Point>();
  const bands = { reach: makeTable<Point>((a, b) => a[0]! - b[0]!), attention_ms: makeTable<Point>((a, b) => a[0]! - b[0]!) };
  let scalars: Row = {}, rest: Row = {}, known = false, history: History | null = null;

  function take(m: Message): News | null {
    const complete = m.complete ?? !m.history;
    history = complete ? null : m.history ?? history; // progress alone says it
    if (m.event === "snapshot") clear();
    else if (!known || m.event === "reset") return null;
    scalars = m.event === "progress" ? { ...scalars, ...membersOf(m) } : membersOf(m);
    const news = { whole: m.event === "snapshot", complete, history };
    if (m.event === "progress") return { ...news, rows: [], points: [] };
    known = true;
    const changed = { rows: takeRows(m), points: takePoints(m) };
    takeBands(m);
    return { ...news, ...(news.whole ? { rows: [], points: [] } : changed) };
  }

  function clear(): void {
    scalars = rest = {};
    for (const t of [rows, points, bands.reach, bands.attention_ms]) t.clear();
  }

  function takeRows(m: Message): Change<Row>[] {
    if (!list) return [];
    const changed = (m[list.name] as Row[] | undefined ?? []).map((row) => rows.set(list.key(row), row));
    const gone = (m.gone ?? []).map((key) => rows.set(typeof key === "object" ? list.key(key as Row) : key, undefined));
    return [...changed, ...gone].filter((c) => c !== null);
  }

  function takePoints(m: Message): Change<Point>[] {
    const { points: of, ...others } = (m.rest ?? { points: m.points }) as { readonly points?: readonly Point[] };
    if (m.rest) rest = others;
    return (of ?? []).map((p) => points.set(p[1]! * 65536 + p[0]!, p[2] ? p : undefined)).filter((c) => c !== null);
  }

  function takeBands(m: Message): void {
    for (const name of ["reach", "attention_ms"] as const) {
      for (const pair of (m[name] as Point[] | undefined) ?? []) bands[name].set(pair[0], pair);
      if (m.bands !== undefined) bands[name].cut(([top]) => top! >= m.bands! * Number(scalars.band));
    }
  }

  function answer(): Row {
    const lists: Record<string, unknown> = list ? { [list.name]: rows.list() } : {};
    if (kind === "scroll") for (const name of ["reach", "attention_ms"] as const) lists[name] = bands[name].list();
    if (kind === "heatmap") lists.points = points.list();
    if (kind === "elements") lists.rest = { ...rest, points: points.list() };
    return { ...scalars, ...lists };
  }

  return { take, answer };
}

/** The members of an answer that stand in a message, but for its rows. */
function membersOf(m: Message): Row {
  return Object.fromEntries(Object.entries(m).filter(([name]) => !APART.has(name)));
}

function makeTable<R>(order?: (a: R, b: R) => number): Table<R> {
  const rows = new Map<unknown, R>();
  let list: readonly R[] | null = null;
  return {
    clear() {
      rows.clear();
      list = null;
    },
    set(key, now) {
      const was = rows.get(key);
      if (now === undefined && was === undefined) return null;
      list = null;
      if (now === undefined) rows.delete(key);
      else rows.set(key, now);
      return { now, was };
    },
    list: () => (list ??= order ? [...rows.values()].sort(order) : [...rows.values()]),
    cut(more) {
      for (const [key, row] of rows) {
        if (!more(row)) continue;
        rows.delete(key);
        list = null;
      }
    },
  };
}
