import { useEffect, useRef, useState } from "preact/hooks";
import { askPicture, type Heat, type Scroll } from "./api";
import { stepTo } from "./chart";
import { count, percent } from "./format";
import { Ghost, useWidth } from "./parts";

const cell = 32; // px, of the answer that sizes are taken from
const widths = [416, 768, 1024, 1280, 1440, 1920]; // page px that a sheet is wide, all multiples of cell
const tallest = 1600, tallestNarrow = 1100; // px on the screen; what is taller scrolls within the sheet
const least = 240, leastNarrow = 160; // px on the screen that a map is wide
const bar = 16; // px that a scroll bar takes at most
const mostPixels = 4e7; // of a picture

/** The size of the part of a page that has heat or was seen, page px. */
interface Size {
  width: number;
  height: number;
}

/** The page from above: the heat on it, and beside it how far people came, on one scale. */
export function Sheet({ heat, scroll, picture }: { heat: Heat; scroll: Scroll | undefined; picture: (size: Size) => string }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const size = sizeOf(heat, scroll);
  const narrow = width < 560;
  const gutter = narrow ? 0 : 48, gap = narrow ? 12 : 28;
  const low = (narrow ? leastNarrow : least) / size.width, whole = (narrow ? tallestNarrow : tallest) / size.height;
  const scrolls = low > whole;
  const room = scrolls ? width - bar : width;
  const column = Math.floor((room - gutter - gap) * 0.62);
  const scale = Math.min(1, Math.max(low, Math.min(column / size.width, whole)));
  const map = { left: gutter, width: Math.round(size.width * scale), height: Math.round(size.height * scale) };
  const curve = { left: gutter + map.width + gap, width: room - gutter - map.width - gap };
  return (
    <div class="sheet" ref={ref}>
      {width === 0 && <Ghost tall={400} />}
      {width > 0 && (
        <>
          <span class="sheet-head" style={{ left: `${map.left}px` }}>{count(size.width)} px across</span>
          <span class="sheet-head" style={{ left: `${curve.left}px` }}>{headOf(scroll, curve.width)}</span>
          {scroll && scroll.views > 0 && curve.width > 76 && <span class="sheet-head" style={{ right: `${width - room}px` }}>100 %</span>}
          <div class={scrolls ? "sheet-box scrolls" : "sheet-box"} {...(scrolls ? { tabIndex: 0, role: "region", "aria-label": "The page from top to bottom" } : {})}>
            <Picture path={picture(size)} version={heat.hits + (heat.minus?.hits ?? 0)} map={map} what={heat.minus ? "Difference of the heat on the page" : "Heat on the page"} />
            <Curve scroll={scroll} map={map} curve={curve} scale={scale} size={size} room={room} narrow={narrow} />
          </div>
        </>
      )}
    </div>
  );
}

function headOf(scroll: Scroll | undefined, width: number): string {
  if (!scroll || scroll.views === 0) return width < 115 ? "No scrolling" : "No scrolling seen";
  return width < 115 ? "Reach" : "Reached by"; // "100 %" is beside it
}

function sizeOf(heat: Heat, scroll: Scroll | undefined): Size {
  let right = 0, bottom = 0;
  for (const [x, y] of heat.points) {
    right = Math.max(right, x + cell);
    bottom = Math.max(bottom, y + cell);
  }
  const seen = scroll ? depthOf(scroll, Number.MIN_VALUE) : 0;
  const width = widths.find((w) => w >= right + 24) ?? Math.ceil(right / cell) * cell;
  const height = Math.ceil(Math.max(bottom, seen, 600) / 200) * 200;
  return { width, height: Math.min(height, Math.floor(mostPixels / width)) };
}

/** The heat, asked for again when version changes; the old picture stays until the new one is there. */
function Picture({ path, version, map, what }: { path: string; version: number; map: { left: number; width: number; height: number }; what: string }) {
  const url = usePicture(version > 0 ? path : null, version);
  return (
    <div class="sheet-map" style={{ left: `${map.left}px`, width: `${map.width}px`, height: `${map.height}px` }}>
      {url && <img src={url} alt={what} width={map.width} height={map.height} />}
    </div>
  );
}

function usePicture(path: string | null, version: number): string | undefined {
  const [shown, setShown] = useState<string>();
  const want = useRef({ path, version });
  const busy = useRef(false);
  const life = useRef(new AbortController());
  want.current = { path, version };

  const load = async () => {
    const { path, version } = want.current;
    if (!path || busy.current) return; // whoever is at it looks again when it is done
    busy.current = true;
    try {
      setShown(await askPicture(path, life.current.signal));
    } catch {
      // The numbers beside it come by the same way and tell what is wrong.
    }
    busy.current = false;
    if (want.current.path !== path || want.current.version !== version) load();
  };
  useEffect(() => void load(), [path, version]);
  useEffect(() => () => life.current.abort(), []);
  return path ? shown : undefined;
}

interface CurveProps {
  scroll: Scroll | undefined;
  map: { left: number; width: number; height: number };
  curve: { left: number; width: number };
  scale: number;
  size: Size;
  room: number;
  narrow: boolean;
}

function Curve({ scroll, map, curve, scale, size, room, narrow }: CurveProps) {
  const [at, setAt] = useState<number | null>(null); // band
  const reach = scroll?.reach ?? [], band = scroll?.band ?? 50;
  const some = (scroll?.views ?? 0) > 0;
  const last = Math.max(0, Math.ceil(size.height / band) - 1);
  const share = (i: number) => reach[i]?.[1] ?? 0;
  const point = (e: PointerEvent) => {
    const y = e.clientY - (e.currentTarget as Element).getBoundingClientRect().top;
    setAt(Math.max(0, Math.min(last, Math.floor(y / scale / band))));
  };
  const walk = (e: KeyboardEvent) => {
    // Down the page is down the screen.
    const turned: Record<string, string> = { ArrowDown: "ArrowUp", ArrowUp: "ArrowDown", PageDown: "PageUp", PageUp: "PageDown" };
    const to = stepTo(turned[e.key] ?? e.key, at ?? 0, last);
    if (to === null) return;
    e.preventDefault();
    setAt(to);
    const box = (e.currentTarget as Element).parentElement!, y = to * band * scale;
    if (y < box.scrollTop || y > box.scrollTop + box.clientHeight - 48) box.scrollTop = y - box.clientHeight / 2;
  };
  const tell = (i: number) => `${count(i * band)} px: reached by ${percent(share(i))}`;
  return (
    <div
      class="sheet-reach" tabIndex={some ? 0 : -1} role="slider" aria-label="How far people scrolled" aria-orientation="vertical"
      aria-valuemin={0} aria-valuemax={last} aria-valuenow={at ?? 0} aria-valuetext={tell(at ?? 0)}
      onPointerMove={point} onPointerDown={point} onPointerLeave={() => setAt(null)} onKeyDown={walk}
      onFocus={() => setAt((old) => old ?? 0)} onBlur={() => setAt(null)}
    >
      <svg width={room} height={map.height} aria-hidden="true">
        {map.left > 0 && ticks(size.height, scale).map((px) => (
          <g key={px}>
            <line class="grid" x1={map.left - 6} x2={map.left} y1={px * scale + 0.5} y2={px * scale + 0.5} />
            <text class="scale" x={map.left - 10} y={Math.max(10, px * scale + 4)} text-anchor="end">{count(px)}</text>
          </g>
        ))}
        {some && <ReachShape reach={reach} band={band} scale={scale} curve={curve} height={map.height} />}
        {some && <Marks scroll={scroll!} map={map} curve={curve} scale={scale} room={room} narrow={narrow} />}
        {some && at !== null && <line class="pointer" x1={map.left} x2={room} y1={(at + 0.5) * band * scale} y2={(at + 0.5) * band * scale} />}
      </svg>
      {some && at !== null && <span class="tip tip-reach" aria-hidden="true" style={{ top: `${Math.min((at + 0.5) * band * scale + 6, map.height - 32)}px` }}>{tell(at)}</span>}
    </div>
  );
}

/** The share of views that saw each height: from all of them at the curve's right to none at its left. */
function ReachShape({ reach, band, scale, curve, height }: { reach: [number, number][]; band: number; scale: number; curve: { left: number; width: number }; height: number }) {
  const end = Math.min(reach.length * band * scale, height);
  const points = reach.map(([top, share]) => [curve.left + share * curve.width, Math.min((top + band / 2) * scale, height)] as const);
  const line = [[points[0]?.[0] ?? 0, 0] as const, ...points].map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L");
  return (
    <g>
      <line class="axis" x1={curve.left + 0.5} x2={curve.left + 0.5} y1="0" y2={height} />
      <path class="area" d={`M${curve.left},0L${line}L${curve.left},${end}Z`} />
      <path class="line" d={"M" + line} />
    </g>
  );
}

/** Lines across the sheet: the fold, and where three, two and one of four people have left. */
function Marks({ scroll, map, curve, scale, room, narrow }: { scroll: Scroll; map: CurveProps["map"]; curve: CurveProps["curve"]; scale: number; room: number; narrow: boolean }) {
  const lines: [y: number, text: string][] = [];
  const fold = scroll.fold.p50 ?? 0;
  for (const share of [0.75, 0.5, 0.25]) {
    const px = depthOf(scroll, share);
    if (px > 0) lines.push([px, percent(share)]);
  }
  let above = -Infinity;
  return (
    <g>
      {lines.map(([px, text]) => {
        const y = Math.min(px * scale, map.height - 1);
        const fits = y - above > 18 && y + 18 < map.height;
        if (fits) above = y;
        // Below its line and to the right there is room: fewer than this share came further.
        return (
          <g key={text}>
            <line class="part" x1={curve.left} x2={room} y1={y} y2={y} />
            {fits && <text class="mark-text" x={room} y={y + 15} text-anchor="end">{text}</text>}
          </g>
        );
      })}
      {fold > 0 && fold * scale < map.height && (
        <g>
          <line class="fold" x1={map.left} x2={room} y1={fold * scale} y2={fold * scale} />
          <text class="mark-text" x={curve.left + 8} y={Math.max(12, fold * scale - 6)}>{narrow ? "fold" : `fold at ${count(Math.round(fold))} px`}</text>
        </g>
      )}
    </g>
  );
}

/** How deep at least this share of views came, page px. 0: not so many came anywhere. */
export function depthOf(scroll: Scroll, share: number): number {
  return scroll.reach.reduce((depth, [top, s]) => (s >= share ? top + scroll.band : depth), 0);
}

function ticks(height: number, scale: number): number[] {
  const every = [100, 200, 500, 1000, 2000, 5000, 10_000].find((n) => n * scale >= 90) ?? 20_000;
  return Array.from({ length: Math.floor(height / every) + 1 }, (_, i) => i * every);
}
