/** What the tracker hands to the overlay that it loads, as the property `hl` of the overlay's script element. */
export interface Link {
  /**
   * Read token for the site, `hlo_…`, which goes into the Authorization header and nowhere else; behind it, where another
   * generation than the active one is to be shown, `.` and its name, and where it is to be compared with one, `-` and that
   * one's: `.g2`, `.g2-g1`, `.-g1`.
   */
  readonly token: string;
  /** Key of the site, from `data-site`. */
  readonly site: string;
  /** Absolute URL of the folder that hl.js came from, with a trailing slash: routes are `new URL("v1/…", base)`. */
  readonly base: string;
  /** Whether hits of this visitor are recorded now; true until `record(false)`. */
  readonly recording: boolean;
  /** Turns recording on or off. What waits when it is turned off is sent still; to turn it on again begins another view of the page. */
  record(on: boolean): void;
}

/** The script element of the overlay: `(document.currentScript as LinkedScript).hl`. */
export interface LinkedScript extends HTMLScriptElement {
  hl?: Link;
}

/** Marks elements, with all they hold, that are never recorded and whose changes are no answer to a click. */
export const IGNORE = "data-hl-ignore";

/** Where the session storage of a tab has the token of an open overlay, and " off" behind it if this tab's hits are not counted. */
export const keptAs = (site: string): string => "hl:" + site;
