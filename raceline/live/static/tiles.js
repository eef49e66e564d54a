// Every KPI of a stage with its change and its course; a rate has a bar from 0 to 100 % instead of a course.
import { byId, make, makeSvg, write, writeNumber } from "/static/dom.js";
import { exact, number } from "/static/format.js";
import { showChange } from "/static/funnel.js";

const tiles = new Map();

export function showTiles({ groups, series }) {
  const stages = groups.filter((group) => group.id !== "transitions");
  if (!tiles.size) byId("groups").append(...stages.map(group));
  for (const kpi of stages.flatMap((stage) => stage.kpis)) showTile(tiles.get(kpi.id), kpi, series.values[kpi.id]);
}

function group({ id, title, kpis }) {
  return make("section", { class: "panel group", "data-stage": id, "aria-label": title },
    make("h2", {}, title), make("ul", {}, ...kpis.map(tile)));
}

function tile(kpi) {
  const parts = {
    value: make("span", { class: "kpi-value" }),
    delta: make("span", { class: "delta" }),
    why: make("span", { class: "kpi-why" }),
    line: makeSvg("path", { class: "line" }),
    area: makeSvg("path", { class: "area" }),
    level: make("i"),
  };
  tiles.set(kpi.id, parts);
  return make("li", { class: "kpi", title: kpi.meaning },
    make("div", {},
      make("div", { class: "kpi-name" }, kpi.title),
      make("div", { class: "kpi-line" }, parts.value, parts.delta)),
    picture(kpi, parts),
    parts.why);
}

function picture(kpi, { line, area, level }) {
  if (kpi.unit === "share") return make("div", { class: "meter", "aria-hidden": "true" }, level);
  return makeSvg("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line);
}

function showTile(parts, kpi, course) {
  writeNumber(parts.value, number(kpi.value, kpi.unit));
  parts.value.title = exact(kpi.value, kpi.unit);
  showChange(parts.delta, kpi);
  write(parts.why, kpi.reason ?? "");
  parts.level.style.width = `${100 * Math.min(1, kpi.value ?? 0)}%`;
  const points = course?.length > 1 ? sparkline(course) : "";
  parts.line.setAttribute("d", points);
  parts.area.setAttribute("d", points && `${points}L100 30L0 30Z`);
}

function sparkline(course) {
  const most = Math.max(1e-9, ...course);
  const at = (value, place) => `${((100 * place) / (course.length - 1)).toFixed(2)} ${(29 - (27 * value) / most).toFixed(2)}`;
  return `M${course.map(at).join("L")}`;
}
