// The line below the time picker: where the chosen range was read, what that cost, and how long it takes while it runs.
(() => {
  "use strict";
  const { now, say } = window.pulseboard;
  const line = document.getElementById("source");
  const words = document.getElementById("source-words");
  const button = line?.querySelector('[data-action="history"]');
  if (!line) return;

  let source = JSON.parse(line.dataset.source || "null");
  let refusal = { key: "", why: "" }; // of the last press, said as long as the line is about the same reading
  const UNITS = [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["KB", 1e3]];

  // These two are the twins of size and dollars in dashboard/components/text.py.
  function bytes(number) {
    const [unit, size] = UNITS.find(([, least]) => number >= least) || ["bytes", 1];
    const shown = number / size;
    return `${shown >= 100 || size === 1 ? Math.round(shown) : Number(shown.toFixed(1))} ${unit}`;
  }

  function dollars(number) {
    if (!number || number >= 0.01) return `$${number.toFixed(2)}`;
    return `$${number.toFixed(1 - Math.floor(Math.log10(number))).replace(/0+$/, "")}`;
  }

  function cost({ reused, bytes: scanned, dollars: price }) {
    if (reused) return ", answered again, nothing scanned";
    return (scanned === undefined ? "" : `, ${bytes(scanned)} scanned`) + (price === undefined ? "" : `, ${dollars(price)}`);
  }

  function sentence(counting = true) {
    const { kind, state, days, error, note, since } = source;
    const when = days ? ` (${days})` : "";
    if (state === "running") {
      const seconds = since === undefined || !counting ? "" : ` ${Math.max(Math.floor(now() - since), 0)} s`;
      return `Reading history from Athena${when} …${seconds}`;
    }
    if (state === "failed") return `History could not be read from Athena${when}: ${error || "it gave no reason"}`;
    if (state === "cancelled") return `History was not read${when}: ${error || "it was cancelled"}`;
    const said = {
      live: "Live from DynamoDB",
      history: `History from Athena${when}${cost(source)}`,
      both: `Live from DynamoDB and history from Athena${when}${cost(source)}`,
    }[kind];
    return note ? `${said}. ${note}` : said;
  }

  const ACTIONS = { running: ["cancel", "Cancel"], failed: ["retry", "Try again"], cancelled: ["retry", "Try again"] };

  function write() {
    const refused = refusal.why && refusal.key === source?.key ? `. ${refusal.why}` : "";
    const text = source ? sentence() + refused : "";
    if (words.textContent !== text) words.textContent = text;
    words.title = text;
    line.dataset.state = source?.state || "";
    if (!button) return;
    const [, label] = ACTIONS[source?.state] || [];
    button.hidden = !label || !source.key;
    if (label) button.textContent = label;
  }

  async function act() {
    const [action] = ACTIONS[source?.state] || [];
    if (!action || button.disabled) return;
    button.disabled = true;
    const { key } = source;
    refusal = { key, why: "" };
    try {
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(`/api/v1/history/${action}`, { method: "POST", headers, body: JSON.stringify({ key }) });
      // One that is not known has ended meanwhile: the view says how.
      if (answer.ok || answer.status === 404) document.dispatchEvent(new CustomEvent("pulseboard:acted"));
      else refusal.why = (await answer.json().catch(() => null))?.error?.message || `The server refused (${answer.status})`;
    } catch {
      // the age clock says that the server is away
    } finally {
      button.disabled = false;
      write();
    }
  }

  window.pulseboard.actions.history = act;
  document.addEventListener("pulseboard:view", ({ detail }) => {
    const before = source?.state;
    source = detail.source || null;
    if (source && before !== source.state && (before === "running" || source.state === "running")) say(sentence(false));
    write();
  });
  setInterval(() => source?.state === "running" && write(), 1000);
  write();
})();
