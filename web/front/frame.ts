import type { Choices } from "./view/question";

// How the app and the overlay on a page in its frame talk to each other, by postMessage. The overlay says that it is here,
// which tells nobody anything. Who answers with the token of the page's link is the app, and hears what is shown.

/** The overlay of a page in a frame is here and wants to be told what to show. */
export interface FrameHere {
  readonly hl: "here";
}

/** What the app wants the overlay in its frame to show. */
export interface FrameOrder {
  readonly hl: "show";
  /** The token to read with: of the link that the page was opened by, or a newer one in its place. */
  readonly token: string;
  /** Tokens that came before it, by one of which the overlay knows who speaks. */
  readonly before?: readonly string[];
  readonly choices: Pick<Choices, "map" | "clicks" | "compare" | "given">;
  /** Hits from windows of all widths, else of the group of widths that the frame's is in. */
  readonly allWidths: boolean;
  /** 0.1 to 1. */
  readonly opacity: number;
  /** Whether elements have their rank and share on them. */
  readonly numbers: boolean;
}

/** What the overlay in the frame shows. */
export interface FrameNews {
  readonly hl: "shown";
  /** The page as the server counts it, "" before there is an answer. */
  readonly page: string;
  /** How the connection is: off = it asks no more. */
  readonly life: "live" | "late" | "off";
  /** Numbers of the answer as [name, value]; none where there is a notice. */
  readonly figures: readonly (readonly [string, string])[];
  readonly notice: { readonly title: string; readonly text: string } | null;
  /** Share of page loads that are recorded, where that is not all. */
  readonly sampled: number | null;
  /** Elements that have hits and are not drawn, those with the most first, and the hits of all such. */
  readonly absent: { readonly hits: number; readonly elements: readonly { readonly name: string; readonly why: string; readonly hits: number }[] };
}
