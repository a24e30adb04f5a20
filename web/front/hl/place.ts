import { isElement, selector } from "../anchor";
import { type Members, px } from "./page";

/** Where an element stands: what of a hit is about the elements around it. */
export function surroundings(path: readonly EventTarget[]): Members {
  let box: Element | undefined, at = 0, fixed = false, sticky = false;
  path.forEach((e, i) => {
    if (!isElement(e) || fixed) return;
    const style = getComputedStyle(e);
    if (scrolls(e, style)) {
      if (!box) [box, at] = [e, i];
      sticky = false; // it sticks to this box, not to the page
    }
    fixed = style.position === "fixed";
    sticky = sticky || style.position === "sticky";
  });
  return {
    fixed: fixed || sticky || undefined,
    in: box && selector(path.slice(at)), ix: box && px(box.scrollLeft), iy: box && px(box.scrollTop),
  };
}

/** Whether an element scrolls what it holds. What scrolls the page itself is none. */
function scrolls(e: Element, style: CSSStyleDeclaration): boolean {
  if (e === document.documentElement || e === document.scrollingElement) return false;
  const moved = e.scrollTop || e.scrollLeft;
  // the overflow of body is mostly the viewport's; only a body that has been scrolled is a box of its own
  return !!moved || e !== document.body && /auto|scroll/.test(style.overflow) &&
    (e.scrollHeight > e.clientHeight || e.scrollWidth > e.clientWidth);
}
