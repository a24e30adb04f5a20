import { type Counts, type Generation, type Site } from "./api";
import { count, dayAndTime, signed } from "./format";
import { Actions } from "./moves";
import { Copy, Ghost, Title, Trouble, useTabTitle } from "./parts";
import { usePoll } from "./poll";
import { ReportView, useReport } from "./report";
import { generationLink, go, newRulesLink, rulesLink, siteLink } from "./route";
import { Bar, StateBadge, isMoving, meaning, scopeText, useGenerations } from "./rules";

/** One generation: its counts beside those of the active one, how they compare, and its rules. */
export function GenerationView({ id, sites }: { id: string; sites: Site[] }) {
  useTabTitle(id);
  const one = usePoll<Generation>(`v1/generations/${id}`, 1500);
  const active = useGenerations().data?.active ?? "";
  const g = one.data;
  const report = useReport(g && !isMoving(g) ? id : null);
  const gone = one.error?.status === 404;
  const changed = () => one.again();
  return (
    <>
      <header class="head">
        <Title crumb={<a href={rulesLink}>Rules</a>}>{id}</Title>
        {g && !gone && <a class="button" href={newRulesLink(id)}>Change these rules</a>}
      </header>
      {gone && <Gone id={id} />}
      {one.error && !g && !gone && <Trouble error={one.error} again={one.again} />}
      {!g && !one.error && <div class="card pad"><Ghost tall={160} /></div>}
      {g && !gone && (
        <>
          <section class="card generation" aria-label="State">
            <div class="generation-name">
              <StateBadge of={g} />
              <span class="hint">made {dayAndTime(g.created)}{scopeText(g) && ` · counts ${scopeText(g)}`}{g.skip_damaged && " · goes on behind damage"}</span>
            </div>
            <p class={g.state === "failed" ? "problem" : "meaning"}>{meaning(g, active)}</p>
            {g.warnings?.map((text) => <p class="hint" key={text}>Note: {text}.</p>)}
            {isMoving(g) && <Bar of={g} />}
            <Actions of={g} active={active} changed={changed} />
          </section>
          {g.counts && (g.state === "active" || !report.data?.after) && <CountTable of={g} mine={g.counts} active={active} />}
          {g.carried && g.carried.length > 0 && <CarriedList of={g.carried} />}
          {!isMoving(g) && <ReportView report={report} />}
          {["ready", "retired"].includes(g.state) && <LookAt id={id} sites={sites} />}
          <RulesText of={g} />
        </>
      )}
    </>
  );
}

function Gone({ id }: { id: string }) {
  return (
    <div class="card empty">
      <h2>There is no {id}</h2>
      <p>It was removed, or it never was. Generations are never named anew, so an old link leads to none other.</p>
      <div class="actions"><a class="button primary" href={rulesLink}>All rules</a></div>
    </div>
  );
}

const rows: [keyof Omit<Counts, "excluded_by">, string][] = [
  ["read", "Read"], ["repeated_hits", "Repeats"], ["excluded", "Left out by rules"], ["carried", "Carried over"], ["lost_hits", "Lost to damage"],
  ["hits", "Counted"], ["views", "Views"], ["clicks", "Clicks"], ["scrolls", "Scrolls"], ["moves", "Moves"], ["bots", "Of bots"], ["dead", "Dead clicks"], ["bursts", "Rage bursts"],
];

/** All counts; those of which neither has any are left out. */
function CountTable({ of: g, mine, active }: { of: Generation; mine: Counts; active: string }) {
  const theirs = g.active_counts;
  const usual = ["read", "hits", "excluded"];
  return (
    <section class="card" aria-labelledby="counts">
      <div class="card-head"><h2 id="counts">What became of the hits</h2>{isMoving(g) && theirs && <span class="hint">{g.id} has not read all of them yet</span>}</div>
      <div class="counts-box">
        <table class="counts">
          <thead><tr><th scope="col">Hits</th><th scope="col">{g.id}</th>{theirs && <><th scope="col">{active}, active</th><th scope="col">Difference</th></>}</tr></thead>
          <tbody>
            {rows.filter(([key]) => usual.includes(key) || mine[key] || theirs?.[key]).map(([key, name]) => (
              <tr key={key} class={key === "hits" ? "sum" : undefined}>
                <th scope="row">{name}</th><td>{count(mine[key])}</td>
                {theirs && <><td>{count(theirs[key])}</td><td>{signed(mine[key] - theirs[key]) || "–"}</td></>}
              </tr>
            ))}
          </tbody>
        </table>
        {mine.excluded_by && mine.excluded_by.length > 0 && (
          <table class="counts">
            <thead><tr><th scope="col">Left out by</th><th scope="col">Hits</th></tr></thead>
            <tbody>{mine.excluded_by.map((r, i) => <tr key={i}><th scope="row"><code>{r.rule}</code></th><td>{count(r.hits)}</td></tr>)}</tbody>
          </table>
        )}
      </div>
    </section>
  );
}

/** What a generation has from another one, by site. */
function CarriedList({ of: all }: { of: NonNullable<Generation["carried"]> }) {
  return (
    <section class="card" aria-labelledby="carried">
      <div class="card-head"><h2 id="carried">Carried over, not counted anew</h2></div>
      <div class="counts-box">
        <table class="counts">
          <thead><tr><th scope="col">Site</th><th scope="col">Days</th><th scope="col">By the rules of</th><th scope="col">Hits</th></tr></thead>
          <tbody>
            {all.map((c, i) => (
              <tr key={i}>
                <th scope="row">{c.site}</th>
                <td>{c.source ? `of journal ${c.source}, which is gone` : c.before ? `before ${c.before}` : "all until it was begun"}</td>
                <td><a href={generationLink(c.from_generation)}>{c.from_generation}</a></td>
                <td>{count(c.hits)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Ways to see maps and numbers by a generation that is not active. */
function LookAt({ id, sites }: { id: string; sites: Site[] }) {
  if (sites.length === 0) return null;
  return (
    <section class="card" aria-labelledby="look">
      <div class="card-head"><h2 id="look">Maps and numbers by {id}</h2></div>
      <ul class="pad look">{sites.map((s) => <li key={s.key}><a class="button small" href={siteLink(s.key, { generation: id })}>{s.key}</a></li>)}</ul>
    </section>
  );
}

function RulesText({ of: g }: { of: Generation }) {
  return (
    <section class="card" aria-labelledby="rules-text">
      <div class="card-head"><h2 id="rules-text">Rules</h2>{g.rules_text && <Copy text={g.rules_text} />}</div>
      <div class="pad">
        {g.rules_text ? <pre class="text tag" tabIndex={0} aria-labelledby="rules-text"><code>{g.rules_text}</code></pre> : <p class="soft">The default rules.</p>}
      </div>
    </section>
  );
}

/** Says that a view is not of the active generation, and leads back. */
export function ByGeneration({ id, back }: { id: string; back: string }) {
  const all = useGenerations();
  const g = all.data?.generations.find((one) => one.id === id);
  if (!id || all.data?.active === id) return null;
  const gone = all.data && !g;
  return (
    <div class="notice quiet by" role="status">
      <p>{gone ? <>There is no {id} any more.</> : <>This is by the rules of <a href={generationLink(id)}>{id}</a>, which {g && isMoving(g) ? "is being built" : "is not active"}.</>}</p>
      <button type="button" class="button small" onClick={() => go(back)}>Show what is active</button>
    </div>
  );
}
