import { useEffect, useRef, useState } from "preact/hooks";
import { Failure, send, type Generation, type Site } from "./api";
import { sentence } from "./format";
import { Ghost, Title, Trouble, useTabTitle } from "./parts";
import { usePoll } from "./poll";
import { generationLink, go, rulesLink } from "./route";
import { useGenerations } from "./rules";

// What a file of the default rules looks like.
const example = `# The default rules. Indent with blanks, not with tabs.
urls:
  drop_params: [utm_*, gclid, fbclid, msclkid]
  # groups:                          # pages that are counted as one
  #   - match: https://shop.example/product/*
  #     page: https://shop.example/product/:id
# exclude:                           # hits of which one of these is true are left out
#   - visitor == "v-77"
#   - url contains "/internal/"
# sites:
#   shop: {timezone: Europe/Prague}
`;

/** The form that starts a replay, once the rules that it begins with are known. */
export function NewRules({ like, sites }: { like: string; sites: Site[] }) {
  useTabTitle("Change the rules");
  const all = useGenerations();
  const from = like || all.data?.active;
  const one = usePoll<Generation>(from ? `v1/generations/${from}` : null, 3_600_000);
  const error = one.error ?? all.error;
  return (
    <>
      <Title crumb={<a href={rulesLink}>Rules</a>}>Change the rules</Title>
      {error && !one.data && <div class="form"><Trouble error={error} again={() => { all.again(); one.again(); }} /></div>}
      {!one.data && !error && <div class="card pad form wide"><Ghost tall={320} /></div>}
      {one.data && <Form from={one.data} sites={sites} />}
    </>
  );
}

interface Wrong {
  field: string;
  message: string;
}

function Form({ from, sites }: { from: Generation; sites: Site[] }) {
  const [rules, setRules] = useState(from.rules_text || example);
  const [activate, setActivate] = useState(false);
  const [chosen, setChosen] = useState<string[]>([]);
  const [day, setDay] = useState("");
  const [skip, setSkip] = useState(false);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const partial = chosen.length > 0 || day !== "";
  const form = useRef<HTMLFormElement>(null);

  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setWrong(null);
    try {
      const g = await send<Generation>("POST", "v1/generations", {
        rules, activate, skip_damaged: skip,
        ...(chosen.length > 0 && { sites: chosen }), ...(day && { from: day }),
      });
      go(generationLink(g.id));
    } catch (err) {
      const failure = err as Failure;
      setWrong({ field: failure.field, message: failure.message });
      form.current?.querySelector<HTMLElement>(`[name="${CSS.escape(failure.field || "none")}"]`)?.focus();
      setBusy(false);
    }
  };
  const problem = (field: string) => <p class="problem" id={`${field}-problem`} role="alert">{wrong?.field === field ? sentence(wrong.message) : ""}</p>;
  const other = wrong && !["rules", "sites", "from"].includes(wrong.field);

  return (
    <form class="card pad form wide" ref={form} onSubmit={submit} noValidate>
      <div class="field">
        <label for="rules">Rules</label>
        <Editor value={rules} change={setRules} at={wrong?.field === "rules" ? placeOf(wrong.message) : null} wrong={wrong?.field === "rules"} />
        {problem("rules")}
        <p class="hint" id="rules-help">YAML. It begins with the rules of {from.id}{from.state === "active" ? ", which is active" : ""}.</p>
      </div>
      <details class="more" open={partial || skip}>
        <summary>Count only a part anew, or a damaged journal</summary>
        <div class="part">
          <fieldset class="field">
            <legend>Sites</legend>
            <div class="checks">
              {sites.map((s) => (
                <label class="check" key={s.key}>
                  <input type="checkbox" name="sites" checked={chosen.includes(s.key)} onChange={(e) => setChosen(isChecked(e) ? [...chosen, s.key] : chosen.filter((k) => k !== s.key))} />
                  {s.key}
                </label>
              ))}
            </div>
            <p class="hint">None chosen: all. What is not counted anew stays as the active rules have it.</p>
            {problem("sites")}
          </fieldset>
          <div class="field">
            <label for="from">From day</label>
            <input id="from" name="from" class="short" type="date" value={day} min="2000-01-01" onInput={(e) => setDay((e.currentTarget as HTMLInputElement).value)} aria-describedby="from-problem" />
            {problem("from")}
          </div>
          <label class="check">
            <input type="checkbox" checked={skip} onChange={(e) => setSkip(isChecked(e))} />
            Go on behind damage in the journal, and count the loss
          </label>
        </div>
      </details>
      <div class="field">
        <label class="check">
          <input type="checkbox" name="activate" checked={activate} onChange={(e) => setActivate(isChecked(e))} aria-describedby="activate-help" />
          Switch to it by itself when it is ready
        </label>
        <p class="hint" id="activate-help">Otherwise nothing that you see changes until you switch.</p>
      </div>
      <p class="problem" role="alert">{other ? sentence(wrong.message) : ""}</p>
      <div class="actions">
        <button class="button primary" disabled={busy}>{busy ? "Starting…" : "Count anew by these rules"}</button>
        <a class="button" href={rulesLink}>Cancel</a>
      </div>
    </form>
  );
}

const isChecked = (e: Event): boolean => (e.currentTarget as HTMLInputElement).checked;

/** The line and column, from 1, that a message about rules names. */
export function placeOf(message: string): [line: number, column: number] | null {
  const found = /\b(\d+):(\d+)\b/.exec(message);
  return found ? [Number(found[1]), Number(found[2])] : null;
}

/** A field for rules with numbers of lines. at is a place that is shown and goes wherever the caret is led. */
function Editor({ value, change, at, wrong }: { value: string; change: (text: string) => void; at: [number, number] | null; wrong: boolean }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const numbers = useRef<HTMLPreElement>(null);
  const lines = value.split("\n");
  useEffect(() => {
    const area = field.current;
    if (!area || !at) return;
    const start = lines.slice(0, at[0] - 1).reduce((n, line) => n + line.length + 1, 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[at[0] - 1]?.length ?? 0));
    area.scrollTop = Math.max(0, (at[0] - 4) * parseFloat(getComputedStyle(area).lineHeight));
  }, [at?.[0], at?.[1], wrong]);
  return (
    <div class={wrong ? "editor wrong" : "editor"}>
      <pre ref={numbers} aria-hidden="true">{lines.map((_, i) => <span key={i} class={at?.[0] === i + 1 ? "here" : undefined}>{i + 1}{"\n"}</span>)}</pre>
      <textarea
        id="rules" name="rules" ref={field} value={value} rows={Math.min(Math.max(lines.length + 1, 14), 28)} wrap="off" spellcheck={false} autocomplete="off" autocapitalize="none"
        aria-invalid={wrong ? "true" : undefined} aria-describedby="rules-problem rules-help"
        onInput={(e) => change(e.currentTarget.value)}
        onScroll={(e) => { if (numbers.current) numbers.current.scrollTop = e.currentTarget.scrollTop; }}
      />
    </div>
  );
}
