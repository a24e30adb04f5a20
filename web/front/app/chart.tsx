import { useState } from "preact/hooks";
import type { Bucket, Trend } from "./api";
import { bucketName, compact, count } from "./format";
import { Ghost, useWidth } from "./parts";

/** What a trend can show. */
export type Metric = "hits" | "views" | "visitors";

/** What a Metric is called. */
export type Names = Record<Metric, string>;

/** All of them, in the order in which they are shown. */
export const metrics: Metric[] = ["hits", "views", "visitors"];

const height = 208, top = 12, bottom = 26, gutter = 52; // px
const mostBars = 130; // more days are drawn as an area

/** Counts by day or hour, to point at, to walk with the arrow keys, and as a table. */
export function TrendChart({ trend, metric, names }: { trend: Trend | undefined; metric: Metric; names: Names }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const buckets = trend?.buckets ?? [];
  const by = trend?.by ?? "day";
  const last = buckets.length - 1;
  const here = at === null ? undefined : buckets[Math.min(at, last)];
  const inner = Math.max(0, width - gutter);
  const place = (x: number) => Math.max(0, Math.min(last, Math.floor((x / inner) * buckets.length)));
  const point = (e: PointerEvent) => setAt(place(e.clientX - (e.currentTarget as Element).getBoundingClientRect().left));
  const walk = (e: KeyboardEvent) => {
    const to = stepTo(e.key, at ?? last, last);
    if (to === null) return;
    e.preventDefault();
    setAt(to);
  };

  if (!trend) return <div class="chart chart-wait" ref={ref}><Ghost tall={height} /></div>;
  if (buckets.length === 0) return <div class="chart chart-empty" ref={ref}><p>Nothing to draw in this range.</p></div>;
  return (
    <div class="chart">
      <div
        ref={ref} class="chart-field" tabIndex={0} role="slider" aria-label={`${names[metric]} by ${by}`}
        aria-valuemin={0} aria-valuemax={last} aria-valuenow={at ?? last}
        aria-valuetext={valueText(here ?? buckets[last], by, names)}
        onPointerMove={point} onPointerDown={point} onPointerLeave={() => setAt(null)}
        onKeyDown={walk} onFocus={() => setAt((old) => old ?? last)} onBlur={() => setAt(null)}
      >
        {width > 0 && <Plot buckets={buckets} by={by} metric={metric} at={at} width={width} />}
        {here && at !== null && <Tip names={names} bucket={here} by={by} metric={metric} x={((Math.min(at, last) + 0.5) / buckets.length) * inner} width={width} />}
      </div>
      <Table buckets={buckets} by={by} names={names} />
    </div>
  );
}

/** Where a key of a slider leads, null for other keys. */
export function stepTo(key: string, at: number, last: number): number | null {
  switch (key) {
    case "ArrowLeft": case "ArrowDown": return Math.max(0, at - 1);
    case "ArrowRight": case "ArrowUp": return Math.min(last, at + 1);
    case "PageDown": return Math.max(0, at - 7);
    case "PageUp": return Math.min(last, at + 7);
    case "Home": return 0;
    case "End": return last;
  }
  return null;
}

function valueText(b: Bucket | undefined, by: "day" | "hour", names: Names): string {
  return b ? `${bucketName(b, by, true)}: ${metrics.map((m) => `${count(b[m])} ${names[m].toLowerCase()}`).join(", ")}` : "";
}

function Plot({ buckets, by, metric, at, width }: { buckets: Bucket[]; by: "day" | "hour"; metric: Metric; at: number | null; width: number }) {
  const most = roundUp(Math.max(...buckets.map((b) => b[metric])));
  const inner = width - gutter, floor = height - bottom;
  const y = (n: number) => floor - (n / most) * (floor - top);
  return (
    <svg width={width} height={height} aria-hidden="true">
      {[0, most / 2, most].filter(Number.isInteger).map((n) => (
        <g key={n}>
          <line class={n === 0 ? "axis" : "grid"} x1="0" x2={inner} y1={y(n) + 0.5} y2={y(n) + 0.5} />
          <text class="scale" x={width} y={y(n) + 4} text-anchor="end">{compact(n)}</text>
        </g>
      ))}
      {buckets.length > mostBars
        ? <Area values={buckets.map((b) => b[metric])} width={inner} y={y} at={at} />
        : <Bars values={buckets.map((b) => b[metric])} width={inner} y={y} at={at} />}
      {labelled(buckets.length, inner).map((i) => {
        const x = ((i + 0.5) / buckets.length) * inner;
        return <text key={i} class="scale" x={x < 18 ? 0 : x} y={height - 6} text-anchor={x < 18 ? "start" : "middle"}>{bucketName(buckets[i]!, by)}</text>;
      })}
    </svg>
  );
}

function Bars({ values, width, y, at }: { values: number[]; width: number; y: (n: number) => number; at: number | null }) {
  const step = width / values.length, gap = Math.min(6, Math.max(1, step * 0.25)), wide = Math.min(step - gap, 56);
  return (
    <g class={at === null ? "bars" : "bars pointed"}>
      {at !== null && <rect class="beam" x={Math.min(at, values.length - 1) * step} y={top} width={step} height={y(0) - top} />}
      {values.map((n, i) => {
        const tall = n > 0 ? Math.max(2, y(0) - y(n)) : 0;
        return <rect key={i} class={i === at ? "bar here" : "bar"} x={(i + 0.5) * step - wide / 2} y={y(0) - tall} width={wide} height={tall} rx={Math.min(2, wide / 3)} />;
      })}
    </g>
  );
}

function Area({ values, width, y, at }: { values: number[]; width: number; y: (n: number) => number; at: number | null }) {
  const x = (i: number) => ((i + 0.5) / values.length) * width;
  const line = values.map((n, i) => `${x(i).toFixed(1)},${y(n).toFixed(1)}`).join("L");
  const value = at === null ? undefined : values[at];
  return (
    <g>
      <path class="area" d={`M${x(0)},${y(0)}L${line}L${x(values.length - 1)},${y(0)}Z`} />
      <path class="line" d={"M" + line} />
      {at !== null && value !== undefined && <circle class="dot" cx={x(at)} cy={y(value)} r="4.5" />}
    </g>
  );
}

function Tip({ bucket, by, metric, names, x, width }: { bucket: Bucket; by: "day" | "hour"; metric: Metric; names: Names; x: number; width: number }) {
  const wide = names.visitors.length > 10 ? 208 : 140, away = 24; // beside what is pointed at, on the side with more room
  const left = x < width / 2 ? Math.min(x + away, width - wide) : Math.max(0, x - away - wide);
  return (
    <div class="tip" aria-hidden="true" style={{ left: `${left}px`, width: `${wide}px` }}>
      <strong>{bucketName(bucket, by, true)}</strong>
      {metrics.map((m) => (
        <span key={m} class={m === metric ? "tip-row chosen" : "tip-row"}><span>{names[m]}</span><span>{count(bucket[m])}</span></span>
      ))}
    </div>
  );
}

function Table({ buckets, by, names }: { buckets: Bucket[]; by: "day" | "hour"; names: Names }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="as-table" onToggle={(e) => setOpen((e.currentTarget as HTMLDetailsElement).open)}>
      <summary>As a table</summary>
      {open && (
        <div class="table-box" tabIndex={0} role="region" aria-label="The trend as a table">
          <table>
            <thead><tr><th scope="col">{by === "day" ? "Day" : "Hour"}</th>{metrics.map((m) => <th key={m} scope="col">{names[m]}</th>)}</tr></thead>
            <tbody>
              {[...buckets].reverse().map((b) => (
                <tr key={b.start}><th scope="row">{bucketName(b, by, true)}</th>{metrics.map((m) => <td key={m}>{count(b[m])}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

/** A trend small enough for a table. values are oldest first. */
export function Spark({ values, label }: { values: number[]; label: string }) {
  const wide = 96, tall = 28, most = Math.max(1, ...values);
  const x = (i: number) => (values.length < 2 ? wide / 2 : 1.5 + (i / (values.length - 1)) * (wide - 3));
  const y = (n: number) => tall - 2 - (n / most) * (tall - 5);
  const line = (values.length === 1 ? [0, 1].map((i) => `${i * wide},${y(values[0]!)}`) : values.map((n, i) => `${x(i).toFixed(1)},${y(n).toFixed(1)}`)).join("L");
  const some = values.some((n) => n > 0);
  return (
    <svg class={some ? "spark" : "spark flat"} width={wide} height={tall} viewBox={`0 0 ${wide} ${tall}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {some && values.length > 1 && <path class="area" d={`M${x(0)},${tall - 1.5}L${line}L${x(values.length - 1)},${tall - 1.5}Z`} />}
      {line && <path class="line" d={"M" + line} />}
    </svg>
  );
}

/** The least round number that is not below n and whose half is whole. */
function roundUp(n: number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(n, 2)));
  return unit * ([1, 1.2, 1.6, 2, 3, 4, 5, 6, 8].find((step) => step * unit >= n && Number.isInteger((step * unit) / 2)) ?? 10);
}

/** Which buckets are named below the axis: evenly, with 76 px of room for each. */
function labelled(n: number, width: number): number[] {
  const every = Math.max(1, Math.ceil((76 * n) / width));
  return Array.from({ length: Math.ceil(n / every) }, (_, i) => i * every).filter((i) => ((n - i) / n) * width > 30 || i === 0);
}
