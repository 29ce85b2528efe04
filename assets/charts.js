// Charts around Dash: those of the first paint are drawn here, as soon as plotly.js and the view are there, long before
// Dash could; and a fixed range is what every time chart shows, exactly.
(() => {
  "use strict";
  const { pulseboard } = window;
  const { pages, traits, range } = pulseboard;
  const first = document.getElementById("first-paint");
  const script = document.getElementById("plotly");
  const react = document.getElementById("react-entry-point");

  const PATIENCE_MS = 8000; // a view that takes longer comes through Dash

  // ------------------------------------------------------------------ the first ones
  const places = new Map([...first.querySelectorAll("[data-figure]")].map((place) => [place.id, place]));
  const begun = location.pathname;
  // Dash must not ask for plotly.js while it is on its way: it would be run twice. boot.js waits for both.
  let libraryCame, chartsDrawn;
  const library = new Promise((resolve) => { libraryCame = resolve; });
  const drawn = new Promise((resolve) => { chartsDrawn = resolve; });
  for (const event of ["load", "error"]) script?.addEventListener(event, libraryCame);
  if (!places.size) chartsDrawn();
  else setTimeout(chartsDrawn, PATIENCE_MS);
  Promise.all([library, drawn]).then(() => document.dispatchEvent(new CustomEvent("pulseboard:charts")));

  let view = null; // the page's newest
  document.addEventListener("pulseboard:view", ({ detail }) => {
    view = detail;
    draw();
  });
  library.then(() => (window.Plotly ? draw() : chartsDrawn())); // it was lost: Dash asks for it again

  function draw() {
    if (!window.Plotly || !view || !first.isConnected || view.page !== pages[begun]) return;
    for (const [id, place] of places) {
      const { layout, config } = JSON.parse(place.dataset.figure);
      const traces = view.charts?.[id];
      // Plotly writes into what it is given, and Dash is given the same later.
      if (traces?.length) Plotly.react(place, structuredClone(traces), { ...layout, ...framed(id, layout) }, config);
    }
    chartsDrawn();
  }

  // Whether Dash's own charts stand where those of the first paint do.
  function taken() {
    for (const id of first.isConnected ? places.keys() : []) {
      if (!view?.charts?.[id]?.length) continue;
      const plot = react.querySelector(`#${CSS.escape(id)} .js-plotly-plot`);
      if (!plot?.data?.length || plot.classList.contains("dash-graph--pending")) return false;
    }
    return true;
  }

  // -------------------------------------------------------------- a range to the pixel
  const isTime = (id) => traits().timeCharts.includes(id);

  function framed(id, layout) {
    const ends = isTime(id) && range.fixed();
    return ends ? { xaxis: { ...layout.xaxis, range: ends, autorange: false } } : {};
  }

  // What a chart is to show besides its traces, for Dash: null where it finds its own way.
  const endsOf = (id) => (isTime(id) ? range.fixed() : null);

  // The change of a figure: its data alone, so that what the reader hid or zoomed by hand stays; and the range, once it
  // was fixed. Its revision tells plotly that the range is not the reader's any more.
  const held = new WeakSet();
  function figure(patch, id, traces) {
    const place = react.querySelector(`#${CSS.escape(id)}`);
    const ends = endsOf(id);
    patch.assign(["data"], traces);
    if (ends || held.has(place)) {
      if (ends) patch.assign(["layout", "xaxis", "range"], ends);
      patch.assign(["layout", "xaxis", "autorange"], !ends);
      patch.assign(["layout", "xaxis", "uirevision"], ends ? ends.join("-") : "live");
      held.add(place);
    }
    return { figure: patch.build() };
  }

  // --------------------------------------------------------------------- all of them
  // Each chart that can be zoomed in time, with its element; also those of the first paint, which lose their ids.
  function timePlots() {
    const inDash = [...react.querySelectorAll(".js-plotly-plot")].map((plot) => [plot.closest("[id^=chart-]")?.id, plot]);
    const early = first.isConnected ? [...places].filter(([, place]) => place.data) : [];
    return [...inDash, ...early].filter(([id]) => id && isTime(id)).map(([, plot]) => plot);
  }

  function release() {
    for (const place of places.values()) if (place.data) window.Plotly.purge(place);
  }

  pulseboard.charts = { endsOf, figure, taken, timePlots, release };
})();
