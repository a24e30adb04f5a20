import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Failure, reachable } from "./api";
import { useStore } from "./store";

/** What is known of an answer that is asked for again and again. */
export interface Polled<T> {
  /** The newest answer; of the path before while the first one of this path is under way. */
  data?: T;
  /** Why the newest try failed. */
  error?: Failure;
  /** data is not of this path. */
  stale: boolean;
  /** Asks at once. */
  again(): void;
}

const longest = 30_000; // ms between tries that fail
const kept = 60; // answers

// Answers by path, so that going back shows numbers at once.
const seen = new Map<string, unknown>();

/** The newest answer of a path, undefined where it is forgotten. */
export const known = <T>(path: string): T | undefined => seen.get(path) as T | undefined;

/** Keeps the newest answer of a path. */
export function keep(path: string, data: unknown): void {
  seen.delete(path);
  seen.set(path, data);
  for (const oldest of seen.keys()) {
    if (seen.size <= kept) break;
    seen.delete(oldest);
  }
}

/** Forgets all answers. */
export function forget(): void {
  seen.clear();
}

/** Asks every other second whether the server is there again, as long as it is not: who waits longer between tries is woken then. */
export function useReturn(): void {
  const up = useStore(reachable);
  useEffect(() => {
    if (up) return;
    const timer = setInterval(() => document.hidden || ask("v1/session").catch(() => {}), 2000);
    return () => clearInterval(timer);
  }, [up]);
}

/**
 * Asks for path every so many ms for as long as the page is visible, one request at a time. A null path asks nothing.
 * get is how; it must be the same function each time.
 */
export function usePoll<T>(path: string | null, every = 5000, get: (path: string, signal: AbortSignal) => Promise<T> = ask): Polled<T> {
  const [state, setState] = useState<{ path: string | null; data?: T; error?: Failure; wrong?: string }>({ path: null });
  const retry = useRef(() => {});

  useEffect(() => {
    if (path === null) return;
    let timer = 0, failed = 0, busy = false, refused = false;
    const abort = new AbortController();
    const run = async () => {
      clearTimeout(timer);
      if (busy || refused || document.hidden) return; // becoming visible runs it again
      busy = true;
      try {
        const data = await get(path, abort.signal);
        failed = 0;
        keep(path, data);
        setState({ path, data });
      } catch (err) {
        if (abort.signal.aborted) return;
        failed++;
        const error = err instanceof Failure ? err : new Failure(0, String(err));
        setState((old) => ({ ...old, error, wrong: path }));
        refused = error.status === 400 || error.status === 404; // the same question has the same answer
      }
      busy = false;
      if (!abort.signal.aborted && !refused) timer = setTimeout(run, Math.min(every * 2 ** failed, Math.max(longest, every)));
    };
    retry.current = () => {
      refused = false;
      run();
    };
    run();
    const stop = reachable.follow((on) => on && failed > 0 && void run());
    document.addEventListener("visibilitychange", run);
    addEventListener("online", run);
    return () => {
      stop();
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", run);
      removeEventListener("online", run);
    };
  }, [path, every, get]);

  const again = () => retry.current();
  if (path !== null && state.path !== path) {
    const known = seen.get(path) as T | undefined;
    if (known !== undefined) return { data: known, ...(state.wrong === path && state.error && { error: state.error }), stale: false, again };
    return { ...state, stale: true, again };
  }
  return { ...state, stale: false, again };
}

let running = 0;
const waiting: (() => void)[] = [];

/** ask, but few at a time: for what adorns a view and must not delay its numbers. */
export async function askCalmly<T>(path: string, signal: AbortSignal): Promise<T> {
  if (running >= 2) await new Promise<void>((go) => waiting.push(go));
  running++;
  try {
    signal.throwIfAborted();
    return await ask<T>(path, signal);
  } finally {
    running--;
    waiting.shift()?.();
  }
}
