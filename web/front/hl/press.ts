import { hash, isElement, selector } from "../anchor";
import { first, ignored, type Watch } from "./alive";
import { guard, members, px, share, sizes } from "./page";
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
export function presses(watch: Watch, salt: string, hit: (json: string) => Hit): (e: Click, frame?: Element) => void {
  let field: EventTarget | null = null; // that the browser clicks next

  return (e, frame) => {
    const path = e.composedPath();
    for (let n: Element | null | undefined = frame; n; n = n.parentElement) path.push(n);
    while ((path[0] as SVGElement).ownerSVGElement) path.shift(); // the parts of a drawing are no elements of the page
    const target = path[0], again = target === field;
    field = null;
    if (again || !isElement(target) || ignored(path)) return;
    const label = first(path, "label") as HTMLLabelElement | undefined;
    if (label && !path.includes(label.control!)) {
      field = label.control;
      setTimeout(() => field = null); // it is clicked at once or never
    }

    const trusted = e.isTrusted, box = target.getBoundingClientRect(), pointed = e.detail || e.clientX || e.clientY;
    const left = pointed ? e.clientX! : box.left + box.width / 2, top = pointed ? e.clientY! : box.top + box.height / 2; // in its window
    let x = left + pageXOffset, y = top + pageYOffset;
    if (frame) {
      const outer = frame.getBoundingClientRect();
      x += outer.left + frame.clientLeft;
      y += outer.top + frame.clientTop;
    }
    if (Math.max(x, y) >= 65536) return; // there is no cell so far out, and another would be wrong
    const h = hit(members(
      {
        kind: "click", x: px(x), y: px(y), ax: share(left - box.left, box.width), ay: share(top - box.top, box.height), bw: px(box.width), bh: px(box.height),
        pointer: trusted && e.pointerType || undefined, trusted: trusted && undefined,
      },
      sizes(),
      // a page that has broken what these are read from still has its clicks counted
      guard(() => ({ sel: selector(path, salt), check: salt && !target.matches(fields) ? hash(target, salt) : undefined }))(), guard(surroundings)(path),
    ));
    h.undecided = trusted && watch.judge(path, (dead) => {
      if (dead) h.json += ',"dead":true';
      h.undecided = false;
    });
  };
}
