// How far people agree with each other and with the tool. Of the clinic as a whole: never of a therapist.
import { get } from "./api.js";
import { el } from "./dom.js";
import { rater, topLine } from "./frame.js";

const percent = (share) => `${Math.round(100 * share)} %`;
const number = (value) => (value === null ? "–" : value.toFixed(2));

export async function showResults(root, words) {
  const found = await get("agreement");
  document.title = "Agreement · attune";
  root.replaceChildren(
    topLine({ crumbs: el("span", { class: "crumb" }, "Agreement"), onRater: () => showResults(root, words) }),
    el(
      "main",
      { class: "plain" },
      el("h1", {}, headline(found.clinic)),
      el("p", { class: "lede" }, lede(found)),
      el("h2", {}, "By marker"),
      found.markers.length ? markers(found) : el("p", { class: "quiet" }, "No flagged moment has been judged yet."),
      el("h2", {}, "Between two people"),
      found.raters.length ? raters(found) : el("p", { class: "quiet" }, "No clip has been judged by two people yet."),
      el("h2", {}, "Take them along"),
      ...takeAlong(rater().name),
      el("h2", {}, "What they teach"),
      el("p", {}, learning(found.clinic)),
      el("p", { class: "limit" }, words.limit),
    ),
  );
}

function headline(clinic) {
  const decided = clinic.agreed + clinic.disagreed;
  return decided ? `People agreed with ${clinic.agreed} of ${decided} marked moments` : "Nothing judged yet";
}

function lede(found) {
  const { clinic } = found;
  const parts = [];
  if (clinic.share !== null) parts.push(`In this clinic: ${percent(clinic.share)}, 95 % interval ${percent(clinic.low)} to ${percent(clinic.high)}.`);
  parts.push(`Unsure: ${clinic.unsure}. Clips drawn at random and judged: ${found.audited}. Moments that people added: ${found.missed}.`);
  return parts.join(" ");
}

/** The verdicts as files: one's own, and other people's where they cannot lead one any more. */
function takeAlong(name) {
  const link = (kind, everyone, text, label) => el("a", { href: `/api/verdicts.${kind}?${new URLSearchParams({ rater: name, everyone })}`, download: true, "aria-label": label }, text);
  const both = (everyone, said) => [link("csv", everyone, `${said} as CSV`), " · ", link("jsonl", everyone, "as JSONL", `${said} as JSONL`)];
  return [
    el("p", {}, both(false, "Your own verdicts")),
    el("p", {}, both(true, "With other people's"), el("span", { class: "quiet" }, " – of the clips that you have judged too, so that nobody leads you")),
    el("p", { class: "quiet" }, "No words of a session and no notes are in them. attune review --export FILE writes every verdict of everybody."),
  ];
}

/** How far the verdicts reach: the same steps as attune calibrate. */
function learning(clinic) {
  const judged = clinic.agreed + clinic.disagreed;
  if (judged < 40) return `${judged} marked ${judged === 1 ? "moment is" : "moments are"} judged. From 40 on, attune calibrate tells how often people here agree with such moments; until then nothing moves.`;
  if (judged < 200) return `${judged} marked moments are judged. attune calibrate tells how often people here agree with such moments; from 200 on it can also fit the weights to them.`;
  return `${judged} marked moments are judged. attune calibrate shows what they teach, before and after, and puts it in force only when asked to.`;
}

function table(head, rows) {
  return el(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": head[0] },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, k) => el(k ? "td" : "th", k ? {} : { scope: "row" }, cell))))),
    ),
  );
}

const markers = (found) =>
  table(
    ["Closest marker", "Agreed", "Disagreed", "Unsure", "Share", "95 % interval"],
    found.markers.map((m) => [m.of, m.agreed, m.disagreed, m.unsure, m.share === null ? "–" : percent(m.share), `${percent(m.low)} to ${percent(m.high)}`].map(String)),
  );

const raters = (found) =>
  table(
    ["Two people", "Clips both judged", "Same answer", "Cohen's kappa", "Gwet's AC1"],
    found.raters.map((r) => [`${r.first} and ${r.second}`, String(r.both), String(r.same), number(r.kappa), number(r.ac1)]),
  );
