import { isElement, selector } from "../anchor";
import { type Members, px } from "./page";

/** Where an element stands: what of a hit is about the elements around it. */
export function surroundings(path: readonly EventTarget[]): Members {
  let box: Element | undefined, fixed = false;
  for (const e of path) {
    if (!isElement(e)) continue;
    const { position, overflow } = getComputedStyle(e);
    // what scrolls the page itself is no box; the overflow of body is mostly the viewport's, only one that has been scrolled is its own
    if (e !== document.scrollingElement && (e.scrollTop || e.scrollLeft || e !== document.body && /auto|scroll/.test(overflow))) {
      box = box || e;
      fixed = false; // it sticks to this box, not to the page
    }
    fixed = fixed || /fixed|sticky/.test(position);
    if (position === "fixed") break;
  }
  return { fixed: fixed || undefined, in: box && selector(path.slice(path.indexOf(box))), ix: box && px(box.scrollLeft), iy: box && px(box.scrollTop) };
}
