// The choices of the header, and the two badges: how fresh the data is, and whether the page hears of changes.
import { byId, make, write } from "/static/dom.js";
import { ago, day } from "/static/format.js";

const RANGES = [["15", "15 min"], ["60", "1 h"], ["360", "6 h"], ["1440", "24 h"], ["all", "All"]];
const WORDS = { 15: "last 15 minutes", 60: "last hour", 360: "last 6 hours", 1440: "last 24 hours", all: "all time" };
const CONNECTIONS = { live: ["good", "Live"], polling: ["warn", "Live, every 5 s"], reconnecting: ["bad", "Reconnecting"] };
const HISTORY_SECONDS = 7 * 86400; // a live event is never older

export const rangeWords = (minutes) => WORDS[minutes];
export const isRange = (text) => text in WORDS;

export function buildHeader(chosen, { onSite, onRange }) {
  byId("ranges").append(...RANGES.map(([value, text]) => {
    const input = make("input", { type: "radio", name: "minutes", value, "aria-label": WORDS[value] });
    input.checked = value === chosen.minutes;
    input.addEventListener("change", () => onRange(value));
    return make("label", {}, input, make("span", {}, text));
  }));
  byId("site").addEventListener("change", (event) => onSite(event.target.value));
}

export function chooseRange(minutes) {
  for (const input of byId("ranges").querySelectorAll("input")) input.checked = input.value === minutes;
}

export function showSites({ site, sites }) {
  const known = [...new Set([...sites.map(({ id }) => id), site])];
  const select = byId("site");
  if (JSON.stringify([...select.options].map((option) => option.value)) !== JSON.stringify(known)) {
    select.replaceChildren(...known.map((id) => make("option", { value: id }, id)));
  }
  if (document.activeElement !== select || select.value === "") select.value = site;
}

export function showFreshness(newest, age) {
  if (newest === null) return badge("freshness", "off", "No events", "");
  if (age > HISTORY_SECONDS) return badge("freshness", "off", "History", `newest event ${day(newest)}`);
  const [tone, text] = age < 120 ? ["good", "Fresh"] : age < 900 ? ["warn", "Quiet"] : ["bad", "No new events"];
  return badge("freshness", tone, text, `newest event ${ago(age)}`);
}

export function showConnection(state) {
  badge("connection", ...CONNECTIONS[state]);
}

function badge(id, tone, text, detail = "") {
  const element = byId(id);
  element.dataset.tone = tone;
  write(element.querySelector("span"), text);
  const more = element.querySelector("b");
  if (more) write(more, detail);
}
