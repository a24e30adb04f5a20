import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Failure, send, session, type Session } from "./api";
import { sentence } from "./format";
import { Mark, useTabTitle } from "./parts";

/** Asks for the admin token. The address stays as it is, so that signing in leads to where one wanted. */
export function SignIn() {
  const [token, setToken] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [wait, setWait] = useCountdown();
  const field = useRef<HTMLInputElement>(null);
  useTabTitle("Sign in");
  useEffect(() => field.current?.focus(), []);

  const submit = async (e: Event) => {
    e.preventDefault();
    if (!token.trim()) {
      setError("Paste the token first.");
      field.current?.focus();
      return;
    }
    setBusy(true);
    setError("");
    try {
      await send("POST", "v1/session", { token: token.trim() });
      session.set(await ask<Session>("v1/session"));
    } catch (err) {
      const failure = err as Failure;
      if (failure.status === 429) setWait(failure.retryAfter || 30);
      else setError(failure.status === 401 ? "That is not this server's token." : sentence(failure.message));
      setBusy(false);
      field.current?.focus();
      field.current?.select();
    }
  };

  const problem = wait > 0 ? `Too many tries from your address. Try again in ${wait} s.` : error;
  return (
    <main class="signin">
      <form onSubmit={submit}>
        <p class="signin-mark"><Mark /> heatlog</p>
        <h1>Sign in</h1>
        <input type="text" name="username" autocomplete="username" value="heatlog" hidden readOnly />
        <div class="field">
          <label for="token">Admin token</label>
          <div class="with-button">
            <input
              id="token" ref={field} type={(shown ? "text" : "password") as "password"} autocomplete="current-password" spellcheck={false} autocapitalize="none"
              value={token} onInput={(e) => setToken((e.currentTarget as HTMLInputElement).value)}
              aria-invalid={problem ? "true" : undefined} aria-describedby="token-problem token-help"
            />
            <button type="button" class="button small" aria-pressed={shown ? "true" : "false"} onClick={() => setShown(!shown)}>{shown ? "Hide" : "Show"}</button>
          </div>
          <p id="token-problem" class="problem" role="alert">{problem}</p>
        </div>
        <button class="button primary wide" disabled={busy || wait > 0}>{busy ? "Signing in…" : "Sign in"}</button>
        <div id="token-help" class="help">
          <p><code>heatlog serve</code> prints a sign-in link when it starts. The token itself is in the file <code>token</code> in the data folder.</p>
        </div>
      </form>
    </main>
  );
}

/** Seconds that run down to 0. */
function useCountdown() {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return [left, setLeft] as const;
}
