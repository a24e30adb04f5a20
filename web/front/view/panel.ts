import type { History } from "../told";
import { button, choice, guard, icon, make, write } from "./dom";
import { bandOf, type Choices, type Compare, comparedWith, type ClickKind, type MapKind, type Range, type Width } from "./question";
import { differenceGradient, rampGradient } from "./ramp";
import { capital, daysBefore, type Notice, sampleText } from "./words";

const CHEVRON = "M5 7.5l5 5 5-5";
const HOLD = "M7.5 5.5v9M12.5 5.5v9", GO = "M7.5 5v10l8-5z";
const CROSS = "M5.5 5.5l9 9m0-9l-9 9";
const OUT = "M8 5H5.5A1.5 1.5 0 0 0 4 6.5v8A1.5 1.5 0 0 0 5.5 16h8a1.5 1.5 0 0 0 1.5-1.5V12M11 4h5v5m0-5l-7 7";

/** Characters about the connection that have room beside the panel's name. */
const BRIEF = 8;

/** What the panel does. */
export interface Actions {
  choose(some: Partial<Choices>): void;
  opacity(value: number): void;
  record(on: boolean): void;
  /** Shows or hides the numbers on elements. */
  numbers(on: boolean): void;
  /** Lets what is new wait, or shows it. */
  pause(on: boolean): void;
  /** Plays a day, or goes back to the live map. */
  play(): void;
  /** The address of the same view in the app. */
  appURL(): string;
  close(): void;
}

/** Whose hits are shown beside what the lists choose. */
export interface Scope {
  /** What this page is counted as, "" where that is itself. */
  readonly page: string;
  readonly alone: boolean;
  readonly bots: boolean;
}

/** Numbers of an answer: three of [name, value], and the counts at the legend's ends and middle. */
export interface Figures {
  readonly numbers: readonly (readonly [string, string])[];
  readonly ticks: readonly [string, string, string];
  /** Whether the legend is of a difference: from less to more. */
  readonly signed?: boolean;
  /** Share of page loads that are recorded, where that is not all. */
  readonly sampled?: number | undefined;
}

/** How the connection is; held: what is new waits; off: it has ended. */
export type Life = "live" | "late" | "off" | "held";

/** The overlay's panel: at the lower right, on phones a sheet at the bottom that can be folded. */
export interface Panel {
  /** null for one that is elsewhere. */
  readonly element: HTMLElement | null;
  /** Shows choices that were made elsewhere. */
  choices(c: Choices): void;
  /** Says whose hits these are. */
  scope(s: Scope): void;
  /** Names the groups of widths; the one of this window says so. */
  widths(own: Width, innerWidth: number): void;
  /** Shows the numbers of an answer. The summary is what a folded panel says. */
  figures(f: Figures, summary: string): void;
  /** Shows a notice in the place of numbers and legend. */
  notice(n: Notice): void;
  /** Shows how the connection is; more is told to who points at it. */
  life(state: Life, text: string, more?: string): void;
  /** Shows how far history is read; null: it is. */
  reading(h: History | null): void;
  /** A day is played, or the live map is shown again. */
  playing(on: boolean): void;
  /** Folds the panel to its first line, or unfolds it, as somebody wants it. */
  fold(to: boolean): void;
}

/** Makes a panel that shows choices. absent is the list of elements that are not drawn. */
export function makePanel(c: Choices, opacity: number, recording: boolean, phone: boolean, actions: Actions, absent: HTMLElement): Panel {
  const name = make("span", "name"), live = make("span", "live off", {}, "Loading");
  const maps = segments((map) => actions.choose({ map }));
  const clicks = choice("Kind of clicks", [["click", "All clicks"], ["rage", "Rage clicks"], ["dead", "Dead clicks"]], (v) => actions.choose({ clicks: v as ClickKind }));
  const range = choice("Days", [["today", "Today"], ["7", "Last 7 days"], ["30", "Last 30 days"], ["all", "All time"]], (v) => actions.choose({ range: v as Range }));
  const width = choice("Width of the windows", [["phones"], ["tablets"], ["desktops"], ["this"], ["all"]], (v) => actions.choose({ width: v as Width }));
  const compare = choice("Compare with", [["", "Compare with nothing"], ["before"], ["rules", c.other && `Compare with ${c.other}`]], (v) => actions.choose({ compare: v as Compare }));
  const tag = make("input", "", { type: "text", placeholder: "Only hits with tag…", "aria-label": "Only hits with tag", spellcheck: "false", autocapitalize: "none", maxlength: "64" });
  const clicksPick = pick(clicks), rangePick = pick(range, "days"), comparePick = pick(compare, "wide days");
  const numbersSwitch = toggle("Numbers", "On: elements have their rank and share", false, actions.numbers);
  const names = ["Clicks", "Visitors", "Views"].map((text) => make("dt", "", {}, text)), values = names.map(() => make("dd", "", {}, "–"));
  const numbers = make("dl", "", {}, ...names.map((e, i) => make("div", "", {}, e, values[i]!)));
  const ticks = ["0", "", "–"].map((text) => make("span", "", {}, text));
  const bar = make("div", "bar");
  const keys = make("div", "keys", { role: "img" }, bar, make("div", "ticks", {}, ...ticks));
  const message = make("div", "notice", { role: "status" });
  const sample = make("p", "sample"), whose = make("div", "whose");
  const out = make("a", "tool out", { target: "_blank", rel: "noopener noreferrer", "aria-label": "Same view in heatlog", title: "Same view in heatlog", href: "#" }, icon(OUT));
  const pause = button("tool pause", "Pause the map", () => hold(pause.ariaPressed !== "true"), icon(HOLD));
  const play = button("play", "Play a day", actions.play);
  const track = make("i"), read = make("div", "read", { role: "progressbar", "aria-label": "History that is read", "aria-valuemin": "0", "aria-valuemax": "100" }, track);
  const turn = button("tool turn", "Fold the panel", () => fold(!folded), icon(CHEVRON));
  const body = make("div", "body", { id: "body" },
    make("fieldset", "seg", { "aria-label": "Map" }, ...maps.map((m) => m.parentElement!)),
    whose, message, numbers, sample, keys,
    absent,
    make("div", "picks", {}, clicksPick, rangePick, pick(width, "wide"), comparePick, make("div", "pick wide", {}, tag)),
    make("div", "foot", {}, slider(opacity, actions), toggle("Count my clicks", "Off: what you do on this page is not recorded", recording, actions.record), numbersSwitch, play));
  const element = make("section", "panel", { "aria-label": "Map of this page by heatlog" },
    make("div", "head", {}, make("span", "mark"), name, live, pause, out, turn, button("tool", "Close the map", actions.close, icon(CROSS))), read, body);
  let folded = phone;
  let chosen = false; // somebody folded or unfolded it
  let ended = false, plays = false; // there is nothing new, or it is not shown
  let summary = "heatlog", waiting = "", shown = "", told = "";

  function choices(c: Choices): void {
    for (const m of maps) m.checked = m.value === c.map;
    clicks.value = c.clicks;
    range.value = c.range;
    width.value = c.width;
    if (tag.value.trim() !== c.tag) tag.value = c.tag;
    const [, before, rules] = compare.options, days = daysBefore(c.range);
    write(before!, `Compare with ${days}`);
    before!.hidden = before!.disabled = !days;
    rules!.hidden = rules!.disabled = !c.other;
    compare.value = c.compare === "before" && !days ? "" : c.compare;
    comparePick.hidden = c.map !== "clicks" || (!days && !c.other);
    clicksPick.hidden = c.map !== "clicks";
    play.hidden = c.map !== "clicks" || comparedWith(c) !== "";
    numbersSwitch.hidden = c.map !== "clicks" || comparedWith(c) !== "";
    rangePick.classList.toggle("wide", c.map !== "clicks");
  }

  function scope(s: Scope): void {
    const now = JSON.stringify(s);
    if (now === told) return;
    told = now;
    whose.hidden = !s.page && !s.bots;
    const of = s.page.replace(location.origin, "");
    const one = (text: string, title: string, label: string, choose: Partial<Choices>) =>
      make("p", "", {}, make("span", "", { title }, text), button("less", label, () => actions.choose(choose)));
    whose.replaceChildren(
      ...(s.page ? [one(s.alone ? "This page only" : `All pages of ${of}`, s.page, s.alone ? `All of ${of}` : "This page only", { alone: !s.alone })] : []),
      ...(s.bots ? [one("Bots are counted too", "", "Leave them out", { bots: false })] : []));
  }

  function widths(own: Width, innerWidth: number): void {
    const [from, to] = bandOf(innerWidth);
    const texts = ["Phones · to 767 px", "Tablets · 768 to 1023 px", "Desktops · from 1024 px", `Only this width · ${from} to ${to} px`, "All widths"];
    for (const o of width.options) write(o, texts[o.index]! + (o.value === own ? " (as here)" : ""));
  }

  function figures(f: Figures, text: string): void {
    f.numbers.forEach(([name, value], i) => {
      write(names[i]!, name);
      write(values[i]!, value);
    });
    f.ticks.forEach((text, i) => write(ticks[i]!, text));
    write(sample, f.sampled === undefined ? "" : sampleText(f.sampled));
    bar.style.background = f.signed ? differenceGradient() : rampGradient();
    keys.setAttribute("aria-label", `Colours from ${f.ticks[0]} to ${f.ticks[2]}`);
    say(text, null);
  }

  function notice(n: Notice): void {
    if (!chosen) setFolded(false); // a message that nobody sees is no help
    say(n.title, n);
  }

  function say(text: string, n: Notice | null): void {
    summary = text;
    title();
    keys.hidden = numbers.hidden = n !== null;
    sample.hidden = n !== null || !sample.textContent;
    message.hidden = n === null;
    const now = JSON.stringify(n);
    if (now === shown) return; // it may have the focus
    shown = now;
    if (n) fillNotice(n);
  }

  function fillNotice(n: Notice): void {
    message.className = n.alarming ? "notice alarm" : "notice";
    message.replaceChildren(make("strong", "", {}, n.title), make("p", "", {}, n.text));
    if (n.links?.length) message.append(make("ul", "", {}, ...n.links.map((url) => make("li", "", {}, link(url)))));
    if (n.remedies?.length) message.append(make("div", "acts", {}, ...n.remedies.map((r) => button("act", r.label, () => actions.choose(r.choose)))));
  }

  function life(state: Life, text: string, more = ""): void {
    ended = state === "off";
    element.classList.toggle("ended", ended);
    head(state, text, more);
  }

  function head(state: Life, text: string, more = text): void {
    live.className = "live " + state;
    live.title = more || text;
    write(live, text);
    waiting = state === "held" ? text : "";
    element.classList.toggle("brief", text.length > BRIEF);
    title();
  }

  function hold(on: boolean): void {
    if (ended || plays) return;
    pause.ariaPressed = String(on);
    pause.title = on ? "Go on (P)" : "Pause the map (P)";
    pause.querySelector("path")!.setAttribute("d", on ? GO : HOLD);
    element.classList.toggle("held", on);
    actions.pause(on);
  }

  function reading(h: History | null): void {
    read.hidden = !h;
    if (!h) return;
    read.ariaValueNow = String(Math.round(h.share * 100));
    track.style.width = `${Math.max(h.share * 100, 2)}%`;
  }

  function playing(on: boolean): void {
    write(play, on ? "Back to the live map" : "Play a day");
    plays = on;
    element.classList.toggle("plays", on);
    head("off", on ? "History" : "Loading");
    if (on && matchMedia("(max-width: 1100px)").matches) setFolded(true); // the bar is where the panel would be
    if (!on) play.focus();
  }

  /** The key of the pause switch, which is the page's own outside of the panel. */
  function key(e: KeyboardEvent): void {
    const types = e.target instanceof HTMLSelectElement || (e.target instanceof HTMLInputElement && e.target.type === "text");
    if (e.key === "Escape") fold(true);
    else if (e.key.toLowerCase() === "p" && !types && !e.ctrlKey && !e.metaKey && !e.altKey) hold(pause.ariaPressed !== "true");
  }

  function fold(to: boolean): void {
    chosen = true;
    setFolded(to);
  }

  function setFolded(to: boolean): void {
    if (to && element.matches(":focus-within")) turn.focus();
    folded = to;
    element.classList.toggle("folded", to);
    turn.ariaExpanded = String(!to);
    turn.ariaLabel = turn.title = to ? "Unfold the panel" : "Fold the panel";
    title();
  }

  function title(): void {
    write(name, folded ? waiting || summary : "heatlog");
  }

  turn.setAttribute("aria-controls", "body");
  pause.ariaPressed = "false";
  pause.title = "Pause the map (P)";
  read.hidden = message.hidden = sample.hidden = whose.hidden = true;
  tag.addEventListener("change", guard(() => actions.choose({ tag: tag.value.trim() })));
  tag.addEventListener("keydown", guard((e) => e.key === "Enter" && actions.choose({ tag: tag.value.trim() })));
  for (const type of ["pointerenter", "focus", "pointerdown"]) out.addEventListener(type, guard(() => (out.href = actions.appURL())));
  element.addEventListener("keydown", guard(key));
  setFolded(folded);
  choices(c);
  return { element, choices, scope, widths, figures, notice, life, reading, playing, fold };
}

function slider(opacity: number, actions: Actions): HTMLElement {
  const input = make("input", "", { type: "range", min: "10", max: "100", step: "5", "aria-label": "Opacity" });
  const show = () => input.style.setProperty("--at", `${((input.valueAsNumber - 10) / 90) * 100}%`);
  input.value = String(Math.round(opacity * 100));
  show();
  input.addEventListener("input", guard(() => {
    show();
    actions.opacity(input.valueAsNumber / 100);
  }));
  return make("label", "slide", {}, "Opacity", input);
}

function toggle(text: string, title: string, on: boolean, turned: (on: boolean) => void): HTMLElement {
  const input = make("input", "", { type: "checkbox", role: "switch" });
  input.checked = on;
  input.addEventListener("change", guard(() => turned(input.checked)));
  return make("label", "switch", { title }, text, input, make("i"));
}

function segments(choose: (map: MapKind) => void): HTMLInputElement[] {
  return (["clicks", "scroll", "attention"] as const).map((value) => {
    const input = make("input", "", { type: "radio", name: "map", value });
    input.addEventListener("change", guard(() => choose(value)));
    make("label", "", {}, input, make("span", "", {}, capital(value)));
    return input;
  });
}

function pick(select: HTMLSelectElement, more = ""): HTMLElement {
  return make("div", "pick " + more, {}, select, icon(CHEVRON));
}

/** A link to a stored URL, which may hold anything: only what is a web address becomes one. */
function link(url: string): HTMLElement | string {
  if (!/^https?:\/\//i.test(url)) return url;
  return make("a", "", { href: url, target: "_blank", rel: "noopener noreferrer" }, url);
}
