import { guard, make, write } from "./dom";

/** A place where no page has anything. */
const NOWHERE = -1e6;

/** Distance of the tip from the pointer, px. */
const GAP = 16;

/** Tells what lies under a mouse, without being in its way. */
export interface Hover {
  readonly elements: readonly HTMLElement[];
  /** Says it anew: the page or the answer has changed below the pointer. */
  refresh(): void;
  close(): void;
}

/**
 * Makes a Hover. textAt says what is at a place of the viewport, "" for nothing, and is asked about one far outside when the pointer leaves; ringed whether it is about the ring round
 * it; own whether an event's target is the overlay itself.
 */
export function makeHover(textAt: (x: number, y: number) => string, ringed: () => boolean, own: (target: EventTarget | null) => boolean): Hover {
  const ring = make("div", "ring"), tip = make("div", "tip");
  let at: { x: number; y: number } | null = null;
  let frame = 0;

  const move = guard((e: PointerEvent) => {
    at = e.pointerType === "mouse" && !own(e.target) ? { x: e.clientX, y: e.clientY } : null;
    refresh();
  });
  const leave = guard(() => {
    at = null;
    refresh();
  });

  function refresh(): void {
    if (at || !tip.hidden) frame ||= requestAnimationFrame(guard(draw));
  }

  function draw(): void {
    frame = 0;
    const text = textAt(at?.x ?? NOWHERE, at?.y ?? NOWHERE);
    tip.hidden = !at || !text;
    ring.hidden = tip.hidden || !ringed();
    if (!at || !text) return;
    write(tip, text);
    const { x, y } = at, width = tip.offsetWidth, height = tip.offsetHeight;
    const right = x + GAP + width + GAP > innerWidth ? x - GAP - width : x + GAP;
    const below = y + GAP + height + GAP > innerHeight ? y - GAP - height : y + GAP;
    tip.style.transform = `translate(${right}px,${below}px)`;
    ring.style.transform = `translate(${x}px,${y}px)`;
  }

  function close(): void {
    cancelAnimationFrame(frame);
    removeEventListener("pointermove", move, true);
    document.removeEventListener("pointerleave", leave);
  }

  ring.hidden = tip.hidden = true;
  addEventListener("pointermove", move, { capture: true, passive: true });
  document.addEventListener("pointerleave", leave);
  return { elements: [ring, tip], refresh, close };
}
