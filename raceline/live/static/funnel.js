// The hero: four stages, as wide as the persons in them, and the rate at each border.
import { byId, make, makeSvg, write, writeNumber } from "/static/dom.js";
import { change, exact, number } from "/static/format.js";

const WHAT = { reach: "persons visited", act: "persons acted", convert: "persons ordered", engage: "customers engaged" };
const parts = new Map();

export function showFunnel({ funnel, groups }) {
  const rates = groups.find((group) => group.id === "transitions").kpis;
  if (!parts.size) build(funnel, rates);
  const most = Math.max(1, ...funnel.map((stage) => stage.persons));
  funnel.forEach((stage, place) => {
    const part = parts.get(stage.stage);
    writeNumber(part.value, number(stage.persons));
    part.value.title = exact(stage.persons, "count");
    showChange(part.delta, { value: stage.persons, previous: stage.previous, unit: "count" });
    write(part.foot, `${number(stage.events)} events`);
    part.path.setAttribute("d", outline(stage.persons / most, (funnel[place + 1] ?? stage).persons / most));
    part.bar.hidden = stage.persons === 0;
    part.bar.style.width = `${(100 * stage.persons) / most}%`;
    if (rates[place]) showRate(part, rates[place]);
  });
}

function build(funnel, rates) {
  funnel.forEach(({ stage, title }, place) => {
    const part = {
      value: make("strong", { class: "stage-value" }),
      delta: make("span", { class: "delta" }),
      foot: make("div", { class: "stage-foot" }),
      path: makeSvg("path"),
      bar: make("i"),
      rate: make("strong"),
      rateDelta: make("span", { class: "delta" }),
    };
    parts.set(stage, part);
    byId("funnel").append(
      make("li", { class: "stage", "data-stage": stage },
        make("div", { class: "stage-head" },
          make("h3", { class: "stage-name" }, title),
          part.value,
          make("p", { class: "stage-what" }, WHAT[stage], part.delta)),
        makeSvg("svg", { class: "flow", viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, part.path),
        make("div", { class: "bar", "aria-hidden": "true" }, part.bar),
        part.foot,
        ...(rates[place] ? [rate(part, rates[place])] : [])));
  });
}

function rate(part, kpi) {
  part.box = make("p", { class: "rate" }, part.rate, make("span", {}, kpi.title), part.rateDelta);
  return part.box;
}

function showRate(part, kpi) {
  writeNumber(part.rate, number(kpi.value, "share"));
  part.box.title = kpi.reason ? `${kpi.meaning}: ${kpi.reason}` : kpi.meaning;
  showChange(part.rateDelta, kpi);
}

export function showChange(element, kpi) {
  const found = change(kpi);
  write(element, found?.text ?? "");
  element.dataset.tone = found?.tone ?? "off";
  element.title = found ? `${number(kpi.previous, kpi.unit)} in the period before` : "";
}

// From the own height at the left to the next stage's at the right. A stage with persons is never invisible.
function outline(left, right) {
  const [a, b] = [left, right].map((part) => (part > 0 ? Math.max(1.2, 48 * part) : 0.4));
  return `M0 ${50 - a}C45 ${50 - a} 55 ${50 - b} 100 ${50 - b}V${50 + b}C55 ${50 + b} 45 ${50 + a} 0 ${50 + a}Z`;
}
