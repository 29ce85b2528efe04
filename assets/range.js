// The chosen time range: its words, its picker and steps, zooms, and the way back to live. All of it is in the address;
// what is kept here besides is only where a zoom came from.
(() => {
  "use strict";
  const { pulseboard } = window;
  const { change, query, now, actions } = pulseboard;
  const root = document.documentElement;

  const DEFAULT = "now-1h";
  const UNITS = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
  const WORDS = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };
  const MONTHS = pulseboard.months;
  const LAST = /^now-(\d{1,6})([smhdw])$/;
  const EXACT_MS = 600e3; // shorter ranges are written with their seconds
  const LEAST_MS = 15e3; // the server widens ends to this grid
  const LONGEST_MS = 400 * UNITS.d;
  const WIDEST_MS = LONGEST_MS - 2 * LEAST_MS; // of ends that are nobody's choice, and so beside that grid
  const SLACK_MS = 1000;

  // --------------------------------------------------------------------- the ends
  const asked = () => ({ from: query().get("from") || DEFAULT, to: query().get("to") || "now" });
  const isLive = ({ to }) => to.startsWith("now");
  const isFixed = ({ from, to }) => !from.startsWith("now") && !to.startsWith("now");

  // Epoch ms of one end, as backend/contract/ranges.py reads it; NaN for what can't be read.
  function moment(text, at = now() * 1000) {
    const relative = /^now(?:-(\d{1,6})([smhdw]))?$/.exec(text);
    if (relative) return Math.round(at) - (relative[1] ? relative[1] * UNITS[relative[2]] : 0);
    const number = Number(text);
    return Number.isFinite(number) ? (Math.abs(number) < 1e11 ? number * 1000 : number) : Date.parse(text);
  }

  function ends() {
    const at = now() * 1000;
    const { from, to } = asked();
    return [moment(from, at), moment(to, at)];
  }

  // What charts show exactly: the ends of a fixed range, null while an end moves with the clock.
  const fixed = () => (isFixed(asked()) ? ends() : null);

  // -------------------------------------------------------------------- in words
  const local = () => root.dataset.tz === "browser";
  const two = (number) => String(number).padStart(2, "0");

  function parts(at) {
    const date = new Date(at);
    const get = (name) => date[`get${local() ? "" : "UTC"}${name}`]();
    const ahead = -date.getTimezoneOffset();
    const hours = `${ahead < 0 ? "−" : "+"}${Math.floor(Math.abs(ahead) / 60)}`;
    const minutes = Math.abs(ahead) % 60;
    const clock = `${two(get("Hours"))}:${two(get("Minutes"))}`;
    return {
      year: get("FullYear"), day: `${get("Date")} ${MONTHS[get("Month")]}`, clock, exact: `${clock}:${two(get("Seconds"))}`,
      zone: local() && ahead ? `UTC${hours}${minutes ? `:${two(minutes)}` : ""}` : "UTC",
    };
  }

  const dayOf = (end) => (end.year === parts(now() * 1000).year ? end.day : `${end.day} ${end.year}`);

  function between(from, to) {
    const [begin, end] = [parts(from), parts(to)];
    const clock = to - from < EXACT_MS ? "exact" : "clock";
    const first = begin.zone === end.zone ? "" : ` ${begin.zone}`; // the clocks change in between
    const last = dayOf(begin) === dayOf(end) ? "" : `${dayOf(end)} `;
    return `${dayOf(begin)} ${begin[clock]}${first} – ${last}${end[clock]} ${end.zone}`;
  }

  function length(text, one) {
    const [, number, unit] = LAST.exec(text) || [];
    if (!number) return "";
    return Number(number) === 1 ? `${one}${WORDS[unit]}` : `${Number(number)} ${WORDS[unit]}s`;
  }

  function endWords(text) {
    if (text === "now") return text;
    if (LAST.test(text)) return `${length(text, "1 ")} ago`;
    const end = parts(moment(text));
    return `${dayOf(end)} ${end.clock} ${end.zone}`;
  }

  // The twin of range_words in dashboard/components/url_state.py, which knows no zone but UTC.
  function words({ from, to } = asked()) {
    if (to === "now" && LAST.test(from)) return `Last ${length(from, "")}`;
    if ([from, to].some((text) => Number.isNaN(moment(text)))) return "Fixed range";
    if (isFixed({ from, to })) return between(moment(from), moment(to));
    return `${endWords(from)} – ${endWords(to)}`;
  }

  // ----------------------------------------------------------------- live, paused
  // Paused by the reader until they go back to live; by a zoom until the range moves with the clock again.
  let lastLive = null;
  const zooms = []; // { before, after } of each zoom that can be taken back

  function pause(by) {
    if (by) root.dataset.paused = by;
    else delete root.dataset.paused;
  }

  // "now-90m" of a length; of one that is no whole minutes the next longer range there is to choose.
  function liveOf(length) {
    for (const unit of ["d", "h", "m"]) if (length % UNITS[unit] === 0) return `now-${length / UNITS[unit]}${unit}`;
    const choices = [...document.querySelectorAll("a[data-from]")].map((link) => link.dataset.from);
    return choices.find((choice) => now() * 1000 - moment(choice) >= length - SLACK_MS) || choices.at(-1) || DEFAULT;
  }

  function backToLive() {
    pause(null);
    const values = query().get("refresh") === "off" ? { refresh: null } : {};
    const [from, to] = ends();
    if (!isLive(asked())) Object.assign(values, { from: lastLive ?? liveOf(Math.round(to - from)), to: null });
    zooms.length = 0;
    change(values);
  }

  // ------------------------------------------------------------------ steps, zooms
  const put = (from, to) => change({ from: String(Math.round(from)), to: String(Math.round(to)) });

  // What would end nearly now is live again: the clock went on while the reader looked at the past.
  function shift(direction) {
    const [from, to] = ends();
    const half = (direction * (to - from)) / 2;
    if (to + half < now() * 1000 - Math.abs(half) / 2 || direction < 0) put(from + half, to + half);
    else if (!isLive(asked())) change({ from: liveOf(Math.round(to - from)), to: null });
  }

  function zoomOut() {
    const { from, to } = asked();
    const [, number, unit] = (to === "now" && LAST.exec(from)) || [];
    if (number && number * 2 * UNITS[unit] <= LONGEST_MS) return change({ from: `now-${number * 2}${unit}`, to: null });
    const [start, end] = ends();
    const length = Math.min((end - start) * 2, WIDEST_MS);
    if (length <= end - start) return;
    const last = Math.min((start + end + length) / 2, Math.max(now() * 1000, end));
    put(last - length, last);
  }

  // A part of a chart becomes the range of the page, which stands still until the reader goes back.
  function zoom(from, to) {
    const wider = Math.max(LEAST_MS - (to - from), 0) / 2;
    const before = { from: query().get("from"), to: query().get("to") };
    const after = { from: String(Math.round(from - wider)), to: String(Math.round(to + wider)) };
    zooms.push({ before, after });
    pause(root.dataset.paused || "zoom");
    change(after);
  }

  // The range before the zoom; false where this range is not a zoom's.
  function unzoom() {
    const { before, after } = zooms.pop() || {};
    const { from, to } = asked();
    if (after?.from !== from || after.to !== to) {
      zooms.length = 0;
      return false;
    }
    change(before);
    return true;
  }

  // ---------------------------------------------------------------------- picker
  const boxes = () => ["range-from", "range-to"].map((id) => document.getElementById(id));
  const field = (at) => new Date(at - (local() ? new Date(at).getTimezoneOffset() * 6e4 : 0)).toISOString().slice(0, 16);

  // The instant of a date and time as typed. Of an hour that comes twice, when clocks go back, the first is meant; what
  // was not touched keeps its instant, to the second.
  function typed(box) {
    if (box.value && box.value === box.dataset.shown) return Number(box.dataset.at);
    return Date.parse(local() ? box.value : `${box.value}Z`);
  }

  function fillBoxes() {
    const at = ends();
    for (const [i, box] of boxes().entries()) {
      box.value = Number.isNaN(at[i]) ? "" : field(at[i]);
      Object.assign(box.dataset, { shown: box.value, at: at[i] });
    }
    const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
    document.getElementById("range-zone").textContent = local() ? `Local time, ${name}; charts are in UTC` : "Times are UTC";
    document.getElementById("range-problem").textContent = "";
  }

  function problem([from, to], [first, last]) {
    if (Number.isNaN(from) || Number.isNaN(to)) return "Both ends need a date and a time.";
    for (const [at, box] of [[from, first], [to, last]])
      if (field(at) !== box.value)
        return `${box.value.replace("T", " ")} does not exist here: the clocks go forward. Choose ${field(at).slice(11)}.`;
    if (from >= to) return "From must lie before To.";
    return to - from > LONGEST_MS ? "A range is at most 400 days long." : "";
  }

  function apply() {
    const both = boxes();
    const [from, to] = both.map(typed);
    const wrong = problem([from, to], both);
    document.getElementById("range-problem").textContent = wrong;
    if (wrong) return;
    document.getElementById("range").open = false;
    put(from, to);
  }

  // A link that shows the same later: with the times of now.
  async function copy(button) {
    const params = query();
    const [from, to] = ends(); // once, or their distance is a millisecond more than the range
    params.set("from", from);
    params.set("to", to);
    const link = location.origin + pulseboard.address(location.pathname, params);
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(link);
      button.textContent = "Copied";
    } catch {
      prompt("Copy this link", link); // clipboards need a secure origin
    }
    setTimeout(() => { button.textContent = said; }, 2000);
  }

  // ------------------------------------------------------------------ what it shows
  function sync() {
    const range = asked();
    if (isLive(range)) {
      if (root.dataset.paused === "zoom") pause(null);
      if (range.to === "now" && LAST.test(range.from)) lastLive = range.from;
    }
    for (const link of document.querySelectorAll("a[data-from]")) {
      link.toggleAttribute("aria-current", range.to === "now" && link.dataset.from === range.from);
      const target = query();
      target.set("from", link.dataset.from);
      target.delete("to");
      link.href = pulseboard.address(location.pathname, target);
    }
    const label = document.getElementById("range-label");
    if (label) label.textContent = words(range);
    document.getElementById("source-words")?.setAttribute("data-range", words(range));
    const button = (name) => document.querySelector(`[data-action="${name}"]`);
    if (pulseboard.kiosk || !button("live")) return;
    const standing = !isLive(range) || root.hasAttribute("data-paused") || query().get("refresh") === "off";
    for (const way of document.querySelectorAll('[data-action="live"]')) way.hidden = !standing;
    button("pause").hidden = standing;
    button("later").disabled = isLive(range) && range.to === "now";
    const compares = pulseboard.traits().compares;
    button("compare").hidden = !compares;
    button("compare").setAttribute("aria-pressed", String(query().get("compare") === "previous"));
  }

  Object.assign(actions, {
    range: apply,
    earlier: () => shift(-1),
    later: () => shift(1),
    "zoom-out": zoomOut,
    live: backToLive,
    pause() {
      pause("reader");
      pulseboard.moved();
      document.querySelector('[data-action="live"]').focus(); // the button pressed is gone
    },
    compare: () => change({ compare: query().get("compare") ? null : "previous" }),
    copy,
  });
  document.getElementById("range")?.addEventListener("toggle", (event) => event.target.open && fillBoxes());
  document.addEventListener("pulseboard:url", sync);
  sync();
  pulseboard.range = { fixed, zoom, unzoom, words };
})();
