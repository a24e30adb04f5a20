import { useState } from "preact/hooks";
import { Failure, send } from "./api";
import { plural, sentence } from "./format";

/** The key of the site whose pages the server itself has. */
export const demoKey = "demo";

/** Ways to have something to see at once. possible: the server can send visitors. again is called when it did. */
export function Demo({ possible, again }: { possible: boolean; again?: () => void }) {
  const [state, setState] = useState("");
  const [busy, setBusy] = useState(false);
  const sendVisitors = async () => {
    setBusy(true);
    setState("");
    try {
      const { hits } = await send<{ hits: number }>("POST", "v1/demo");
      setState(`${plural(hits, "hit")} sent.`);
      again?.();
    } catch (err) {
      setState(sentence((err as Failure).message));
    }
    setBusy(false);
  };
  return (
    <div class="demo">
      <a class="button small" href="demo/" target="_blank" rel="noopener noreferrer">Open demo page</a>
      {possible && <button type="button" class="button small" disabled={busy} onClick={sendVisitors}>{busy ? "Sending…" : "Send demo visitors"}</button>}
      <span class="hint" role="status">{state}</span>
    </div>
  );
}
