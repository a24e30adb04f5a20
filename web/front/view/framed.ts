import type { FrameHere, FrameNews, FrameOrder } from "../frame";
import type { Link } from "../link";
import { guard } from "./dom";
import type { Panel } from "./panel";
import { partsOf } from "./question";

/** The app around a page in its frame. */
export interface Frame {
  /** In the place of the panel: the app has its own. */
  readonly panel: Panel;
  /** What the app wants now. */
  order(): FrameOrder;
  /** Tells the app more of what is shown. */
  tell(news: Partial<FrameNews>): void;
  /** Called at each order from now on. */
  follow(ordered: (o: FrameOrder) => void): void;
}

/**
 * Asks who has this page in a frame what to show, and calls open when it is the app that answers: who knows the link's
 * token. A newer token from it opens the overlay anew, which gives how to close it. Gives how to stop. What is done in
 * the app's frame is not recorded: it is no visitor who looks.
 */
export function awaitApp(link: Link, open: (now: Link, frame: Frame) => () => void): () => void {
  const here: FrameHere = { hl: "here" };
  let [token] = partsOf(link.token), close: (() => void) | null = null;
  const shown = link.token.slice(token.length);
  let order: FrameOrder | null = null, origin = "", ordered: (o: FrameOrder) => void = () => {};
  let news: FrameNews = { hl: "shown", page: "", life: "late", figures: [], notice: null, sampled: null, absent: { hits: 0, elements: [] } };
  let told = "";

  function tell(some: Partial<FrameNews>): void {
    news = { ...news, ...some };
    const now = JSON.stringify(news);
    if (now !== told) parent.postMessage(news, origin);
    told = now;
  }

  const hear = guard(({ data, source, origin: from }: MessageEvent) => {
    if (source !== parent || data?.hl !== "show" || ![data.token, ...(data.before ?? [])].includes(token)) return;
    order = data as FrameOrder;
    origin = from;
    if (!close || order.token !== token) {
      close?.();
      token = order.token;
      link.record(false);
      close = open({ ...link, token: token + shown, recording: false }, { panel, order: () => order!, tell, follow: (f) => (ordered = f) });
    } else {
      told = "";
      ordered(order);
    }
    tell({});
  });

  const panel: Panel = {
    element: null,
    choices() {},
    scope() {},
    widths() {},
    fold() {},
    reading() {},
    playing() {},
    figures: (f) => tell({ figures: f.numbers, notice: null, sampled: f.sampled ?? null }),
    notice: ({ title, text }) => tell({ figures: [], notice: { title, text }, sampled: null }),
    life: (life) => tell({ life: life === "held" ? "live" : life }),
  };

  addEventListener("message", hear);
  parent.postMessage(here, "*");
  return () => {
    removeEventListener("message", hear);
    close?.();
  };
}
