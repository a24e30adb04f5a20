/** How a heatlog server's script is added to a page. What is left out is as the script has it by itself. */
export interface Options {
  /** Address of the script, such as "https://maps.shop.example/hl.js"; with Trusted Types a TrustedScriptURL of it. */
  src: string | TrustedURL;
  /** Key of the site: 1 to 32 of a-z, 0-9 and "-". */
  site: string;
  /** Tags of every hit, such as "variant:b": up to 16, of 1 to 64 bytes, without a comma. */
  tags?: readonly string[];
  /** false: clicked elements are not told apart by a hash of their text. */
  check?: boolean;
  /** The share of page loads that is recorded, 0.000001 to 0.999999; answers then say that they are from a share. 1 is all. */
  sample?: number;
  /** "required": nothing is recorded until consent(true). */
  consent?: "required";
  /** Signals of browsers by which nothing is recorded: Global Privacy Control, Do Not Track. */
  respect?: readonly ("gpc" | "dnt")[];
  /** false: hits that cannot be sent are not kept in the local storage of the origin until they can. */
  store?: boolean;
  /** Nonce of the page's Content-Security-Policy. */
  nonce?: string;
  /** Hash of the script for Subresource Integrity, such as "sha384-…". It is another one after each update of the server. */
  integrity?: string;
}

/** A TrustedScriptURL of Trusted Types. */
export interface TrustedURL {
  toString(): string;
  toJSON(): string;
}

export interface Tag {
  /**
   * Says whether visitors let themselves be recorded. It may be called at any time: before the script has loaded the last call is
   * remembered until then. Where there is no document it does nothing.
   */
  consent(on: boolean): void;
}

/**
 * Adds the script to the page, unless it is there for that site already, and gives what speaks to it. Where there is no document, as
 * in a server that renders pages, it only checks the options. The error is a TypeError that names the option.
 */
export function install(options: Options): Tag;
