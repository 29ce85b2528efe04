// The frame around the pages: the URL's parameters, theme, time zone, navigation without reloads.
// The URL is the only state; live.js listens for "pulseboard:url" and fetches what it now asks for.
(() => {
  "use strict";
  const root = document.documentElement;
  const kiosk = root.dataset.kiosk === "yes";
  const pages = JSON.parse(root.dataset.pages);
  const query = () => new URLSearchParams(location.search);
  const everyTrait = JSON.parse(root.dataset.traits);
  const traits = () => everyTrait[pages[location.pathname]] || { filters: [], compares: false, timeCharts: [] };

  // ------------------------------------------------------------------ the URL
  function text(params) {
    return params.toString().replace(/(^|&)kiosk=(?=&|$)/, "$1kiosk");
  }

  // What is a page's own stays there; the range, the filters of all pages and the display go along to the next one.
  const KEPT = JSON.parse(root.dataset.kept);
  function kept(params) {
    for (const name of [...params.keys()]) if (!KEPT.includes(name)) params.delete(name);
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

  function syncControls() {
    const params = query();
    for (const link of document.querySelectorAll("a[data-nav]")) {
      link.href = address(link.dataset.nav, kept(query()));
      if (link.closest("nav")) {
        if (link.dataset.nav === location.pathname) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    }
    const refresh = document.getElementById("refresh");
    if (refresh) {
      const asked = params.get("refresh") || "";
      refresh.value = asked;
      if (refresh.selectedIndex < 0) refresh.value = "";
    }
    const title = document.getElementById("page-title");
    const name = pages[location.pathname];
    if (title && name) title.textContent = name[0].toUpperCase() + name.slice(1);
    chips(params);
  }

  // What the address carries along, and whether this page makes use of it. The twin of _chips in
  // dashboard/components/shell.py.
  function chips(params) {
    const list = document.getElementById("chips");
    if (!list) return;
    const { filters, compares } = traits();
    const said = ["host", "operator"].filter((name) => params.get(name)).map((name) => {
      const note = filters.includes(name) ? "" : `This page is not filtered by ${name}`;
      return { name, words: `${name}: ${params.get(name)}`, note };
    });
    if (params.get("compare") && !compares) said.push({ name: "compare", words: "This page does not compare" });
    list.replaceChildren(...said.map(chip));
  }

  function chip({ name, words, note }) {
    const [item, text, link] = ["li", "span", "a"].map((tag) => document.createElement(tag));
    text.textContent = words;
    const target = query();
    target.delete(name);
    Object.assign(link, { textContent: "Remove", href: address(location.pathname, target) });
    link.dataset.remove = name;
    item.append(text);
    if (note) item.append(Object.assign(document.createElement("span"), { className: "chip-note", textContent: note }));
    item.append(link);
    return item;
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
  // React writes its own text when a view changes an instant; it is put right before the next frame is drawn. The first
  // paint is not watched: its charts are thousands of elements, which nobody should have to take note of.
  new MutationObserver(writeTimes).observe(document.getElementById("react-entry-point"), {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["data-t"],
  });
  setInterval(writeTimes, 1000);

  // -------------------------------------------------------------------- controls
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
    toolbar(button) {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      document.getElementById("toolbar").toggleAttribute("data-open", open);
    },
    reload: () => location.reload(),
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
  addEventListener("popstate", moved);

  theme(root.dataset.bsTheme);
  syncControls();
  window.pulseboard = {
    change, query, address, moved, clock, now, duration, stamp, months, go, pages, traits, kiosk, actions,
  };
})();
