import type { Generation, Generations } from "./api";
import { count, dayAndTime, duration, plural, sentence, signed } from "./format";
import { Actions } from "./moves";
import { Ghost, Title, Trouble, useTabTitle } from "./parts";
import { usePoll } from "./poll";
import { generationLink, newRulesLink } from "./route";

/** All generations: what answers now, what is being built, and what can be switched to. */
export function Rules() {
  useTabTitle("Rules");
  const all = useGenerations();
  const list = all.data?.generations;
  const active = list?.find((g) => g.state === "active");
  return (
    <>
      <header class="head">
        <Title>Rules</Title>
        <a class="button primary" href={newRulesLink()}>Change the rules</a>
      </header>
      <p class="lead">
        Rules say which hits count, and as which page. When they change, everything that was ever recorded is counted anew, beside what is
        shown now. You look at the result, switch to it, and can go back.
      </p>
      {all.error && !list && <Trouble error={all.error} again={all.again} />}
      {!list && !all.error && <div class="card pad"><Ghost tall={96} /></div>}
      {list && <ul class="card generations">{inOrder(list).map((g) => <Row key={g.id} of={g} active={active} changed={all.again} />)}</ul>}
      {list?.length === 1 && <p class="hint below">There is one set of counts. A changed one appears here beside it.</p>}
    </>
  );
}

/** All generations, asked for more often while one of them is on its way. */
export function useGenerations() {
  const calm = usePoll<Generations>("v1/generations", 5000);
  const moving = calm.data?.generations.some(isMoving) ?? false;
  const often = usePoll<Generations>(moving ? "v1/generations" : null, 1000);
  return moving && often.data ? { ...often, again: () => { often.again(); calm.again(); } } : calm;
}

/** Whether a generation is on its way to being ready. */
export const isMoving = (g: Generation): boolean => ["building", "catching-up", "verifying"].includes(g.state);

/** The active one first, then the newest. */
function inOrder(list: Generation[]): Generation[] {
  return [...list].reverse().sort((a, b) => Number(b.state === "active") - Number(a.state === "active"));
}

function Row({ of: g, active, changed }: { of: Generation; active: Generation | undefined; changed: () => void }) {
  return (
    <li class="generation">
      <div class="generation-name">
        <h2><a class="generation-link" href={generationLink(g.id)}>{g.id}</a></h2>
        <StateBadge of={g} />
        <span class="hint">made {dayAndTime(g.created)}{scopeText(g) && ` · counts ${scopeText(g)}`}</span>
      </div>
      <p class={g.state === "failed" ? "problem" : "meaning"}>{meaning(g, active?.id ?? "")}</p>
      {isMoving(g) && <Bar of={g} />}
      <Counted of={g} active={active} />
      <Actions of={g} active={active?.id ?? ""} changed={changed} />
    </li>
  );
}

/** The state as one word or two. */
export function StateBadge({ of: g }: { of: Generation }) {
  const words = { building: "Building", "catching-up": "Catching up", verifying: "Comparing", ready: "Ready", active: "Active", retired: "Kept for going back", failed: "Failed" };
  return <span class={`badge state-${g.state}`}>{g.paused ? "Paused" : words[g.state]}</span>;
}

/** What part of the hits a generation was asked to count anew, "" for all. */
export function scopeText(g: Generation): string {
  const { sites = [], from } = g.scope ?? {};
  if (sites.length === 0 && !from) return "";
  return `${sites.length > 0 ? sites.join(", ") : "all sites"}${from ? ` from ${from}` : ""} anew`;
}

/** What it means that a generation is where it is. */
export function meaning(g: Generation, active: string): string {
  if (g.paused) return "It waits until it is resumed, over restarts too. What it has read is kept.";
  switch (g.state) {
    case "active": return "Every map and every number comes from it.";
    case "building": return `It reads the hits from the first one on. Maps and numbers stay as they are meanwhile.${then(g)}`;
    case "catching-up": return `It reads the hits that came in since it was started.${then(g)}`;
    case "verifying": return `It is compared with ${active}.${then(g)}`;
    case "ready": return "It counts new hits as they come in. Nothing you see changes until you switch to it.";
    case "retired": return `It counts new hits as they come in, so that going back loses nothing.${g.until ? ` It is removed on ${dayAndTime(g.until)}.` : ""}`;
    case "failed": return `${sentence(g.reason || "it could not be built")} Maps and numbers are as before.`;
  }
}

const then = (g: Generation): string => (g.activate ? " When it is ready, it is switched to by itself." : "");

/** How far a generation has read. */
export function Bar({ of: g }: { of: Generation }) {
  const { hits, of, hits_per_second, eta_seconds } = g.progress;
  const share = of > 0 ? Math.min(1, hits / of) : 1;
  return (
    <div class="progress">
      <div class="progress-track" role="progressbar" aria-label={`Hits that ${g.id} has read`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.floor(share * 100)}>
        <i class={g.paused ? "still" : undefined} style={{ width: `${share * 100}%` }} />
      </div>
      <p class="hint">
        {count(hits)} of {plural(of, "hit")} ({Math.floor(share * 100)} %)
        {!g.paused && hits < of && hits_per_second > 0 && ` · ${count(Math.round(hits_per_second))} hits/s`}
        {!g.paused && eta_seconds ? ` · ${duration(eta_seconds)} left` : ""}
      </p>
    </div>
  );
}

/** The counts that matter most, with how they differ from those of the active one where both have read all. */
function Counted({ of: g, active }: { of: Generation; active: Generation | undefined }) {
  const mine = g.counts, theirs = g.state !== "active" && !isMoving(g) ? active?.counts : undefined;
  if (!mine) return null;
  const one = (name: string, key: "hits" | "excluded" | "bots") => (
    <div key={key}>
      <dt>{name}</dt>
      <dd>{count(mine[key])}{theirs && <span class="soft"> {signed(mine[key] - theirs[key]) || "the same"}</span>}</dd>
    </div>
  );
  return <dl class="counted">{one("Hits counted", "hits")}{one("Left out by rules", "excluded")}{one("Of bots", "bots")}</dl>;
}
