import { isElement, isShadow } from "../anchor";
import { IGNORE } from "../link";
import { later, listen, now } from "./page";

const patience = 900; // ms that a page has to answer a click

/** Elements that answer in ways that cannot be seen from outside, or by being what they are. */
const answering = "a[href],area,input,select,textarea,option,label,summary,video,audio,canvas,iframe,[contenteditable]";

const never = -1e9;
const marked = `[${IGNORE}]`;

type Path = readonly EventTarget[];

export interface Watch {
  /** Tells that the page did something. */
  sign(): void;
  /**
   * Calls fn when it is known whether the page answered a click. If that is of no use, as the click is one that is answered
   * anyhow, it gives false and does not.
   */
  judge(path: Path, fn: (dead: boolean) => void): boolean;
}

/**
 * Watches whether the page answers to clicks: by a change of the document, a scroll, a focus or selection that is not the
 * click's own, a field's change, a navigation or another window. It looks from when the pointer goes down, as menus open
 * then. What happens inside of ignored elements is no answer.
 */
export function watch(): Watch {
  let last = -1; // when the page did something
  let down = never, looking = 0; // when the pointer went down for the next click
  let path: Path = [];
  const changes = new MutationObserver((records) => {
    if (records.some(counts)) sign();
  });

  function sign(): void {
    last = now();
  }

  function look(at: Path): void {
    path = at;
    for (const root of [document, ...at.filter(isShadow)] as Node[])
      changes.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    looking++;
    later(() => --looking || changes.disconnect(), patience + 100);
  }

  function judge(at: Path, fn: (dead: boolean) => void): boolean {
    if (selected() || first(at, answering) || at.some(closed)) return false;
    if (!path.includes(at[0]!) || now() - down > 5000) down = now();
    look(at);
    const since = down;
    down = never;
    later(() => fn(last < since), patience);
    return true;
  }

  listen("pointerdown", (e) => {
    look(e.composedPath());
    down = now();
  });
  listen("input change invalid submit copy play pause beforeprint scroll resize", sign);
  // a click gives the focus to what it hits and takes it from what had it: that is the browser, not the page
  listen("focus", (e) => path.includes(e.target!) || ignored(e.composedPath()) || sign());
  listen("blur", (e) => e.target === window && sign());
  listen("selectionchange", () => selected() && sign());
  return { sign, judge };
}

/** Whether an element may have a shadow root that nobody can see into. */
const closed = (n: EventTarget): boolean => isElement(n) && /-/.test(n.localName) && !n.shadowRoot;

const selected = (): boolean => getSelection()!.type === "Range";

/** The first element of a path that is one of these. */
export const first = (path: Path, selectors: string): EventTarget | undefined => path.find((n) => isElement(n) && n.matches(selectors));

/** Anything in a path that is not to be recorded. */
export const ignored = (path: Path): EventTarget | undefined => first(path, marked);

/** Whether a change is one that a visitor may see. */
function counts({ target, addedNodes, removedNodes }: MutationRecord): boolean {
  const nodes = [...addedNodes, ...removedNodes], e = isElement(target) ? target : target.parentElement;
  return !(e && e.closest(marked)) && (!nodes[0] || nodes.some((n) => !ignored([n])));
}
