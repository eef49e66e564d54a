/* Raceline tracker: <script async src="https://HOST/tracker.js" data-key="KEY"></script>
 *
 *   raceline("event", "sign_up", {plan: "pro"});   or   raceline("event", {name: "sign_up", plan: "pro"});
 *   raceline("identify", "user-1");                 raceline("identify", null) forgets the user
 *   raceline("page");                               a page view by hand
 *
 * To call it before it is loaded:
 *   window.raceline = window.raceline || function () { (raceline.q = raceline.q || []).push(arguments); };
 *
 * It keeps a visitor and a session id in localStorage, sends nothing when the browser asks not to be tracked,
 * and never throws into the page.
 */
(function (window, document) {
  "use strict";

  var SESSION_MS = 30 * 60 * 1000;
  var SEND_AFTER_MS = 1000;
  var RETRY_AFTER_MS = 5000;
  var MAX_QUEUE = 500;
  var MAX_BATCH = 50;
  var MAX_BEACON = 60000; // browsers take 64 KiB in all pending beacons
  var UTM = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];
  var CLICK_IDS = ["gclid", "gad_source", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "twclid",
    "li_fat_id", "yclid", "igshid", "rdt_cid", "sccid"];

  var navigator = window.navigator || {};
  var script = document.currentScript || document.querySelector("script[data-key][src*='tracker.js']");
  if (!script || script.racelineLoaded) return;
  script.racelineLoaded = true;

  var key = script.getAttribute("data-key") || "";
  var endpoint = script.src.replace(/\/tracker\.js.*$/, "") + "/v1/events?key=" + encodeURIComponent(key);
  var queue = [];
  var timer = null;
  var lastUrl = null;
  var lastPage = null;
  var memory = {};

  function quietly(action) {
    return function () {
      try {
        return action.apply(null, arguments);
      } catch (problem) {
        return undefined;
      }
    };
  }

  function refusesTracking() {
    return navigator.globalPrivacyControl === true ||
      navigator.doNotTrack === "1" || navigator.doNotTrack === "yes" || window.doNotTrack === "1";
  }

  function load(name) {
    try {
      var stored = window.localStorage.getItem("raceline_" + name);
      if (stored !== null) return stored;
    } catch (blocked) { /* storage is not allowed here: the page's memory has to do */ }
    return memory[name] === undefined ? null : memory[name];
  }

  function save(name, value) {
    memory[name] = value === null ? undefined : value;
    try {
      if (value === null) window.localStorage.removeItem("raceline_" + name);
      else window.localStorage.setItem("raceline_" + name, value);
    } catch (blocked) { /* as above */ }
  }

  function randomBytes(count) {
    var bytes = [];
    if (window.crypto && window.crypto.getRandomValues) {
      return Array.prototype.slice.call(window.crypto.getRandomValues(new Uint8Array(count)));
    }
    for (var i = 0; i < count; i++) bytes.push(Math.floor(Math.random() * 256));
    return bytes;
  }

  function uuid7(now) {
    var bytes = randomBytes(16);
    for (var i = 5; i >= 0; i--) {
      bytes[i] = now % 256;
      now = Math.floor(now / 256);
    }
    bytes[6] = (bytes[6] & 15) | 112;
    bytes[8] = (bytes[8] & 63) | 128;
    var hex = bytes.map(function (byte) { return (byte + 256).toString(16).slice(1); }).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  function visitorId(now) {
    var id = load("visitor");
    if (!id) save("visitor", id = uuid7(now));
    return id;
  }

  function sessionId(now) {
    var parts = (load("session") || "").split("|"); // id|time of its last event, shared by all tabs
    var idle = now - Number(parts[1]);
    var id = parts[0] && idle >= 0 && idle < SESSION_MS ? parts[0] : uuid7(now);
    save("session", id + "|" + now);
    return id;
  }

  function parameter(name) {
    var found = new RegExp("[?&]" + name + "=([^&#]*)", "i").exec(window.location.search || "");
    if (!found || !found[1]) return undefined;
    try {
      return decodeURIComponent(found[1].replace(/\+/g, " ")).slice(0, 500);
    } catch (malformed) {
      return found[1].slice(0, 500);
    }
  }

  function context() {
    var seen = {
      url: window.location.href.slice(0, 2000),
      title: (document.title || "").slice(0, 500),
      locale: (navigator.language || "").slice(0, 35) || undefined
    };
    var referrer = lastPage === null ? document.referrer : lastPage;
    if (referrer) seen.referrer = referrer.slice(0, 2000);
    if (window.screen && window.screen.width) seen.screen = window.screen.width + "x" + window.screen.height;
    UTM.forEach(function (name) { seen[name] = parameter(name); });
    CLICK_IDS.forEach(function (name) {
      var value = parameter(name);
      if (value) (seen.click_ids = seen.click_ids || {})[name] = value;
    });
    return seen;
  }

  function record(name, properties) {
    if (refusesTracking() || typeof name !== "string") return;
    var now = Date.now();
    var event = {
      event_id: uuid7(now),
      name: name,
      visitor_id: visitorId(now),
      session_id: sessionId(now),
      occurred_at: now,
      context: context(),
      properties: JSON.parse(JSON.stringify(properties || {})) // what cannot be sent must not get into the queue
    };
    var user = load("user");
    if (user) event.user_id = user;
    queue.push(event);
    if (queue.length > MAX_QUEUE) queue.shift();
    sendLater(SEND_AFTER_MS);
  }

  function sendLater(delay) {
    if (timer === null) timer = window.setTimeout(quietly(send), delay);
  }

  function payload(events) {
    var now = Date.now();
    events.forEach(function (event) { event.sent_at = now; });
    return JSON.stringify(events);
  }

  function send() {
    timer = null;
    if (!queue.length) return;
    if (!window.fetch) return leave();
    var batch = queue.splice(0, MAX_BATCH);
    var body = payload(batch);
    function again() { // the ids stay, so what arrived twice counts once
      queue = batch.concat(queue).slice(-MAX_QUEUE);
      sendLater(RETRY_AFTER_MS);
    }
    // Text/plain needs no preflight; keepalive lets it outlive the page, but allows 64 KiB for all requests together.
    post(body, body.length < MAX_BEACON / 2).then(function (answer) {
      if (answer.status >= 500 || answer.status === 408 || answer.status === 429) again();
      else if (queue.length) sendLater(0);
    }).catch(quietly(again));
  }

  function leave() { // the page may be gone at any moment: hand over what is left
    while (queue.length) {
      var count = Math.min(queue.length, MAX_BATCH);
      while (!handOver(payload(queue.slice(0, count)))) { // more than the browser takes at once
        if (count === 1) return;
        count = Math.ceil(count / 2);
      }
      queue.splice(0, count);
    }
  }

  function handOver(body) {
    if (body.length > MAX_BEACON) return false;
    if (navigator.sendBeacon) return navigator.sendBeacon(endpoint, body);
    if (!window.fetch) return false;
    post(body, true).catch(function () {});
    return true;
  }

  function post(body, keepalive) {
    return window.fetch(endpoint, {
      method: "POST", body: body, credentials: "omit", keepalive: keepalive, headers: { "Content-Type": "text/plain" }
    });
  }

  function page() {
    record("page_view");
    lastPage = window.location.href;
    lastUrl = pageUrl();
  }

  function pageUrl() { // a changed #anchor is the same page, a changed #/path of a single-page app is not
    return window.location.href.replace(/#(?!\/).*$/, "");
  }

  function pageIfMoved() {
    // After the current task: frameworks set the title right after they change the address.
    window.setTimeout(quietly(function () { if (pageUrl() !== lastUrl) page(); }), 0);
  }

  function watch(method) {
    var original = window.history && window.history[method];
    if (!original) return;
    window.history[method] = function () {
      var result = original.apply(this, arguments);
      quietly(pageIfMoved)();
      return result;
    };
  }

  function without(object, name) {
    var rest = {};
    Object.keys(object).forEach(function (each) { if (each !== name) rest[each] = object[each]; });
    return rest;
  }

  var commands = {
    event: function (name, properties) {
      if (name && typeof name === "object") record(name.name, without(name, "name"));
      else record(name, properties);
    },
    identify: function (user) {
      save("user", user === null || user === undefined || user === "" ? null : String(user));
      if (load("user")) record("identify");
    },
    page: page
  };

  var run = quietly(function (command) {
    if (commands.hasOwnProperty(command)) commands[command].apply(null, Array.prototype.slice.call(arguments, 1));
  });

  quietly(function () {
    var waiting = (window.raceline && window.raceline.q) || [];
    window.raceline = run;
    watch("pushState");
    watch("replaceState");
    window.addEventListener("popstate", quietly(pageIfMoved));
    window.addEventListener("hashchange", quietly(pageIfMoved));
    window.addEventListener("pagehide", quietly(leave));
    document.addEventListener("visibilitychange", quietly(function () {
      if (document.visibilityState === "hidden") leave();
    }));
    page();
    for (var i = 0; i < waiting.length; i++) run.apply(null, waiting[i]);
  })();
})(window, document);
