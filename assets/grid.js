// Grids whose rows come in blocks as they are scrolled: the address says which, the server filters and sorts.
// Generic: it knows attributes, never what a page shows.
//
// [data-grid="<id>"] holds an AG Grid of that id. data-rows is the address of its rows: asked with the page's own query,
// start, count and sort, it answers {rows, matching}. data-version changes with each refresh that may bring other rows:
// what is shown is fetched again then, in place, so scroll, selection and focus stay. data-opens-row="<parameter>" is
// what a click or Enter on a row sets, to the row's field of that name. data-failed says that rows could not be fetched.
(() => {
  "use strict";
  const { change, query, kiosk, stamp, duration } = window.pulseboard;
  const react = document.getElementById("react-entry-point");
  const TIMEOUT_MS = 10000;
  const SHELL = ["theme", "tz", "rotate", "every", "refresh"]; // what rows do not depend on
  const grids = new Map(); // region -> { api, key, version, usual: the order where the address names none }

  // How cells write what they hold; column definitions name these.
  const missing = (value) => value === null || value === undefined;
  const words = { STARTED: "Running", SUCCESS: "Succeeded", FAILED: "Failed" };
  window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, {
    pulseboardInstant: (value) => (missing(value) ? "" : stamp(value, true)),
    pulseboardDuration: (value) => (missing(value) ? "" : value < 10 ? `${value.toFixed(1)} s` : duration(value)),
    pulseboardNumber: (value) => (missing(value) ? "" : value.toLocaleString("en")),
    pulseboardRunStatus: (value) => words[value] || value || "",
  });
  if (kiosk) return; // a display has nothing to scroll

  // ----------------------------------------------------------------------- rows
  function address(region, { startRow, endRow, sortModel }) {
    const params = query();
    for (const name of [...SHELL, region.dataset.opensRow]) params.delete(name);
    const [sorted] = sortModel;
    if (sorted) params.set("sort", (sorted.sort === "desc" ? "-" : "") + sorted.colId);
    params.set("start", startRow);
    params.set("count", endRow - startRow);
    return `${region.dataset.rows}?${params}`;
  }

  const source = (region) => ({
    async getRows(params) {
      try {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        const answer = await fetch(address(region, params), { signal, cache: "no-store" });
        if (!answer.ok) throw new Error(answer.status);
        const { rows, matching } = await answer.json();
        params.successCallback(rows, matching);
        delete region.dataset.failed;
      } catch {
        region.dataset.failed = "These rows can't be read now"; // the next refresh asks again; what is there stays
        params.failCallback();
      }
    },
  });

  // ------------------------------------------------------------- address and grid
  function sortOf(api) {
    const sorted = api.getColumnState().find(({ sort }) => sort);
    return sorted ? (sorted.sort === "desc" ? "-" : "") + sorted.colId : null;
  }

  function sort({ api, usual }) {
    const wanted = query().get("sort") || usual;
    if (!wanted || wanted === sortOf(api)) return;
    const state = [{ colId: wanted.replace(/^-/, ""), sort: wanted.startsWith("-") ? "desc" : "asc" }];
    api.applyColumnState({ state, defaultState: { sort: null } });
  }

  // What the rows depend on, but for their order.
  function keyOf(region) {
    const params = query();
    for (const name of [...SHELL, "sort", region.dataset.opensRow]) params.delete(name);
    return params.toString();
  }

  function open(region, row) {
    const name = region.dataset.opensRow;
    if (row?.[name]) change({ [name]: row[name] });
  }

  // The row that is open is the one that is selected.
  function select(region, api) {
    const name = region.dataset.opensRow;
    const value = query().get(name);
    api.forEachNode((node) => {
      const wanted = Boolean(value) && node.data?.[name] === value;
      if (node.isSelected() !== wanted) node.setSelected(wanted);
    });
  }

  function attach(region, api) {
    const known = { api, key: keyOf(region), version: region.dataset.version, usual: sortOf(api) };
    grids.set(region, known);
    sort(known);
    api.setGridOption("datasource", source(region));
    api.addEventListener("sortChanged", ({ source: by }) => {
      if (by !== "api") change({ sort: sortOf(api) });
    });
    api.addEventListener("rowClicked", ({ data }) => {
      if (!getSelection().toString()) open(region, data); // whoever marks a text wants to copy it
    });
    api.addEventListener("cellKeyDown", ({ event, data }) => {
      if (event.key === "Enter") open(region, data);
    });
    api.addEventListener("modelUpdated", () => select(region, api));
  }

  function look() {
    for (const [region, { api }] of grids) if (!region.isConnected || api.isDestroyed()) grids.delete(region);
    for (const region of react.querySelectorAll("[data-grid]")) {
      const known = grids.get(region);
      if (known) {
        if (known.version !== region.dataset.version) known.api.refreshInfiniteCache();
        known.version = region.dataset.version;
      } else if (region.querySelector(".ag-root")) {
        const api = window.dash_ag_grid.getApi(region.dataset.grid);
        // Dash's component gives the grid a source of its own once it is ready: ours has to come after it.
        if (api?.getGridOption("datasource")) attach(region, api);
        else soon();
      }
    }
  }

  document.addEventListener("pulseboard:url", () => {
    for (const [region, known] of grids) {
      if (known.api.isDestroyed()) continue;
      sort(known);
      select(region, known.api);
      const key = keyOf(region);
      if (key !== known.key) {
        known.api.ensureIndexVisible(0);
        known.api.purgeInfiniteCache();
      }
      known.key = key;
      const focused = known.api.getFocusedCell();
      if (!query().get(region.dataset.opensRow) && focused && document.activeElement === document.body)
        known.api.setFocusedCell(focused.rowIndex, focused.column);
    }
  });

  const zones = new MutationObserver(() => {
    for (const { api } of grids.values()) if (!api.isDestroyed()) api.refreshCells({ force: true });
  });
  zones.observe(document.documentElement, { attributes: true, attributeFilter: ["data-tz"] });

  let due = false;
  function soon() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      look();
    });
  }
  new MutationObserver(soon).observe(react, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-version"],
  });
})();
