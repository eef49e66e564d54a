// Numbers and times in the words and digits of the reader's locale.
export const MISSING = "–";

const locale = globalThis.navigator?.languages?.slice();
const cache = new Map();

function format(options) {
  const key = JSON.stringify(options);
  if (!cache.has(key)) cache.set(key, new Intl.NumberFormat(locale, options));
  return cache.get(key);
}

export function number(value, unit = "count") {
  if (value === null || value === undefined) return MISSING;
  if (unit === "share") return share(value);
  if (Math.abs(value) >= 1e6) return format({ notation: "compact", maximumFractionDigits: 2 }).format(value);
  if (unit === "money") {
    const digits = Math.abs(value) < 1000 ? 2 : 0;
    return format({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  }
  return format({ maximumFractionDigits: 0 }).format(value);
}

export const exact = (value, unit) =>
  value === null || unit === "share" ? number(value, unit) : format({ maximumFractionDigits: 2 }).format(value);

function share(value) {
  const digits = Math.abs(value) < 0.1 && value !== 0 ? 2 : 1;
  return format({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

// The change against the period before: null where there is nothing to compare.
export function change({ value, previous, unit, good_when: goodWhen = "rises" }) {
  if (value === null || previous === null || previous === undefined) return null;
  if (unit !== "share" && previous === 0) return value === 0 ? null : { text: "new", tone: "off" };
  const size = unit === "share" ? value - previous : value / previous - 1;
  if (Math.abs(size) < 0.0005) return { text: "±0", tone: "off" };
  const points = Math.abs(size * 100);
  const digits = unit === "share" || points < 9.95 ? 1 : 0;
  const text = format({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(points);
  return { text: `${size > 0 ? "▲" : "▼"} ${text} ${unit === "share" ? "pp" : "%"}`, tone: tone(size, goodWhen) };
}

const tone = (size, goodWhen) => (size > 0 === (goodWhen === "rises") ? "good" : "bad");

const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

export function ago(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 2) return "just now";
  const [size, unit] = UNITS.find(([size]) => whole >= size);
  return new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" }).format(-Math.floor(whole / size), unit);
}

export const clock = (date, seconds = false) =>
  date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) });

export const day = (date) => date.toLocaleDateString(locale, { day: "numeric", month: "short", year: "numeric" });

export const moment = (date) => `${day(date)}, ${clock(date)}`;

export function duration(seconds) {
  if (seconds === null) return MISSING;
  if (seconds < 1) return "< 1 s"; // what is measured ends in whole seconds
  if (seconds < 60) return `${format({ maximumFractionDigits: 1 }).format(seconds)} s`;
  if (seconds < 3600) return `${number(seconds / 60)} min`;
  return `${number(seconds / 3600)} h`;
}

export function stepWords(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size);
  return seconds === size ? `per ${unit}` : `per ${seconds / size} ${unit}s`;
}

// paid_search -> Paid search
export const words = (name) => (name === "" ? "Unknown" : name[0].toUpperCase() + name.slice(1).replaceAll("_", " "));
