// Looking closer: clicks on charts set the address, the drawer of one event takes the focus and gives it back, texts are
// copied. Generic: it knows attributes, never what a page shows. Values and rows are links; shell.js follows those.
//
// [data-click="<parameter>"] holds charts whose points choose a value of that parameter; chosen again it is taken back.
// [data-closes="<parameter>"] is a drawer that the parameter opens; [data-opens="<value>"] is the link that opened it.
// button[data-copy="#<id>"] copies that element's text.
(() => {
  "use strict";
  const { change, query, kiosk } = window.pulseboard;
  if (kiosk) return; // a display has nothing to press
  const react = document.getElementById("react-entry-point");
  const SAID_MS = 2000;

  // ------------------------------------------------------------------- charts
  const listening = new WeakSet();
  function listen() {
    for (const plot of react.querySelectorAll("[data-click] .js-plotly-plot")) {
      if (!plot.on || listening.has(plot)) continue;
      listening.add(plot);
      plot.on("plotly_click", ({ points }) => choose(plot.closest("[data-click]").dataset.click, points[0]));
    }
  }

  function choose(name, point) {
    const value = point?.data?.meta ?? point?.customdata ?? point?.label; // a bar's label is where it stands
    if (typeof value === "string" && value) change({ [name]: query().get(name) === value ? null : value });
  }

  // ------------------------------------------------------------------- drawers
  const OPEN = "[data-closes]:not([hidden]):not([data-closing])";
  let opened = null; // the value of what is open
  function follow() {
    const drawer = react.querySelector(OPEN);
    const value = drawer ? query().get(drawer.dataset.closes) : null;
    if (value && !opened) drawer.focus({ preventScroll: true });
    // Whoever has gone on to something else meanwhile is left there.
    const left = document.activeElement === document.body || document.activeElement?.closest("[data-closes]");
    if (!value && opened && left) react.querySelector(`[data-opens="${CSS.escape(opened)}"]`)?.focus({ preventScroll: true });
    opened = value;
  }

  // It goes at once; the view that no longer has it comes a moment later.
  document.addEventListener("pulseboard:url", () => {
    for (const drawer of react.querySelectorAll("[data-closes]"))
      drawer.toggleAttribute("data-closing", !query().get(drawer.dataset.closes));
  });

  document.addEventListener("keydown", (event) => {
    const drawer = event.key === "Escape" && react.querySelector(OPEN);
    if (!drawer || event.defaultPrevented || document.querySelector("dialog[open], details.menu[open]")) return;
    change({ [drawer.dataset.closes]: null });
  });

  // A drawer opens and charts appear when a view is applied: both are seen here.
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      listen();
      follow();
    });
  }).observe(react, { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden", "class", "data-closing"] });

  // ---------------------------------------------------------------------- copies
  async function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    if (!source) return;
    const words = button.dataset.words || (button.dataset.words = button.textContent);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // clipboards need a secure origin: one more key does it
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = words; }, SAID_MS);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });
})();
