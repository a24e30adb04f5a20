import type { History } from "../told";
import { reachable } from "./api";
import { duration, percent, plural } from "./format";
import { useStore } from "./store";

/** Whether numbers come by themselves, and the switch that keeps them as they are. */
export function LiveSwitch({ of, paused, pause }: { of: { streams: boolean; history: History | null; fresh: number }; paused: boolean; pause: (on: boolean) => void }) {
  const { streams, history, fresh } = of, up = useStore(reachable);
  const left = history?.eta_ms ? ` · ${duration(history.eta_ms / 1000)} left` : "";
  const text = paused ? `Paused · ${plural(fresh, "new hit")}` : !up ? "Trying again" : history ? `Reading · ${percent(history.share)}${left}` : streams ? "Live" : "Every 5 s";
  return (
    <button type="button" class={paused || !up ? "button small live-switch" : "button small live-switch on"} aria-pressed={paused ? "true" : "false"} title={paused ? "Show what is new" : "Keep the numbers as they are"} onClick={() => pause(!paused)}>
      <span class="lamp" />
      <span>{text}</span>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">{paused ? <path d="M5 3.5v9l7.5-4.5z" /> : <path d="M5 3.5h2v9H5zM9 3.5h2v9H9z" />}</svg>
      {history && <i class="live-read" style={{ width: `${history.share * 100}%` }} />}
    </button>
  );
}
