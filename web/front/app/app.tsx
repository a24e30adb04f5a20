import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { AddSite } from "./addsite";
import { reachable, send, session, type Session, type Site } from "./api";
import { Open } from "./open";
import { PageView } from "./page";
import { Mark, Title, Trouble, useTabTitle } from "./parts";
import { GenerationView } from "./generation";
import { NewRules } from "./newrules";
import { forget, usePoll, useReturn, type Polled } from "./poll";
import { go, newLink, rulesLink, useRoute, useScroll, type PageRoute, type SiteRoute } from "./route";
import { Rules } from "./rules";
import { SignIn } from "./signin";
import { SiteView } from "./site";
import { Sites } from "./sites";
import { useStore } from "./store";

/** The whole app. */
export function App() {
  const who = useStore(session);
  return (
    <>
      <Offline />
      {who === undefined && <Start />}
      {who === null && <SignIn />}
      {who && <Inside who={who} />}
    </>
  );
}

/** Finds out whether somebody is signed in. */
function Start() {
  const { data, error, again } = usePoll<Session>("v1/session", 3000);
  useEffect(() => {
    if (data) session.set(data);
  }, [data]);
  // A server that does not answer is the banner's matter.
  return <main class="start">{error && error.status > 0 && error.status !== 401 ? <Trouble error={error} again={again} /> : <Mark />}</main>;
}

function Offline() {
  useReturn();
  if (useStore(reachable)) return null;
  return <p class="offline" role="status"><span class="lamp" /> The server does not answer. Trying again…</p>;
}

function Inside({ who }: { who: Session }) {
  const sites = usePoll<{ sites: Site[] }>("v1/sites", 15_000);
  return (
    <>
      <div class="top">
        <a class="home" href="#/"><Mark /> heatlog</a>
        <Menu />
      </div>
      <main><View who={who} sites={sites} /></main>
      <footer>heatlog {who.version}</footer>
    </>
  );
}

function Menu() {
  const { view } = useRoute();
  const here = view === "rules" || view === "newRules" || view === "generation";
  return (
    <nav class="menu" aria-label="heatlog">
      <a href={rulesLink} aria-current={here ? "page" : undefined}>Rules</a>
      <button type="button" class="button small" onClick={signOut}>Sign out</button>
    </nav>
  );
}

async function signOut(): Promise<void> {
  try {
    await send("DELETE", "v1/session");
  } catch {
    if (!reachable.value) return; // still signed in: the banner says why
  }
  forget();
  session.set(null);
  go("#/");
}

function View({ who, sites }: { who: Session; sites: Polled<{ sites: Site[] }> }) {
  const route = useRoute();
  const place = placeOf(route);
  useScroll(place);
  switch (route.view) {
    case "sites": return <Sites sites={sites} who={who} />;
    case "new": return <AddSite proposed={route.key} known={sites.data?.sites ?? []} added={sites.again} />;
    case "site":
    case "page": return <OfSite key={place} who={who} sites={sites} route={route} />;
    case "open": return <Open key={route.url} url={route.url} sites={sites} />;
    case "rules": return <Rules />;
    case "newRules": return <NewRules key={route.like} like={route.like} sites={sites.data?.sites ?? []} />;
    case "generation": return <GenerationView key={route.id} id={route.id} sites={sites.data?.sites ?? []} />;
    case "none": return <Lost head="Nothing here" text="The address names no view of heatlog." />;
  }
}

/** What a route shows, without its filters. */
function placeOf(route: ReturnType<typeof useRoute>): string {
  switch (route.view) {
    case "page": return `${route.key} ${route.url}`;
    case "site": return route.key;
    case "generation": return `rules ${route.id}`;
    default: return route.view;
  }
}

function OfSite({ who, sites, route }: { who: Session; sites: Polled<{ sites: Site[] }>; route: SiteRoute | PageRoute }) {
  const site = sites.data?.sites.find((s) => s.key === route.key);
  if (!site && sites.error) return <Trouble error={sites.error} again={sites.again} />;
  if (!site && !sites.data) return null;
  if (!site) {
    return <Lost head={`There is no site “${route.key}”`} text="It may be on another server, or its key is spelled differently."><a class="button" href={newLink(route.key)}>Add it</a></Lost>;
  }
  return route.view === "site" ? <SiteView site={site} route={route} who={who} changed={sites.again} /> : <PageView site={site} route={route} />;
}

function Lost({ head, text, children }: { head: string; text: string; children?: ComponentChildren }) {
  useTabTitle(head);
  return (
    <div class="card empty">
      <Title>{head}</Title>
      <p>{text}</p>
      <div class="actions"><a class="button primary" href="#/">All sites</a>{children}</div>
    </div>
  );
}
