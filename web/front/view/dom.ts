/** A function that does the same but never throws: whatever goes wrong in the overlay is no concern of the page. */
export function guard<A extends unknown[]>(fn: (...args: A) => void): (...args: A) => void {
  return (...args) => {
    try {
      fn(...args);
    } catch {
      // nothing to tell anyone: the console is the page's
    }
  };
}

/** The element that an element is in as it is drawn: out of slots, shadow roots and frames too. */
export function parentOf(e: Element): Element | null {
  const host = e.parentNode instanceof ShadowRoot ? e.parentNode.host : null;
  return e.assignedSlot ?? e.parentElement ?? host ?? frameOf(e);
}

/** The frame that shows the document of an element, null for the page itself. */
export function frameOf(e: Element): Element | null {
  const view = e.ownerDocument.defaultView;
  return view && view !== window ? view.frameElement : null;
}

type Child = Node | string;

/** Makes an element of a class with attributes and children; strings become text, never markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  if (className) e.className = className;
  for (const name of Object.keys(attributes)) e.setAttribute(name, attributes[name]!);
  e.append(...children);
  return e;
}

/** Makes an icon of 20 by 20 from the path of its strokes. */
export function icon(path: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg"), stroke = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  stroke.setAttribute("d", path);
  svg.append(stroke);
  return svg;
}

/** Makes a push button. */
export function button(className: string, label: string, run: () => void, ...children: Child[]): HTMLButtonElement {
  const b = make("button", className, { type: "button" }, ...(children.length ? children : [label]));
  if (children.length) {
    b.ariaLabel = b.title = label;
  }
  b.addEventListener("click", guard(run));
  return b;
}

/** Makes a choice from a list of [value, text] pairs. */
export function choice(label: string, options: readonly (readonly [string, string?])[], chosen: (value: string) => void): HTMLSelectElement {
  const s = make("select", "", { "aria-label": label }, ...options.map(([value, text = ""]) => make("option", "", { value }, text)));
  s.addEventListener("change", guard(() => chosen(s.value)));
  return s;
}

/** Writes text where it differs, so that nothing is laid out again for what stays. */
export function write(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}
