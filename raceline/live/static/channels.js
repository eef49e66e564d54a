// Where the visits came from, and what each channel brought.
import { byId, make, write } from "/static/dom.js";
import { number, words } from "/static/format.js";

const rows = new Map();
let body = null;

export function showChannels({ channels }) {
  body ??= table();
  const most = Math.max(1, ...channels.map((channel) => channel.persons));
  const wanted = channels.map((channel) => show(channel, most));
  wanted.forEach((row, place) => {
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
  });
  while (body.children.length > wanted.length) body.lastChild.remove();
}

function table() {
  const made = make("tbody");
  const heads = ["Channel", "Persons", "Orders", "Revenue"].map((name) => make("th", { scope: "col" }, name));
  byId("channels").replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...heads)), made));
  return made;
}

function show({ channel, persons, orders, revenue }, most) {
  if (!rows.has(channel)) rows.set(channel, row(channel));
  const { line, bar, cells } = rows.get(channel);
  bar.style.width = `${(100 * persons) / most}%`;
  write(cells[0], number(persons));
  write(cells[1], number(orders));
  write(cells[2], number(revenue, "money"));
  return line;
}

function row(channel) {
  const bar = make("i", { "aria-hidden": "true" });
  const cells = [make("span"), make("td"), make("td")];
  const amount = make("td", { class: "amount" }, make("div", {}, make("div", {}, bar), cells[0]));
  const line = make("tr", {}, make("td", {}, words(channel)), amount, cells[1], cells[2]);
  return { line, bar, cells };
}
