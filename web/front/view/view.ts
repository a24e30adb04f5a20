import type { Link } from "../link";
import type { News } from "../told";
import { type Line, makeBands, reachLines, valueAt } from "./bands";
import { guard, make } from "./dom";
import { elsewhere, figuresOfDifference, figuresOfElements, figuresOfPlaces, figuresOfScene, figuresOfScroll } from "./figures";
import { boxOf } from "./carrier";
import { type Answer, type ElementsAnswer, equal, get, type HeatmapAnswer, makeFeed, type ScrollAnswer, type Trouble } from "./feed";
import { centres, heatNear, hitsNear, makeField, type Points, samePoints } from "./field";
import type { FrameOrder } from "../frame";
import type { Frame } from "./framed";
import { makeHistory } from "./history";
import { hitsOf, makeHold } from "./hold";
import { openHost } from "./host";
import { makeHover } from "./hover";
import { makeAbsent, makeNumbers } from "./numbers";
import { forgetOpen, keepOpen } from "./kept";
import { landedOf } from "./landed";
import { type Figures, makePanel } from "./panel";
import { type Drawing, makePicture } from "./picture";
import { makePlacing, type Placed } from "./placing";
import { makePulses } from "./pulse";
import { appURL, type Choices, comparedWith, groupOf, historyURL, pageURL, partsOf, questionURL, standsForMore, type Width } from "./question";
import { makeStrip, MAX_ERROR } from "./strip";
import type { Scene, TimelineAnswer } from "./reel";
import { type Sides, tipOfElement, tipOfSides } from "./tips";
import { count, countOf, emptyDay, emptyNotice, type Failing, nameOfHits, nothingBefore, percent, readingText, seconds, sideNames, troubleNotice } from "./words";

/** Opacity of the picture at the start. */
const OPACITY = 0.85;

/** Clicks of this window's own width that are enough for a map of their own, in which everything is where it was clicked. */
const ENOUGH = 30;

/** How long a window must keep its width to be asked about, ms. */
const SETTLED = 300;

/** When the numbers of an answer are told whatever is drawn of it, ms. */
const LATEST = 1000;

/** How long new clicks by place are shown before clicks are asked for by element again, ms, and at most: twice as long each time that there are none. */
const RELOOK = 250, MAX_RELOOK = 60_000;

/** How often the page's address is looked at, ms: history.pushState has no event in every browser. */
const LOOK_EVERY = 250;

/** Opens the overlay: asks for the heat of the page that it stands on, draws it there, and shows a panel about it, or tells the app whose frame it is in. Gives how to close it. */
export function openView(link: Link, closed: () => void, app?: Frame): () => void {
  const [token, generation, other] = partsOf(link.token);
  const choices: Choices = { map: "clicks", clicks: "click", range: "30", width: groupOf(innerWidth), cell: 8, generation, compare: other ? "rules" : "", other,
    tag: "", alone: false, bots: false, given: null };
  const picture = makePicture(), lines = make("div", "lines"), numbers = makeNumbers(), outline = make("div", "box"), pulses = makePulses();
  const absent = makeAbsent(app && ((hits, elements) => app.tell({ absent: { hits, elements } })));
  const panel = app ? app.panel
    : makePanel(choices, OPACITY, link.recording, matchMedia("(max-width: 480px)").matches, { choose, opacity, record, numbers: showNumbers, pause, play: () => history.toggle(), appURL: () => appURL(link.base, link.site, choices, counted || page), close }, absent.element);
  const host = openHost();
  const hover = makeHover(textAt, () => choices.map === "clicks" && !!outline.hidden, host.owns);
  const placing = makePlacing(link.site, () => schedule());
  const hold = makeHold(take, (hits) => tellTrouble() || panel.life("held", `Paused · ${count(hits)} new`), question);
  const feed = makeFeed(link.base, token, { question, answer: heard, lives, trouble });
  const history = makeHistory(token, {
    question: (route, day) => historyURL(questionURL(link.base, link.site, { ...choices, compare: "" }, zone), route, day),
    name: () => nameOfHits(choices), show: playScene, opened: showHistory,
  });
  const strip = makeStrip(token, takeStrip, (t) => {
    if (!flat) return;
    show(null, []); // the next answer asks again
    panel.notice(troubleNotice(t, link.base, choices));
  });
  let widthChosen = false, fitting = 0, telling = 0;
  let counted = ""; // what the page is counted as
  let page = pageURL(), zone: string | undefined;
  let points: Points = new Float64Array(0); // those of the field that is drawn
  let sides: Sides | null = null; // of a difference that is drawn
  let flat: HeatmapAnswer | null = null; // what has too many places for points: the heat itself is drawn
  let rough = false; // points are merged cells
  let listed: ElementsAnswer | null = null, placed = -1; // what is drawn by element, and the version of its places
  let byPlace = false, unlisted = 0; // clicks are asked for by their places on the page: of so many none was at an element
  let relook = 0, calm = 0; // to ask by element again; how many ms that waits
  let drawing: Drawing = null, marks: readonly Line[] = [];
  let version = 0; // of drawing and marks
  let scrolled = 0; // when
  let frame = 0, drawn = ""; // what the canvas shows: version and slice
  let landing: (() => void) | null = null; // shows where something new landed, once elements are where they belong
  let failing: Failing | null = null; // what stands in the way of answers
  let answered = ""; // the address that what is shown is the answer of
  let told = ""; // that and its numbers
  let partial = false, most = 0, mostOf = ""; // history is still read; hits that were shown, and of what

  function question(): string {
    return questionURL(link.base, link.site, choices, zone, choices.map === "clicks" && comparedWith(choices) === "" && !byPlace);
  }

  /** Takes an answer that has come. */
  function heard(url: string, a: Answer, news: News | null): boolean {
    failing = null;
    return hold.take(url, a, news);
  }

  /** What is asked for, whether by element or by place. */
  function asked(): string {
    return questionURL(link.base, link.site, choices, zone);
  }

  /** Shows an answer. */
  function take(url: string, a: Answer, news: News | null): boolean {
    partial = news !== null && !news.complete;
    counted = a.url;
    panel.scope({ page: standsForMore(counted) ? counted : "", alone: choices.alone, bots: choices.bots });
    app?.tell({ page: counted });
    if (partial && asked() === mostOf && hitsOf(a) <= most) { // it is read anew: what is shown is nearer to the answer
      tellLife(a, news);
      return false;
    }
    const changed = "elements" in a ? takeElements(a) : "points" in a ? takeHeatmap(url, a) : takeScroll(a);
    const now = [url, a.views, a.visitors].join(), fresh = now !== told;
    told = now;
    answered = url;
    if (drawing) [most, mostOf] = [hitsOf(a), asked()];
    tellLife(a, news);
    if (news && !news.whole && news.complete && !("reach" in a)) {
      landing = () => pulses.show(landedOf(a, news, placing));
      if ("points" in a) land();
    }
    return changed || fresh;
  }

  /** Says how far the answer is behind. */
  function lives(url: string, a: Answer, news: News): void {
    failing = null;
    if (partial && news.complete) hold.take(url, a, news);
    else if (!hold.paused && !hold.hidden) tellLife(a, news);
  }

  function tellLife(a: Answer, news: News | null): void {
    if (tellTrouble()) return;
    const late = a.lag_hits > 0, time = new Date().toLocaleTimeString("en-GB"), by = generation && ` · by ${generation}`;
    const reads = news !== null && !news.complete; // what is not read yet is no lag
    if (!reads || news.history) panel.reading(reads ? news.history : null);
    if (reads) panel.life("late", (news.history ? readingText(news.history) : "Reading") + by);
    else panel.life(late ? "late" : "live", "Live" + (late ? ` · ${count(a.lag_hits)} behind` : "") + by, `As of ${time}`);
  }

  function land(): void {
    landing?.();
    landing = null;
  }

  function trouble(t: Trouble): boolean {
    const coarser = t.status === 400 && t.field === "cell" ? Number(/cell=(\d+)/.exec(t.message)?.[1]) : 0;
    if (coarser > choices.cell) { // the server keeps this map coarser than usual
      choices.cell = coarser;
      setTimeout(feed.ask);
      return false;
    }
    failing = troubleNotice(t, link.base, choices);
    if (failing.final) forgetOpen(link.site);
    tellTrouble();
    return !failing.final;
  }

  /** Says what stands in the way of answers, and whether anything does. */
  function tellTrouble(): boolean {
    if (!failing || hold.hidden) return failing !== null;
    const current = answered === question(); // what is on the page is true still, as of the last answer
    panel.life(failing.final ? "off" : "late", failing.final ? "Ended" : "Trying again");
    if (!current) clear();
    if (!current || !failing.passing) panel.notice(failing);
    return true;
  }

  /** Asks for places on the page: none of so many clicks is at an element. */
  function askByPlace(hits: number): boolean {
    byPlace = true;
    unlisted = hits;
    calm = Math.min(calm * 2 || RELOOK, MAX_RELOOK);
    setTimeout(feed.ask);
    return false;
  }

  function relooked(): void {
    relook = 0;
    if (!hold.paused) byPlace = false; // else what is shown when it goes on looks again
  }

  function takeElements(a: ElementsAnswer): boolean {
    if (!a.elements.length && !partial) {
      askByPlace(a.hits);
      if (!listed) return false;
    }
    const same = listed !== null && listed.hits === a.hits && equal(listed.elements, a.elements) && equal(listed.rest, a.rest);
    listed = a;
    if (same) tellElements();
    else {
      points = centres(a.rest.points, a.rest.cell);
      sides = null;
      placing.set(a.elements, points);
      show({ sheets: placing.sheets }, []);
      clearTimeout(telling);
      telling = setTimeout(guard(tellElements), LATEST); // a frame that is out of sight draws nothing
    }
    return !same;
  }

  /** Shows the numbers of what is drawn by element. */
  function tellElements(): void {
    const a = listed, name = nameOfHits(choices), max = placing.sheets[0]?.field.max ?? 0;
    if (!a) return;
    absent.show(placing.missing, a.others.hits, name);
    settle(a, a.hits, name, figuresOfElements(a, name, max));
  }

  function takeHeatmap(url: string, a: HeatmapAnswer): boolean {
    if (a.hits > unlisted && !a.minus && !partial) relook ||= setTimeout(relooked, calm); // there are new ones, which may be at elements
    if (listed) clear();
    const now = centres(a.points, a.cell), { minus } = a;
    const same = samePoints(now, points) && (!now.length || drawing !== null || flat !== null) && !minus === !sides;
    const error = a.error ?? 0;
    rough = error > 0;
    if (error >= MAX_ERROR) {
      points = now;
      sides = null;
      flat = a;
      if (!same || !strip.field) {
        strip.set(url);
        lookAtStrip();
      } else settleHeatmap(a);
      return !same;
    }
    flat = null;
    strip.clear();
    sides = minus ? { names: sideNames(choices, a.generation, minus.generation), hits: a.hits, minus: minus.hits, shown: centres(a.points, a.cell, 3), other: centres(a.points, a.cell, 4) } : null;
    if (!same) {
      const field = makeField(now, document.documentElement.scrollWidth, !!minus);
      points = now;
      show(field && { field }, []);
    }
    settleHeatmap(a);
    return !same;
  }

  /** Shows the numbers of what is drawn by places of the page, or on which side of a difference there are none. */
  function settleHeatmap(a: HeatmapAnswer): void {
    const name = nameOfHits(choices), max = drawing && "field" in drawing ? drawing.field.max : 0;
    if (a.minus && sides) {
      if (a.hits > 0 && a.minus.hits === 0) return panel.notice(nothingBefore(a.minus.why));
      return settle(a, a.hits, name, figuresOfDifference(a, a.minus.hits, sides.names, name, max), elsewhere(a, name));
    }
    settle(a, a.hits, name, figuresOfPlaces(a, choices, name, max));
  }

  /** Draws the heat that has come. */
  function takeStrip(): void {
    if (!flat || !strip.field) return;
    show({ field: strip.field }, []);
    settleHeatmap(flat);
  }

  function lookAtStrip(): void {
    const { top, height } = host.box();
    if (flat) strip.look(top + scrollY, height);
  }

  function takeScroll(a: ScrollAnswer): boolean {
    const reach = makeBands(a.band, 0, a.reach, 1), attention = makeBands(a.band, a.band / 2, a.attention_ms);
    const attentive = choices.map === "attention", bands = a.views > 0 ? (attentive ? attention : reach) : null;
    const same = drawing && bands ? "bands" in drawing && equal(drawing.bands, bands) : drawing === bands;
    if (!same) show(bands && { bands }, bands ? reachLines(reach, a.fold.average).slice(0, attentive ? 1 : 4) : []);
    settle(a, a.views, "views", figuresOfScroll(a, choices, attention.max));
    return !same;
  }

  /** Shows an answer's numbers, or why there are none. */
  function settle(a: Answer, n: number, name: string, figures: Figures, summary = countOf(n, name)): void {
    if (n > 0 || partial) panel.figures({ ...figures, sampled: a.sampled?.share }, summary);
    else panel.notice(emptyNotice(a.why, choices));
  }

  function choose(some: Partial<Choices>): void {
    const { map } = choices, compare = comparedWith(choices);
    byPlace = false;
    calm = 0;
    if (some.width) widthChosen = true;
    Object.assign(choices, some, { cell: 8 });
    panel.choices(choices);
    if (map !== choices.map || compare !== comparedWith(choices)) {
      history.close();
      clear();
    }
    feed.ask();
    history.look();
  }

  /** Follows the address, the window's width and the day. */
  const look = guard(() => {
    const now = pageURL();
    if (now !== page) {
      page = now;
      counted = "";
      choices.alone = byPlace = false;
      calm = 0;
      history.close();
      clear(); // heat of one page is no heat of another
      void fitWidth();
    }
    if (document.visibilityState === "visible") feed.look();
    if (performance.now() - scrolled < LOOK_EVERY) return; // frames are for scrolling now
    if (listed) placing.check();
    else if (marks.length) schedule(); // the page may have grown
  });

  const resized = guard(() => {
    panel.widths(groupOf(innerWidth), innerWidth);
    if (!widthChosen || (app && choices.width !== "all")) setWidth(groupOf(innerWidth));
    clearTimeout(fitting);
    fitting = setTimeout(() => void fitWidth(), SETTLED);
    placing.look();
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

  /** Does what the app wants. */
  function obey(o: FrameOrder): void {
    opacity(o.opacity);
    showNumbers(o.numbers);
    choose({ ...o.choices, width: o.allWidths ? "all" : groupOf(innerWidth) });
  }

  const key = guard((e: KeyboardEvent) => {
    if (e.key === "Escape" && !e.defaultPrevented) panel.fold(true);
  });

  const schedule = guard(() => {
    frame ||= requestAnimationFrame(guard(draw));
  });

  /** Lets newer answers wait, or shows them. */
  function pause(on: boolean): void {
    hold.pause(on);
  }

  /** Makes room for a day that is played, or shows the live map again. */
  function showHistory(on: boolean): void {
    if (on) hold.hide(true);
    clear();
    panel.playing(on);
    if (on) return;
    hold.hide(false);
    tellTrouble();
  }

  /** Shows what landed until a time of a day. */
  function playScene(scene: Scene, day: TimelineAnswer, clock: string): void {
    points = scene.points;
    rough = false;
    const field = makeField(points, document.documentElement.scrollWidth), name = nameOfHits(choices);
    show(field && { field }, []);
    if (day.hits) panel.figures(figuresOfScene(scene, day, clock, name, field?.max ?? 0), `${clock} · ${countOf(scene.hits, name)}`);
    else panel.notice(emptyDay(name));
  }

  /** Takes the picture away until the next answer. */
  function clear(): void {
    landing = null;
    pulses.clear();
    hold.forget();
    points = new Float64Array(0);
    sides = listed = flat = null;
    strip.clear();
    absent.show([], 0, "");
    numbers.clear();
    answered = told = mostOf = "";
    show(null, []);
  }

  function showNumbers(on: boolean): void {
    numbers.show(on);
    schedule();
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
    keepOpen(link);
  }

  function opacity(value: number): void {
    picture.canvas.style.opacity = String(value);
  }

  /** Draws what is in sight, if it is not what is drawn. */
  function draw(): void {
    frame = 0;
    const again = listed !== null && placing.update();
    if (listed && placed !== placing.version) {
      placed = placing.version;
      drawing = { sheets: placing.sheets };
      version++;
      tellElements();
      land();
    }
    const { left, top, width, height } = host.box(), pageHeight = document.documentElement.scrollHeight;
    const s = { left: left + scrollX, top: top + scrollY, width, height, pageHeight };
    const carriers = drawing && "sheets" in drawing ? drawing.sheets.map(({ carrier }) => [...carrier.origin(), ...Object.values(carrier.clip() ?? {})]) : [];
    const state = [version, s.left, s.top, width, height, pageHeight, devicePixelRatio, ...carriers].join();
    if (listed) numbers.draw(placing, listed.hits);
    if (again) schedule();
    pulses.draw();
    lookAtStrip();
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
    outline.hidden = true;
    if (!drawing) return "";
    if ("sheets" in drawing) return textOfElement(placing.at(x, y), x, y);
    if (sides) return tipOfSides(sides, x + scrollX, y + scrollY);
    if ("field" in drawing) {
      const hits = flat ? heatNear(drawing.field, x + scrollX, y + scrollY) : hitsNear(points, x + scrollX, y + scrollY);
      return hits >= 0.5 ? (rough ? "about " : "") + countOf(hits, nameOfHits(choices)) + (flat ? " in a spot" : "") : "";
    }
    const value = valueAt(drawing.bands, y + scrollY);
    return choices.map === "attention" ? `${seconds(value)} a view` : `${percent(value)} got here`;
  }

  /** What is known of an element, which is shown by a line round it, or of the clicks at none near a place of the viewport. */
  function textOfElement(p: Placed | null, x: number, y: number): string {
    const near = p ? 0 : hitsNear(points, x + scrollX, y + scrollY);
    if (!p || !listed) return near > 0 ? countOf(near, nameOfHits(choices)) : "";
    const box = boxOf(p.element);
    outline.hidden = false;
    outline.style.cssText = `transform:translate(${box.left}px,${box.top}px);width:${box.right - box.left}px;height:${box.bottom - box.top}px`;
    return tipOfElement(p, listed.hits, choices);
  }

  /** Learns in which zone the site's days are, so that "today" is the same day as in its numbers. */
  async function findZone(): Promise<void> {
    const u = new URL("v1/trend", link.base), today = new Date().toISOString().slice(0, 10);
    u.search = String(new URLSearchParams({ site: link.site, url: page, from: today, to: today, ...(generation && { generation }) }));
    const got = await get<{ timezone?: string }>(u.href, token);
    if ("timezone" in got) zone = got.timezone;
  }

  const scroll = guard(() => {
    scrolled = performance.now();
    schedule();
  });

  function listen(change: typeof addEventListener | typeof removeEventListener): void {
    change("scroll", scroll, { capture: true, passive: true });
    change("resize", resized);
    change("keydown", key as (e: Event) => void);
    change("popstate", look);
    change("hashchange", look);
  }

  /** Removes everything. What this visitor does is counted again. */
  function close(): void {
    feed.close();
    history.close();
    strip.clear();
    hover.close();
    placing.close();
    listen(removeEventListener);
    clearInterval(looking);
    clearTimeout(fitting);
    clearTimeout(telling);
    clearTimeout(relook);
    cancelAnimationFrame(frame);
    host.close();
    forgetOpen(link.site);
    if (!app) link.record(true); // who looks at a page in the app's frame is no visitor
    closed();
  }

  keepOpen(link);
  host.root.append(make("div", "all", {}, picture.canvas, lines, numbers.element, pulses.element, outline, ...hover.elements, ...(panel.element ? [history.element, panel.element] : [])));
  outline.hidden = true;
  opacity(OPACITY);
  panel.widths(choices.width, innerWidth);
  listen(addEventListener);
  const looking = setInterval(look, LOOK_EVERY);
  if (app) {
    obey(app.order());
    app.follow(guard(obey));
  } else void fitWidth().then(feed.ask);
  void findZone();
  return close;
}
