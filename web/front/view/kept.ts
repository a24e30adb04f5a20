import { keptAs, type Link } from "../link";

/** Lets the overlay open on the next pages of this tab too, until it is forgotten or its token has expired. */
export const keepOpen = (link: Link): void => store((s) => s.setItem(keptAs(link.site), link.token + (link.recording ? "" : " off")));

/** Keeps the overlay from opening on the next pages. */
export const forgetOpen = (site: string): void => store((s) => s.removeItem(keptAs(site)));

/** Uses the tab's storage, where the page may have one. */
function store(use: (s: Storage) => void): void {
  try {
    use(sessionStorage);
  } catch {
    // then the overlay is open on this page alone
  }
}
