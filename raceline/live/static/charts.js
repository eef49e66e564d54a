// The two charts over time. Tooltips are drawn, not written as HTML: the page allows no inline styles.
import { byId, write } from "/static/dom.js";
import { clock, day, moment, number, stepWords } from "/static/format.js";

const STAGES = ["reach", "act", "convert", "engage"];
const charts = new Map();
let shown = null;

export function showCharts({ series, groups }) {
  shown = { series, groups };
  const times = Array.from({ length: series.steps }, (_, step) => Date.parse(series.since) + step * series.step_seconds * 1000);
  const colours = palette();
  write(byId("step-note"), stepWords(series.step_seconds));
  write(byId("orders-note"), `orders left, revenue right, ${stepWords(series.step_seconds)}`);
  draw("events-chart", eventsOption(times, series, colours), eventsLabel(series));
  draw("orders-chart", ordersOption(times, series, colours), ordersLabel(groups));
}

function draw(id, option, label) {
  const element = byId(id);
  if (!charts.has(id)) {
    charts.set(id, globalThis.echarts.init(element, null, { renderer: "canvas" }));
    new ResizeObserver(() => charts.get(id).resize()).observe(element);
  }
  element.setAttribute("aria-label", label);
  charts.get(id).setOption(option, { lazyUpdate: true });
}

function palette() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["text", "muted", "line", "panel", ...STAGES].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

const points = (times, values) => times.map((time, step) => [time, values?.[step] ?? 0]);

function eventsOption(times, series, colours) {
  return {
    ...frame(times, series, colours),
    yAxis: [valueAxis(colours)],
    series: STAGES.map((stage) => ({
      name: stage[0].toUpperCase() + stage.slice(1),
      type: "bar",
      stack: "events",
      barCategoryGap: "22%",
      color: colours[stage],
      data: points(times, series.values[`${stage}_events`]),
    })),
  };
}

function ordersOption(times, series, colours) {
  return {
    ...frame(times, series, colours),
    yAxis: [valueAxis(colours), { ...valueAxis(colours), splitLine: { show: false } }],
    series: [
      { name: "Orders", type: "bar", barCategoryGap: "22%", color: colours.convert, data: points(times, series.values.orders) },
      { name: "Revenue", type: "line", yAxisIndex: 1, smooth: 0.25, smoothMonotone: "x", symbol: "circle", showSymbol: false, color: colours.engage,
        lineStyle: { width: 2 }, data: points(times, series.values.revenue) },
    ],
  };
}

function frame(times, series, colours) {
  return {
    animationDuration: 300,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    grid: { left: 4, right: 4, top: 38, bottom: 2, containLabel: true },
    legend: { left: 0, top: 0, itemWidth: 12, itemHeight: 12, textStyle: { color: colours.text } },
    tooltip: tooltip(series, colours),
    xAxis: {
      type: "time",
      min: times[0] - series.step_seconds * 500,
      max: times.at(-1) + series.step_seconds * 500,
      axisLine: { lineStyle: { color: colours.line } },
      axisLabel: { color: colours.muted, hideOverlap: true, formatter: (time) => label(new Date(time), series) },
    },
  };
}

function tooltip(series, colours) {
  return {
    trigger: "axis",
    renderMode: "richText",
    confine: true,
    axisPointer: { type: "shadow" },
    backgroundColor: colours.panel,
    borderColor: colours.line,
    textStyle: { color: colours.text },
    formatter: (found) => [
      moment(new Date(found[0].value[0])),
      ...found.map(({ seriesName, value }) => `${seriesName}: ${number(value[1], seriesName === "Revenue" ? "money" : "count")}`),
    ].join("\n"),
  };
}

const label = (date, series) => (series.step_seconds * series.steps > 2 * 86400 ? day(date) : clock(date));

const valueAxis = (colours) => ({
  type: "value",
  minInterval: 1,
  splitNumber: 4,
  axisLabel: { color: colours.muted, formatter: (value) => number(value) },
  splitLine: { lineStyle: { color: colours.line } },
});

const total = (values) => (values ?? []).reduce((sum, value) => sum + value, 0);

const eventsLabel = (series) =>
  `Bar chart over time. Events in all: ${STAGES.map((stage) => `${stage} ${number(total(series.values[`${stage}_events`]))}`).join(", ")}`;

function ordersLabel(groups) {
  const of = (id) => groups.flatMap((group) => group.kpis).find((kpi) => kpi.id === id);
  return `Chart over time. Orders in all: ${number(of("orders").value)}, revenue: ${number(of("revenue").value, "money")}`;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && showCharts(shown));
