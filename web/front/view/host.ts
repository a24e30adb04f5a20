import { IGNORE } from "../link";
import { guard, make } from "./dom";
import { sheet } from "./style";

/** The element of the overlay: beside the page's body, in the top layer, styled by no one else. */
export interface Host {
  readonly root: ShadowRoot;
  /** Where the viewport is and its size, client px: a browser may move fixed elements while pinch-zoomed. */
  box(): DOMRect;
  /** Reports whether an event's target is the overlay. */
  owns(target: EventTarget | null): boolean;
  close(): void;
}

/** What the host element is whatever the page's style sheets say: important properties of an element itself win over all of them. */
const HOST_STYLE =
  "all:initial;direction:ltr;unicode-bidi:normal;display:block;position:fixed;inset:0;contain:layout style;pointer-events:none;z-index:2147483647;"
    .replace(/;/g, "!important;");

/** Events that concern the panel alone: the page's own listeners get none that began in it. */
const OWN_EVENTS =
  "click dblclick auxclick contextmenu mousedown mouseup pointerdown pointerup touchstart touchend keydown keyup keypress input wheel focusin focusout"
    .split(" ");

/** Puts a host into the page, and keeps it there. */
export function openHost(): Host {
  const element = make("div"), root = element.attachShadow({ mode: "closed" });
  const observer = new MutationObserver(guard(watch));
  let frame = 0, covered = false, closed = false;

  /** Puts the element where it belongs, in the state that it must have. */
  function settle(): void {
    frame = 0;
    if (closed) return;
    observer.disconnect();
    const page = document.documentElement;
    if (element.parentNode !== page) page.append(element);
    for (const copy of document.querySelectorAll(`html>[${IGNORE}][popover]`)) {
      if (copy !== element) copy.remove(); // a page that copies itself has no copy of what is in ours
    }
    restore();
    rise();
    observer.observe(document, { childList: true });
    observer.observe(page, { childList: true });
    observer.observe(element, { attributes: true });
  }

  /** Undoes what the page did to the element's attributes. */
  function restore(): void {
    for (const name of element.getAttributeNames()) {
      if (name !== IGNORE && name !== "style" && name !== "popover") element.removeAttribute(name);
    }
    element.setAttribute(IGNORE, "");
    element.style.cssText = HOST_STYLE;
  }

  /** Settles in the next frame, not at once: a page that removes what it does not know would go on for ever with us. */
  function watch(): void {
    frame ||= requestAnimationFrame(guard(settle));
  }

  /** Goes to the top layer, and to its top if the page has opened something over it. Without popovers the z-index has to do. */
  function rise(): void {
    if (!("popover" in element)) return;
    if (element.popover !== "manual") element.popover = "manual";
    const open = element.matches(":popover-open");
    if (open && covered) element.hidePopover();
    if (!open || covered) element.showPopover();
    covered = false;
  }

  const toggled = guard((e: Event) => {
    if (e.target === element || e.target instanceof HTMLDetailsElement || (e as ToggleEvent).newState !== "open") return;
    covered = true;
    watch();
  });

  function close(): void {
    closed = true;
    observer.disconnect();
    document.removeEventListener("toggle", toggled, true);
    element.remove();
  }

  dress(root);
  for (const type of OWN_EVENTS) element.addEventListener(type, (e) => e.stopPropagation(), { passive: true });
  document.addEventListener("toggle", toggled, true);
  settle();
  return { root, box: () => element.getBoundingClientRect(), owns: (target) => target === element, close };
}

/** Gives a shadow root its style sheet. A constructed one needs no permission of the page's policy. */
function dress(root: ShadowRoot): void {
  try {
    const own = new CSSStyleSheet();
    own.replaceSync(sheet);
    root.adoptedStyleSheets = [own];
  } catch {
    root.append(make("style", "", {}, sheet));
  }
}
