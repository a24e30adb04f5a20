import { keptAs, type Link, type LinkedScript } from "../link";
import { guard } from "./page";

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/**
 * Takes the overlay's token out of the page's fragment, #hl=TOKEN or #hl=TOKEN~FRAGMENT, and puts back the fragment
 * that the page had. Gives the token, "" if there is none.
 */
export function takeToken(): string {
  const [, token, rest] = /^#hl=(hlo_[\w.-]+)(?:~(.*))?$/.exec(location.hash) || [];
  if (!token) return "";
  const url = location.href.replace(/#.*/, rest ? "#" + rest : ""), state: unknown = history.state;
  if (rest) location.replace(url); // for the page's own router, and to scroll to what it names: they saw the token's fragment
  history.replaceState(state, "", url);
  return token;
}

/**
 * The token of an overlay that is open in this tab, and whether its owner's hits are not to be counted: the overlay keeps
 * them for the tab's next pages. Visitors have none.
 */
export function keptToken(site: string): [token: string, uncounted: boolean] {
  const [, token = "", off] = /^(hlo_[\w.-]+)( off)?$/.exec(guard(() => sessionStorage.getItem(keptAs(site)))()!) || [];
  return [token, !!off];
}

/** Loads the overlay. nonce is the one by which the page's policy let this script in, if it did so. */
export function openOverlay(link: Link, nonce: string): void {
  const script: LinkedScript = document.createElement("script");
  script.hl = link;
  script.nonce = nonce;
  script.src = trusted(link.base + "hl-view.js");
  document.head.append(script);
}

/** A script's URL as a page with Trusted Types takes it, if it allows our policy. */
function trusted(url: string): string {
  return guard(() => (window as unknown as { trustedTypes: Policies }).trustedTypes.createPolicy("heatlog", { createScriptURL: (u) => u })
    .createScriptURL(url))() || url;
}
