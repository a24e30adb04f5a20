import type { Change, News } from "../told";
import type { Answer } from "./feed";

/** Keeps answers from the page while it shows something else: the map is paused, or a day is played. */
export interface Hold {
  /** Takes an answer, and shows it unless it is to wait. Reports whether it differs from the one before. */
  take(url: string, answer: Answer, news: News | null): boolean;
  /** Lets no newer answer to the shown question through, or lets them through again. */
  pause(on: boolean): void;
  /** Lets nothing through; or shows what came meanwhile, of a map that is paused what it showed before. */
  hide(on: boolean): void;
  /** What is shown is gone: nothing is newer than it. */
  forget(): void;
  readonly hidden: boolean;
  readonly paused: boolean;
}

type Told = { readonly url: string; readonly answer: Answer; readonly news: News | null };

/**
 * Makes a Hold. show shows an answer; waits is told how many hits more than the shown answer the one that waits has; asked
 * gives the question of now: what answered another one is shown no more.
 */
export function makeHold(show: (url: string, answer: Answer, news: News | null) => boolean, waits: (hits: number) => void, asked: () => string): Hold {
  let latest: Told | null = null, shown: Told | null = null; // shown: or it was before it was hidden
  let paused = false, hidden = false;

  function take(url: string, answer: Answer, news: News | null): boolean {
    const waited = latest !== shown && latest?.url === url;
    latest = { url, answer, news: waited ? both(latest!.news, news) : news };
    if (!hidden && !(paused && shown?.url === url)) return put(latest);
    if (!hidden) wait();
    return true;
  }

  /** Shows an answer, if that is asked still. */
  function put(t: Told | null): boolean {
    if (!t || t.url !== asked()) return false;
    const told = { ...t, news: null };
    if (t === latest) latest = told;
    const differs = show(t.url, t.answer, t.news);
    shown = told; // what was shown before is forgotten meanwhile
    if (paused) wait();
    return differs;
  }

  function wait(): void {
    waits(latest && shown ? Math.max(hitsOf(latest.answer) - hitsOf(shown.answer), 0) : 0);
  }

  function pause(on: boolean): void {
    paused = on;
    if (on) wait();
    else if (!hidden) put(latest);
  }

  function hide(on: boolean): void {
    hidden = on;
    if (!on) put(paused && shown?.url === asked() ? shown : latest);
  }

  function forget(): void {
    if (!hidden) shown = null;
  }

  return { take, pause, hide, forget, get hidden() { return hidden; }, get paused() { return paused; } };
}

/** What two messages changed, one after the other. */
function both(a: News | null, b: News | null): News | null {
  if (!a || !b || b.whole) return b;
  return { ...b, whole: a.whole, rows: lastOf(a.rows, b.rows), points: lastOf(a.points, b.points) };
}

/** Changes one after the other, those of the same row as one. */
function lastOf<R>(a: readonly Change<R>[], b: readonly Change<R>[]): Change<R>[] {
  const was = new Map(a.map((c) => [c.now, c] as const)), now = b.map((c) => {
    const before = c.was && was.get(c.was);
    if (before) was.delete(c.was);
    return before ? { now: c.now, was: before.was } : c;
  });
  return [...was.values(), ...now];
}

/** Hits of an answer, of a scroll map views. */
export const hitsOf = (a: Answer): number => ("hits" in a ? a.hits : a.views);
