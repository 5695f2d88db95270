// Elements made without markup: every text is set as text, so that no word of a session can become part of the page.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `on` holds listeners, `style` CSS properties, `data` data attributes, the rest attributes. */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, { on = {}, style = {}, data = {}, ...attributes }, children) {
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  for (const [name, value] of Object.entries(data)) node.dataset[name] = value;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SHAPES = {
  withdrawal: () => svg("circle", { r: 11 }),
  confrontation: () => svg("rect", { x: -10.5, y: -10.5, width: 21, height: 21, rx: 3 }),
  repair: () => svg("path", { d: "M0-13.5 13.5 0 0 13.5-13.5 0Z" }),
  own: () => svg("path", { d: "M-10-12H10V12L0 5-10 12Z" }),
};

/** The sign of a moment: its kind by shape as well as by colour, with a number or letter inside. */
export function badge(kind, label, size = 28) {
  return svg(
    "svg",
    { class: `badge ${kind}`, width: size, height: size, viewBox: "-14 -14 28 28", "aria-hidden": "true" },
    (SHAPES[kind] || SHAPES.own)(),
    svg("text", { y: kind === "own" ? 2.5 : 4.5, "text-anchor": "middle" }, String(label)),
  );
}

const ICONS = {
  play: "M7 4.5v15l12-7.5Z",
  pause: "M6 4.5h4.2v15H6ZM13.8 4.5H18v15h-4.2Z",
  agree: "M4.5 12.5l5 5L19.5 7",
  disagree: "M6 6l12 12M18 6L6 18",
  unsure: "M8.5 9a3.5 3.5 0 1 1 5.2 3c-1.2.7-1.7 1.4-1.7 2.8M12 18.6v.1",
  loop: "M4 11V9a3 3 0 0 1 3-3h11l-3-3M20 13v2a3 3 0 0 1-3 3H6l3 3",
  next: "M5 5v14l9-7ZM16 5h3v14h-3Z",
  previous: "M19 5v14l-9-7ZM5 5h3v14H5Z",
  swap: "M4 8h15l-4-4M20 16H5l4 4",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  undo: "M4 9h10a5 5 0 0 1 0 10H9M8 5L4 9l4 4",
};
const FILLED = new Set(["play", "pause", "next", "previous"]);

export function icon(name, size = 18) {
  const path = svg("path", { d: ICONS[name] });
  return svg("svg", { class: FILLED.has(name) ? "icon filled" : "icon", width: size, height: size, viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
}

/** A button whose key is shown and read out. */
export function button(props, { name, key, iconName, quiet = false } = {}) {
  return el(
    "button",
    { type: "button", "aria-label": quiet ? name : null, title: key ? `${name} (${key})` : name, "aria-keyshortcuts": key || null, ...props },
    iconName ? icon(iconName) : null,
    quiet ? null : el("span", {}, name),
    key && !quiet ? el("kbd", { "aria-hidden": "true" }, key) : null,
  );
}

const CONTROLS = "a[href], button, input, select, summary, textarea, [tabindex]";

/** Remember which control of these parts the keyboard is at. Returns what brings it back once they are drawn anew. */
export function keepFocus(...parts) {
  const part = parts.find((node) => node.contains(document.activeElement));
  if (!part || !document.activeElement.matches(":focus-visible")) return () => {};
  const at = [...part.querySelectorAll(CONTROLS)].indexOf(document.activeElement);
  return () => { if (document.activeElement === document.body) part.querySelectorAll(CONTROLS)[at]?.focus({ preventScroll: true }); };
}

let saying = 0;
/** Say something to screen readers, and to everybody in the line at the foot of the page unless they see it anyway. */
export function say(text, { seen = false } = {}) {
  const live = document.getElementById("live");
  window.clearTimeout(saying);
  live.textContent = "";
  saying = window.setTimeout(() => { live.textContent = text; }, 30);
  const foot = document.getElementById("said");
  if (foot && !seen) foot.textContent = text;
}

/** A modal dialog that is gone once it is closed. Resolves with what `close(value)` was given, or null. */
export function ask(title, build, { wide = false } = {}) {
  return new Promise((resolve) => {
    let answer = null;
    const close = (value) => { answer = value; dialog.close(); };
    const heading = el("h2", { id: "dialog-title" }, title);
    const dialog = el("dialog", { class: wide ? "wide" : null, "aria-labelledby": "dialog-title" });
    dialog.append(heading, build(close));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
