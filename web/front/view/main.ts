// The overlay: heat on the living page that it is loaded into. Its script element brings what it may read.

import type { LinkedScript } from "../link";
import { openView } from "./view";

/** Where an open overlay leaves how to close it, so that a second one takes its place. */
const OPEN = Symbol.for("heatlog.view");

type Place = { [OPEN]?: () => void };

function start(): void {
  const link = (document.currentScript as LinkedScript | null)?.hl;
  if (!link) return;
  const place = window as unknown as Place;
  place[OPEN]?.();
  place[OPEN] = openView(link, () => delete place[OPEN]);
}

try {
  start();
} catch {
  // the page is not to know
}
