// A part of a time chart, chosen with the pointer, becomes the range of the whole page; a double click takes it back.
// The other charts follow at once, with what they have, and again when the finer data is there.
(() => {
  "use strict";
  const { range, charts, kiosk } = window.pulseboard;
  if (kiosk) return;
  const react = document.getElementById("react-entry-point");
  const SAME_MS = 1;

  // Plotly writes dates of UTC without saying so; other axes have plain numbers.
  const at = (value) => (typeof value === "number" ? value : Date.parse(`${String(value).replace(" ", "T")}Z`));
  const same = (one, other) => one && other && one.every((value, i) => Math.abs(value - other[i]) <= SAME_MS);

  function endsOf(changes) {
    const ends = changes["xaxis.range"] || [changes["xaxis.range[0]"], changes["xaxis.range[1]"]];
    const both = ends.map(at).sort((a, b) => a - b);
    return both.some(Number.isNaN) ? null : both;
  }

  const upright = new WeakMap(); // plot -> its vertical axis as it was before the reader touched it
  function listen() {
    for (const plot of charts.timePlots()) {
      if (!plot.on || upright.has(plot)) continue;
      upright.set(plot, plot.layout.yaxis?.autorange);
      plot.on("plotly_relayout", (changes) => {
        const ends = endsOf(changes);
        if (ends && !same(ends, range.fixed())) range.zoom(...ends);
      });
      plot.on("plotly_doubleclick", () => range.unzoom());
    }
  }

  document.addEventListener("pulseboard:url", () => {
    const ends = range.fixed();
    for (const plot of charts.timePlots()) {
      if (!plot.layout?.xaxis) continue;
      if (ends && !same(plot.layout.xaxis.range?.map(at), ends)) window.Plotly.relayout(plot, { "xaxis.range": [...ends] });
      // A box drawn with a zoom also cut the vertical axis: that belongs to the part, not to what comes after.
      const before = upright.get(plot);
      if (!ends && before && !plot.layout.yaxis?.autorange) window.Plotly.relayout(plot, { "yaxis.autorange": before });
    }
  });

  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      listen();
    });
  }).observe(react, { subtree: true, childList: true });
  document.addEventListener("pulseboard:charts", listen); // those of the first paint
})();
