import type { ElementsAnswer, HeatmapAnswer, ScrollAnswer } from "./feed";
import type { Figures } from "./panel";
import type { Choices } from "./question";
import type { Scene, TimelineAnswer } from "./reel";
import type { Sides } from "./tips";
import { capital, count, countOf, finePercent, seconds } from "./words";

// What the panel says of an answer. name is what its hits are called, max the greatest heat, as hits in one spot.

export const figuresOfElements = (a: ElementsAnswer, name: string, max: number): Figures => ({
  numbers: [[capital(name), count(a.hits)], ["On elements", finePercent(a.anchored / Math.max(a.hits, 1))], ["Views", count(a.views)]],
  ticks: ["0", quarter(max), max ? `${countOf(max, name)} in a spot` : "–"],
});

export const figuresOfPlaces = (a: HeatmapAnswer, c: Choices, name: string, max: number): Figures => ({
  numbers: [[capital(name), count(a.hits)], [visitors(c), count(a.visitors)], ["Views", count(a.views)]],
  ticks: ["0", quarter(max), max ? `${countOf(max, name)} in a spot` : "–"],
});

/** Of two sides, the second of which has so many hits; max is a share. */
export const figuresOfDifference = (a: HeatmapAnswer, minus: number, [shown, before]: Sides["names"], name: string, max: number): Figures => ({
  numbers: [[`${capital(name)} ${shown}`, count(a.hits)], [capital(before), count(minus)], ["Elsewhere", finePercent(a.moved ?? 0)]],
  ticks: [`more ${before}`, max > 0 ? `up to ${finePercent(max)} of ${name} in a spot` : "no difference", `more ${shown}`],
  signed: true,
});

/** How many hits are elsewhere than on the other side, in words. */
export const elsewhere = (a: HeatmapAnswer, name: string): string => `${finePercent(a.moved ?? 0)} of ${name} elsewhere`;

/** Of a day that is played, at a time of it. */
export const figuresOfScene = (s: Scene, day: TimelineAnswer, clock: string, name: string, max: number): Figures => ({
  numbers: [[capital(name), count(s.hits)], ["Of the day", count(day.hits)], ["Time", clock]],
  ticks: ["0", quarter(max), max ? `${countOf(max, name)} in a spot` : "–"],
});

/** longest is how long a place of the page was looked at, ms a view. */
export const figuresOfScroll = (a: ScrollAnswer, c: Choices, longest: number): Figures => {
  const attentive = c.map === "attention";
  return {
    numbers: [["Views", count(a.views)], [visitors(c), count(a.visitors)], attentive ? ["Longest look", seconds(longest)] : ["Average fold", `${count(a.fold.average)} px`]],
    ticks: attentive ? ["0 s", seconds(longest / 2), `${seconds(longest)} a view`] : ["0%", "50%", "100% of views"],
  };
};

/** What visitors are counted as: the server has those of the page, whatever their window. */
const visitors = (c: Choices): string => (c.width === "all" ? "Visitors" : "All visitors");

/** The tick at half of the legend, whose colours are by the root of the heat. */
const quarter = (max: number): string => (max < 4 ? "" : count(max / 4));
