/** Milliseconds of a clock that never goes back. */
export const now = (): number => performance.now();

/** A whole number from 0 to most; 0 if it is none. */
const clamp = (v: number, most: number): number => Math.min(most, Math.max(0, v | 0));

/** A length as hits have it: whole CSS px, 0 to 65535. */
export const px = (v: number): number => clamp(v, 65535);

/** A place in an element's box, 0 to 1 with four digits. */
export const share = (at: number, size: number): number => clamp(at / size * 1e4 + 0.5, 1e4) / 1e4;

/** Whether anybody can see the page. */
export const visible = (): boolean => !document.hidden;

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

/** The members of JSON objects as text, each after a comma. */
export function members(...objects: (Members | undefined)[]): string {
  return Object.entries(Object.assign({}, ...objects) as Members).map(([name, v]) =>
    v == null ? "" : `,"${name}":` + (typeof v === "string" ? quote(v) : v),
  ).join("");
}

/**
 * A JSON string of one without control characters. JSON.stringify is not used anywhere, as old libraries give Array.prototype
 * a toJSON that breaks it. Lone surrogates are left to the encoder of the request, which replaces them.
 */
export const quote = (s: string): string => '"' + s.replace(/["\\]/g, "\\$&") + '"';

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
export const unique = (): string => Math.random() + "" + Date.now();
