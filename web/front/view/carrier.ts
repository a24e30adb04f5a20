import { frameOf, parentOf } from "./dom";

/** A rectangle of the viewport, px. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What elements move with: the page, a frame, a box that scrolls, an element that is fixed or sticks. */
export interface Carrier {
  /** null for the page. */
  readonly element: Element | null;
  /** What the carrier itself is in, null for the page and what is fixed. */
  readonly outer: Carrier | null;
  /** Whether it stands before what the page shows there. */
  readonly before: boolean;
  /** Where its own place (0, 0) is in the viewport now, px. */
  origin(): readonly [x: number, y: number];
  /** What of it can be seen now; null for all. */
  clip(): Box | null;
}

export const page: Carrier = { element: null, outer: null, before: false, origin: () => [-scrollX, -scrollY], clip: () => null };

/** Where an element is in the viewport of the page, px, also one in a frame. */
export function boxOf(e: Element): Box {
  let { left, top, right, bottom } = e.getBoundingClientRect();
  for (let f = frameOf(e); f; f = frameOf(f)) {
    const outer = f.getBoundingClientRect(), x = outer.left + f.clientLeft, y = outer.top + f.clientTop;
    [left, top, right, bottom] = [left + x, top + y, right + x, bottom + y];
  }
  return { left, top, right, bottom };
}

/** Makes the function that gives an element's carrier. It remembers those that it made, as styles take long to read. */
export function carriers(): (e: Element) => Carrier {
  const known = new Map<Element, Carrier>();

  /** The carrier of what an element holds. */
  function inside(e: Element): Carrier {
    let c = known.get(e);
    if (!c) {
      const style = getComputedStyle(e);
      c = scrolls(e, style) || e.localName === "iframe" ? scroller(e, of(e)) : of(e);
      known.set(e, c);
    }
    return c;
  }

  const stuck = new Map<Element, Carrier>();

  /** The carrier of an element's own box. */
  function of(e: Element): Carrier {
    const { position, backgroundColor } = getComputedStyle(e);
    if (position === "fixed" || position === "sticky") {
      let c = stuck.get(e);
      if (!c) {
        const outer = position === "fixed" ? null : parentCarrier(e);
        stuck.set(e, c = fixture(e, outer, !/rgba\(.*, 0\)|transparent/.test(backgroundColor)));
      }
      return c;
    }
    return parentCarrier(e);
  }

  function parentCarrier(e: Element): Carrier {
    const parent = parentOf(e);
    return parent ? inside(parent) : page;
  }

  return of;
}

function fixture(element: Element, outer: Carrier | null, before: boolean): Carrier {
  const origin = () => {
    const { left, top } = boxOf(element);
    return [left, top] as const;
  };
  return { element, outer, before, origin, clip: () => outer && outer.clip() };
}

function scroller(element: Element, outer: Carrier): Carrier {
  const view = (element as HTMLIFrameElement).contentWindow;
  const origin = () => {
    const { left, top } = boxOf(element);
    const [x, y] = view ? [view.scrollX, view.scrollY] : [element.scrollLeft, element.scrollTop];
    return [left + element.clientLeft - x, top + element.clientTop - y] as const;
  };
  const clip = () => {
    const box = boxOf(element), left = box.left + element.clientLeft, top = box.top + element.clientTop, c = outer.clip();
    const own = { left, top, right: left + element.clientWidth, bottom: top + element.clientHeight };
    return c ? { left: Math.max(c.left, own.left), top: Math.max(c.top, own.top), right: Math.min(c.right, own.right), bottom: Math.min(c.bottom, own.bottom) } : own;
  };
  return { element, outer, before: false, origin, clip };
}

/** Whether an element cuts off what it holds. What scrolls a document itself does not: its frame does, or the window. */
function scrolls(e: Element, style: CSSStyleDeclaration): boolean {
  const { documentElement, scrollingElement, body } = e.ownerDocument;
  if (e === documentElement || e === scrollingElement || (e === body && !e.scrollTop)) return false;
  return style.overflow !== "visible" && (e.scrollHeight > e.clientHeight || e.scrollWidth > e.clientWidth);
}
