import { request, type Trouble } from "./feed";
import type { Field } from "./field";
import { canInflate, readGrey } from "./png";
import { COLOURS } from "./ramp";

/** Greatest error of points that are drawn: where theirs is greater, the heat itself is asked for. */
export const MAX_ERROR = 0.02;

/** Points at most that are asked for: all where the heat itself could not be read. */
export const LIMIT = canInflate ? 4000 : 0;

/** Page px between samples. */
const STEP = 4;

/** Heights of the window that a strip has above and below it when it is asked for, and less than which it may have then. */
const AROUND = 2, LEAST = 0.5;

/** Page px that no place of a page is beyond. */
const END = 1 << 16;

/** The number of colour of each byte: bytes are linear. */
const colourOf = Uint8Array.from({ length: COLOURS }, (_, byte) => Math.round((COLOURS - 1) * Math.sqrt(byte / 255)));

/** The heat of the part of a page that is in sight, and some around it, as the server has it. */
export interface Strip {
  /** null before the first has come. */
  readonly field: Field | null;
  /** Takes the question to which it belongs, whose answer has changed. */
  set(question: string): void;
  /** Asks for another part of the page if what is in sight, page px, is not in this one. */
  look(top: number, height: number): void;
  /** Forgets it. */
  clear(): void;
}

/** Makes a strip, which calls changed when there is a field, and failed when there will be none. */
export function makeStrip(token: string, changed: () => void, failed: (t: Trouble) => void): Strip {
  let field: Field | null = null, question = "", fresh = false;
  let asked: AbortController | null = null, top = 0, bottom = 0; // of the part that was asked for last

  function set(now: string): void {
    if (now !== question) field = null;
    question = now;
    fresh = true;
  }

  function look(y: number, height: number): void {
    const from = Math.max(y - LEAST * height, 0), to = Math.min(y + (1 + LEAST) * height, END);
    if (!question || (!fresh && from >= top && to <= bottom)) return;
    fresh = false;
    top = Math.floor(Math.max(y - AROUND * height, 0) / STEP) * STEP;
    bottom = Math.min(Math.ceil(y + (1 + AROUND) * height), END);
    if (top < bottom) void ask();
  }

  async function ask(): Promise<void> {
    asked?.abort();
    const own = (asked = new AbortController()), u = new URL(question), at = top, width = Math.min(document.documentElement.scrollWidth + STEP, END);
    u.searchParams.delete("limit");
    for (const [name, value] of Object.entries({ format: "field", step: STEP, width, y0: at, y1: bottom })) u.searchParams.set(name, String(value));
    const got = await request(u.href, token, own.signal, async (response) => {
      const grey = await readGrey(await response.arrayBuffer());
      return { ...grey, max: Number(response.headers.get("Heatlog-Max")) };
    });
    if (asked !== own) return;
    asked = null;
    if ("status" in got) {
      field = null; // whoever sets it again tries again
      failed(got);
      return;
    }
    field = { step: STEP, left: 0, top: at, cols: got.width, rows: got.height, max: got.max, signed: false, colours: got.bytes.map((b) => colourOf[b]!) };
    changed();
  }

  function clear(): void {
    asked?.abort();
    asked = field = null;
    question = "";
    top = bottom = 0;
  }

  return { set, look, clear, get field() { return field; } };
}
