// The sessions that wait: what is in them, how far they are judged, what to know before opening one.
import { get, memory } from "./api.js";
import { clock, day, minutes, timeOfDay } from "./clock.js";
import { el } from "./dom.js";
import { rater, topLine } from "./frame.js";

const FILTERS = {
  all: ["All", () => true],
  waiting: ["To review", (row) => row.state === "ready" && row.judged < row.clips],
  done: ["Reviewed", (row) => row.state === "ready" && row.clips > 0 && row.judged >= row.clips],
  trouble: ["Need attention", (row) => row.problem || row.notes.length > 0 || row.due.length > 0 || row.state === "unfinished"],
};

export async function showList(root, words) {
  const { sessions } = await get("sessions", { rater: rater().name });
  document.title = "Sessions · attune";
  let [filter, search] = [memory.get("filter", "all"), ""];
  const list = el("ol", { class: "sessions", "aria-label": "Sessions" });
  const draw = () => {
    const chosen = sessions.filter(FILTERS[filter][1]).filter((row) => matches(row, search));
    list.replaceChildren(...chosen.map(sessionRow));
    if (!chosen.length) list.append(el("li", { class: "none" }, nothing(sessions, search)));
    filters.replaceChildren(...filterButtons(sessions, filter, (name) => {
      filter = name;
      memory.set("filter", name);
      draw();
    }));
  };
  const filters = el("div", { class: "filters", role: "group", "aria-label": "Which sessions" });
  const find = el("input", {
    type: "search", placeholder: "Search name, date, note", "aria-label": "Search sessions",
    on: { input: (event) => { search = event.target.value.trim().toLowerCase(); draw(); } },
  });
  root.replaceChildren(
    topLine({ tools: [el("a", { href: "#/agreement", class: "link" }, "Agreement")], onRater: () => showList(root, words) }),
    el(
      "main",
      { class: "plain" },
      el("h1", {}, headline(sessions)),
      el("p", { class: "lede" }, lede(sessions)),
      el("div", { class: "sieve" }, filters, find),
      list,
      el("p", { class: "limit" }, words.limit),
    ),
  );
  draw();
}

function headline(sessions) {
  const waiting = sessions.filter(FILTERS.waiting[1]).length;
  if (!sessions.length) return "No sessions yet";
  if (!waiting) return "Nothing waits for review";
  return waiting === 1 ? "One session waits" : `${waiting} sessions wait`;
}

function lede(sessions) {
  if (!sessions.length) return "Process a recording, and it appears here: attune process FILE_OR_FOLDER";
  const clips = sessions.reduce((sum, row) => sum + (row.state === "ready" ? row.clips - row.judged : 0), 0);
  return clips ? `${clips} ${clips === 1 ? "moment" : "moments"} worth a look that you have not judged.` : "You have judged every moment that was marked.";
}

const nothing = (sessions, search) =>
  !sessions.length ? "The store is empty." : search ? "No session matches." : "No session here.";

const matches = (row, text) =>
  !text || [row.name, row.id, day(row.date), row.date, ...row.notes, ...row.due, ...row.decided, ...row.raters].some((value) => value.toLowerCase().includes(text));

function filterButtons(sessions, current, choose) {
  return Object.entries(FILTERS).map(([name, [title, test]]) =>
    el(
      "button",
      { type: "button", "aria-pressed": String(name === current), on: { click: () => choose(name) } },
      title,
      el("small", {}, String(sessions.filter(test).length)),
    ));
}

function sessionRow(row) {
  const ready = row.state === "ready";
  const title = el("b", {}, `${day(row.date)}`, el("span", { class: "quiet" }, ` ${timeOfDay(row.date)}`));
  return el(
    "li",
    { class: ready ? "" : "stopped" },
    ready ? el("a", { href: `#/session/${row.id}`, class: "open" }, title) : el("span", { class: "open" }, title),
    el("span", { class: "length" }, row.length_s ? clock(row.length_s) : "", el("small", {}, row.length_s ? minutes(row.length_s) : "")),
    el("span", { class: "state" }, ready ? progress(row) : stateName(row)),
    el("span", { class: "about" }, el("span", { class: "file" }, row.name || "from a transcript"), el("code", {}, row.id)),
    remarks(row),
  );
}

const stateName = (row) => ({ stopped: "Stopped", unfinished: "Being processed", unreadable: "Cannot be read" })[row.state];

function progress(row) {
  if (!row.clips) return "nothing crossed the line";
  const cells = Array.from({ length: row.clips }, (_, k) => el("i", { class: k < row.judged ? "on" : "" }));
  return [el("span", { class: "cells", "aria-hidden": "true" }, cells), `${row.judged} of ${row.clips} judged`];
}

function remarks(row) {
  const lines = [
    row.problem ? el("li", { class: "trouble" }, el("b", {}, `${row.problem[0][0].toUpperCase()}${row.problem[0].slice(1)}. `), `What to do: ${row.problem[1]}.`) : null,
    ...[...row.due, ...row.notes].map((note) => el("li", { class: "warn" }, `${note[0].toUpperCase()}${note.slice(1)}.`)),
    row.decided.length ? el("li", {}, row.decided.join(" · ")) : null,
    row.raters.length > 1 ? el("li", {}, `Judged by ${row.raters.join(", ")}`) : null,
  ].filter(Boolean);
  return lines.length ? el("ul", { class: "remarks" }, lines) : null;
}
