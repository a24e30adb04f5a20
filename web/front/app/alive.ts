import { useEffect, useRef, useState } from "preact/hooks";
import { openStream, type Question } from "../stream";
import type { History, News } from "../told";
import { pathOf, reachable } from "./api";
import { keep, known, usePoll, type Polled } from "./poll";
import { dial } from "./socket";

/** What is known of an answer that stays alive. */
export interface Alive<T> extends Polled<T> {
  /** It comes by itself; else it is asked for again and again. */
  streams: boolean;
  /** All of history is in data. */
  complete: boolean;
  /** How far history is read, null: it is, or it is not known yet. */
  history: History | null;
  /** Hits that came since it was paused. */
  fresh: number;
}

type Query = Record<string, string | number | undefined>;

// What the server said of streams: one that has none is not asked again.
let none = false;

/**
 * Follows the answer of a reading route for as long as the page is visible: by a stream, and where there is none by asking every
 * so many ms. While it is paused, data stays as it was once it was complete.
 */
export function useAlive<T extends { hits: number }>(kind: Question["kind"], query: Query, paused = false, every = 5000): Alive<T> {
  const path = pathOf(kind, query);
  const [heard, setHeard] = useState<{ path: string; data: T; complete: boolean; history: History | null } | null>(null);
  const [polls, setPolls] = useState(none);
  const again = useRef(() => {}), shown = useRef<{ path: string; data: T } | null>(null);

  useEffect(() => {
    setPolls(none);
    if (none) return;
    const show = (data: T, { complete, history }: News) => {
      setPolls(false);
      reachable.set(true);
      if (complete) keep(path, data);
      setHeard({ path, data, complete, history });
    };
    const stream = openStream<T>(document.baseURI, questionOf(kind, query), { credentials: "same-origin" }, {
      told: show,
      lives: show,
      lost({ status }) {
        if (status === 404 || status === 405) none = true;
        setPolls(true);
      },
    }, dial);
    again.current = stream.again;
    const stop = reachable.follow((on) => on && stream.again());
    return () => {
      stop();
      stream.close();
    };
  }, [path]);

  const polled = usePoll<T>(polls ? path : null, every);
  const streams = !polls && heard?.path === path, before = known<T>(path);
  const now: Polled<T> = polls ? polled : { stale: !streams && before === undefined, again: () => again.current() };
  if (!polls && (streams || before !== undefined || heard)) now.data = streams ? heard.data : (before ?? heard!.data);
  const { data } = now, kept = shown.current;
  let fresh = 0, history = streams ? heard.history : null, complete = streams ? heard.complete : !!now.error || (!!data && !now.stale);
  if (paused && kept?.path === path) {
    complete = true;
    history = null;
    fresh = Math.max(0, (data?.hits ?? 0) - kept.data.hits);
    now.data = kept.data;
  } else if (data && !now.stale && complete) shown.current = { path, data };
  return { ...now, streams: !polls, complete, history, fresh };
}

function questionOf(kind: Question["kind"], query: Query): Question {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return { kind, params: Object.fromEntries(set.map(([name, value]) => [name, String(value)])) };
}
