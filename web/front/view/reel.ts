import type { Why } from "./feed";
import type { Points } from "./field";

/** The answer of v1/timeline: the hits of a day in steps. */
export interface TimelineAnswer {
  readonly url: string;
  readonly timezone: string;
  /** Instant of step 0. */
  readonly start: string;
  readonly step_ms: number;
  readonly steps: number;
  readonly cell: number;
  readonly hits: number;
  /** Steps with hits, in order, and the cells' hits of each step alone. */
  readonly frames: readonly (readonly [step: number, points: readonly (readonly number[])[]])[];
  readonly why?: Why;
}

/** What landed in a span of steps. */
export interface Scene {
  readonly points: Points;
  readonly hits: number;
}

/** A day that can be looked at from any step to any other. */
export interface Reel {
  /** The sum of the steps from the first to before the last. */
  between(first: number, last: number): Scene;
  /** Hits in so many equal parts of the day. */
  parts(n: number): number[];
}

/** Makes a Reel. Sums go along with what is asked for: a step further costs no more than the step. */
export function makeReel({ frames, cell, steps }: TimelineAnswer): Reel {
  const sums = new Map<number, number>(); // hits by y·65536 + x
  let from = 0, to = 0, hits = 0; // of the frames that are in sums

  function add(frame: number, sign: 1 | -1): void {
    for (const [x = 0, y = 0, n = 0] of frames[frame]![1]) {
      const key = y * 65536 + x, sum = (sums.get(key) ?? 0) + sign * n;
      hits += sign * n;
      if (sum) sums.set(key, sum);
      else sums.delete(key);
    }
  }

  /** The first frame that is not before a step. */
  function frameAt(step: number): number {
    let low = 0, high = frames.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (frames[mid]![0] < step) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  function between(first: number, last: number): Scene {
    const begin = frameAt(first), end = frameAt(last);
    if (begin >= to || end <= from) { // nothing in common with what was asked for before
      sums.clear();
      hits = 0;
      from = to = begin;
    }
    while (to < end) add(to++, 1);
    while (to > end) add(--to, -1);
    while (from < begin) add(from++, -1);
    while (from > begin) add(--from, 1);
    const points = new Float64Array(sums.size * 3);
    let i = 0;
    for (const [key, n] of sums) {
      points[i++] = (key % 65536) + cell / 2;
      points[i++] = Math.floor(key / 65536) + cell / 2;
      points[i++] = n;
    }
    return { points, hits };
  }

  function parts(n: number): number[] {
    const all = new Array<number>(n).fill(0);
    for (const [step, points] of frames) {
      const part = Math.min(Math.floor((step * n) / Math.max(steps, 1)), n - 1);
      for (const p of points) all[part]! += p[2] ?? 0;
    }
    return all;
  }

  return { between, parts };
}
