import { button, choice, guard, icon, make, write } from "./dom";
import { get, type Trouble } from "./feed";
import { today } from "./question";
import { makeReel, type Reel, type Scene, type TimelineAnswer } from "./reel";
import { capital, countOf } from "./words";

const PLAY = "M7 4.5v11l9-5.5z", STOP = "M7 5v10M13 5v10", CROSS = "M5.5 5.5l9 9m0-9l-9 9", BACK = "M12 5l-5 5 5 5", ON = "M8 5l5 5-5 5", CHEVRON = "M5 7.5l5 5 5-5";

/** Milliseconds of the day that go by in one of the clock's, and what that is called. */
const SPEEDS = [[1, "Real time"], [60, "1 min/s"], [300, "5 min/s"], [600, "10 min/s"], [1800, "30 min/s"], [3600, "1 h/s"], [10_800, "3 h/s"], [21_600, "6 h/s"]] as const;
const USUAL_SPEED = 3600;

const HOUR = 3_600_000; // ms
const DAY = 86_400_000;

/** Shares of the day that have their time below the bar. */
const QUARTERS = [0, 0.25, 0.5, 0.75, 1];

const BY_PLACE = "Hits are where they were on the page then, not at elements as these are now";

/** Parts of the day that the bar has a column for. */
const COLUMNS = 96;

/** What a History needs of the view. */
export interface Stage {
  /** The address that answers for a day; without a day that of the days' counts. */
  question(route: "timeline" | "trend", day: string): string;
  /** What the hits are called. */
  name(): string;
  /** Shows what landed, of a day with so many hits in all. */
  show(scene: Scene, day: TimelineAnswer, clock: string): void;
  /** It is opened, or closed again. */
  opened(on: boolean): void;
}

/** Any day of a page, to be played. */
export interface History {
  readonly element: HTMLElement;
  readonly open: boolean;
  toggle(): void;
  /** What is asked for is something else. */
  look(): void;
  close(): void;
}

/** Makes the bar. */
export function makeHistory(token: string, stage: Stage): History {
  const play = button("round", "Play", () => run((wanted = !playing)), icon(PLAY));
  const date = make("input", "", { type: "date", "aria-label": "Day" });
  const back = button("tool", "Day before", () => turn(-1), icon(BACK)), on = button("tool", "Day after", () => turn(1), icon(ON));
  const clock = make("output", "clock", {}, "00:00"), said = make("span", "said", { role: "status", title: BY_PLACE });
  const speed = choice("Speed", SPEEDS.map(([factor, name]) => [String(factor), name] as const), () => {});
  const spans = (["so far", "last hour"] as const).map((name) => {
    const input = make("input", "", { type: "radio", name: "span", value: name });
    input.addEventListener("change", guard(() => draw(true)));
    make("label", "", {}, input, make("span", "", {}, capital(name)));
    return input;
  });
  const at = make("input", "", { type: "range", min: "0", max: "1440", step: "1", "aria-label": "Time of the day" }), columns = make("div", "columns", { "aria-hidden": "true" });
  const hours = make("div", "hours", { "aria-hidden": "true" }, ...QUARTERS.map((q) => make("span", "", {}, `${String(q * 24).padStart(2, "0")}:00`)));
  const element = make("section", "history", { "aria-label": "A day of this page" },
    make("div", "row", {}, play, make("div", "day", {}, back, make("div", "pick", {}, date), on), clock, said,
      make("div", "pick speed", {}, speed, icon(CHEVRON)), make("fieldset", "seg", { "aria-label": "Hits" }, ...spans.map((s) => s.parentElement!)),
      button("tool", "Back to the live map", close, icon(CROSS))),
    make("div", "scrub", {}, columns, at), hours);
  let open = false, playing = false, wanted = false; // by who looks: a day that ends or is empty stops by itself
  let day = "", url = "";
  let answer: TimelineAnswer | null = null, reel: Reel | null = null, asked: AbortController | null = null;
  let time = 0, before = 0, frame = 0, shown = ""; // ms since the day began; when the last frame was; what is shown

  function toggle(): void {
    if (open) return close();
    open = true;
    wanted = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.hidden = false;
    stage.opened(true);
    play.focus();
    void find();
  }

  function close(): void {
    if (!open) return;
    open = false;
    element.hidden = true;
    run(false);
    asked?.abort();
    asked = answer = reel = null;
    day = url = "";
    stage.opened(false);
  }

  function look(): void {
    if (open && day && stage.question("timeline", day) !== url) void load(day);
  }

  /** Begins with the last day that has hits. */
  async function find(): Promise<void> {
    say("Looking for a day with hits…");
    const own = begin();
    const got = await get<{ readonly buckets: readonly Readonly<Record<string, string | number>>[] }>(stage.question("trend", ""), token, own.signal);
    if (own !== asked) return;
    if ("status" in got) return fail(got);
    const kind = { "rage clicks": "rage", "dead clicks": "dead" }[stage.name()] ?? "clicks", days = got.buckets.map((b) => [String(b.start).slice(0, 10), b[kind]] as const);
    const last = [...days].reverse().find(([, hits]) => hits) ?? days[days.length - 1];
    await load(last?.[0] ?? today(undefined));
  }

  function begin(): AbortController {
    asked?.abort();
    return (asked = new AbortController());
  }

  async function load(to: string): Promise<void> {
    const own = begin(), other = to !== day;
    date.value = day = to;
    url = stage.question("timeline", day);
    say("Loading…");
    const got = await get<TimelineAnswer>(url, token, own.signal);
    if (own !== asked) return;
    if ("status" in got) return fail(got);
    answer = got;
    reel = makeReel(got);
    at.max = String(got.steps);
    at.disabled = play.disabled = got.hits === 0;
    date.max = today(got.timezone);
    on.disabled = to >= date.max;
    time = other && wanted ? 0 : Math.min(time, got.steps * got.step_ms);
    columnsOf(reel.parts(COLUMNS));
    QUARTERS.forEach((q, i) => write(hours.children[i]!, clockOf(got, Math.round(q * got.steps)))); // a day may have 23 hours
    draw(true);
    if (got.hits === 0) run(false);
    else if (other) run(wanted);
  }

  function fail({ status, message }: Trouble): void {
    run(false);
    answer = reel = null;
    at.disabled = play.disabled = true;
    columns.replaceChildren();
    say(status ? `This day cannot be shown: ${message || `status ${status}`}` : "heatlog cannot be reached");
  }

  function columnsOf(parts: readonly number[]): void {
    const most = Math.max(...parts, 1);
    columns.replaceChildren(...parts.map((n) => {
      const column = make("i");
      column.style.height = n ? `${Math.max((n / most) * 100, 8)}%` : "0";
      return column;
    }));
  }

  function turn(days: 1 | -1): void {
    const now = Date.parse(day);
    if (now) void load(new Date(now + days * DAY).toISOString().slice(0, 10));
  }

  function run(to: boolean): void {
    playing = to && reel !== null;
    play.ariaLabel = play.title = playing ? "Pause" : "Play";
    play.querySelector("path")!.setAttribute("d", playing ? STOP : PLAY);
    play.classList.toggle("on", playing);
    cancelAnimationFrame(frame);
    if (!playing) return;
    if (answer && time >= answer.steps * answer.step_ms) time = 0;
    before = performance.now();
    frame = requestAnimationFrame(step);
  }

  const step = guard((now: number) => {
    if (!answer) return;
    time = Math.min(time + (now - before) * Number(speed.value), answer.steps * answer.step_ms);
    before = now;
    draw();
    if (time >= answer.steps * answer.step_ms) run(false);
    else frame = requestAnimationFrame(step);
  });

  /** Shows the time that it is, if that is another than is shown. */
  function draw(anew = false): void {
    if (!answer || !reel) return;
    const steps = Math.floor(time / answer.step_ms), hour = spans[1]!.checked, state = [steps, hour].join();
    if (state === shown && !anew) return;
    shown = state;
    const text = clockOf(answer, steps);
    const scene = reel.between(hour ? steps - HOUR / answer.step_ms : 0, steps);
    at.valueAsNumber = steps;
    at.setAttribute("aria-valuetext", text);
    at.style.setProperty("--at", `${(steps / Math.max(answer.steps, 1)) * 100}%`);
    columns.style.setProperty("--at", at.style.getPropertyValue("--at"));
    write(clock, text);
    say(answer.hits ? `${countOf(scene.hits, stage.name())}${hour ? " in the last hour" : ""}, by place on the page` : `No ${stage.name()} on this day`);
    stage.show(scene, answer, text);
  }

  function say(text: string): void {
    write(said, text);
  }

  at.addEventListener("input", guard(() => {
    if (!answer) return;
    run((wanted = false));
    time = at.valueAsNumber * answer.step_ms;
    draw();
  }));
  date.addEventListener("change", guard(() => date.value && date.validity.valid && date.value !== day && void load(date.value)));
  element.addEventListener("keydown", guard((e) => {
    if (e.key !== "Escape") return;
    e.preventDefault();
    close();
  }));
  element.hidden = spans[0]!.checked = true;
  speed.value = String(USUAL_SPEED);
  return { element, get open() { return open; }, toggle, look, close };
}

/** The time of day of a step as the clocks of the site's zone show it; the end of the day is 24:00. */
function clockOf({ start, step_ms, steps, timezone }: TimelineAnswer, step: number): string {
  if (step >= steps) return "24:00";
  const at = new Date(Date.parse(start) + step * step_ms);
  try {
    return at.toLocaleTimeString("en-GB", { timeZone: timezone, hour: "2-digit", minute: "2-digit" });
  } catch {
    return at.toISOString().slice(11, 16); // a zone that the server knows and this browser does not
  }
}
