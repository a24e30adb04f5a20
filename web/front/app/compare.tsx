import { type Heat, type Site, type Why, zoneOf } from "./api";
import { count, daysBefore, finePercent, sentence } from "./format";
import { Choice } from "./parts";
import type { Kind, PageRoute } from "./route";
import { isMoving, useGenerations } from "./rules";

/** The parameters of the other side of a difference map; none where the map is shown alone. */
export function minusOf({ minus, range }: PageRoute, site: Site): { minus_from?: string; minus_to?: string; minus_generation?: string } {
  if (minus === "before") return daysBefore(range, zoneOf(site));
  return minus ? { minus_generation: minus } : {};
}

/** The generations that a map can be compared with: all that answer but the shown one. */
export function useCompared({ generation }: PageRoute): string[] {
  const all = useGenerations().data;
  const shown = generation || all?.active;
  return all?.generations.filter((g) => g.id !== shown && g.state !== "failed" && !isMoving(g)).map((g) => g.id) ?? [];
}

/** What a map can be compared with. */
export function Compare({ route, others, to }: { route: PageRoute; others: string[]; to: (change: Partial<PageRoute>) => string }) {
  const options: [string, string, string][] = [["", "Alone", to({ minus: "" })]];
  if (route.range !== "all") options.push(["before", beforeName(route), to({ minus: "before" })]);
  for (const id of new Set(route.minus.startsWith("g") ? [...others, route.minus] : others)) options.push([id, `vs ${id}`, to({ minus: id })]);
  if (options.length === 1) return null;
  const value = route.minus === "before" && route.range === "all" ? "" : route.minus;
  return <div class="compare"><Choice label="Compare with" value={value} options={options} /></div>;
}

const beforeName = ({ range }: PageRoute): string => (range === "1" ? "vs yesterday" : `vs the ${range} days before`);

/** The legend of a difference, and how much differs. */
export function Compared({ heat, kind, route }: { heat: Heat; kind: Kind; route: PageRoute }) {
  const minus = heat.minus!, days = route.minus === "before";
  const name = kind === "click" ? "clicks" : `${kind} clicks`;
  const shown = days ? "now" : `by ${heat.generation}`, other = days ? "before" : `by ${minus.generation}`;
  if (heat.hits === 0 || minus.hits === 0) return null;
  return (
    <>
      <div class="legend difference" aria-hidden="true"><span>more {other}</span><i /><span>more {shown}</span></div>
      <p class="summary">
        <strong>{finePercent(heat.moved ?? 0)}</strong> of {name} lie elsewhere: {count(heat.hits)} {shown}, {count(minus.hits)} {other}. Shares are compared, not counts.
      </p>
    </>
  );
}

/** Says that the other side of a difference has no hits. */
export function NothingBefore({ why, alone }: { why: Why | undefined; alone: string }) {
  return (
    <div class="empty why" role="status">
      <h3>Nothing to compare with</h3>
      <p>{why ? sentence(why.message) : "Nothing is counted on the other side."}</p>
      <div class="actions"><a class="button primary" href={alone}>Show the map alone</a></div>
    </div>
  );
}
