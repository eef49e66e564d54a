// A small page for the tracker: loads it, runs the script of a test in it, and prints what was sent as JSON.
// Usage: node tracker_page.js TRACKER SCENARIO, where the scenario is a script with `page` and `window` in scope.
"use strict";
const fs = require("fs");
const vm = require("vm");

const [trackerPath, scenario] = process.argv.slice(2);
const sent = [];
const timers = [];
const listeners = {};
const storage = new Map();
let now = 1800000000000;

function listen(name, action) { (listeners[name] = listeners[name] || []).push(action); }

const location = { href: "https://shop.example/start", search: "" };
const window = {
  location,
  navigator: {
    language: "de-DE",
    sendBeacon(url, body) { sent.push({ how: "beacon", url, events: JSON.parse(body) }); return true; },
  },
  screen: { width: 1920, height: 1080 },
  crypto: require("crypto").webcrypto,
  localStorage: {
    getItem: (name) => (storage.has(name) ? storage.get(name) : null),
    setItem: (name, value) => storage.set(name, String(value)),
    removeItem: (name) => storage.delete(name),
  },
  history: {
    pushState(state, title, url) { page.go(url); },
    replaceState(state, title, url) { page.go(url); },
  },
  setTimeout(action, delay) { timers.push({ action, at: now + delay }); return timers.length; },
  addEventListener: listen,
  fetch(url, options) {
    sent.push({ how: "fetch", url, events: JSON.parse(options.body), options });
    return page.answers.length ? page.answers.shift()() : Promise.resolve({ status: 200 });
  },
};
const script = {
  src: "https://collect.example/tracker.js?v=1",
  getAttribute: (name) => (name === "data-key" ? "demo" : null),
};
const document = {
  currentScript: script, title: "Start", referrer: "https://search.example/?q=shoes", visibilityState: "visible",
  addEventListener: listen, querySelector: () => null,
};

const page = {
  sent, storage, document, script, answers: [],
  events() { return sent.flatMap((request) => request.events); },
  go(url) {
    location.href = new URL(url, location.href).href;
    location.search = new URL(location.href).search;
  },
  load() {
    vm.runInNewContext(fs.readFileSync(trackerPath, "utf8"), {
      window, document, Date: Object.assign(class extends Date {}, { now: () => now }), Uint8Array,
    });
  },
  fire(name) { (listeners[name] || []).forEach((action) => action({})); },
  async wait(ms) {
    const until = now + ms;
    for (;;) {
      await new Promise(setImmediate);
      timers.sort((a, b) => a.at - b.at);
      if (!timers.length || timers[0].at > until) break;
      const timer = timers.shift();
      now = Math.max(now, timer.at);
      timer.action();
    }
    now = until;
  },
};

(async () => {
  const result = await new Function("page", "window", `return (async () => { ${scenario} })();`)(page, window);
  process.stdout.write(JSON.stringify(result === undefined ? sent : result));
})();
