import { keptAs, type Link } from "../link";
import { type Bands, type Line, makeBands, reachLines, valueAt } from "./bands";
import { guard, make } from "./dom";
import { type Answer, get, type HeatmapAnswer, makeFeed, type ScrollAnswer, type Trouble } from "./feed";
import { centres, hitsNear, makeField, type Points, samePoints } from "./field";
import { openHost } from "./host";
import { makeHover } from "./hover";
import { type Figures, makePanel } from "./panel";
import { type Drawing, makePicture } from "./picture";
import { type Choices, comparedWith, groupOf, pageURL, partsOf, questionURL, type Width } from "./question";
import { capital, count, countOf, emptyNotice, finePercent, nameOfHits, nothingBefore, percent, seconds, sideNames, troubleNotice } from "./words";

/** Opacity of the picture at the start. */
const OPACITY = 0.85;

/** Clicks of this window's own width that are enough for a map of their own, in which everything is where it was clicked. */
const ENOUGH = 30;

/** How long a window must keep its width to be asked about, ms. */
const SETTLED = 300;

/** How often the page's address is looked at, ms: history.pushState has no event in every browser. */
const LOOK_EVERY = 250;

/** Both sides of a difference: hits of the whole map, and where they are. */
interface Sides {
  readonly names: readonly [shown: string, other: string];
  readonly hits: number;
  readonly minus: number;
  readonly shown: Points;
  readonly other: Points;
}

/** Opens the overlay: asks for the heat of the page that it stands on, draws it there, and shows a panel about it. Gives how to close it. */
export function openView(link: Link, closed: () => void): () => void {
  const [token, generation, other] = partsOf(link.token);
  const choices: Choices = { map: "clicks", clicks: "click", range: "30", width: groupOf(innerWidth), cell: 8, generation, compare: other ? "rules" : "", other };
  const picture = makePicture(), lines = make("div", "lines");
  const panel = makePanel(choices, OPACITY, link.recording, matchMedia("(max-width: 480px)").matches, { choose, opacity, record, close });
  const host = openHost();
  const hover = makeHover(textAt, () => choices.map === "clicks", host.owns);
  const feed = makeFeed(token, { question, answer, trouble });
  let widthChosen = false, fitting = 0;
  let page = pageURL(), zone: string | undefined;
  let points: Points = new Float64Array(0); // those of the field that is drawn
  let sides: Sides | null = null; // of a difference that is drawn
  let drawing: Drawing = null, marks: readonly Line[] = [];
  let version = 0; // of drawing and marks
  let frame = 0, drawn = ""; // what the canvas shows: version and slice
  let answered = ""; // the address that what is shown is the answer of
  let told = ""; // that and its numbers

  function question(): string {
    return questionURL(link.base, link.site, choices, zone);
  }

  function answer(url: string, a: Answer): boolean {
    answered = url;
    const changed = "points" in a ? takeHeatmap(a) : takeScroll(a);
    const now = [url, a.views, a.visitors].join(), fresh = now !== told;
    told = now;
    const late = a.lag_hits > 0, time = new Date().toLocaleTimeString("en-GB");
    panel.life(late ? "late" : "live", `Live · ${generation && `by ${generation} · `}${time}` + (late ? ` · ${count(a.lag_hits)} behind` : ""));
    return changed || fresh;
  }

  function trouble(t: Trouble): boolean {
    const coarser = t.status === 400 && t.field === "cell" ? Number(/cell=(\d+)/.exec(t.message)?.[1]) : 0;
    if (coarser > choices.cell) { // the server keeps this map coarser than usual
      choices.cell = coarser;
      setTimeout(feed.ask);
      return false;
    }
    const notice = troubleNotice(t, link.base), again = !notice.final;
    if (!again) forget();
    panel.life(again ? "late" : "off", again ? "Trying again" : "Ended");
    const current = answered === question(); // what is on the page is true still, as of the last answer
    if (!current) clear();
    if (!current || !notice.passing) panel.notice(notice);
    return again;
  }

  function takeHeatmap(a: HeatmapAnswer): boolean {
    const now = centres(a.points, a.cell), { minus } = a;
    const same = samePoints(now, points) && (!now.length || drawing !== null) && !minus === !sides;
    sides = minus ? { names: sideNames(choices, a.generation, minus.generation), hits: a.hits, minus: minus.hits, shown: centres(a.points, a.cell, 3), other: centres(a.points, a.cell, 4) } : null;
    if (!same) {
      const field = makeField(now, document.documentElement.scrollWidth, !!minus);
      points = now;
      show(field && { field }, []);
    }
    const name = nameOfHits(choices), max = drawing && "field" in drawing ? drawing.field.max : 0;
    if (minus && sides) {
      settleDifference(a, minus, sides.names, name, max);
      return !same;
    }
    settle(a, a.hits, name, {
      numbers: [[capital(name), count(a.hits)], [visitors(), count(a.visitors)], ["Views", count(a.views)]],
      ticks: ["0", max < 4 ? "" : count(max / 4), `${countOf(max, name)} in a spot`],
    });
    return !same;
  }

  /** Shows the numbers of a difference, or on which side there are none. */
  function settleDifference(a: HeatmapAnswer, minus: NonNullable<HeatmapAnswer["minus"]>, [shown, before]: Sides["names"], name: string, max: number): void {
    if (a.hits > 0 && minus.hits === 0) return panel.notice(nothingBefore(minus.why));
    const moved = finePercent(a.moved ?? 0);
    settle(a, a.hits, name, {
      numbers: [[`${capital(name)} ${shown}`, count(a.hits)], [capital(before), count(minus.hits)], ["Elsewhere", moved]],
      ticks: [`more ${before}`, max > 0 ? `${finePercent(max)} of ${name} in a spot` : "no difference", `more ${shown}`],
      signed: true,
    }, `${moved} of ${name} elsewhere`);
  }

  function takeScroll(a: ScrollAnswer): boolean {
    const reach = makeBands(a.band, 0, a.reach, 1), attention = makeBands(a.band, a.band / 2, a.attention_ms);
    const attentive = choices.map === "attention", bands = a.views > 0 ? (attentive ? attention : reach) : null;
    const same = drawing && bands ? "bands" in drawing && sameBands(drawing.bands, bands) : drawing === bands;
    if (!same) show(bands && { bands }, bands ? reachLines(reach, a.fold.average).slice(0, attentive ? 1 : 4) : []);
    const longest = seconds(attention.max);
    settle(a, a.views, "views", {
      numbers: [["Views", count(a.views)], [visitors(), count(a.visitors)], attentive ? ["Longest look", longest] : ["Average fold", `${count(a.fold.average)} px`]],
      ticks: attentive ? ["0 s", seconds(attention.max / 2), `${longest} a view`] : ["0%", "50%", "100% of views"],
    });
    return !same;
  }

  /** What visitors are counted as: the server has those of the page, whatever their window. */
  function visitors(): string {
    return choices.width === "all" ? "Visitors" : "All visitors";
  }

  /** Shows an answer's numbers, or why there are none. */
  function settle(a: Answer, n: number, name: string, figures: Figures, summary = countOf(n, name)): void {
    if (n > 0) panel.figures(figures, summary);
    else panel.notice(emptyNotice(a.why, choices));
  }

  function choose(some: Partial<Choices>): void {
    const { map } = choices, compare = comparedWith(choices);
    if (some.width) widthChosen = true;
    Object.assign(choices, some, { cell: 8 });
    panel.choices(choices);
    if (map !== choices.map || compare !== comparedWith(choices)) clear();
    feed.ask();
  }

  /** Follows the address, the window's width and the day. */
  const look = guard(() => {
    const now = pageURL();
    if (now !== page) {
      page = now;
      clear(); // heat of one page is no heat of another
      void fitWidth();
    }
    if (document.visibilityState === "visible") feed.look();
    if (marks.length) schedule(); // the page may have grown
  });

  const resized = guard(() => {
    panel.widths(groupOf(innerWidth), innerWidth);
    if (!widthChosen) setWidth(groupOf(innerWidth));
    clearTimeout(fitting);
    fitting = setTimeout(() => void fitWidth(), SETTLED);
    schedule();
  });

  function setWidth(width: Width): void {
    choices.width = width;
    panel.choices(choices);
  }

  /** Chooses this window's own width if it has enough clicks, unless somebody has chosen: other widths have other layouts. */
  async function fitWidth(): Promise<void> {
    if (widthChosen) return;
    const at = [innerWidth, page].join();
    const got = await get<HeatmapAnswer>(questionURL(link.base, link.site, { ...choices, map: "clicks", width: "this", compare: "" }, zone), token);
    if (widthChosen || at !== [innerWidth, page].join()) return;
    setWidth("hits" in got && got.hits >= ENOUGH ? "this" : groupOf(innerWidth));
    feed.look();
  }

  const key = guard((e: KeyboardEvent) => {
    if (e.key === "Escape" && !e.defaultPrevented) panel.fold(true);
  });

  const schedule = guard(() => {
    frame ||= requestAnimationFrame(guard(draw));
  });

  /** Takes the picture away until the next answer. */
  function clear(): void {
    points = new Float64Array(0);
    sides = null;
    answered = told = "";
    show(null, []);
  }

  function show(what: Drawing, across: readonly Line[]): void {
    drawing = what;
    marks = across;
    lines.replaceChildren(...marks.map((m) => make("div", m.fold ? "line fold" : "line", {}, make("span", "", {}, m.text))));
    version++;
    schedule();
  }

  function record(on: boolean): void {
    link.record(on);
    keep();
  }

  /** Lets the overlay open on the next pages of this tab too, until it is closed or its token has expired. */
  function keep(): void {
    store((s) => s.setItem(keptAs(link.site), link.token + (link.recording ? "" : " off")));
  }

  function forget(): void {
    store((s) => s.removeItem(keptAs(link.site)));
  }

  function opacity(value: number): void {
    picture.canvas.style.opacity = String(value);
  }

  /** Draws what is in sight, if it is not what is drawn. */
  function draw(): void {
    frame = 0;
    const { left, top, width, height } = host.box(), pageHeight = document.documentElement.scrollHeight;
    const s = { left: left + scrollX, top: top + scrollY, width, height, pageHeight };
    const state = [version, s.left, s.top, width, height, pageHeight, devicePixelRatio].join();
    if (state === drawn) return;
    drawn = state;
    picture.draw(drawing, s);
    marks.forEach((m, i) => {
      const line = lines.children[i] as HTMLElement;
      line.style.transform = `translateY(${m.y - s.top - 1}px)`;
      line.hidden = m.y > pageHeight;
    });
    hover.refresh();
  }

  /** What is at a place of the viewport. */
  function textAt(x: number, y: number): string {
    if (!drawing) return "";
    if (sides) return textOfSides(sides, x + scrollX, y + scrollY);
    if ("field" in drawing) {
      const hits = hitsNear(points, x + scrollX, y + scrollY);
      return hits > 0 ? countOf(hits, nameOfHits(choices)) : "";
    }
    const value = valueAt(drawing.bands, y + scrollY);
    return choices.map === "attention" ? `${seconds(value)} a view` : `${percent(value)} got here`;
  }

  /** What lies at a place of the page on both sides of a difference. */
  function textOfSides(s: Sides, x: number, y: number): string {
    const now = hitsNear(s.shown, x, y), before = hitsNear(s.other, x, y);
    if (!now && !before) return "";
    const [shown, other] = s.names;
    return `${finePercent(now / s.hits)} ${shown} (${count(now)}) · ${finePercent(before / s.minus)} ${other} (${count(before)})`;
  }

  /** Learns in which zone the site's days are, so that "today" is the same day as in its numbers. */
  async function findZone(): Promise<void> {
    const u = new URL("v1/trend", link.base), today = new Date().toISOString().slice(0, 10);
    u.search = String(new URLSearchParams({ site: link.site, url: page, from: today, to: today, ...(generation && { generation }) }));
    const got = await get<{ timezone?: string }>(u.href, token);
    if ("timezone" in got) zone = got.timezone;
  }

  function listen(change: typeof addEventListener | typeof removeEventListener): void {
    change("scroll", schedule, { capture: true, passive: true });
    change("resize", resized);
    change("keydown", key as (e: Event) => void);
    change("popstate", look);
    change("hashchange", look);
  }

  /** Removes everything. What this visitor does is counted again. */
  function close(): void {
    feed.close();
    hover.close();
    listen(removeEventListener);
    clearInterval(looking);
    clearTimeout(fitting);
    cancelAnimationFrame(frame);
    host.close();
    forget();
    link.record(true);
    closed();
  }

  keep();
  host.root.append(make("div", "all", {}, picture.canvas, lines, ...hover.elements, panel.element));
  opacity(OPACITY);
  panel.widths(choices.width, innerWidth);
  listen(addEventListener);
  const looking = setInterval(look, LOOK_EVERY);
  void fitWidth().then(feed.ask);
  void findZone();
  return close;
}

/** Uses the tab's storage, where the page may have one. */
function store(use: (s: Storage) => void): void {
  try {
    use(sessionStorage);
  } catch {
    // then the overlay is open on this page alone
  }
}

function sameBands(a: Bands, b: Bands): boolean {
  return a.size === b.size && a.max === b.max && a.values.length === b.values.length && a.values.every((v, i) => v === b.values[i]);
}
