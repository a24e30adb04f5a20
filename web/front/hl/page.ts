/** Milliseconds of a clock that never goes back. */
export const now = (): number => performance.now();

/** A length as hits have it: whole CSS px, 0 to 65535. */
export const px = (v: number): number => Math.min(65535, Math.max(0, Math.floor(v) || 0));

/** Whether anybody can see the page. */
export const visible = (): boolean => document.visibilityState !== "hidden";

/** Makes a function that never throws but gives undefined then: what fails here must not be the page's trouble. */
export function guard<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R | undefined {
  return (...args) => {
    try {
      return fn(...args);
    } catch {
      return undefined; // nobody here could do anything about it
    }
  };
}

/** Calls fn in ms milliseconds. */
export const later = (fn: () => void, ms: number): number => setTimeout(guard(fn), ms) as unknown as number;

/** Listens to events of the window or another target, named with spaces between them, before the page does and without holding it up. */
export function listen(names: string, fn: (e: Event) => unknown, target: EventTarget = window): void {
  for (const name of names.split(" ")) target.addEventListener(name, guard(fn), { capture: true, passive: true });
}

/** What a JSON object holds; what is undefined is left out. */
export type Members = Record<string, string | number | boolean | undefined>;

/** The members of a JSON object as text, each after a comma. */
export function members(o: Members): string {
  return Object.keys(o).map((name) => {
    const v = o[name];
    return v === undefined ? "" : `,"${name}":` + (typeof v === "string" ? quote(v) : v);
  }).join("");
}

/**
 * A JSON string. JSON.stringify is not used anywhere, as old libraries give Array.prototype a toJSON that breaks it.
 * Lone surrogates are left to the encoder of the request, which replaces them.
 */
export function quote(s: string): string {
  return '"' + s.replace(/[\u0000-\u001f"\\]/g, (c) => "\\u" + ("000" + c.charCodeAt(0).toString(16)).slice(-4)) + '"';
}

/** Viewport and document, CSS px. */
export type Sizes = {
  vw: number;
  vh: number;
  dw: number;
  dh: number;
};

/** Measures viewport and document. It may make the browser lay the page out. */
export function sizes(): Sizes {
  const root = document.documentElement;
  return { vw: px(innerWidth), vh: px(innerHeight), dw: px(root.scrollWidth), dh: px(root.scrollHeight) };
}

/** An id that no other view, page or tab has. */
export const unique = (): string => Math.random().toString(36).slice(2) + Date.now();
