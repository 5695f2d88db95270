// The card of the chosen moment: what was said, why it is here, what speaks against it, repairs, and the verdict.
import { clock, exact } from "./clock.js";
import { badge, button, el } from "./dom.js";

const MOST_LINES = innerHeight < 940 ? 6 : 9; // so that the reasons are seen without scrolling far
const ANSWERS = [["agree", "Agree", "A"], ["disagree", "Disagree", "D"], ["unsure", "Unsure", "U"]];
const KINDS = [["withdrawal", "Withdrawal", "W"], ["confrontation", "Confrontation", "C"], ["mixed", "Both"], ["therapist_only", "Therapist only"], ["repair", "Repair"]];
const CLARITY = [["minus", "Faint"], ["check", "Clear"], ["plus", "Striking"]];
const REPAIRS = [["attempt", "Attempt", "X"], ["none", "None seen"]];
const REPAIR_SAID = { attempt: "repair attempt seen", none: "no repair seen" };
const SCALE = [1, 2, 3, 4, 5].map((n) => [n, String(n)]);
const RATINGS = ["significance", "resolution", "therapist_contribution"];
const REASONS = {
  "": "not said", third_party: "about somebody else", quoted: "quoting or retelling", logistics: "arrangements", humour: "humour",
  reflective_silence: "a thinking silence", style_or_culture: "style or culture", asr_error: "wrong words", wrong_speaker: "wrong speaker", other: "other",
};

/** @param act `play(item)`, `seek(seconds)`, `judge(changes)`, `edge(which)` */
export function buildCard(item, view, words, act, evidence) {
  return el(
    "article",
    { class: "card", "aria-labelledby": "card-title" },
    heading(item, act),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "What was said, and why it is here" },
      talk(item, view, words, act),
      item.clip === null ? null : [reasons(item, evidence, act), told(item), repairs(item, act)],
    ),
    verdict(item, words, act),
  );
}

function heading(item, act) {
  return el(
    "header",
    {},
    badge(item.sign, item.number, 36),
    el("div", {}, el("h2", { id: "card-title" }, item.title), el("p", { class: "closest" }, item.clip === null ? "added by hand" : item.told?.closest ? ["closest to: ", el("b", {}, item.told.closest)] : item.why[0] || "")),
    el(
      "button",
      { type: "button", class: "main play", title: "Play from the lead-in (Enter)", "aria-keyshortcuts": "Enter", on: { click: () => act.play(item) } },
      `${clock(item.start)} – ${clock(item.end)}`,
      el("kbd", { "aria-hidden": "true" }, "Enter"),
    ),
  );
}

/** What may be said once the clip is judged. */
function told(item) {
  if (!item.told) return null;
  return el(
    "p",
    { class: "told" },
    item.told.audit
      ? "This clip was drawn at random from what the tool did not mark, so that misses can be estimated. No rule chose it."
      : `How firmly the tool's rules mark it: ${item.told.band}. This says how it stands when the rules are shaken a little, not how likely a rupture is.${item.told.such ? ` ${item.told.such}` : ""}`,
  );
}

function talk(item, view, words, act) {
  const inside = view.turns.map((turn, k) => k).filter((k) => view.turns[k].start < item.end && view.turns[k].end > item.start);
  if (!inside.length) {
    return el("ol", { class: "talk" }, (item.words || "Nobody speaks here.").split("\n").map((line) => el("li", {}, el("p", { dir: "auto" }, line))));
  }
  const after = view.turns.findIndex((turn, k) => k > inside.at(-1) && !turn.brief);
  const shown = nearest(inside, view.turns, item.peak ?? item.start);
  const lines = [];
  let last = shown[0] - 1;
  for (const k of after < 0 ? shown : [...shown, after]) {
    const left = inside.includes(k) ? k - last - 1 : 0;
    if (left > 0) lines.push(el("li", { class: "gap" }, `${left} more in the transcript`));
    lines.push(line(view.turns[k], k === after ? "after" : k === inside[0] ? "before" : "", view, words, act));
    last = k;
  }
  return el("ol", { class: "talk", "aria-label": "What was said" }, lines);
}

/** The first turn and those nearest to the peak, in order. */
function nearest(inside, turns, peak) {
  const away = (k) => Math.max(turns[k].start - peak, peak - turns[k].end, 0);
  const rest = inside.slice(1).sort((a, b) => away(a) - away(b)).slice(0, MOST_LINES - 1);
  return [inside[0], ...rest.sort((a, b) => a - b)];
}

function line(turn, place, view, words, act) {
  const name = turn.role === "other" ? `Other ${turn.speaker}` : words.roles[turn.role];
  return el(
    "li",
    { class: `turn ${turn.role}${turn.brief ? " brief" : ""} ${place}` },
    el("button", { type: "button", class: "time", "aria-label": `Play from ${clock(turn.start)}`, on: { click: () => act.seek(turn.start, true) } }, clock(turn.start)),
    el("b", {}, name, place ? el("small", {}, place) : null),
    el("p", { dir: "auto" }, turn.words.flatMap(([, , text, confidence]) => [confidence < view.doubt_below ? el("span", { class: "doubt", title: "the recogniser was unsure of this word" }, text) : text, " "])),
  );
}

function reasons(item, open, act) {
  const list = (lines, none) => (lines.length ? el("ul", {}, lines.map((text) => el("li", {}, text))) : el("p", { class: "quiet" }, none));
  return el(
    "details",
    { class: "evidence", open, on: { toggle: (event) => act.evidence(event.target.open) } },
    el("summary", {}, "Evidence", el("kbd", { "aria-hidden": "true" }, "E")),
    el(
      "div",
      { class: "reasons" },
      el("section", {}, el("h3", {}, "Why it is here"), list(item.why, "No single reason stands out.")),
      el("section", {}, el("h3", {}, "What counts against it"), list(item.against, "Nothing was noticed."), el("p", { class: "quiet small" }, "Faces and posture are not seen by the tool.")),
    ),
  );
}

function repairs(item, act) {
  if (!item.repairs.length) return item.kind === "repair" ? null : el("section", { class: "strip" }, el("h3", {}, "Repair attempt"), el("p", {}, "Not seen after this moment."));
  return el(
    "section",
    { class: "strip" },
    el("h3", {}, item.repairs.length === 1 ? "Possible repair attempt" : `${item.repairs.length} possible repair attempts`),
    el("ul", {}, item.repairs.map((repair) =>
      el(
        "li",
        {},
        el("p", {}, el("button", { type: "button", class: "time", "aria-label": `Play from ${clock(repair.start)}`, on: { click: () => act.play(repair) } }, clock(repair.start)), el("b", {}, ` ${repair.type}`), `: ${repair.moves}`),
        el("blockquote", { dir: "auto" }, repair.words),
        el("p", {}, meter(repair.engagement), "client's engagement afterwards: ", el("b", {}, repair.engagement)),
        repair.note ? el("p", { class: "quiet" }, repair.note) : null,
      ))),
  );
}

function meter(engagement) {
  const filled = { "back near usual": 3, partly: 2, "not seen": 0 }[engagement];
  return el("span", { class: "meter", "aria-hidden": "true" }, filled === undefined ? "? " : `${"▮".repeat(filled)}${"▯".repeat(3 - filled)} `);
}

// ------------------------------------------------------------------------------------------------ verdict

function verdict(item, words, act) {
  const given = item.draft;
  const set = (field, value) => () => act.judge({ [field]: given[field] === value ? (RATINGS.includes(field) ? 0 : "") : value });
  const chips = (name, field, options, wide = false) =>
    el(
      "div",
      { class: wide ? "field wide" : "field", role: "group", "aria-label": name },
      el("h3", {}, name.split(",")[0]),
      el("div", { class: "chips" }, options.map(([value, text, key]) =>
        button({ "aria-pressed": String(given[field] === value), on: { click: set(field, value) } }, { name: text, key }))),
    );
  return el(
    "section",
    { class: "verdict", "aria-label": "Your verdict" },
    item.others.length ? othersSaid(item) : null,
    el(
      "div",
      { class: "answers", role: "group", "aria-label": item.clip === null ? "Is there a moment here?" : "Is this a moment?" },
      ANSWERS.map(([value, text, key]) =>
        button({ class: value, "aria-pressed": String(given.answer === value), on: { click: () => act.judge({ answer: value }) } }, { name: text, key, iconName: value })),
    ),
    el(
      "details",
      { class: "more", open: act.detailed, on: { toggle: (event) => act.detail(event.target.open) } },
      el("summary", {}, "Details", el("span", { class: "quiet" }, summary(given, item))),
      el("div", { class: "fields" }, chips("Kind", "kind", KINDS, true),
      chips("Clarity", "clarity", CLARITY),
      chips("Significance, 1 to 5", "significance", SCALE),
      el(
        "div",
        { class: "field", role: "group", "aria-label": "In and out" },
        el("h3", {}, "In and out"),
        el(
          "div",
          { class: "chips edges" },
          button({ "aria-pressed": String(differs(given.start, item.flagStart)), on: { click: () => act.edge("in") } }, { name: exact(given.start), key: "I" }),
          button({ "aria-pressed": String(differs(given.end, item.flagEnd)), on: { click: () => act.edge("out") } }, { name: exact(given.end), key: "O" }),
        ),
      ),
      el(
        "div",
        { class: "field", role: "group", "aria-label": "Useful in supervision" },
        el("h3", {}, "Useful"),
        el("div", { class: "chips" }, [[true, "Yes"], [false, "No"]].map(([value, text]) =>
          el("button", { type: "button", "aria-pressed": String(given.useful === value), on: { click: () => act.judge({ useful: given.useful === value ? null : value }) } }, text))),
      ),
      given.answer === "disagree" ? el(
        "div",
        { class: "field wide" },
        el("h3", {}, el("label", { for: "reason" }, "Why not")),
        el("select", { id: "reason", on: { change: (event) => act.judge({ reject_reason: event.target.value }) } },
          Object.entries(REASONS).map(([value, text]) => el("option", { value, selected: given.reject_reason === value }, text))),
      ) : null,
      repairSeen(given, words, act),
      given.repair ? [chips("Resolved, 1 to 5", "resolution", SCALE), chips("Therapist's part, 1 to 5", "therapist_contribution", SCALE)] : null),
      note(item, act),
    ),
  );
}

/** Whether somebody moved an edge: verdicts are kept to the millisecond, and moments are not. */
const differs = (at, shown) => Math.abs(at - shown) > 0.002;

/** Whether the person saw a repair attempt, and its moves; what more there is to say follows once that is said. */
function repairSeen(given, words, act) {
  const say = (value) => () => {
    const repair = given.repair === value ? "" : value;
    act.judge({ repair, ...(repair === "attempt" ? {} : { strategies: [] }) });
  };
  return el(
    "div",
    { class: given.repair === "attempt" ? "field wide" : "field", role: "group", "aria-label": "Repair" },
    el("h3", {}, "Repair"),
    el("div", { class: "chips" }, REPAIRS.map(([value, text, key]) =>
      button({ "aria-pressed": String(given.repair === value), on: { click: say(value) } }, { name: text, key }))),
    given.repair === "attempt" ? moves(given.strategies, words, act) : null,
  );
}

function moves(chosen, words, act) {
  const names = words.moves.filter(([id]) => chosen.includes(id)).map(([, text]) => text);
  const change = (id) => (event) => act.judge({ strategies: event.target.checked ? [...chosen, id] : chosen.filter((other) => other !== id) });
  return el(
    "details",
    {
      class: "moves", open: act.moving,
      on: { toggle: (event) => act.moves(event.target.open), keydown: (event) => { if (event.key === "Escape") { event.currentTarget.open = false; event.currentTarget.querySelector("summary").focus(); } } },
    },
    // told at the click: "toggle" comes later, and a card drawn anew in between would close it
    el("summary", { on: { click: (event) => act.moves(!event.currentTarget.parentElement.open) } }, names.length ? `by ${names.join(", ")}` : "by which moves"),
    el("ul", {}, words.moves.map(([id, text]) => el("li", {}, el("label", {}, el("input", { type: "checkbox", checked: chosen.includes(id), on: { change: change(id) } }), text)))),
  );
}

/** What the closed details hold. */
function summary(given, item) {
  const parts = [
    KINDS.find(([value]) => value === given.kind)?.[1],
    CLARITY.find(([value]) => value === given.clarity)?.[1],
    given.significance ? `significance ${given.significance}` : "",
    differs(given.start, item.flagStart) || differs(given.end, item.flagEnd) ? `${exact(given.start)} to ${exact(given.end)}` : "",
    given.reject_reason ? REASONS[given.reject_reason] : "",
    REPAIR_SAID[given.repair],
    given.resolution ? `resolved ${given.resolution}` : "",
    given.therapist_contribution ? `therapist's part ${given.therapist_contribution}` : "",
    given.note ? "with a note" : "",
  ].filter(Boolean);
  return parts.length ? ` ${parts.join(" · ").toLowerCase()}` : " kind, clarity, significance, in and out, repair, note";
}

function note(item, act) {
  const field = el("textarea", { rows: 1, placeholder: "Note, kept in this session's folder only", "aria-label": "Note, kept in this session's folder only" });
  field.value = item.draft.note;
  const grow = () => { field.style.height = "auto"; field.style.height = `${Math.min(120, field.scrollHeight + 2)}px`; };
  field.addEventListener("input", () => { grow(); act.jot(field.value); });
  field.addEventListener("blur", () => act.note(field.value)); // "change" would miss what was typed before a redraw
  field.addEventListener("keydown", (event) => { if (event.key === "Escape") field.blur(); });
  requestAnimationFrame(grow);
  return el("p", { class: "note" }, field);
}

function othersSaid(item) {
  return el("ul", { class: "others" }, item.others.map((other) =>
    el("li", {}, el("b", {}, other.rater), ` ${other.answer}`, other.kind ? `, ${other.kind.replace("_", " ")}` : "", other.significance ? `, significance ${other.significance}` : "", other.repair ? `, ${REPAIR_SAID[other.repair]}` : "", other.reject_reason ? `: ${REASONS[other.reject_reason]}` : "")));
}
