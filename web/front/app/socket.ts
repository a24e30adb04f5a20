import type { Dial } from "../stream";

const patience = 10_000; // ms that a WebSocket may take to open

/** Dials with who is signed in, as the session's cookie says: the server takes it from its own pages alone. */
export const dial: Dial = (url, signal, hear) => new Promise((done) => {
  let socket: WebSocket, opened = false;
  try {
    socket = new WebSocket(url.replace(/^http/, "ws"));
  } catch {
    return done(false); // the page's policy has none
  }
  const timer = setTimeout(end, patience);

  /** One that is not open yet is closed once it is: a browser would complain. */
  function end(): void {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    socket.onmessage = socket.onclose = null;
    socket.onopen = () => socket.close();
    if (opened) socket.close();
    done(opened);
  }

  socket.onopen = () => {
    opened = true;
    clearTimeout(timer);
  };
  socket.onmessage = ({ data }) => hear(String(data));
  socket.onclose = end;
  signal.addEventListener("abort", end);
});
