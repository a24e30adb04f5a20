import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Failure } from "./api";
import { count, finePercent, readable, sentence, urlParts } from "./format";

/** The sign of heatlog: cells, cold to hot. */
export function Mark() {
  return (
    <svg class="mark" width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
      {["#3f7df8", "#1aa9ee", "#1cc7b4", "#1cc7b4", "#e01b30", "#ff8f1f", "#6fd655", "#ff8f1f", "#f6dd3b"].map((fill, i) => (
        <rect key={i} x={(i % 3) * 8} y={Math.floor(i / 3) * 8} width="6" height="6" rx="1.5" fill={fill} />
      ))}
    </svg>
  );
}

/** The heading of a view. It takes the focus when the view is come to, so that a screen reader says where one is. */
export function Title({ children, crumb }: { children: ComponentChildren; crumb?: ComponentChildren }) {
  const h1 = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) h1.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div class="title">
      {crumb && <nav class="crumb" aria-label="Where this is">{crumb}</nav>}
      <h1 tabIndex={-1} ref={h1}>{children}</h1>
    </div>
  );
}

/** Links of which one is where one is, as one control. */
export function Choice({ label, options, value }: { label: string; options: [value: string, name: ComponentChildren, href: string][]; value: string }) {
  return (
    <nav class="choice" aria-label={label}>
      {options.map(([v, name, href]) => (
        <a key={v} href={href} aria-current={v === value ? "true" : undefined}>{name}</a>
      ))}
    </nav>
  );
}

/** One number with its name; a button that chooses it if onChoose is given. */
export function Figure({ name, value, chosen, onChoose }: { name: string; value: number | undefined; chosen?: boolean; onChoose?: () => void }) {
  const inside = (
    <>
      <span class="figure-name">{name}</span>
      <span class="figure-value">{value === undefined ? <Ghost width={3} /> : count(value)}</span>
    </>
  );
  if (!onChoose) return <div class="figure">{inside}</div>;
  return <button type="button" class="figure" aria-pressed={chosen ? "true" : "false"} onClick={onChoose}>{inside}</button>;
}

/** Holds the place of something that is on its way; width in em. */
export function Ghost({ width, tall }: { width?: number; tall?: number }) {
  return <span class="ghost" aria-hidden="true" style={{ width: width ? `${width}em` : "100%", height: tall ? `${tall}px` : "0.8em" }} />;
}

/** Says what went wrong, with a way to try again. */
export function Trouble({ error, again }: { error: Failure; again?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <p>{sentence(error.message)}</p>
      {again && <button type="button" class="button small" onClick={again}>Try again</button>}
    </div>
  );
}

/** Says that not all page loads are recorded. */
export function Sampled({ of }: { of: { share: number; hits: number } | undefined }) {
  return of ? <p class="sampled">A sample: {finePercent(of.share)} of page loads</p> : null;
}

/** A stored URL as text: what tells pages apart stands out. */
export function PageName({ url, own }: { url: string; own: string[] }) {
  const { origin, path } = urlParts(url);
  const plain = own.length === 1 && own[0] === origin;
  return <span class="url">{!plain && origin && <span class="url-origin">{origin}</span>}<bdi dir="ltr">{readable(path)}</bdi></span>;
}

/** A button that copies text and says that it did. */
export function Copy({ text }: { text: string }) {
  const [done, setDone] = useState("");
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(""), 2500);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => setDone((await copyText(text)) ? "Copied" : "Press Ctrl+C");
  return (
    <button type="button" class="button small" onClick={copy}>
      <span aria-live="polite">{done || "Copy"}</span>
    </button>
  );
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(); // the clipboard is for secure pages alone, and heatlog may be served over plain http
  }
}

function copySelected(): boolean {
  const code = document.querySelector(".tag code");
  if (!code) return false;
  getSelection()?.selectAllChildren(code);
  return document.execCommand("copy");
}

/** The width of an element, px, and the ref that it needs. 0 until it is known. */
export function useWidth<E extends HTMLElement>() {
  const ref = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width] as const;
}

/** Whether an element has been in view, and the ref that it needs. */
export function useSeen<E extends Element>() {
  const ref = useRef<E>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (!element || seen) return;
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && setSeen(true));
    observer.observe(element);
    return () => observer.disconnect();
  }, [seen]);
  return [ref, seen] as const;
}

/** Tints an element for a moment when a value is another than before: quietly, and not at all for who wants no motion. */
export function useTint<E extends Element>(ref: { current: E | null }, value: number): void {
  const before = useRef(value);
  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    ref.current?.animate([{ backgroundColor: "var(--tint)" }, { backgroundColor: "transparent" }], { duration: 1600, easing: "ease-out" });
  }, [value]);
}

/** Names the browser's tab. */
export function useTabTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · heatlog` : "heatlog";
  }, [title]);
}
