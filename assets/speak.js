// What a screen reader is told by itself: one quiet region for all pages. It is written when the verdict changes, when a
// page that the reader asked for is there, and when trouble begins or ends. A refresh says nothing.
//
// [data-say] holds a sentence that is said when it changes; on pages without one the head of the page is read out after
// the address has changed. Pictures of charts are hidden: their place has a name and a text (components/chart.py).
(() => {
  "use strict";
  const { pulseboard } = window;
  const region = document.getElementById("said");
  const main = document.getElementById("main");
  const react = document.getElementById("react-entry-point");
  const SETTLE_MS = 300; // Dash draws a view a moment after it was given it

  let pending = [];
  let timer = 0;
  function say(words) {
    if (words && !pending.includes(words)) pending.push(words);
    clearTimeout(timer);
    timer = setTimeout(() => {
      region.textContent = pending.join(". ");
      pending = [];
    }, SETTLE_MS);
  }

  // ------------------------------------------------------------------------- pages
  const sentence = () => react.querySelector("[data-say]")?.dataset.say;
  const head = () =>
    [...(react.querySelector(".page-head")?.children ?? [])].map((part) => part.innerText.trim()).filter(Boolean).join(": ");

  let asked = false; // the address has changed since the last view
  let last = null; // the sentence of the view before; null until there was one
  document.addEventListener("pulseboard:url", () => { asked = true; });
  document.addEventListener("pulseboard:applied", () => setTimeout(() => {
    const now = sentence() ?? "";
    if (asked) say(now || head());
    else if (last !== null && now !== last) say(now);
    asked = false;
    last = now;
  }, SETTLE_MS));

  // ------------------------------------------------------------------------ charts
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      for (const picture of main.querySelectorAll("svg.main-svg:not([aria-hidden])")) picture.setAttribute("aria-hidden", "true");
    });
  }).observe(main, { subtree: true, childList: true });

  pulseboard.say = say;
})();
