// The frame around the pages: the URL's parameters, theme, time zone, navigation without reloads.
// The URL is the only state; live.js listens for "pulseboard:url" and fetches what it now asks for.
(() => {
  "use strict";
  const root = document.documentElement;
  const main = document.getElementById("main");
  const kiosk = root.dataset.kiosk === "yes";
  const pages = JSON.parse(root.dataset.pages);
  const query = () => new URLSearchParams(location.search);

  // ------------------------------------------------------------------ the URL
  function text(params) {
    return params.toString().replace(/(^|&)kiosk=(?=&|$)/, "$1kiosk");
  }

  // What is open on a page stays there; filters go along to the next one.
  const PAGE_ONLY = ["event", "replay", "queue", "tab", "token", "panel", "alert", "incident", "run", "sort", "retry"];
  function kept(params) {
    for (const name of PAGE_ONLY) params.delete(name);
    return params;
  }

  function address(path, params) {
    const search = text(params);
    return path + (search ? `?${search}` : "");
  }

  // Changes the query in place. Dash is not told: the page stays, only its view is fetched anew.
  function change(values) {
    const params = query();
    for (const [name, value] of Object.entries(values)) {
      if (value) params.set(name, value);
      else params.delete(name);
    }
    history.pushState(history.state, "", address(location.pathname, params));
    moved();
  }

  // Goes to another page inside Dash. Dash's router listens for "popstate", as for the Back button.
  function go(path, { replace = false } = {}) {
    if (path === location.pathname) return;
    history[replace ? "replaceState" : "pushState"]({}, "", address(path, kept(query())));
    dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  }

  function moved() {
    const notice = document.getElementById("notice");
    if (!notice.dataset.build) notice.hidden = true; // it spoke of the address as it was
    syncControls();
    document.dispatchEvent(new CustomEvent("pulseboard:url"));
  }

  // "Last 10 minutes" of "now-10m"; the twin of range_words in dashboard/components/url_state.py.
  function lastWords(from) {
    const [, number, unit] = /^now-(\d+)([smhdw])$/.exec(from) || [];
    if (!number) return "";
    const word = { s: "second", m: "minute", h: "hour", d: "day", w: "week" }[unit];
    return Number(number) === 1 ? `Last ${word}` : `Last ${Number(number)} ${word}s`;
  }

  function syncControls() {
    const params = query();
    for (const link of document.querySelectorAll("a[data-nav]")) {
      link.href = address(link.dataset.nav, kept(query()));
      if (link.closest("nav")) {
        if (link.dataset.nav === location.pathname) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    }
    const from = params.get("from") || "now-1h";
    const live = (params.get("to") || "now") === "now";
    let label = (live && lastWords(from)) || "Fixed range";
    for (const link of document.querySelectorAll("a[data-from]")) {
      const chosen = live && link.dataset.from === from;
      if (chosen) label = link.textContent;
      link.toggleAttribute("aria-current", chosen);
      const target = query();
      target.set("from", link.dataset.from);
      target.delete("to");
      link.href = address(location.pathname, target);
    }
    const shown = document.getElementById("range-label");
    if (shown) shown.textContent = label;
    const refresh = document.getElementById("refresh");
    if (refresh) {
      const asked = params.get("refresh") || "";
      refresh.value = asked;
      if (refresh.selectedIndex < 0) refresh.value = "";
    }
    const title = document.getElementById("page-title");
    const name = pages[location.pathname];
    if (title && name) title.textContent = name[0].toUpperCase() + name.slice(1);
    for (const chip of document.querySelectorAll("a[data-remove]"))
      chip.closest("li").hidden = !params.get(chip.dataset.remove);
  }

  // ------------------------------------------------------------- theme and zone
  function theme(value) {
    root.dataset.bsTheme = value;
    const button = document.querySelector('[data-action="theme"]');
    if (button) button.textContent = value === "dark" ? "Light theme" : "Dark theme";
  }

  function storedTheme(value) {
    try {
      if (value) localStorage.setItem("pulseboard-theme", value);
      return localStorage.getItem("pulseboard-theme");
    } catch {
      return null; // storage may be forbidden; the URL still carries the theme
    }
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    if (!query().get("theme") && !storedTheme()) theme(event.matches ? "dark" : "light");
  });

  function zone(value) {
    root.dataset.tz = value;
    const button = document.querySelector('[data-action="tz"]');
    if (button) button.textContent = value === "browser" ? "Local time" : "UTC";
    writeTimes();
  }

  // -------------------------------------------------------------------- instants
  const clock = { offset: 0 }; // server minus browser, ms; live.js keeps it
  const now = () => (Date.now() + clock.offset) / 1000;

  function duration(seconds) {
    const whole = Math.max(Math.floor(seconds), 0);
    if (whole < 120) return `${whole} s`;
    let minutes = Math.floor(whole / 60);
    if (minutes < 120) return `${minutes} min`;
    let hours = Math.floor(minutes / 60);
    minutes %= 60;
    if (hours < 48) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
    const days = Math.floor(hours / 24);
    hours %= 24;
    return hours ? `${days} d ${hours} h` : `${days} d`;
  }

  // Not Intl: making its formatter took 45 ms of the 56 that these scripts need before the page stands still.
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

  function stamp(at, seconds = false) {
    const zone = root.dataset.tz === "browser" ? "" : "UTC";
    const date = new Date(at * 1000);
    const part = (name) => date[`get${zone}${name}`]();
    const clock = ["Hours", "Minutes", ...(seconds ? ["Seconds"] : [])].map((name) => String(part(name)).padStart(2, "0"));
    return `${part("Date")} ${months[part("Month")]}, ${clock.join(":")}${zone && " UTC"}`;
  }

  function write(at, form) {
    if (form === "stamp" || form === "exact") return stamp(at, form === "exact");
    const length = duration(now() - at);
    return form === "ago" ? `${length} ago` : length;
  }

  function writeTimes() {
    for (const node of document.querySelectorAll("time[data-t]")) {
      const words = write(Number(node.dataset.t), node.dataset.f);
      if (node.textContent !== words) node.textContent = words;
    }
  }
  // React writes its own text when a view changes an instant; it is put right before the next frame is drawn.
  new MutationObserver(writeTimes).observe(main, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["data-t"],
  });
  setInterval(writeTimes, 1000);

  // -------------------------------------------------------------------- controls
  const field = (at) => {
    const shift = root.dataset.tz === "browser" ? new Date(at).getTimezoneOffset() * 60000 : 0;
    return new Date(at - shift).toISOString().slice(0, 16);
  };
  const moment = (value) => Date.parse(root.dataset.tz === "browser" ? value : `${value}Z`);

  const units = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
  function absolute(value, fallback) {
    const match = /^now(?:-(\d+)([smhdw]))?$/.exec(value || fallback);
    if (match) return Math.round(now() * 1000) - (match[1] ? match[1] * units[match[2]] : 0);
    const number = Number(value);
    return Number.isFinite(number) ? (number < 1e11 ? number * 1000 : number) : Date.parse(value);
  }

  function applyRange() {
    const [from, to] = ["range-from", "range-to"].map((id) => moment(document.getElementById(id).value));
    const problem = document.getElementById("range-problem");
    problem.textContent = "";
    if (Number.isNaN(from) || Number.isNaN(to)) problem.textContent = "Both ends need a date and a time.";
    else if (from >= to) problem.textContent = "From must lie before To.";
    else {
      change({ from: String(from), to: String(to) });
      document.getElementById("range").open = false;
    }
  }

  async function copy(button) {
    const params = query();
    const end = absolute(params.get("to"), "now");
    params.set("from", absolute(params.get("from"), "now-1h"));
    params.set("to", end);
    const link = location.origin + address(location.pathname, params);
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(link);
      button.textContent = "Copied";
    } catch {
      prompt("Copy this link", link); // clipboards need a secure origin
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  }

  const actions = {
    theme() {
      const value = root.dataset.bsTheme === "dark" ? "light" : "dark";
      theme(value);
      storedTheme(value);
      change({ theme: value });
    },
    tz() {
      const value = root.dataset.tz === "browser" ? "utc" : "browser";
      zone(value);
      change({ tz: value });
    },
    pause(button) {
      const paused = !root.hasAttribute("data-paused");
      root.toggleAttribute("data-paused", paused);
      button.textContent = paused ? "Resume" : "Pause";
      button.setAttribute("aria-pressed", String(paused));
      document.dispatchEvent(new CustomEvent("pulseboard:url"));
    },
    toolbar(button) {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      document.getElementById("toolbar").toggleAttribute("data-open", open);
    },
    reload: () => location.reload(),
    range: applyRange,
    copy,
  };

  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    const button = event.target.closest("[data-action]");
    if (button && !kiosk) return void actions[button.dataset.action]?.(button);
    const link = event.target.closest("a");
    if (link && plain) {
      const take = {
        nav: go,
        from: (from) => change({ from, to: null }),
        remove: (name) => change({ [name]: null }),
        set: (values) => change(JSON.parse(values)),
      };
      for (const [kind, follow] of Object.entries(take)) {
        if (link.dataset[kind] === undefined) continue;
        event.preventDefault();
        follow(link.dataset[kind]);
      }
    }
    for (const menu of document.querySelectorAll("details.menu[open]"))
      if (!menu.contains(event.target) || link) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.param;
    if (name) change({ [name]: event.target.value });
  });
  document.getElementById("range")?.addEventListener("toggle", (event) => {
    if (!event.target.open) return;
    const params = query();
    document.getElementById("range-from").value = field(absolute(params.get("from"), "now-1h"));
    document.getElementById("range-to").value = field(absolute(params.get("to"), "now"));
  });
  addEventListener("popstate", moved);

  theme(root.dataset.bsTheme);
  syncControls();
  window.pulseboard = { change, query, clock, now, duration, stamp, go, pages, kiosk };
})();
