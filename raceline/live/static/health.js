// How healthy the data is, and what to do while there is none.
import { byId, make, write } from "/static/dom.js";
import { clock, day, duration, moment, number, words } from "/static/format.js";
import { rangeWords } from "/static/header.js";

const facts = new Map();

export function showHealth({ freshness, refusals, bot_events: bots, generated_at: at, range }) {
  const refused = refusals.reduce((sum, { refused }) => sum + refused, 0);
  fact("Events in the last minute", number(freshness.events_last_minute), "of this site, bots included");
  fact("Received to stored", duration(freshness.delay_p95_seconds), "95 % of the newest events were faster", slow(freshness));
  fact("Refused events", number(refused), reasons(refusals, range), refused ? "warn" : "off");
  fact("Bot events", number(bots), `left out of every number, ${rangeWords(range.minutes)}`);
  fact("Numbers as of", clock(new Date(at), true), day(new Date(at)));
}

const slow = ({ delay_p95_seconds: delay }) => (delay !== null && delay > 30 ? "bad" : "off");

function reasons(refusals, { minutes }) {
  if (!refusals.length) return `none, ${rangeWords(minutes)}`;
  return `${refusals.slice(0, 3).map(({ reason, refused }) => `${words(reason)} ${number(refused)}`).join(", ")}; see: raceline dead-letters list`;
}

function fact(name, value, detail, tone = "off") {
  if (!facts.has(name)) {
    const parts = { value: make("span"), detail: make("small"), place: make("dd") };
    parts.place.append(parts.value, parts.detail);
    byId("health").append(make("div", {}, make("dt", {}, name), parts.place));
    facts.set(name, parts);
  }
  const parts = facts.get(name);
  parts.place.dataset.tone = tone;
  write(parts.value, value);
  write(parts.detail, detail);
}

export function showEmpty({ site, sites, events, range }, showAll) {
  const known = sites.find(({ id }) => id === site);
  byId("empty").hidden = Boolean(known) && (events > 0 || range.minutes === "all");
  byId("first-steps").hidden = Boolean(known);
  byId("show-all").hidden = !known;
  byId("show-all").onclick = showAll;
  if (known) {
    write(byId("empty-title"), `No events in the ${rangeWords(range.minutes)}`);
    write(byId("empty-text"), `The newest event of ${site} is from ${moment(new Date(known.last))}.`);
    return;
  }
  write(byId("empty-title"), sites.length ? `No events of ${site} yet` : "No events yet");
  write(byId("empty-text"), "This page fills by itself as soon as the first event is stored. Two ways to send one:");
  byId("first-steps").replaceChildren(...steps(/^[\w.-]+$/.test(site) ? site : "demo"));
}

function steps(site) {
  return [
    ["Send a file of events", `raceline send events.ndjson --site ${site}`],
    ["Put the tracker on a page", `<script async src="${location.origin}/tracker.js" data-key="demo"></script>`],
  ].map(([title, text]) => make("li", {}, make("h3", {}, title), snippet(text)));
}

function snippet(text) {
  const button = make("button", { type: "button", "aria-label": `Copy: ${text}` }, "Copy");
  const code = make("code", {}, text);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      write(button, "Copied");
    } catch {
      getSelection().selectAllChildren(code); // without a secure origin there is no clipboard: the reader copies
    }
    setTimeout(() => write(button, "Copy"), 2000);
  });
  return make("div", { class: "snippet" }, make("pre", { tabindex: "0" }, code), button);
}
