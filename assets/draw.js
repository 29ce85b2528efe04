// Draws components of a view without React, where there are many: what Dash is given at once costs it time with the
// square of its number (docs/adr/0014). A region of a layout asks for it with data-drawn; it may hold html components
// and plain elements (dashboard/html.py). All is set as text and attributes, nothing is read as HTML.
(() => {
  "use strict";
  const NAMES = { className: "class", htmlFor: "for" };
  const NOT_ATTRIBUTES = ["children", "style", "key", "n_clicks", "n_clicks_timestamp", "disable_n_clicks"];
  const URLS = ["href", "src", "action"];
  const SAFE_URL = /^(?:\/|\?|#|https?:\/\/|mailto:)/i;

  const before = new WeakMap(); // element -> { props, json } it was drawn from

  const propsOf = (spec) => spec.attributes || spec.props;
  const isText = (spec) => typeof spec === "string" || typeof spec === "number";
  const listed = (children) => [children ?? []].flat(Infinity).filter((child) => child !== null);

  function tagOf(spec) {
    if (spec.tag) return spec.tag;
    if (spec.namespace !== "dash_html_components") throw new Error(`${spec.type} can't be drawn in a data-drawn region`);
    return spec.type.toLowerCase();
  }

  function setAttribute(node, name, value) {
    const own = NAMES[name] || name;
    if (value === null || value === undefined || value === false) node.removeAttribute(own);
    else if (!URLS.includes(name) || SAFE_URL.test(value)) node.setAttribute(own, value === true ? "" : value);
    // Also where somebody has typed or chosen since.
    if (name === "value" && "value" in node) node.value = value ?? "";
    if (name === "selected") node.selected = Boolean(value);
  }

  // Only what differs from the last time is touched: ticks, open details and typed text are the reader's.
  function update(node, spec) {
    const json = JSON.stringify(spec);
    const last = before.get(node) || { props: {} };
    if (last.json === json) return node;
    const props = propsOf(spec);
    before.set(node, { props, json });
    for (const name of new Set([...Object.keys(last.props), ...Object.keys(props)]))
      if (!NOT_ATTRIBUTES.includes(name) && last.props[name] !== props[name]) setAttribute(node, name, props[name]);
    for (const [name, value] of Object.entries(props.style || {}))
      if (name.startsWith("--")) node.style.setProperty(name, value);
      else node.style[name] = value;
    fill(node, listed(props.children));
    return node;
  }

  function fill(parent, specs) {
    const known = new Map([...parent.children].filter((child) => child.id).map((child) => [child.id, child]));
    let at = parent.firstChild;
    const put = (node) => {
      if (node === at) at = at.nextSibling;
      else parent.insertBefore(node, at);
    };
    for (const spec of specs) {
      if (isText(spec)) {
        const text = at?.nodeType === Node.TEXT_NODE ? at : document.createTextNode("");
        if (text.data !== String(spec)) text.data = spec;
        put(text);
      } else put(update(found(spec, at, known) || document.createElement(tagOf(spec)), spec));
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  // The element of the same id wherever it stands, else the one in this place if it is of the same kind. What was there
  // before the first view, such as a loading look, is nobody's to reuse.
  function found(spec, at, known) {
    const { id } = propsOf(spec);
    const node = id ? known.get(id) : at;
    return before.has(node) && node.localName === tagOf(spec) && node.id === (id || "") ? node : null;
  }

  window.pulseboard.draw = (region, children) => {
    fill(region, listed(children));
    document.dispatchEvent(new CustomEvent("pulseboard:drawn"));
  };
})();
