import { useRef, useState } from "preact/hooks";
import { Failure, send, type Site } from "./api";
import { sentence } from "./format";
import { Title, useTabTitle } from "./parts";
import { go, siteLink } from "./route";

type Field = "key" | "origins" | "timezone" | "";

/** The form for a new site. proposed is a key to begin with. */
export function AddSite({ proposed, known, added }: { proposed: string; known: Site[]; added: () => void }) {
  const [key, setKey] = useState(proposed);
  const [origins, setOrigins] = useState([""]);
  const [zone, setZone] = useState(Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<{ field: Field; message: string } | null>(null);
  const form = useRef<HTMLFormElement>(null);
  useTabTitle("Add site");

  const refuse = (field: Field, message: string) => {
    setWrong({ field, message });
    form.current?.querySelector<HTMLElement>(`[name="${field}"]`)?.focus();
  };
  const submit = async (e: Event) => {
    e.preventDefault();
    const given = origins.map((o) => o.trim()).filter(Boolean);
    // The server would take a known key as a change of that site.
    if (known.some((site) => site.key === key)) return refuse("key", "There is a site with this key already.");
    if (given.length === 0) return refuse("origins", "A site needs at least one origin, such as https://shop.example.");
    setBusy(true);
    setWrong(null);
    try {
      await send<Site>("POST", "v1/sites", { key, origins: given, timezone: zone.trim() });
      added();
      go(siteLink(key));
    } catch (err) {
      const failure = err as Failure;
      refuse(["key", "origins", "timezone"].includes(failure.field) ? (failure.field as Field) : "", sentence(failure.message));
      setBusy(false);
    }
  };
  const problem = (field: Field) => <p class="problem" id={`${field || "form"}-problem`} role="alert">{wrong?.field === field ? wrong.message : ""}</p>;
  const invalid = (field: Field) => ({ "aria-invalid": wrong?.field === field ? ("true" as const) : undefined, "aria-describedby": `${field}-problem ${field}-help` });

  return (
    <>
      <Title crumb={<a href="#/">Sites</a>}>Add site</Title>
      <form class="card pad form" ref={form} onSubmit={submit} noValidate>
        <div class="field">
          <label for="key">Key</label>
          <input id="key" name="key" class="short" value={key} onInput={(e) => setKey(valueOf(e))} {...invalid("key")} autocomplete="off" autocapitalize="none" spellcheck={false} maxLength={32} placeholder="shop" />
          <p class="hint" id="key-help">Names the site in the tag and in links: 1 to 32 lower-case letters, digits and -.</p>
          {problem("key")}
        </div>
        <fieldset class="field">
          <legend>Origins</legend>
          {origins.map((origin, i) => (
            <div class="with-button" key={i}>
              <input
                name="origins" aria-label={`Origin ${i + 1}`} value={origin} onInput={(e) => setOrigins(origins.map((o, j) => (j === i ? valueOf(e) : o)))} {...invalid("origins")}
                inputMode="url" autocomplete="off" autocapitalize="none" spellcheck={false} placeholder="https://shop.example"
              />
              {origins.length > 1 && <button type="button" class="button small" onClick={() => setOrigins(origins.filter((_, j) => j !== i))}>Remove</button>}
            </div>
          ))}
          <p class="hint" id="origins-help">Where its pages are: scheme, host and port, no path. Hits from anywhere else are refused.</p>
          {problem("origins")}
          <button type="button" class="button small" onClick={() => setOrigins([...origins, ""])}>Add another origin</button>
        </fieldset>
        <div class="field">
          <label for="timezone">Time zone</label>
          <input id="timezone" name="timezone" class="short" list="zones" value={zone} onInput={(e) => setZone(valueOf(e))} {...invalid("timezone")} autocomplete="off" spellcheck={false} />
          <datalist id="zones">{zones().map((z) => <option key={z} value={z} />)}</datalist>
          <p class="hint" id="timezone-help">Where its days begin and end. It cannot be changed after the first hit.</p>
          {problem("timezone")}
        </div>
        {problem("")}
        <div class="actions">
          <button class="button primary" disabled={busy}>{busy ? "Adding…" : "Add site"}</button>
          <a class="button" href="#/">Cancel</a>
        </div>
      </form>
    </>
  );
}

const valueOf = (e: Event): string => (e.currentTarget as HTMLInputElement).value;

function zones(): string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((z) => z !== "UTC")];
}
