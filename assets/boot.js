// Starts Dash after the first paint: the verdict is on the glass before a megabyte of script is fetched and run. The
// scripts are put in here, in their order, the renderer's start last.
(() => {
  "use strict";
  function boot() {
    const later = [...document.querySelectorAll('script[type="later"]')];
    let awaited = later.filter((script) => script.src).length;
    const start = later.find((script) => !script.src);
    const ready = () => {
      awaited -= 1;
      if (awaited === 0) start.replaceWith(copy(start));
    };
    for (const script of later.filter((candidate) => candidate.src)) {
      const running = copy(script);
      running.async = false; // inserted scripts run as they arrive unless told to keep their order
      running.onload = ready;
      script.replaceWith(running);
    }
  }

  function copy(script) {
    const running = document.createElement("script");
    running.id = script.id;
    if (script.src) running.src = script.src;
    else running.text = script.text;
    return running;
  }

  if (document.hidden) boot(); // nothing is painted in a tab that nobody sees
  else requestAnimationFrame(() => setTimeout(boot));
})();
