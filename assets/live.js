// Keeps the page on the screen fresh: fetches its view, applies it through Dash, and says how old the picture is.
// Generic: it knows component ids and properties, never what a page shows.
(() => {
  "use strict";
  const root = document.documentElement;
  const main = document.getElementById("main");
  const react = document.getElementById("react-entry-point");
  const age = document.getElementById("data-age");
  const banner = document.getElementById("banner");
  const notice = document.getElementById("notice");
  const { clock, now, duration, stamp, pages, draw, charts, say } = window.pulseboard;

  const TIMEOUT_MS = 10000;
  const SLOW_MS = 3000;
  const LATE_MS = 1000;
  const SLOWEST_RETRY_MS = 60000;
  const SHELL = ["theme", "tz", "rotate", "every", "refresh"]; // what the view does not depend on
  const STALE_REFRESHES = 3;
  const LEAST_STALE_SECONDS = 180;

  const DRAW_MS = 15000; // charts that are not drawn by then no longer keep the rest of a page waiting
  const LOOK_MS = 50;
  const LOAD_MS = 30000; // Dash draws the page long before; if it never does, the picture is frozen

  const kept = new Map(); // page -> { url, body } of its last view, for when Dash draws that page's layout again
  const applied = new Map(); // component id -> property -> JSON of what it was last set to
  let late = false; // the server is making a newer picture, which takes its time
  let frozenSince = null; // since when there is a view that never reached the screen
  let waiting = false; // some component of the view is not on the page yet
  let shown = null; // what the server said last: { url, etag, page, asOf, refreshMs, staleSeconds }
  let flight = null; // { url, abort }
  let failures = 0;
  let trouble = null; // { kind, text }: why the last fetch gave nothing new
  let lastContact = now();
  let filledAt = null; // when Dash's page had its view, its charts maybe not yet
  let looking = 0;
  let told = ""; // what the banner is about, as it was said to screen readers
  let nextAt = 0;
  let timer = 0;

  const page = () => pages[location.pathname];

  function viewUrl() {
    const params = new URLSearchParams(location.search);
    for (const name of SHELL) params.delete(name);
    for (const [name, value] of [...params]) if (!value && name !== "kiosk") params.delete(name);
    return `/api/v1/view/${page()}?${params}`;
  }

  // Milliseconds between refreshes: the URL's, else the server's; Infinity while off or paused.
  function interval() {
    if (shown?.awaits) return shown.refreshMs; // what was asked for is shown when it comes, paused or not
    if (root.hasAttribute("data-paused")) return Infinity;
    const asked = new URLSearchParams(location.search).get("refresh");
    if (asked === "off") return Infinity;
    const match = /^(\d{1,5})(s|m)?$/.exec(asked || "");
    const seconds = match ? match[1] * (match[2] === "m" ? 60 : 1) : 0;
    return seconds >= 1 ? seconds * 1000 : shown?.refreshMs || 60000;
  }

  function schedule(ms) {
    clearTimeout(timer);
    nextAt = Date.now() + ms;
    if (Number.isFinite(ms)) timer = setTimeout(refresh, ms);
  }

  // ------------------------------------------------------------------- fetching
  async function refresh() {
    if (!page()) return;
    const url = viewUrl();
    if (flight?.url === url) return;
    // A kiosk may turn the page before a hanging server's time is up: that is a failure all the same.
    if (flight && Date.now() - flight.since > SLOW_MS) failed("unreachable", "Pulseboard can't be reached");
    flight?.abort.abort();
    const own = (flight = { url, abort: new AbortController(), since: Date.now() });
    const limit = setTimeout(() => own.abort.abort(), TIMEOUT_MS);
    try {
      const headers = shown?.url === url && shown.etag ? { "If-None-Match": shown.etag } : {};
      const response = await fetch(url, { headers, signal: own.abort.signal, cache: "no-store" });
      const body = response.status === 304 ? null : await response.json().catch(() => null);
      if (flight === own) answered(url, response, body);
    } catch {
      if (flight === own) failed("unreachable", "Pulseboard can't be reached");
    } finally {
      clearTimeout(limit);
      if (flight === own) {
        flight = null;
        schedule(failures ? retryDelay() : late ? LATE_MS : interval());
        tick();
      }
    }
  }

  function retryDelay() {
    if (trouble.kind === "refused") return Infinity;
    const wait = Math.min(1000 * 2 ** failures, SLOWEST_RETRY_MS);
    return Math.min(wait, Math.max(interval(), 2000)) * (0.8 + Math.random() * 0.4);
  }

  // ``mend`` is what a reader has to do about it; where it is empty the page goes on by itself.
  function failed(kind, text, mend = "") {
    failures += 1;
    trouble = { kind, text, mend };
    reveal();
  }

  function answered(url, response, body) {
    const serverNow = Number(response.headers.get("X-Pulseboard-Now"));
    if (serverNow) clock.offset = serverNow - Date.now();
    lastContact = now();
    late = false;
    if (response.status === 401) return failed("refused", "You are signed out. Reload the page to sign in again", "session");
    if (response.status === 400)
      return failed("refused", `The address has a value that can't be used. ${body?.error?.message || ""}`, "address");
    late = response.headers.has("X-Pulseboard-Late") || body?.error?.code === "being_made";
    if (response.status !== 304 && (!response.ok || !body) && !late)
      return failed("error", body?.error?.message || `The server answered with an error (${response.status})`);
    failures = 0;
    trouble = null;
    if (body?.error) return; // the first picture of this range is on its way
    const stale = response.headers.get("X-Pulseboard-Stale"); // seconds, only there when newer data can't be read
    const staleSeconds = stale === null ? 0 : Math.max(Number(stale), 1);
    if (response.status === 304) {
      shown.staleSeconds = staleSeconds;
      return;
    }
    shown = {
      url, etag: response.headers.get("ETag"), page: body.page,
      asOf: body.as_of, live: body.live !== false, refreshMs: body.refresh_ms, staleSeconds, applied: false,
      awaits: body.awaits === true,
    };
    if (body.build && body.build !== root.dataset.build)
      document.dispatchEvent(new CustomEvent("pulseboard:build", { detail: body.build }));
    kept.set(body.page, { url, body });
    document.dispatchEvent(new CustomEvent("pulseboard:view", { detail: body }));
    put(body);
  }

  // ------------------------------------------------------------------- applying
  function put(view) {
    shown.applied = apply(view);
    frozenSince = shown.applied ? null : frozenSince ?? Date.now();
  }

  // Whether the view is on the screen; if not yet, the observer comes back here.
  function apply(view) {
    applyShell(view.props || {});
    const dash = window.dash_clientside;
    if (!dash?.set_props || !react.querySelector(`#page-${view.page}`)) return false;
    const drawn = react.querySelector(`#page-${view.page}`);
    if (drawn.dataset.filled === "no") applied.clear(); // a fresh layout holds nothing yet
    waiting = false;
    for (const [id, props] of Object.entries(view.props || {})) set(dash, id, props);
    for (const [id, traces] of Object.entries(view.charts || {}))
      set(dash, id, { traces, ends: charts.endsOf(id) }, () => charts.figure(new dash.Patch(), id, traces));
    document.dispatchEvent(new CustomEvent("pulseboard:applied"));
    return true;
  }

  // Sets what differs from the last time; ``build`` makes the properties of the changed values.
  function set(dash, id, values, build = (changes) => changes) {
    if (document.querySelector(`select#${CSS.escape(id)}`)) return; // the shell's, outside of Dash
    const place = react.querySelector(`#${CSS.escape(id)}`);
    // Components whose script comes on demand, as charts do, appear later than the layout around them.
    if (!place || needed(place)) {
      waiting = true;
      return;
    }
    const changes = changed(id, values);
    if ("drawn" in place.dataset && "children" in changes) {
      draw(place, changes.children);
      delete changes.children;
    }
    if (Object.keys(changes).length) dash.set_props(id, build(changes));
  }

  // Whether a region still waits for its component suite: one that most pages do without is loaded where it is needed.
  const suites = JSON.parse(root.dataset.suites || "{}");
  const loading = new Set();
  function needed(place) {
    const suite = place.dataset.needs;
    if (!suite || window[suite] || !suites[suite]) return false;
    if (loading.has(suite)) return true;
    loading.add(suite);
    const script = document.createElement("script");
    script.src = suites[suite];
    script.onload = fillIn;
    script.onerror = () => loading.delete(suite); // the next refresh tries again
    document.head.append(script);
    return true;
  }

  // Only what differs is set: Dash makes new elements of children it is given, and a screen reader would read the
  // same verdict out again.
  function changed(id, props) {
    const before = applied.get(id) || {};
    const now = Object.fromEntries(Object.entries(props).map(([name, value]) => [name, JSON.stringify(value)]));
    applied.set(id, { ...before, ...now });
    return Object.fromEntries(Object.entries(props).filter(([name]) => now[name] !== before[name]));
  }

  // What stands outside Dash's root: the options of a select.
  function applyShell(props) {
    for (const [id, { options }] of Object.entries(props)) {
      const select = options && document.querySelector(`select#${CSS.escape(id)}`);
      if (!select) continue;
      const names = [...select.options].map((option) => option.value);
      if (options.length === names.length && options.every((name, i) => name === names[i])) continue;
      const chosen = select.value;
      const wanted = options.includes(chosen) ? options : [chosen, ...options];
      select.replaceChildren(...wanted.map((name) => new Option(name, name, false, name === chosen)));
    }
  }

  // The server's first paint makes way once Dash's own picture is as complete.
  function reveal() {
    const first = document.getElementById("first-paint");
    const drawn = react.querySelector('[id^="page-"]');
    if (!first || !drawn) return;
    // Two elements must never answer to one id.
    for (const node of first.querySelectorAll("[id]")) node.removeAttribute("id");
    const filled = drawn.dataset.filled === "yes";
    if (filled) filledAt ??= Date.now();
    if (filled && !charts.taken() && Date.now() - filledAt < DRAW_MS) {
      clearTimeout(looking);
      looking = setTimeout(reveal, LOOK_MS);
      return;
    }
    const poorer = first.querySelector(".page")?.dataset.filled !== "yes";
    if (filled || (poorer && trouble)) {
      first.remove();
      charts.release();
      delete main.dataset.booting;
    }
  }

  // Dash draws a layout without data when a page is opened: the view it already had goes in at once.
  function fillIn() {
    const drawn = react.querySelector('[id^="page-"]');
    if (!drawn) return;
    const view = kept.get(page());
    const mine = view && drawn.id === `page-${view.body.page}` && view.url === viewUrl();
    const owed = shown && !shown.applied && shown.url === view?.url;
    if (mine && (waiting || owed || drawn.dataset.filled === "no")) {
      if (shown?.url === view.url) put(view.body);
      else apply(view.body);
    }
    reveal();
  }
  new MutationObserver(fillIn).observe(react, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-filled"] });

  // ---------------------------------------------------------------- the age clock
  function staleAfter() {
    const said = Number(document.querySelector("[data-stale-after]")?.dataset.staleAfter);
    if (!said && !shown.live) return Infinity; // a fixed range in the past is meant to be old
    const own = said || LEAST_STALE_SECONDS;
    const every = interval();
    return Math.max(own, Number.isFinite(every) ? (STALE_REFRESHES * every) / 1000 : 0);
  }

  // What no answer tells: that none comes, and that what came never reached the screen.
  function noticeSilence() {
    if (document.hidden || trouble) return;
    const every = interval() / 1000;
    if (Number.isFinite(every) && now() - lastContact > every + (2 * TIMEOUT_MS) / 1000)
      silent("unreachable", "Pulseboard can't be reached");
    else if (frozenSince !== null && Date.now() - frozenSince > LOAD_MS)
      silent("error", "This page did not finish loading, its picture stands still");
  }

  function silent(kind, text) {
    failures = Math.max(failures, 2);
    trouble = { kind, text };
  }

  function tick() {
    noticeSilence();
    const asOf = shown?.page === page() && shown.applied ? shown.asOf : null;
    const old = asOf ? Math.max(now() - asOf, 0) : null;
    const paused = root.hasAttribute("data-paused");
    const words = [];
    let state = "live";
    if (old !== null) words.push(`Data ${duration(old)} old`);
    else if (shown && shown.page === page()) words.push("No data on this page");
    else if (!trouble) words.push(late ? "Reading the data" : "Connecting");
    if (trouble) {
      state = "error";
      words.push({ unreachable: "reconnecting", error: "server error", refused: "not refreshing" }[trouble.kind]);
    } else if (shown?.staleSeconds > 0) {
      state = "stale";
      words.push("the data store does not answer");
    } else if (late && old !== null) words.push("a newer picture is being made");
    if (old !== null && old > staleAfter()) state = state === "live" ? "stale" : state;
    if (paused) words.push("paused");
    const sentence = words.join(", ");
    write(age, sentence && sentence[0].toUpperCase() + sentence.slice(1));
    age.dataset.state = paused && state === "live" ? "paused" : state;
    if (old === null) delete age.dataset.seconds;
    else age.dataset.seconds = String(Math.floor(old));
    root.dataset.live = state;
    if (trouble?.mend) root.dataset.trouble = trouble.mend;
    else delete root.dataset.trouble;
    announce(old);
  }

  function announce(old) {
    let text = "";
    let gist = ""; // without the seconds that count on: said once
    const picture = old === null ? "" : ` The picture is from ${stamp(shown.asOf)}, ${duration(old)} ago.`;
    if (trouble && (failures > 1 || trouble.kind === "refused")) {
      const wait = Math.max(Math.ceil((nextAt - Date.now()) / 1000), 0);
      const again = Number.isFinite(nextAt) ? (wait ? ` Trying again in ${wait} s.` : " Trying again.") : "";
      gist = `${trouble.text.replace(/\.$/, "")}.`;
      text = gist + picture + again;
    } else if (old !== null && old > staleAfter()) {
      gist = shown.staleSeconds ? "The data store does not answer."
        : late ? "A newer picture is being made." : "No newer samples have arrived.";
      text = `This data is ${duration(old)} old. ${gist}`;
    }
    // The server's own notice already said what is wrong with the address.
    const said = trouble?.kind === "refused" && notice.textContent && !notice.hidden && !notice.dataset.build;
    banner.hidden = !text || said;
    write(banner, text);
    if (gist !== told) say(gist || "The data is fresh again.");
    told = gist;
  }

  function write(node, words) {
    if (node.textContent !== words) node.textContent = words;
  }

  // ----------------------------------------------------------------------- start
  // After an action the page shows its result at once: whatever is on its way was asked before it.
  document.addEventListener("pulseboard:acted", () => {
    flight?.abort.abort();
    flight = null;
    refresh();
  });
  document.addEventListener("pulseboard:url", () => {
    frozenSince = null;
    if (trouble?.kind === "refused") {
      failures = 0; // another address may be a good one; a server that is away is away for every page
      trouble = null;
    }
    refresh();
    if (!flight) schedule(interval());
    tick();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Number.isFinite(interval())) refresh();
  });
  addEventListener("online", () => refresh());
  window.pulseboard.contact = () => now() - lastContact;
  setInterval(tick, 1000);
  refresh();
  tick();
})();
