// The page: what is chosen, the newest snapshot, and what is shown of it.
import { showChannels } from "/static/channels.js";
import { showCharts } from "/static/charts.js";
import { byId, write } from "/static/dom.js";
import { clock, moment, number } from "/static/format.js";
import { showFunnel } from "/static/funnel.js";
import { buildHeader, chooseRange, isRange, rangeWords, showConnection, showFreshness, showSites } from "/static/header.js";
import { showEmpty, showHealth } from "/static/health.js";
import { Source } from "/static/source.js";
import { showTiles } from "/static/tiles.js";

const HIDDEN_MS = 15000; // a browser allows few connections to one host: a hidden page gives its own back
const TROUBLE = {
  unavailable: "ClickHouse does not answer.",
  slow: "ClickHouse has not answered for 10 seconds.",
  internal: "The server could not make the numbers; its log says why.",
};

const address = new URLSearchParams(location.search);
const chosen = { site: address.get("site"), minutes: isRange(address.get("minutes")) ? address.get("minutes") : "60" };
let source = null;
let snapshot = null;
let ahead = 0; // of the server's clock over ours, in ms
let hiding = null;

function connect() {
  source?.close();
  source = new Source(chosen, { snapshot: show, trouble: showTrouble, state: showConnection });
}

function choose(change) {
  Object.assign(chosen, change);
  chooseRange(chosen.minutes);
  const query = new URLSearchParams({ ...(chosen.site !== null && { site: chosen.site }), minutes: chosen.minutes });
  history.replaceState(null, "", `?${query}`);
  connect();
}

function show(content) {
  snapshot = content;
  ahead = Date.parse(content.generated_at) - Date.now();
  clearTrouble();
  showSites(content);
  const known = content.sites.some(({ id }) => id === content.site);
  byId("content").hidden = !known;
  showEmpty(content, () => choose({ minutes: "all" }));
  if (known) showNumbers(content);
  tick();
  // From now on this site, whichever site has the newest events.
  if (chosen.site === null && known) choose({ site: content.site });
}

function showNumbers(content) {
  write(byId("range-note"), rangeNote(content.range));
  showFunnel(content);
  showTiles(content);
  showCharts(content);
  showChannels(content);
  const kpi = (id) => content.groups.flatMap((group) => group.kpis).find((found) => found.id === id).value;
  document.title = `${number(kpi("unique_visitors"))} visitors, ${number(kpi("orders"))} orders · ${content.site} · Raceline`;
}

function rangeNote({ minutes, since, until, compared }) {
  if (minutes === "all") return `${moment(new Date(since))} to ${moment(new Date(until))}`;
  return `${rangeWords(minutes)}, ${compared ? "changes against the period before" : "nothing to compare in the period before"}`;
}

function showTrouble(reason) {
  const box = byId("trouble");
  write(box.querySelector("strong"), TROUBLE[reason] ?? TROUBLE.internal);
  const since = snapshot ? `The numbers below are from ${clock(new Date(snapshot.generated_at), true)}. ` : "";
  write(box.querySelector("span"), `${since}The page tries again by itself.`);
  box.hidden = false;
  document.body.classList.add("stale");
}

function clearTrouble() {
  byId("trouble").hidden = true;
  document.body.classList.remove("stale");
}

function tick() {
  if (!snapshot) return;
  const newest = snapshot.freshness.newest_at && new Date(snapshot.freshness.newest_at);
  showFreshness(newest, newest && (Date.now() + ahead - newest) / 1000);
  showHealth(snapshot);
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) {
    hiding = setTimeout(() => { source.close(); source = null; }, HIDDEN_MS);
  } else if (!source) connect();
});

buildHeader(chosen, { onSite: (site) => choose({ site }), onRange: (minutes) => choose({ minutes }) });
setInterval(tick, 1000);
connect();
