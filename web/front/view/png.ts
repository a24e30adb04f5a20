// The server's fields, read from their bytes: what a canvas gives back is not always what was drawn on it, as some browsers
// change it against fingerprinting.

/** Whether this browser can read them. */
export const canInflate = "DecompressionStream" in globalThis;

/** A grey picture of a byte a pixel. */
export interface Grey {
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

/** Reads a grey PNG of 8 bits a pixel without interlacing, whose rows are as they are or the differences from those above. It throws where it is another file. */
export async function readGrey(file: ArrayBuffer): Promise<Grey> {
  const view = new DataView(file), packed: Uint8Array<ArrayBuffer>[] = [];
  let width = 0, height = 0;
  for (let at = 8; at + 12 <= file.byteLength; ) {
    const length = view.getUint32(at), name = view.getUint32(at + 4), data = at + 8;
    if (name === IHDR) {
      width = view.getUint32(data);
      height = view.getUint32(data + 4);
      if (view.getUint32(data + 8) !== GREY) throw new Error("not grey");
    } else if (name === IDAT) packed.push(new Uint8Array(file, data, length));
    at = data + length + 4;
  }
  const lines = new Uint8Array(await new Response(new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  const bytes = new Uint8Array(width * height);
  if (lines.length !== (width + 1) * height) throw new Error("cut off");
  for (let j = 0, to = 0, from = 0; j < height; j++) {
    const filter = lines[from++]!;
    if (filter !== NONE && filter !== UP) throw new Error("another filter");
    for (let i = 0; i < width; i++, to++) bytes[to] = lines[from++]! + (filter === UP && j > 0 ? bytes[to - width]! : 0);
  }
  return { width, height, bytes };
}

const IHDR = 0x49484452, IDAT = 0x49444154; // names of chunks
const GREY = 0x08000000; // 8 bits, grey, and no choice of methods
const NONE = 0, UP = 2; // filters of rows
