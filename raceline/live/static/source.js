// Where snapshots come from: server-sent events, or asking every few seconds where those do not get through.
const SILENCE_MS = 16000; // the server sends a heartbeat every 5 s
const POLL_MS = 5000;
const FAILURES_BEFORE_POLLING = 3;
const STREAM_AGAIN_MS = 60000;

export function address(path, { site, minutes }) {
  const query = new URLSearchParams({ minutes });
  if (site !== null) query.set("site", site);
  return `${path}?${query}`;
}

// handlers: snapshot(content), trouble(reason), state("live" | "polling" | "reconnecting")
export class Source {
  #chosen;
  #handlers;
  #events = null;
  #timers = new Map();
  #failures = 0;
  #open = true;
  #polling = false;

  constructor(chosen, handlers) {
    this.#chosen = chosen;
    this.#handlers = handlers;
    if ("EventSource" in globalThis) this.#stream();
    else this.#startPolling();
  }

  close() {
    this.#open = false;
    this.#events?.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #stream() {
    this.#polling = false;
    clearTimeout(this.#timers.get("poll"));
    this.#events?.close();
    this.#events = new EventSource(address("/api/live/stream", this.#chosen));
    this.#listen();
    for (const kind of ["snapshot", "trouble", "heartbeat"]) {
      this.#events.addEventListener(kind, (event) => this.#heard(kind, JSON.parse(event.data)));
    }
    this.#events.onerror = () => this.#failed();
  }

  #heard(kind, content) {
    this.#failures = 0;
    this.#listen();
    this.#handlers.state("live");
    if (kind === "snapshot") this.#handlers.snapshot(content);
    if (kind === "trouble") this.#handlers.trouble(content.reason);
  }

  #listen() {
    this.#later("silence", SILENCE_MS, () => this.#failed());
  }

  #failed() {
    if (!this.#open) return;
    this.#failures += 1;
    this.#handlers.state("reconnecting");
    if (this.#failures >= FAILURES_BEFORE_POLLING) {
      this.#events.close();
      clearTimeout(this.#timers.get("silence"));
      this.#later("again", STREAM_AGAIN_MS, () => this.#stream());
      this.#startPolling();
    } else if (this.#events.readyState === EventSource.CLOSED) {
      this.#later("retry", 2000, () => this.#stream());
    } else {
      this.#listen();
    }
  }

  #startPolling() {
    this.#polling = true;
    this.#poll();
  }

  async #poll() {
    try {
      const answer = await fetch(address("/api/live", this.#chosen), { cache: "no-store" });
      const content = await answer.json();
      if (!this.#open || !this.#polling) return;
      this.#handlers.state("polling");
      if (answer.ok) this.#handlers.snapshot(content);
      else this.#handlers.trouble(content.reason ?? "internal");
    } catch {
      if (this.#open && this.#polling) this.#handlers.state("reconnecting");
    }
    if (this.#open && this.#polling) this.#later("poll", POLL_MS, () => this.#poll());
  }

  #later(name, ms, action) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(action, ms));
  }
}
