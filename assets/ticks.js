// What is ticked in the rows of a form outlives its rows: a refresh or the next page may push a row off the screen, what
// was chosen stays chosen, is counted, and is sent. It ends with another search, when it was sent, or when it is cleared.
//
// [data-ticks="<list>"] stands in such a form; the boxes are those named "<list>[]", and data-ticks-of says what is
// searched for. Inside it [data-ticks-count] says how many are ticked, [data-ticks-number] holds the number alone,
// [data-ticks-clear] unticks all, and a submit button with data-takes="ticked" is there to press only when some are.
(() => {
  "use strict";
  const { pulseboard } = window;
  if (pulseboard.kiosk) return;

  const chosen = new Set();
  let of = null; // the search whose rows were ticked

  const panels = () => [...document.querySelectorAll("[data-ticks]")];
  const panelOf = (form) => form?.querySelector("[data-ticks]") ?? null;
  const boxesOf = (panel) =>
    [...(panel.closest("form")?.elements ?? [])].filter((box) => box.name === `${panel.dataset.ticks}[]`);

  function sync() {
    for (const panel of panels()) {
      if (panel.dataset.ticksOf !== of) chosen.clear();
      of = panel.dataset.ticksOf;
      for (const box of boxesOf(panel)) box.checked = chosen.has(box.value);
      show(panel);
    }
  }

  function words(panel) {
    const here = boxesOf(panel).filter((box) => chosen.has(box.value)).length;
    const away = chosen.size - here;
    const number = chosen.size.toLocaleString("en");
    return `${number} ticked${away ? `, ${away.toLocaleString("en")} of them not in the rows shown` : ""}`;
  }

  function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function show(panel) {
    const form = panel.closest("form");
    for (const node of panel.querySelectorAll("[data-ticks-count]")) write(node, words(panel));
    for (const node of panel.querySelectorAll("[data-ticks-number]")) write(node, chosen.size.toLocaleString("en"));
    for (const node of panel.querySelectorAll("[data-ticks-clear]")) node.hidden = !chosen.size;
    for (const button of panel.querySelectorAll('[data-takes="ticked"]'))
      button.disabled = !chosen.size || form?.dataset.working !== undefined;
    panel.toggleAttribute("data-some", chosen.size > 0);
  }

  function clear() {
    chosen.clear();
    sync();
  }

  document.addEventListener("change", ({ target: box }) => {
    const panel = panelOf(box.form);
    if (!panel || box.name !== `${panel.dataset.ticks}[]`) return;
    if (box.checked) chosen.add(box.value);
    else chosen.delete(box.value);
    show(panel);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-ticks-clear]")) return;
    const first = panelOf(event.target.form);
    clear();
    first?.querySelector("input, select, button:not(:disabled)")?.focus(); // the button itself is gone
  });
  // Rows and their form come in several regions: once all are there.
  let due = false;
  document.addEventListener("pulseboard:drawn", () => {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      sync();
    });
  });
  sync();

  pulseboard.ticks = {
    clear,
    show: (form) => panelOf(form) && show(panelOf(form)),
    owns: (form, box) => panelOf(form)?.dataset.ticks === box.name.replace("[]", "") && box.name.endsWith("[]"),
    // The list's name and what is ticked of it; null for a form whose ticks are only those on the screen.
    of: (form) => (panelOf(form) ? { name: panelOf(form).dataset.ticks, values: [...chosen] } : null),
  };
})();
