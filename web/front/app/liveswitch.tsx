import { useEffect } from "preact/hooks";
import type { History } from "../told";
import type { Alive } from "./alive";
import { reachable } from "./api";
import { duration, percent, plural } from "./format";
import { useStore } from "./store";

/** What the switch says of an answer. */
export type Life = Pick<Alive<unknown>, "streams" | "complete" | "history" | "fresh">;

/** Whether numbers come by themselves, and the switch that keeps them as they are. */
export function LiveSwitch({ of, paused, pause }: { of: Life; paused: boolean; pause: (on: boolean) => void }) {
  const { streams, complete, history, fresh } = of, up = useStore(reachable);
  const text = !up && !paused ? "Trying again" : !complete ? (paused ? "Paused · reading" : "Reading") + reading(history)
    : paused ? `Paused · ${plural(fresh, "new hit")}` : streams ? "Live" : "Every 5 s";
  return (
    <button type="button" class={paused || !up ? "button small live-switch" : "button small live-switch on"} aria-pressed={paused ? "true" : "false"} title={paused ? "Show what is new" : "Keep the numbers as they are"} onClick={() => pause(!paused)}>
      <span class="lamp" />
      <span>{text}</span>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">{paused ? <path d="M5 3.5v9l7.5-4.5z" /> : <path d="M5 3.5h2v9H5zM9 3.5h2v9H9z" />}</svg>
      {history && <i class="live-read" style={{ width: `${history.share * 100}%` }} />}
    </button>
  );
}

/** How far history is read, "" while that is not known. */
function reading(history: History | null): string {
  if (!history) return "";
  return ` · ${percent(history.share)}` + (history.eta_ms ? ` · ${duration(history.eta_ms / 1000)} left` : "");
}

/** What two answers that are shown beside one another are together: complete if both are, and else as far as the one that is not. */
export function together(a: Life, b: Life | undefined): Life {
  if (!b) return a;
  return { ...a, streams: a.streams && b.streams, complete: a.complete && b.complete, history: b.complete ? a.history : b.history };
}

/** Tells what the switch, which is elsewhere, is to say of an answer. */
export function useLife({ streams, complete, history, fresh }: Life, tell: (life: Life) => void): void {
  useEffect(() => tell({ streams, complete, history, fresh }), [streams, complete, history, fresh]);
}
