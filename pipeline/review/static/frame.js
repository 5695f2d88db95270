// What every page has: its top line, who is looking, light or dark.
import { memory } from "./api.js";
import { ask, el } from "./dom.js";

const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };

export function applyTheme() {
  const theme = memory.get("theme", "auto");
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function themeChoice() {
  const chosen = memory.get("theme", "auto");
  const choose = (event) => {
    memory.set("theme", event.target.value);
    applyTheme();
  };
  const options = Object.entries(THEMES).map(([value, name]) => el("option", { value, selected: value === chosen }, name));
  return el("select", { "aria-label": "Light or dark", class: "theme", on: { change: choose } }, options);
}

export const rater = () => memory.get("rater", { name: "", role: "supervisor" });

/** Ask who is looking; keeps and returns the answer. Cancelled, the last one stays. */
export async function askRater() {
  const before = rater();
  const given = await ask("Who is looking?", (close) => {
    const name = el("input", { id: "who-name", value: before.name, maxlength: 40, required: true, autocomplete: "off", autofocus: true });
    const role = el(
      "select",
      { id: "who-role" },
      [["supervisor", "Supervisor"], ["trainee", "Trainee"]].map(([value, text]) => el("option", { value, selected: before.role === value }, text)),
    );
    const submit = (event) => {
      event.preventDefault();
      if (name.value.trim()) close({ name: name.value.trim(), role: role.value });
    };
    return el(
      "form",
      { on: { submit } },
      el("p", { class: "quiet" }, "Verdicts are kept with these initials, so that two people can judge without seeing each other's. They stay on this machine."),
      el("label", { for: "who-name" }, "Initials or a short name"),
      name,
      el("label", { for: "who-role" }, "Role"),
      role,
      el("p", { class: "actions" }, el("button", { type: "submit", class: "main" }, "Begin")),
    );
  });
  if (given) memory.set("rater", given);
  return given || before;
}

/** The top line: brand, where one is, what the page adds, who looks. */
export function topLine({ crumbs = [], tools = [], onRater }) {
  const who = rater();
  const change = async () => {
    await askRater();
    onRater();
  };
  return el(
    "header",
    { class: "top" },
    el("a", { class: "brand", href: "#/" }, "attune"),
    crumbs,
    el(
      "div",
      { class: "tools" },
      tools,
      el("button", { type: "button", class: "who", title: "Who is looking", on: { click: change } }, who.name || "Who is looking?", who.name ? el("small", {}, who.role) : null),
      themeChoice(),
    ),
  );
}

export function problemPage(error) {
  return el(
    "main",
    { class: "plain" },
    el("h1", {}, "This cannot be shown"),
    el("p", { class: "lede" }, `${error.message}.`),
    error.mend ? el("p", {}, el("b", {}, "What to do: "), `${error.mend}.`) : null,
    el("p", {}, el("a", { href: "#/" }, "Back to the sessions")),
  );
}
