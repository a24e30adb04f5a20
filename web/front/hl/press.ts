import { hash, isElement, selector } from "../anchor";
import { ignored, type Watch } from "./alive";
import { guard, type Members, members, px, sizes } from "./page";
import { surroundings } from "./place";
import type { Hit } from "./send";

const fields = "input,select,textarea";

/** What a click event says; one that a script made may lack any of it. */
type Click = Event & Partial<PointerEvent>;

/**
 * Gives the function that makes a hit of each click: of the primary button, of a finger, of a pen, and of a key, which
 * is at the centre of what it pressed. Other buttons make no click event, and do not do what the page offers. A click
 * that the browser passes on from a label to its field is none. frame is the one in which an event came, if it is not the
 * page's own. salt goes into the hashes of texts; without one there are none.
 */
export function presses(watch: Watch, salt: string | null, hit: (json: string) => Hit): (e: Click, frame?: Element) => void {
  let field: EventTarget | null = null; // that the browser clicks next

  return (e, frame) => {
    const path = e.composedPath();
    for (let n: Element | null | undefined = frame; n; n = n.parentElement) path.push(n);
    while ((path[0] as SVGElement).ownerSVGElement) path.shift(); // the parts of a drawing are no elements of the page
    const target = path[0], again = target === field;
    field = null;
    if (again || !isElement(target) || ignored(path)) return;
    field = labelled(path);
    if (field) setTimeout(() => field = null); // it is clicked at once or never

    const box = target.getBoundingClientRect(), pointed = e.detail || e.clientX || e.clientY;
    const left = pointed ? e.clientX! - box.left : box.width / 2, top = pointed ? e.clientY! - box.top : box.height / 2;
    let x = e.pageX!, y = e.pageY!;
    if (frame || !pointed) {
      const outer = frame && frame.getBoundingClientRect();
      x = box.left + left + scrollX + (outer ? outer.left + frame!.clientLeft : 0);
      y = box.top + top + scrollY + (outer ? outer.top + frame!.clientTop : 0);
    }
    if (Math.max(x, y) >= 65536) return; // there is no cell so far out, and another would be wrong
    const trusted = e.isTrusted;
    const h = hit(members(Object.assign(
      {
        kind: "click", x: px(x), y: px(y), ax: share(left, box.width), ay: share(top, box.height), bw: px(box.width), bh: px(box.height),
        pointer: (/^(mouse|touch|pen)$/.exec(e.pointerType!) || [])[0], trusted: trusted && undefined,
      },
      sizes(), around(path, salt),
    )));
    h.undecided = trusted && watch.judge(path, (dead) => {
      if (dead && h.undecided) h.json += ',"dead":true';
      h.undecided = false;
    });
  };
}

/** Anchor and surroundings; a page that has broken what they are read from still has its clicks counted. */
function around(path: readonly EventTarget[], salt: string | null): Members {
  const target = path[0] as Element;
  return guard(() => Object.assign({
    sel: selector(path, salt),
    check: salt && !target.matches(fields) ? hash(target, salt) : undefined,
  }, surroundings(path)))() || {};
}

/** A place in an element's box, with four digits. */
const share = (at: number, size: number): number => Math.min(1, Math.max(0, Math.round(at / size * 1e4) / 1e4 || 0));

/** The field that the browser is about to click because its label was. */
function labelled(path: readonly EventTarget[]): EventTarget | null {
  const label = path.find((n) => isElement(n) && n.matches("label")) as HTMLLabelElement | undefined;
  return label && !path.includes(label.control!) ? label.control : null;
}
