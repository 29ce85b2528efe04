// Starts Dash after the first paint and its charts: what a reader came for is on the glass before a megabyte of script
// is fetched and run. The scripts are put in here, in their order, the renderer's start last, and the styles of all pages.
(() => {
  "use strict";
  function boot() {
    const later = [...document.querySelectorAll('script[type="later"]')];
    const styles = document.querySelector('link[rel="later"]');
    let awaited = later.filter((script) => script.src).length + (styles ? 1 : 0);
    const start = later.find((script) => !script.src);
    const ready = () => {
      awaited -= 1;
      if (awaited > 0) return;
      stored(null);
      start.replaceWith(copy(start));
    };
    if (styles) { // a page of an older build has none
      styles.onload = ready;
      styles.onerror = recover;
      styles.rel = "stylesheet"; // those of the other pages
    }
    for (const script of later.filter((candidate) => candidate.src)) {
      const running = copy(script);
      running.async = false; // inserted scripts run as they arrive unless told to keep their order
      running.onload = ready;
      running.onerror = recover;
      script.replaceWith(running);
    }
  }

  // A script that was lost, say while the server restarted, leaves a picture that nothing refreshes: the page is loaded
  // anew once the server answers, each time a little later, so that a script that is gone for good does no harm.
  let recovering = false;
  function recover() {
    if (recovering) return;
    recovering = true;
    const tries = Number(stored()) + 1;
    stored(tries);
    const wait = Math.min(2000 * 2 ** tries, 300000);
    const again = () =>
      fetch("/healthz", { cache: "no-store" }).then(
        (answer) => (answer.ok ? location.reload() : setTimeout(again, wait)),
        () => setTimeout(again, wait),
      );
    setTimeout(again, wait);
  }

  // How often it was loaded anew. Storage may be forbidden: then each time is taken for a later one.
  function stored(value) {
    try {
      if (value) sessionStorage.setItem("pulseboard-boots", value);
      else if (value === null) sessionStorage.removeItem("pulseboard-boots");
      return sessionStorage.getItem("pulseboard-boots");
    } catch {
      return 3;
    }
  }

  function copy(script) {
    const running = document.createElement("script");
    running.id = script.id;
    if (script.src) running.src = script.src;
    else running.text = script.text;
    return running;
  }

  function begin() {
    if (document.hidden) boot(); // nothing is painted in a tab that nobody sees
    else requestAnimationFrame(() => setTimeout(boot));
  }

  // On pages of charts once charts.js says that those stand, which it always does unless it is broken itself.
  const PATIENCE_MS = 30000;
  if (document.getElementById("plotly")) {
    const late = setTimeout(begin, PATIENCE_MS);
    document.addEventListener("pulseboard:charts", () => {
      clearTimeout(late);
      begin();
    }, { once: true });
  } else begin();
})();
