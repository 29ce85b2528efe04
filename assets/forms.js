// Forms and buttons of the pages. form[data-url] sets parameters of the address. form[data-post] and button[data-post]
// ask the server to act: inputs by name as JSON, with the token that a foreign page can't read.
//
// Names make the body: "a.b" nests, "a[]" is a list, and a ticked box named "a:value" adds its value to the list "a".
// Number inputs send numbers, empty ones nothing. data-body holds JSON that the inputs are put into. data-confirm asks
// first, data-reason asks for a reason (its value is the label); on a submit button they count for that button, and so
// do data-post and data-body. A submit button with data-dry-run only tries.
//
// Where rows are ticked (ticks.js), data-takes says which button means what: "ticked" sends what is ticked and nothing
// else, "all" none of it. A dry run takes what is ticked where something is, with the body of that button.
// data-counts="<number>" has more than so many counted first, by a dry run: {names} in data-confirm and
// data-confirm-label are its figures. More than data-type-above of them are confirmed by typing their number.
// The answer's message goes to the form's [role=status]; {at, go} leads on to the page and parameters named.
(() => {
  "use strict";
  const { change, query, kiosk, ticks } = window.pulseboard;
  if (kiosk) return; // a display never acts, whoever is signed in on it

  const TIMEOUT_MS = 60000;
  const TOAST_MS = 10000;
  const UNKNOWN = "It is not known whether it was done: look before you try again";

  // A control named "dataset" hides its form's property of that name, so it is asked past the form.
  const { get } = Object.getOwnPropertyDescriptor(HTMLElement.prototype, "dataset");
  const dataOf = (form) => get.call(form);

  // --------------------------------------------------------------------- bodies
  const controls = (form) =>
    [...form.elements].filter((box) => box.name && !box.disabled && box.type !== "submit" && !ticks.owns(form, box));

  function valueOf(box) {
    const text = box.type === "checkbox" || box.type === "radio" ? box.value : box.value.trim();
    if (text === "") return undefined;
    return box.type === "number" ? Number(text) : text;
  }

  function place(body, path, value) {
    const names = path.split(".");
    const last = names.pop();
    const parent = names.reduce((inner, name) => (inner[name] ??= {}), body);
    if (last.endsWith("[]")) (parent[last.slice(0, -2)] ??= []).push(value);
    else parent[last] = value;
  }

  // The button that a dry run tries: what is ticked where something is.
  const tryable = (form) =>
    form.querySelector(`[data-takes="${ticks.of(form)?.values.length ? "ticked" : "all"}"]`);

  function bodyOf(form, button) {
    const body = JSON.parse(button?.dataset.body || dataOf(form).body || "{}");
    const ticked = button?.dataset.takes === "ticked" ? ticks.of(form) : null;
    for (const value of ticked?.values ?? []) place(body, `${ticked.name}[]`, value);
    for (const box of controls(form)) {
      const tick = box.type === "checkbox" || box.type === "radio";
      if (tick && !box.checked) continue;
      const [, list, entry] = /^([^:]+):(.+)$/.exec(box.name) || [];
      if (list) place(body, `${list}[]`, entry);
      else if (box.type === "checkbox" && box.value === "on") place(body, box.name, true);
      else {
        const value = valueOf(box);
        if (value !== undefined) place(body, box.name, value);
      }
    }
    return body;
  }

  // ------------------------------------------------------------- what is on screen
  // React keeps values of its own: they are set as if typed.
  function put(box, value) {
    const property = box.type === "checkbox" || box.type === "radio" ? "checked" : "value";
    if (box[property] === value) return;
    if (property === "checked") return void box.click();
    const kind = { SELECT: HTMLSelectElement, TEXTAREA: HTMLTextAreaElement }[box.tagName] || HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, property).set.call(box, value);
    for (const name of ["input", "change"]) box.dispatchEvent(new Event(name, { bubbles: true }));
  }

  const initial = new WeakMap(); // input -> what it held before anyone typed
  const held = (box) => (box.type === "checkbox" || box.type === "radio" ? box.checked : box.value);
  function remember(form) {
    for (const box of controls(form)) if (!initial.has(box) && box.type !== "hidden") initial.set(box, held(box));
  }
  function reset(form) {
    if (ticks.of(form)) ticks.clear();
    for (const box of controls(form)) if (initial.has(box)) put(box, initial.get(box));
  }

  function say(status, text, kind, link) {
    if (!status) return void toast(text, kind, link);
    status.replaceChildren(text, ...(link ? [" ", link] : []));
    status.dataset.kind = kind;
  }

  let shownToast = 0;
  function toast(text, kind, link) {
    let box = document.getElementById("toast");
    if (!box) {
      box = Object.assign(document.createElement("div"), { id: "toast", className: "toast" });
      box.setAttribute("role", "status");
      document.body.append(box);
    }
    say(box, text, kind, link);
    clearTimeout(shownToast);
    shownToast = setTimeout(() => box.replaceChildren(), kind === "error" ? 3 * TOAST_MS : TOAST_MS);
  }

  function clearErrors(form) {
    for (const box of form.querySelectorAll("[aria-invalid]")) box.removeAttribute("aria-invalid");
  }

  // The control that an error's field means: "selection.entity_id", or just its last part.
  function mark(form, field) {
    const box =
      field && controls(form).find(({ name }) => [name, name.split(".").pop()].some((n) => n.replace("[]", "") === field));
    if (!box) return;
    box.setAttribute("aria-invalid", "true");
    box.focus();
  }

  // -------------------------------------------------------------------- the server
  // Asked for each time: the server may have been started anew, or somebody else may have signed in, since the last.
  async function token(signal) {
    const answer = await fetch("/api/v1/session", { cache: "no-store", signal });
    return (answer.ok && (await answer.json()).token) || "";
  }

  async function send(url, body) {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const headers = { "Content-Type": "application/json", "X-Pulseboard-Token": await token(signal) };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal, cache: "no-store" });
    return { ok: answer.ok, status: answer.status, content: await answer.json().catch(() => null) };
  }

  function refusal(status, error) {
    if (status === 401) return "You are signed out. Reload the page to sign in again";
    return error?.message || `The server answered with an error (${status}). ${UNKNOWN}`;
  }

  // The answer's content, or null after saying what is wrong.
  async function ask(url, body, where) {
    told = null;
    say(where.status, "Working…", "busy");
    where.busy(true);
    try {
      const { ok, status, content } = await send(url, body);
      if (ok && content) return content;
      say(where.status, refusal(status, content?.error), "error");
      if (content?.error?.field) where.mark(content.error.field);
    } catch (error) {
      const why = error.name === "TimeoutError" ? "No answer came" : "Pulseboard can't be reached";
      say(where.status, `${why}. ${UNKNOWN}`, "error");
    } finally {
      where.busy(false);
    }
    return null;
  }

  // A form that is drawn anew with what was saved takes its status along: then a toast says it.
  let told = null;
  document.addEventListener("pulseboard:drawn", () => {
    if (!told || told.status.isConnected) return;
    toast(told.text, "done", told.link);
    told = null;
  });

  function done(answer, status) {
    const { at, go } = answer;
    const here = !at || at === location.pathname;
    let link = null;
    if (go && !here) {
      link = Object.assign(document.createElement("a"), { href: `${at}?${target(go)}`, textContent: "Show it" });
    }
    const text = answer.message || "Done";
    say(status, text, "done", link);
    told = status && { status, text, link };
    document.dispatchEvent(new CustomEvent("pulseboard:acted", { detail: answer }));
    if (go && here) change(go);
  }

  function target(go) {
    const params = query();
    for (const [name, value] of Object.entries(go)) value ? params.set(name, value) : params.delete(name);
    return params;
  }

  // ------------------------------------------------------------------------- forms
  const statusOf = (node) => node.querySelector("[role=status]");

  function busy(buttons, form) {
    const before = buttons.map((button) => button.disabled);
    return (on) => {
      buttons.forEach((button, i) => { button.disabled = on || before[i]; });
      if (!form) return;
      if (on) dataOf(form).working = "";
      else delete dataOf(form).working;
      ticks.show(form); // what is ticked may have changed meanwhile
    };
  }

  async function post(form, button) {
    const tried = button?.dataset.dryRun !== undefined;
    const status = statusOf(form);
    const buttons = [...form.elements].filter((box) => box.type === "submit");
    clearErrors(form);
    const body = bodyOf(form, tried ? tryable(form) ?? button : button);
    const where = { status, busy: busy(buttons, form), mark: (field) => mark(form, field) };
    const asks = { ...dataOf(form), ...button?.dataset };
    if (tried) {
      const ticked = ticks.of(form)?.values.length;
      const answer = await ask(asks.post, { ...body, dry_run: true }, where);
      const meant = ticked === undefined ? "" : ticked ? `Of the ${ticked.toLocaleString("en")} ticked: ` : "All matching: ";
      return void (answer && say(status, `${meant}${answer.message}`, "done"));
    }
    const number = asks.takes === "ticked" ? ticks.of(form)?.values.length : Infinity;
    if (asks.counts !== undefined && number > Number(asks.counts)) {
      const counted = await ask(asks.post, { ...body, dry_run: true }, where);
      if (!counted) return;
      say(status, counted.message, "done");
      if (counted.would_send) confirm(withFigures(asks, counted), body, form, button);
      return;
    }
    if (asks.counts === undefined && (asks.confirm || asks.reason !== undefined))
      return void confirm(asks, body, form, button);
    const answer = await ask(asks.post, body, where);
    if (!answer) return;
    reset(form);
    done(answer, status);
  }

  // What is asked, with the figures of a dry run put in; above typeAbove the number is typed.
  function withFigures(asks, counted) {
    const figure = (_, name) =>
      typeof counted[name] === "number" ? counted[name].toLocaleString("en") : String(counted[name] ?? "");
    const put = (text) => text?.replace(/\{(\w+)\}/g, figure);
    const typed = counted.would_send > Number(asks.typeAbove ?? Infinity) ? counted.would_send : undefined;
    return { ...asks, confirm: put(asks.confirm), confirmLabel: put(asks.confirmLabel), typed };
  }

  function make(tag, properties, ...children) {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  }

  // Asks in a dialog, and for a reason where one is wanted; stays open until it is done or given up.
  function confirm({ post: url, confirm: question, reason, typed, confirmLabel = "Go on" }, body, form, opener) {
    const common = { required: true, autocomplete: "off", className: "form-control" };
    const box = reason === undefined ? null : make("input", { ...common, name: "reason", minLength: 3, maxLength: 500 });
    const number = typed === undefined ? null : make("input", { ...common, name: "confirm", type: "number", min: 0 });
    const labelled = (control, words) =>
      control ? [make("label", {}, make("span", { className: "label", textContent: words }), control)] : [];
    const status = make("p", { role: "status" });
    const no = make("button", { type: "button", textContent: "Back" });
    const yes = make("button", { type: "submit", textContent: confirmLabel, className: "primary" });
    const inner = make("form", {},
      make("p", { id: "confirm-question", textContent: question || `${confirmLabel}?` }),
      ...labelled(box, reason || "Reason"), ...labelled(number, `Type ${typed} to confirm`), status, make("div", { className: "buttons" }, no, yes));
    const dialog = make("dialog", { className: "confirm" }, inner);
    dialog.setAttribute("aria-labelledby", "confirm-question");
    document.body.append(dialog);
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (opener?.isConnected) opener.focus();
    });
    inner.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wanted = {
        ...body, ...(box ? { reason: box.value.trim() } : {}), ...(number ? { confirm: Number(number.value) } : {}),
      };
      const both = (field) => [form, inner].forEach((one) => one && mark(one, field));
      const answer = await ask(url, wanted, { status, busy: busy([yes]), mark: both });
      if (!answer) return;
      dialog.close();
      if (form) reset(form);
      done(answer, form && statusOf(form));
    });
    dialog.showModal();
  }

  async function press(button) {
    const body = JSON.parse(button.dataset.body || "{}");
    const asks = { confirmLabel: button.textContent.trim(), ...button.dataset };
    if (asks.confirm || asks.reason !== undefined) return confirm(asks, body, null, button);
    const answer = await ask(button.dataset.post, body, { status: null, busy: busy([button]), mark() {} });
    if (answer) done(answer, null);
  }

  // Searching begins a list anew: its page token goes.
  function setUrl(form) {
    const values = { token: null };
    for (const box of controls(form)) {
      if ((box.type === "checkbox" || box.type === "radio") && !box.checked) values[box.name] ??= null;
      else values[box.name] = valueOf(box) === undefined ? null : String(valueOf(box));
    }
    change(values);
  }

  document.addEventListener("focusin", (event) => {
    const form = event.target.form || event.target.closest?.("form");
    if (form) remember(form);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const { url } = dataOf(form);
    const action = event.submitter?.dataset.post ?? dataOf(form).post;
    if (url === undefined && action === undefined) return;
    event.preventDefault();
    if (action === undefined) setUrl(form);
    else post(form, event.submitter);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-post]");
    if (button && !button.disabled && !(button.form && button.type === "submit")) press(button);
  });
  document.addEventListener("input", (event) => {
    if (event.target.getAttribute?.("aria-invalid")) event.target.removeAttribute("aria-invalid");
  });
})();
