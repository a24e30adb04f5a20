import { Failure, type Counts, type PageChanges, type Report, type ReportSide } from "./api";
import { count, date, dayAndTime, plural, signed } from "./format";
import { Trouble } from "./parts";
import { usePoll, type Polled } from "./poll";

/** Asks for the report of a generation, unless id is null. */
export const useReport = (id: string | null): Polled<Report> => usePoll<Report>(id && `v1/generations/${id}/report?format=json`, 10_000);

/** What the comparison of a generation with the active one has found, once there is one. */
export function ReportView({ report }: { report: Polled<Report> }) {
  const none = report.error instanceof Failure && [404, 409].includes(report.error.status);
  const r = report.data;
  if (!r && (none || !report.error)) return null;
  if (!r) return <section class="card pad">{report.error && <Trouble error={report.error} again={report.again} />}</section>;
  return (
    <>
      <section class="card" aria-labelledby="report">
        <div class="card-head"><h2 id="report">Compared with {r.active}</h2><Taken of={r} /></div>
        <Verdict of={r} />
        {r.checks && <Checks of={r} />}
      </section>
      {r.before && r.after && <Changes of={r} before={r.before} after={r.after} />}
      {r.pages && <Pages of={r.pages} before={r.active} after={r.generation} />}
    </>
  );
}

function Taken({ of: r }: { of: Report }) {
  if (!r.compared) return null;
  return <span class="hint">{dayAndTime(r.compared)}, in {r.took_ms < 10_000 ? `${count(r.took_ms)} ms` : `${count(Math.round(r.took_ms / 1000))} s`}</span>;
}

/** Whether it may be used, and what is in the way. */
function Verdict({ of: r }: { of: Report }) {
  const bad = r.problems ?? [];
  return (
    <div class="pad verdict">
      {bad.length === 0
        ? <p class="fine"><strong>All that must hold holds.</strong> Its stored counts agree with each other and with the recorded hits.</p>
        : <p class="problem"><strong>It must not be used.</strong> What must hold does not:</p>}
      {bad.length > 0 && <ul class="findings">{bad.map((p) => <li key={p}>{p}</li>)}</ul>}
      {r.warnings && <ul class="findings">{r.warnings.map((w) => <li key={w}>{w}</li>)}</ul>}
      {r.notes && <ul class="findings">{r.notes.map((n) => <li key={n} class="soft">{n}</li>)}</ul>}
    </div>
  );
}

function Checks({ of: r }: { of: Report }) {
  return (
    <details class="pad report-checks">
      <summary>{plural(r.checks!.reduce((n, c) => n + c.done, 0), "thing")} compared</summary>
      <table class="counts">
        <tbody>{r.checks!.map((c) => <tr key={c.name}><th scope="row">{c.what}</th><td>{count(c.done)}</td><td>{c.failed > 0 ? <b class="problem">{count(c.failed)} wrong</b> : "right"}</td></tr>)}</tbody>
      </table>
    </details>
  );
}

type Row = [name: string, of: (s: ReportSide) => number];
const of = (key: keyof Omit<Counts, "excluded_by">) => (s: ReportSide) => s.counts[key];
const rows: Row[] = [
  ["Read", of("read")], ["Repeats", of("repeated_hits")], ["Left out by rules", of("excluded")], ["Counted", of("hits")],
  ["Views", of("views")], ["Clicks", of("clicks")], ["Scrolls", of("scrolls")], ["Moves", of("moves")], ["Of bots", of("bots")],
  ["Dead clicks", of("dead")], ["Rage bursts", of("bursts")], ["Visitors", (s) => s.visitors], ["Pages", (s) => s.pages],
];

/** Both sides at the same position, and what the rules of each leave out. */
function Changes({ of: r, before, after }: { of: Report; before: ReportSide; after: ReportSide }) {
  return (
    <section class="card" aria-labelledby="changes">
      <div class="card-head"><h2 id="changes">What changes</h2><Days of={after} /></div>
      <div class="counts-box">
        <table class="counts">
          <thead><tr><th scope="col">Hits</th><th scope="col">{r.active}, before</th><th scope="col">{r.generation}, after</th><th scope="col">Difference</th></tr></thead>
          <tbody>
            {rows.filter(([, n]) => n(before) || n(after)).map(([name, n]) => (
              <tr key={name} class={name === "Counted" ? "sum" : undefined}>
                <th scope="row">{name}</th><td>{count(n(before))}</td><td>{count(n(after))}</td><td>{signed(n(after) - n(before)) || "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <LeftOut id={r.generation} counts={after.counts} />
        {!r.same_rules && <LeftOut id={r.active} counts={before.counts} />}
      </div>
    </section>
  );
}

function Days({ of: s }: { of: ReportSide }) {
  if (!s.first_day || !s.last_day) return null;
  return <span class="hint">{date(s.first_day, true)} to {date(s.last_day, true)}</span>;
}

function LeftOut({ id, counts }: { id: string; counts: Counts }) {
  if (!counts.excluded_by?.length) return null;
  return (
    <table class="counts">
      <thead><tr><th scope="col">Left out by {id}</th><th scope="col">Hits</th></tr></thead>
      <tbody>{counts.excluded_by.map((r, i) => <tr key={i}><th scope="row"><code>{r.rule}</code></th><td>{count(r.hits)}</td></tr>)}</tbody>
    </table>
  );
}

/** What becomes of the pages: which differ most, and which come together. */
function Pages({ of: p, before, after }: { of: PageChanges; before: string; after: string }) {
  const differ = p.changed + p.appeared + p.disappeared;
  return (
    <section class="card" aria-labelledby="pages-change">
      <div class="card-head"><h2 id="pages-change">What becomes of the pages</h2></div>
      <div class="pad">
        <p>
          {differ === 0 && !p.merged ? `No page changes: ${plural(p.same, "page")} with as many hits as before.`
            : `${plural(p.same, "page")} with as many hits as before, ${count(p.changed)} with other counts, ${count(p.appeared)} new, ${count(p.disappeared)} gone.`}
        </p>
      </div>
      {p.top && (
        <>
          <div class="counts-box">
            <table class="counts differences">
              <thead><tr><th scope="col">Page</th><th scope="col">{before}</th><th scope="col">{after}</th><th scope="col">Difference</th></tr></thead>
              <tbody>
                {p.top.map((c) => (
                  <tr key={c.site + c.page}>
                    <th scope="row"><span class="soft">{c.site}</span> <span class="page-name">{c.page}</span></th>
                    <td>{count(c.before)}</td><td>{count(c.after)}</td><td>{signed(c.after - c.before)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {differ > p.top.length && <div class="pad"><More all={differ} shown={p.top.length} what="pages" /></div>}
        </>
      )}
      {p.merges && (
        <div class="pad merges">
          <h3>Pages that take hits of others</h3>
          <ul>
            {p.merges.map((m) => (
              <li key={m.site + m.page}>
                <p><span class="soft">{m.site}</span> <b class="page-name">{m.page}</b> takes {plural(m.hits, "hit")} of {plural(m.of, "page")}</p>
                <ul>
                  {m.from.map((f) => <li key={f.page}><span class="soft">{count(f.hits)}</span> <span class="page-name">{f.page}</span></li>)}
                </ul>
                <More all={m.of} shown={m.from.length} what="pages" />
              </li>
            ))}
          </ul>
          <More all={p.merged} shown={p.merges.length} what="such pages" />
        </div>
      )}
    </section>
  );
}

function More({ all, shown, what }: { all: number; shown: number; what: string }) {
  return all > shown ? <p class="hint">and {count(all - shown)} more {what}</p> : null;
}
