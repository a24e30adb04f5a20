import type { Change, News } from "../told";
import type { ElementsAnswer, HeatmapAnswer } from "./feed";
import type { ElementCount, Placing } from "./placing";
import type { Landed } from "./pulse";

/** What landed on the page by a message: points and places of elements that have more hits than before. */
export function landedOf(a: ElementsAnswer | HeatmapAnswer, news: News, placing: Placing): Landed[] {
  const cell = "rest" in a ? a.rest.cell : a.cell;
  return [...news.points.flatMap((c) => onPage(c, cell)), ...news.rows.flatMap((c) => onElement(c as unknown as Change<ElementCount>, placing))];
}

function onPage({ now, was }: Change<readonly number[]>, cell: number): Landed[] {
  const hits = (now?.[2] ?? 0) - (was?.[2] ?? 0);
  if (!now || hits <= 0) return [];
  const x = now[0]! + cell / 2, y = now[1]! + cell / 2;
  return [{ hits, at: () => seen(x - scrollX, y - scrollY) }];
}

/** Where an element has more hits, on the place of it with the most of them. */
function onElement({ now, was }: Change<ElementCount>, placing: Placing): Landed[] {
  if (!now || now.hits <= (was?.hits ?? 0)) return [];
  const before = new Map(was?.cells.map(([x, y, n]) => [`${x} ${y}`, n ?? 0]));
  let most = 0, place: readonly number[] = [0.5, 0.5];
  for (const cell of now.cells) {
    const more = (cell[2] ?? 0) - (before.get(`${cell[0]} ${cell[1]}`) ?? 0);
    if (more > most) [most, place] = [more, cell];
  }
  return [{
    hits: now.hits - (was?.hits ?? 0),
    at() {
      const m = placing.where(now);
      if (!m) return null;
      const [left, top] = m.carrier.origin(), clip = m.carrier.clip();
      const x = left + m.left + place[0]! * m.width, y = top + m.top + place[1]! * m.height;
      return clip && (x < clip.left || x > clip.right || y < clip.top || y > clip.bottom) ? null : seen(x, y);
    },
  }];
}

/** A place of the viewport, null outside of it. */
function seen(x: number, y: number): readonly [number, number] | null {
  return x < 0 || y < 0 || x > innerWidth || y > innerHeight ? null : [x, y];
}
