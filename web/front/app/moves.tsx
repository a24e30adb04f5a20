import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { send, type Failure, type Generation } from "./api";
import { sentence } from "./format";
import { newRulesLink } from "./route";
import { isMoving } from "./rules";

type Move = "activate" | "pause" | "resume" | "drop";

/** What is asked before a move, and what it will do. */
interface Question {
  move: Move;
  head: string;
  text: string;
  yes: string;
}

/** The buttons of what can be done with a generation. changed is called when something was. */
export function Actions({ of: g, active, changed }: { of: Generation; active: string; changed: () => void }) {
  const [asked, setAsked] = useState<Question | null>(null);
  const [problem, setProblem] = useState("");
  const now = async (move: Move) => {
    setProblem("");
    try {
      await make(move, g.id);
    } catch (err) {
      setProblem(sentence((err as Failure).message));
    }
    changed();
  };
  const button = (question: Question, primary = false) => (
    <button type="button" class={primary ? "button small primary" : "button small"} onClick={() => setAsked(question)}>{question.yes}</button>
  );
  const canSwitch = g.state === "retired" || g.state === "ready";
  return (
    <>
      <div class="actions">
        {canSwitch && button(switching(g, active), g.state === "ready")}
        {(g.state === "building" || g.state === "catching-up") && (
          <button type="button" class="button small" onClick={() => now(g.paused ? "resume" : "pause")}>{g.paused ? "Resume" : "Pause"}</button>
        )}
        {g.state === "failed" && <a class="button small" href={newRulesLink(g.id)}>Change its rules and try again</a>}
        {g.state !== "active" && button(dropping(g))}
      </div>
      <p class="problem" role="alert">{problem}</p>
      {asked && <Confirm question={asked} id={g.id} close={() => setAsked(null)} done={changed} />}
    </>
  );
}

async function make(move: Move, id: string): Promise<void> {
  if (move === "drop") await send("DELETE", `v1/generations/${id}`);
  else await send("POST", `v1/generations/${id}/${move}`);
}

function switching(g: Generation, active: string): Question {
  const back = g.state === "retired";
  return {
    move: "activate",
    head: back ? `Go back to ${g.id}?` : `Switch to ${g.id}?`,
    text: `From then on every map and number comes from ${g.id}, for everybody. ${active} goes on counting for a time, a day as a rule, and until then you can go back to it at once.`,
    yes: back ? `Go back to ${g.id}` : `Switch to ${g.id}`,
  };
}

function dropping(g: Generation): Question {
  if (isMoving(g)) {
    return {
      move: "drop", yes: "Give up", head: `Give up ${g.id}?`,
      text: `What ${g.id} has counted so far is deleted. No hit is lost, and maps and numbers stay as they are.`,
    };
  }
  return {
    move: "drop", yes: "Remove", head: `Remove ${g.id}?`,
    text: `The counts of ${g.id} are deleted${g.state === "retired" ? ", and you cannot go back to it" : ""}. No hit is lost, and maps and numbers stay as they are: the same rules can be applied again.`,
  };
}

/** Asks before a move, makes it, and stays open if that fails. */
function Confirm({ question, id, close, done }: { question: Question; id: string; close: () => void; done: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const yes = async () => {
    setBusy(true);
    try {
      await make(question.move, id);
      done();
      close();
    } catch (err) {
      setProblem(sentence((err as Failure).message));
      setBusy(false);
    }
  };
  return (
    <dialog class="card confirm" ref={dialog} aria-labelledby="confirm-head" aria-describedby="confirm-text" onClose={close}>
      <h2 id="confirm-head">{question.head}</h2>
      <p id="confirm-text">{question.text}</p>
      <p class="problem" role="alert">{problem}</p>
      <div class="actions">
        <button type="button" class="button primary" disabled={busy} onClick={yes}>{question.yes}</button>
        <button type="button" class="button" onClick={() => dialog.current?.close()}>Cancel</button>
      </div>
    </dialog>
  );
}
