// Unattended displays: rotation, a picture that wanders a few pixels, reloads at quiet moments. And, for everyone,
// the notice that a new version is there.
(() => {
  "use strict";
  const { go, pages, kiosk, contact } = window.pulseboard;
  const root = document.documentElement;
  const params = new URLSearchParams(location.search);
  const QUIET_HOUR = 4;
  const LEAST_UPTIME_MS = 12 * 36e5;
  const SHIFT_EVERY_MS = 60000;
  const SHIFTS = [[0, 0], [2, 1], [3, 3], [1, 2], [-1, 3], [-3, 2], [-2, 0], [-3, -2], [-1, -3], [1, -2], [3, -1], [2, 0]];

  // Two servers of different builds behind one address must not make a display reload for ever.
  function mayReloadFor(build) {
    try {
      const [last, at] = (sessionStorage.getItem("pulseboard-reloaded") || "").split(" ");
      if (last === build && Date.now() - at < 6e5) return false;
      sessionStorage.setItem("pulseboard-reloaded", `${build} ${Date.now()}`);
    } catch {
      // storage may be forbidden: then every new build reloads
    }
    return true;
  }

  document.addEventListener("pulseboard:build", ({ detail }) => {
    if (kiosk || document.hidden) {
      if (mayReloadFor(detail)) location.reload();
      return;
    }
    const notice = document.getElementById("notice");
    if (notice.dataset.build === detail) return;
    notice.dataset.build = detail;
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Reload" });
    button.dataset.action = "reload";
    notice.replaceChildren("A new version of Pulseboard is running. ", button);
    notice.hidden = false;
  });

  if (!kiosk) return;

  // ---------------------------------------------------------------------- rotation
  const paths = Object.fromEntries(Object.entries(pages).map(([path, name]) => [name, path]));
  const round = (params.get("rotate") || "").split(",").map((name) => paths[name]).filter(Boolean);
  const every = /^\d+$/.test(params.get("every") || "") ? Math.max(Number(params.get("every")), 5) : 30;
  if (round.length > 1)
    setInterval(() => {
      if (root.dataset.live === "error") return; // the last good picture stays, with the banner that says so
      const next = round[(round.indexOf(location.pathname) + 1) % round.length];
      go(next, { replace: true }); // replaced, so that weeks of rotation leave no history behind
    }, every * 1000);

  // ----------------------------------------------------------------------- burn-in
  let step = 0;
  setInterval(() => {
    step = (step + 1) % SHIFTS.length;
    root.style.setProperty("--shift-x", `${SHIFTS[step][0]}px`);
    root.style.setProperty("--shift-y", `${SHIFTS[step][1]}px`);
  }, SHIFT_EVERY_MS);

  // ------------------------------------------------------------------ daily reload
  // Some time within the quiet hour, so that a wall of displays does not ask all at once; never while offline.
  const started = Date.now();
  const minute = Math.floor(Math.random() * 60);
  setInterval(() => {
    const clock = new Date();
    const due = clock.getHours() === QUIET_HOUR && clock.getMinutes() >= minute;
    if (due && Date.now() - started > LEAST_UPTIME_MS && contact() < 120) location.reload();
  }, 60000);
})();
