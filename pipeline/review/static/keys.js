// The keyboard, in one table: what is pressed, what it does. The help is made from it.
import { memory } from "./api.js";
import { ask, el } from "./dom.js";

/** Rows of [group, [[keys, what it does, run], ...]]; `keys` as in KeyboardEvent.key. */
export const keyTable = (act) => [
  ["Play", [
    [["k", " "], "play or pause", () => act.toggle()],
    [["j"], "5 s back", () => act.skip(-5)],
    [["l"], "5 s on", () => act.skip(5)],
    [["J"], "30 s back", () => act.skip(-30)],
    [["L"], "30 s on", () => act.skip(30)],
    [["Enter"], "play the moment from its lead-in", () => act.playChosen()],
    [["r"], "play it again", () => act.replay()],
    [["R"], "loop the clip, or play it once", () => act.loop()],
    [[","], "slower", () => act.faster(-1)],
    [["."], "faster", () => act.faster(1)],
  ]],
  ["Moments", [
    [["n"], "next moment", () => act.step(1)],
    [["p"], "previous moment", () => act.step(-1)],
    [["e"], "evidence: show or hide", () => act.toggleEvidence()],
    [["t"], "transcript: go there and back", () => act.transcript()],
    [["b"], "blind first pass: hide or show what is marked", () => act.blind()],
  ]],
  ["Judge", [
    [["a"], "agree", () => act.judge({ answer: "agree" })],
    [["d"], "disagree", () => act.judge({ answer: "disagree" })],
    [["u"], "unsure", () => act.judge({ answer: "unsure" })],
    [["1", "2", "3", "4", "5"], "significance", (key) => act.judge({ significance: Number(key) })],
    [["w"], "withdrawal", () => act.judge({ kind: "withdrawal" })],
    [["c"], "confrontation", () => act.judge({ kind: "confrontation" })],
    [["x"], "repair: attempt, none, not said", () => act.repair()],
    [["i"], "it begins here", () => act.edge("in")],
    [["o"], "it ends here", () => act.edge("out")],
    [["m"], "add a moment that was missed", () => act.mark()],
    [["z"], "undo", () => act.undo()],
  ]],
  ["Correct", [
    [["s"], "swap therapist and client", () => act.swap()],
  ]],
];

const INSIDE = [
  ["← → ↑ ↓", "from word to word, from turn to turn; with Shift, several words"],
  ["Enter", "play from the word"],
  ["F", "put the word right"],
  ["G", "give it to the other person; with Shift, the whole turn"],
  ["Y", "split the turn before the word; with Shift, join the turn to the same person's before"],
];
const NAMES = { " ": "Space", J: "Shift J", L: "Shift L", R: "Shift R" };

/** Listen on the whole page. Returns the function that stops it. */
export function listen(act) {
  const table = keyTable(act).flatMap(([, rows]) => rows);
  const pressed = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = event.target;
    if (target.closest("input:not([type=checkbox]), textarea, select")) return;
    if ((event.key === " " || event.key === "Enter") && target.closest("button, a, summary, input")) return;
    if (event.key === "?") {
      event.preventDefault();
      showHelp(act);
      return;
    }
    const row = memory.get("keys", true) && find(table, event);
    if (!row) return;
    event.preventDefault();
    row[2](event.key);
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

function find(table, event) {
  const own = table.find(([keys]) => keys.includes(event.key));
  return own || (event.shiftKey ? null : table.find(([keys]) => keys.includes(event.key.toLowerCase())));
}

export function showHelp(act) {
  if (document.querySelector("dialog[open]")) return;
  const shown = (keys) => (keys.length > 2 ? [keys[0], "–", keys.at(-1)] : keys).map((key) => (key === "–" ? key : el("kbd", {}, NAMES[key] || (key.length === 1 ? key.toUpperCase() : key))));
  const group = ([name, rows]) => el("section", {}, el("h3", {}, name), el("dl", {}, rows.map(([keys, does]) => [el("dt", {}, shown(keys)), el("dd", {}, does)])));
  ask("Keys", (close) =>
    el(
      "div",
      {},
      el("div", { class: "help" }, keyTable(act).map(group), el("section", {}, el("h3", {}, "In the transcript"), el("dl", {}, INSIDE.map(([keys, does]) => [el("dt", {}, el("kbd", {}, keys)), el("dd", {}, does)])))),
      el("p", { class: "actions" }, keySwitch(), el("button", { type: "button", class: "main", autofocus: true, on: { click: () => close(true) } }, "Close")),
    ), { wide: true });
}

/** Single keys are in the way of those who speak to their computer: they can be switched off, all but the one for this. */
function keySwitch() {
  const switched = (event) => memory.set("keys", event.target.checked);
  return el("label", { class: "key-switch" }, el("input", { type: "checkbox", checked: memory.get("keys", true), on: { change: switched } }), "Keys act (those in the transcript always do while it has the focus)");
}
