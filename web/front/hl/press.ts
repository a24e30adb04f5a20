import { ignored, type Watch } from "./alive";
import { selector } from "./name";
import { isElement, type Members, members, now, px, sizes } from "./page";
import { surroundings } from "./place";
import type { Hit } from "./send";

/** What a click event says; one that a script made may lack any of it. */
type Click = Event & Partial<PointerEvent>;

/**
 * Gives the function that makes a hit of each click: of the primary button, of a finger, of a pen, and of a key, which
 * is at the centre of what it pressed. Other buttons make no click event, and do not do what the page offers. A click
 * that the browser passes on from a label to its field is none.
 */
export function presses(watch: Watch, hit: (json: string) => Hit): (e: Click) => void {
  const rage = burst();
  let field: EventTarget | null = null; // that the browser clicks next

  return (e) => {
    const path = e.composedPath().filter((n) => isElement(n) || n instanceof ShadowRoot);
    while ((path[0] as SVGElement | undefined)?.ownerSVGElement) path.shift(); // the parts of a drawing are no elements of the page
    const target = path[0], again = target === field;
    field = null;
    if (again || !isElement(target) || ignored(path)) return;
    field = labelled(path);
    if (field) setTimeout(() => field = null); // it is clicked at once or never

    const box = target.getBoundingClientRect(), pointed = e.detail || e.clientX || e.clientY;
    const left = pointed ? e.clientX! - box.left : box.width / 2, top = pointed ? e.clientY! - box.top : box.height / 2;
    const right = pointed ? e.pageX! : box.left + scrollX + left, below = pointed ? e.pageY! : box.top + scrollY + top;
    if (Math.max(right, below) >= 65536) return; // there is no cell so far out, and another would be wrong
    const x = px(right), y = px(below);
    const trusted = e.isTrusted;
    const h = hit(members(Object.assign(
      { kind: "click", x, y }, sizes(),
      { ax: share(left, box.width), ay: share(top, box.height), bw: px(box.width), bh: px(box.height) },
      around(path),
      {
        pointer: /^(mouse|touch|pen)$/.test(e.pointerType!) ? e.pointerType : undefined,
        trusted: trusted ? undefined : false,
        rage: trusted && rage(x, y) || undefined,
      },
    )));
    h.undecided = trusted && watch.judge(path, (dead) => {
      if (dead && h.undecided) h.json += ',"dead":true';
      h.undecided = false;
    });
  };
}

/** Selector and surroundings; a page that has broken what they are read from still has its clicks counted. */
function around(path: readonly EventTarget[]): Members {
  try {
    return Object.assign({ sel: selector(path) }, surroundings(path));
  } catch {
    return {};
  }
}

/** A place in an element's box, with four digits. */
const share = (at: number, size: number): number => Math.min(1, Math.max(0, Math.round(at / size * 1e4) / 1e4 || 0));

/** The field that the browser is about to click because its label was. */
function labelled(path: readonly EventTarget[]): EventTarget | null {
  const label = path.find((n) => n instanceof HTMLLabelElement) as HTMLLabelElement | undefined;
  return label && !path.includes(label.control!) ? label.control : null;
}

/** Gives the function that says of each click whether it is the third within a second and 24 px. A click is in one burst only. */
function burst(): (x: number, y: number) => boolean {
  type Spot = readonly [x: number, y: number, at: number];
  const near = (a: Spot, b: Spot) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 <= 576;
  let recent: Spot[] = [];
  return (x, y) => {
    const spot = [x, y, now()] as const;
    recent = recent.filter((c) => spot[2] - c[2] <= 1000);
    const [a, b] = recent.filter((c) => near(c, spot)).slice(-2), full = !!b && near(a!, b);
    recent = full ? recent.filter((c) => c !== a && c !== b) : recent.concat([spot]);
    return full;
  };
}
