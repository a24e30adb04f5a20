import type { Change, News } from "../told";
import type { Answer } from "./feed";

/** Keeps answers from the page while it shows something else: the map is paused, or a day is played. */
export interface Hold {
  /** Takes an answer, and shows it unless it is to wait. Reports whether it differs from the one before. */
  take(url: string, answer: Answer, news: News | null): boolean;
  /** Lets no newer answer to the shown question through, or lets them through again. */
  pause(on: boolean): void;
  /** Lets nothing through, or shows what came meanwhile. */
  hide(on: boolean): void;
  /** What is shown is gone: nothing is newer than it. */
  forget(): void;
  readonly hidden: boolean;
  readonly paused: boolean;
}

type Told = { readonly url: string; readonly answer: Answer; readonly news: News | null };

/** Makes a Hold. show shows an answer; waits is told how many hits more than the shown answer the one that waits has. */
export function makeHold(show: (url: string, answer: Answer, news: News | null) => boolean, waits: (hits: number) => void): Hold {
  let latest: Told | null = null, held = false; // latest is not shown
  let paused = false, hidden = false, shown = "", hits = 0;

  function take(url: string, answer: Answer, news: News | null): boolean {
    latest = { url, answer, news: held && latest?.url === url ? both(latest.news, news) : news };
    held = hidden || (paused && url === shown);
    if (!held) return release();
    if (!hidden) waits(Math.max(hitsOf(answer) - hits, 0));
    return true;
  }

  function release(): boolean {
    held = false;
    if (!latest) return false;
    const { url, answer, news } = latest, differs = show(url, answer, news);
    latest = { url, answer, news: null };
    shown = url; // what was shown before is forgotten meanwhile
    hits = hitsOf(answer);
    return differs;
  }

  function pause(on: boolean): void {
    paused = on;
    if (on) waits(0);
    else if (!hidden && latest) release();
  }

  function hide(on: boolean): void {
    hidden = on;
    if (!on && latest) release();
  }

  function forget(): void {
    shown = "";
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

const hitsOf = (a: Answer): number => ("hits" in a ? a.hits : a.views);
