// What could not be delivered waits in the local storage of the page's origin for the next page of it, one entry a page load: a line
// a batch, "UNTIL BODY". Who is to send batches takes their entry out first, so that no two pages go on sending the same. All
// of this throws where there is no storage.
import type { Batch } from "./send";

const room = 64 << 10; // characters stored of a page load, with what it has taken over
const most = 100; // batches stored of a page load

/** Takes out the batches of all entries whose names begin so. */
export function takeAll(place: string): Batch[] {
  const batches: Batch[] = [];
  for (const key of Object.keys(localStorage).filter((k) => k.startsWith(place))) {
    for (const line of localStorage[key].split("\n")) batches.push({ until: +line.slice(0, 13), flying: 0, body: line.slice(14) }); // the time has 13 digits until 2286
    delete localStorage[key];
  }
  return batches;
}

/**
 * Stores batches as an entry, in place of what it was before, and gives its name, "" if there is no room for it. Of a batch that there
 * is no room for only is stored how many hits it has, as one that it is too late for.
 */
export function keep(name: string, batches: Batch[]): string {
  let left = room;
  try {
    localStorage[name] = batches.map(({ until, body }, i) =>
      i < most && (left -= body.length) > 0 ? until + " " + body : 1e12 + " " + body.match(/{"age":/g),
    ).join("\n");
    return name;
  } catch {
    takeAll(name); // else the next page would send again what this one delivers
    return "";
  }
}
