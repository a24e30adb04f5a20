import { keptAs, type Link, type LinkedScript } from "../link";
import { guard } from "./page";

declare const trustedTypes: {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
};

/**
 * Takes the overlay's token out of the page's fragment, #hl=TOKEN or #hl=TOKEN~FRAGMENT, and puts back the fragment
 * that the page had. If there is one, open gets it.
 */
export function takeToken(open: (token: string) => void): void {
  const [, token, rest] = /^#hl=(hlo_[\w.-]+)(?:~(.*))?$/.exec(location.hash) || [];
  if (!token) return;
  const url = location.href.replace(/#.*/, rest ? "#" + rest : ""), state: unknown = history.state;
  if (rest) location.replace(url); // for the page's own router, and to scroll to what it names: they saw the token's fragment
  history.replaceState(state, "", url);
  open(token);
}

/**
 * The token of an overlay that is open in this tab, and "off" if its owner's hits are not to be counted: the overlay keeps
 * them for the tab's next pages. Visitors have none.
 */
export const keptToken = (site: string): string[] => guard(() => (sessionStorage[keptAs(site)] as string).split(" "))() || [];

/** Loads the overlay, by the nonce by which the page's policy let the tracker's script in, if it did so. */
export function openOverlay(link: Link, by: HTMLScriptElement): void {
  const script: LinkedScript = document.createElement("script");
  script.hl = link;
  script.async = false; // of two the one that was asked for last is to run last
  script.nonce = by.nonce;
  const url = link.base + "hl-view.js";
  // as a page with Trusted Types takes it, if it allows our policy
  script.src = guard(() => trustedTypes.createPolicy("heatlog", { createScriptURL: (u) => u }).createScriptURL(url))() || url;
  document.head.append(script);
}
