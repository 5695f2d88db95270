// One session: the parts of the page, what is chosen, and what follows from a key, a click or an answer.
import { bytes, get, memory, post } from "./api.js";
import { buildCard } from "./card.js";
import { clock, day, lastBefore, minutes, now, timeOfDay } from "./clock.js";
import { ask, badge, button, el, icon, keepFocus, say } from "./dom.js";
import { askRater, rater, topLine } from "./frame.js";
import { listen, showHelp } from "./keys.js";
import { Overview } from "./overview.js";
import { Player } from "./player.js";
import { Transcript } from "./transcript.js";
import { Wave } from "./wave.js";

const FORMATS = { // as people call them; a format without a name here is shown as the program calls it
  json: "Moments, for software", vtt: "Captions and chapters (WebVTT)", csv: "Tables (CSV)", parquet: "Tables (Parquet)", html: "Summary page",
  srt: "Captions (SRT)", rttm: "Who speaks when (RTTM)", ctm: "Words with times (CTM)", textgrid: "Praat TextGrid", eaf: "ELAN", audacity: "Audacity labels",
  edl: "Edit list (EDL)", vlc: "VLC bookmarks", docx: "Supervision sheet (Word)", pdf: "Supervision sheet (PDF)", bins: "Five-minute bins, to rate",
};
const POLL_MS = 500;
const MARK_BEFORE_S = 15; // a missed moment begins this long before the key was pressed: people react late
const MARK_AFTER_S = 5;
const NO_DRAFT = { answer: "", kind: "", clarity: "", significance: 0, useful: null, reject_reason: "", note: "", repair: "", strategies: [], resolution: 0, therapist_contribution: 0 };
const SENT = ["kind", "clarity", "significance", "useful", "reject_reason", "note", "start", "end", "repair", "strategies", "resolution", "therapist_contribution"];
const CONTROLS = "button, select, textarea, summary, input";
const REPAIR_AFTER = { "": "attempt", attempt: "none", none: "" }; // what the key makes of what was said

/** Space acts when it goes down: the card may be drawn anew, by an answer that comes in, before it comes up. */
function pressAtOnce(event) {
  if (event.key !== " " || !event.target.matches("button, summary, input[type=checkbox]")) return;
  event.preventDefault();
  if (!event.repeat) event.target.click();
}

export async function showSession(root, words, id) {
  root.replaceChildren(el("p", { class: "loading" }, "Opening the session…"));
  const who = rater();
  const [view, judged] = await Promise.all([get(`sessions/${id}`), get(`sessions/${id}/judged`, { rater: who.name })]);
  const desk = new Desk(root, words, view, judged);
  desk.open();
  return () => desk.close();
}

class Desk {
  constructor(root, words, view, judged) {
    [this.root, this.words, this.view, this.judged] = [root, words, view, judged];
    [this.drafts, this.done, this.saving] = [new Map(), [], Promise.resolve()];
    this.everyone = false;
    this.evidence = memory.get("evidence", true);
    this.detailed = memory.get("detailed", null); // null: where there is room, or else once there is an answer
    this.hidden = memory.get("blind", false) && !this.flagsSeen && !judged.own.some((verdict) => verdict.saw_flag);
    this.chosenKey = null;
  }

  // ------------------------------------------------------------------------------------ the page's parts

  open() {
    document.title = `${day(this.view.date)} · attune`;
    const seek = (at) => this.player.seek(at);
    this.player = new Player(this.view, { tick: (at) => this.tick(at), ended: () => this.clipEnded(), changed: () => {} });
    this.overview = new Overview(this.view, { seek, choose: (item) => this.choose(item, { play: false, go: true }), play: (repair) => this.player.playClip(repair) });
    this.wave = new Wave(this.view, { seek, edge: (edge, at) => this.judge({ [edge === "in" ? "start" : "end"]: at }) });
    this.wave.setTurns(this.view.turns);
    this.transcript = new Transcript(this.view, this.words, { seek: (at, play) => { seek(at); if (play) this.player.play(); }, correct: (correction) => this.correct(correction) });
    this.list = el("ol", { class: "clips" });
    this.listHead = el("header", {});
    this.moments = el("nav", { class: "moments", "aria-label": "Moments" }, this.listHead, this.list);
    this.middle = el("section", { class: "middle", "aria-label": "The chosen moment", on: { keydown: pressAtOnce } });
    this.banner = el("div", { class: "banner", hidden: true, role: "status" });
    this.topHolder = el("div", {});
    this.root.replaceChildren(el(
      "div",
      { class: "desk" },
      this.topHolder,
      this.banner,
      this.overview.node,
      this.view.media.sound ? this.wave.node : "",
      el(
        "main",
        {},
        el("div", { class: "left" }, this.player.node, this.moments),
        this.middle,
        this.transcript.node,
      ),
      el("footer", { class: "foot" }, el("span", { class: "limit" }, this.words.limit), el("span", { id: "said" }), el("span", { class: "keyhint" }, el("kbd", {}, "?"), " keys")),
    ));
    this.unlisten = listen(this.keys());
    this.player.changed();
    if (this.view.problem) this.show(`The last run stopped: ${this.view.problem[0]}. What was made before is shown. What to do: ${this.view.problem[1]}.`, { problem: true });
    const first = this.items()[0];
    this.chosenKey = first ? first.key : null;
    this.draw();
    this.player.seek(first ? Math.max(0, first.start - this.player.preRoll) : 0);
    this.poll();
  }

  close() {
    this.closed = true;
    this.unlisten();
    this.player.stop();
    this.wave.stop();
    window.clearTimeout(this.timer);
  }

  drawTop() {
    const { view } = this;
    const toggle = (name, key, on, act) => button({ "aria-pressed": String(on), on: { click: act } }, { name, key });
    const crumb = el("h1", { class: "crumb" }, el("b", {}, day(view.date)), ` ${timeOfDay(view.date)} · ${minutes(view.end_s)}`, el("span", { class: "quiet" }, ` · ${this.progress()}`));
    this.topHolder.replaceChildren(topLine({
      crumbs: crumb,
      tools: [
        toggle("Blind", "B", this.hidden, () => this.blind()),
        toggle("Consensus", "", this.everyone, () => this.consensus()),
        button({ class: this.unsureRoles() ? "warn" : "", on: { click: () => this.swap() } }, { name: "Swap roles", key: "S", iconName: "swap" }),
        button({ on: { click: () => this.exports() } }, { name: "Export" }),
        button({ on: { click: () => showHelp(this.keys()) } }, { name: "Keys", key: "?" }),
      ],
      onRater: () => this.reload(),
    }));
  }

  unsureRoles() { return this.view.notes.some((note) => note.startsWith("please confirm")) && !this.view.swapped; }

  progress() {
    const items = this.items().filter((item) => item.clip !== null);
    if (this.hidden) return "blind first pass";
    return items.length ? `${items.filter((item) => item.verdict).length} of ${items.length} judged` : "nothing crossed the line";
  }

  // --------------------------------------------------------------------------------------------- moments

  /** What can be looked at now, in order of time: the clips, unless hidden, and what people added. */
  items() {
    const own = new Map(this.judged.own.filter((v) => v.clip !== null).map((v) => [v.clip, v]));
    const clips = this.hidden ? [] : this.view.clips.map((clip, k) => ({
      ...clip, key: `c${k}`, clip: k, mark: "", sign: clip.kind, verdict: own.get(k), told: this.judged.told[k],
      others: this.judged.others.filter((v) => v.clip === k),
    }));
    const marks = this.judged.own.filter((v) => v.clip === null).map((v) => this.markItem(v));
    const theirs = this.everyone && !this.hidden ? this.judged.others.filter((v) => v.clip === null).map((v) => ({ ...this.markItem(v, v.rater), key: `t${v.id}`, verdict: undefined, others: [v] })) : [];
    const items = [...clips, ...marks, ...theirs].sort((a, b) => a.start - b.start);
    let number = 0;
    for (const item of items) {
      item.number = item.clip === null ? "+" : (number += 1);
      item.flagStart = item.clip === null && item.verdict ? item.verdict.flag[0] : item.start;
      item.flagEnd = item.clip === null && item.verdict ? item.verdict.flag[1] : item.end;
      item.draft = { ...NO_DRAFT, start: item.start, end: item.end, ...item.verdict, ...this.drafts.get(item.key) };
      [item.in, item.out] = [item.draft.start, item.draft.end];
    }
    return items;
  }

  markItem(v, who = "you") {
    const kind = ["withdrawal", "confrontation", "repair"].includes(v.kind) ? v.kind : "";
    const title = v.mark ? (kind ? `${this.words.kinds[kind]}, added` : `A moment ${who} added`) : "Judged before, no longer marked";
    return { key: `m${v.mark || v.id}`, clip: null, mark: v.mark, kind, sign: "own", title, closest: "", start: v.start, end: v.end, verdict: v, others: [], why: [], against: [], repairs: [] };
  }

  get chosen() { return this.items().find((item) => item.key === this.chosenKey) || null; }

  draw() {
    const items = this.items();
    const chosen = items.find((item) => item.key === this.chosenKey) || null;
    if (items.some((item) => item.clip !== null)) this.noteFlagsSeen();
    const back = keepFocus(this.topHolder, this.moments, this.overview.marks);
    this.drawTop();
    this.drawList(items, chosen);
    this.overview.draw(items, chosen, this.hidden);
    back();
    this.transcript.draw(items, chosen);
    this.wave.show(chosen);
    this.drawCard(items, chosen);
  }

  drawList(items, chosen) {
    this.listHead.replaceChildren(el("h2", {}, "Moments"), button({ on: { click: () => this.mark() } }, { name: "Add", key: "M", iconName: "plus" }), button({ on: { click: () => this.undo() } }, { name: "Undo", key: "Z", iconName: "undo" }));
    const names = { agree: "agreed", disagree: "disagreed", unsure: "unsure" };
    this.list.replaceChildren(...items.map((item) => el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: item === chosen ? "on" : "", "aria-current": item === chosen ? "true" : null, on: { click: () => this.choose(item, { go: true }), dblclick: () => this.play(item) } },
        badge(item.sign, item.number, 26),
        el("span", { class: "what" }, item.title, el("small", {}, item.told?.closest || item.why[0] || "")),
        el("span", { class: "when" }, clock(item.start)),
        el("span", { class: `given ${item.verdict?.answer || "none"}`, title: item.verdict ? names[item.verdict.answer] : "not judged yet" }, item.verdict ? [icon(item.verdict.answer, 15), el("span", { class: "unseen" }, names[item.verdict.answer])] : el("span", { class: "unseen" }, "not judged yet")),
      ),
    )));
    const sentence = (note, kind) => el("li", { class: kind }, `${note[0].toUpperCase()}${note.slice(1)}.`);
    const told = this.judged.notes.map((note) => sentence(note, "told"));
    this.list.prepend(...this.view.notes.map((note) => sentence(note, "told warn"))); // seen before the first verdict
    if (this.hidden) told.unshift(el("li", { class: "told" }, "Blind first pass: what the tool marked is hidden. Mark what you notice with M, then press B."));
    else if (!items.length && !told.length && !this.view.notes.length) told.push(el("li", { class: "told" }, "Nothing crossed the line. This does not mean that there was no rupture."));
    this.list.append(...told);
  }

  drawCard(items, chosen) {
    if (!chosen) {
      this.middle.replaceChildren(el("div", { class: "empty" }, el("h2", {}, this.hidden ? "Watch first" : "Nothing crossed the line"), el("p", { class: "quiet" }, this.hidden
        ? "Play the session and press M where something happens between the two. Press B to see what the tool marked."
        : "This does not mean that there was no rupture. Press M where you notice one.")));
      return;
    }
    const same = this.cardKey === chosen.key;
    const scroll = same ? this.middle.querySelector(".scroll")?.scrollTop || 0 : 0;
    const caret = document.activeElement?.selectionEnd;
    const focus = same && this.middle.contains(document.activeElement) ? [...this.middle.querySelectorAll(CONTROLS)].indexOf(document.activeElement) : -1;
    this.cardKey = chosen.key;
    let detailed = this.detailed ?? (innerHeight >= 1000 || (innerHeight >= 820 && Boolean(chosen.draft.answer)));
    this.drawing = true; // a field that is replaced while it has the focus says that it was left
    this.middle.replaceChildren(buildCard(chosen, this.view, this.words, {
      play: (item) => (item.key ? this.play(item) : this.player.playClip(item)),
      seek: (at, play) => { this.player.seek(at); if (play) this.player.play(); },
      judge: (changes) => this.judge(changes),
      jot: (note) => this.drafts.set(chosen.key, { ...this.drafts.get(chosen.key), note }),
      detailed,
      detail: (open) => {
        if (open === detailed) return; // drawn so, not asked for
        this.detailed = detailed = open;
        memory.set("detailed", open);
      },
      moving: this.moving,
      moves: (open) => { this.moving = open; },
      note: (note) => { if (!this.drawing && note !== (this.chosen?.verdict?.note || "")) this.judge({ note }); },
      edge: (which) => this.edge(which),
      evidence: (open) => { this.evidence = open; memory.set("evidence", open); },
    }, this.evidence));
    this.drawing = false;
    this.middle.querySelector(".scroll").scrollTop = scroll;
    if (focus < 0) return;
    const again = this.middle.querySelectorAll(CONTROLS)[focus];
    again?.focus({ preventScroll: true });
    if (again?.matches("textarea")) again.setSelectionRange(caret, caret);
  }

  choose(item, { go = false } = {}) {
    this.chosenKey = item.key;
    if (go) this.player.seek(Math.max(0, item.in - this.player.preRoll));
    this.transcript.follow(true);
    this.draw();
    say(`${item.title}, ${clock(item.start)}`);
  }

  play(item) {
    this.chosenKey = item.key;
    this.transcript.follow(true);
    this.draw();
    this.player.playClip({ start: item.in, end: item.out });
  }

  step(by) {
    const items = this.items();
    if (!items.length) return say("There is no moment to go to");
    const k = items.findIndex((item) => item.key === this.chosenKey);
    const to = k < 0 ? (by > 0 ? Math.max(0, lastBefore(items.map((i) => i.start), this.player.time)) : 0) : Math.min(items.length - 1, Math.max(0, k + by));
    return this.choose(items[to], { go: true });
  }

  tick(at) {
    if (!this.transcript) return;
    this.overview.follow(at);
    this.wave.follow(at);
    this.transcript.tick(at);
    const turn = this.view.turns[this.transcript.current];
    if (turn) this.player.caption(turn, turn.role === "other" ? "Other" : this.words.roles[turn.role]);
  }

  clipEnded() { say("End of the moment. R plays it again, K plays on."); }

  // ------------------------------------------------------------------------------------------- verdicts

  get flagsSeen() { return memory.get("seen", []).includes(`${this.view.id} ${rater().name}`); }

  noteFlagsSeen() {
    if (!this.flagsSeen) memory.set("seen", [...memory.get("seen", []).slice(-999), `${this.view.id} ${rater().name}`]);
  }

  /** Change something of the verdict on the chosen moment; kept at once where an answer is given. */
  judge(changes) {
    const item = this.chosen;
    if (!item) return say("Choose a moment first: N");
    const draft = { ...item.draft, ...changes };
    if (draft.end <= draft.start) return say("The end must come after the beginning");
    this.drafts.set(item.key, { ...this.drafts.get(item.key), ...changes });
    this.draw();
    if (!draft.answer) return say("Noted. It is kept once you agree, disagree or are unsure.");
    return this.save(item, draft);
  }

  save(item, draft) {
    const body = { answer: draft.answer, clip: item.clip, mark: item.mark, saw_flag: item.clip !== null || this.flagsSeen, ...this.by() };
    for (const field of SENT) body[field] = draft[field];
    this.saving = this.saving.then(() => this.send(`sessions/${this.view.id}/verdicts`, body)).then((answer) => {
      if (!answer) return;
      this.done.push("verdict");
      this.settle(item.key, body);
      if (item.key === "new") this.chosenKey = `m${answer.mark}`;
      this.take(answer);
      say(`Kept at ${now()}`);
    });
    return this.saving;
  }

  /** What was sent is kept now; what was changed meanwhile is still on its way. */
  settle(key, sent) {
    const left = Object.entries(this.drafts.get(key) || {}).filter(([field, value]) => sent[field] !== value);
    if (left.length) this.drafts.set(key, Object.fromEntries(left));
    else this.drafts.delete(key);
  }

  by() {
    const who = rater();
    return { rater: who.name, rater_role: this.everyone ? "consensus" : who.role, watched: this.view.media.picture ? "video" : this.view.media.sound ? "audio" : "text" };
  }

  take(judged) {
    this.judged = judged;
    this.draw();
  }

  async send(path, body) {
    if (!rater().name) await askRater();
    if ("rater" in body) body.rater = rater().name;
    try {
      return await post(path, body, this.everyone ? { everyone: "true" } : {});
    } catch (error) {
      this.show(`${error.message}. ${error.mend ? `What to do: ${error.mend}.` : ""}`, { problem: true });
      return null;
    }
  }

  /** By key: an attempt was seen, none was seen, nothing said. */
  repair() {
    const item = this.chosen;
    if (!item) return say("Choose a moment first: N");
    const repair = REPAIR_AFTER[item.draft.repair];
    this.detailed = true;
    this.judge({ repair, ...(repair === "attempt" ? {} : { strategies: [] }) });
    return say({ attempt: "Repair attempt seen", none: "No repair attempt seen", "": "Nothing said of repair" }[repair]);
  }

  edge(which) {
    const item = this.chosen;
    if (!item) return;
    this.judge({ [which === "in" ? "start" : "end"]: Math.round(this.player.time * 1000) / 1000 });
  }

  mark() {
    const at = this.player.time;
    const item = { key: "new", clip: null, mark: "" };
    const draft = { ...NO_DRAFT, answer: "agree", start: Math.max(0, at - MARK_BEFORE_S), end: Math.min(this.view.end_s, at + MARK_AFTER_S) };
    this.save(item, draft);
  }

  undo() {
    const last = this.done.pop();
    if (last === "swap") return this.again("swap", "The roles are as they were");
    if (last === "correction") return this.again("corrections/undo", "The correction is taken back");
    this.saving = this.saving.then(() => this.send(`sessions/${this.view.id}/undo`, { rater: rater().name })).then((answer) => {
      if (!answer) return;
      this.drafts.clear();
      this.take(answer);
      say(answer.undone ? "Undone" : "There is nothing to undo");
    });
    return this.saving;
  }

  async reload() {
    this.drafts.clear();
    this.done = [];
    this.take(await get(`sessions/${this.view.id}/judged`, { rater: rater().name, everyone: this.everyone }));
  }

  blind() {
    this.hidden = !this.hidden;
    memory.set("blind", this.hidden);
    const together = this.hidden && this.everyone;
    if (together) this.everyone = false; // nobody else's verdicts in a blind first pass
    this.chosenKey = this.items()[0]?.key || null;
    this.draw();
    if (together) this.reload();
    say(this.hidden ? "What the tool marked is hidden" : "What the tool marked is shown");
  }

  consensus() {
    if (this.hidden) return say("In a blind first pass other people's verdicts stay hidden. Press B to end it.");
    this.everyone = !this.everyone;
    say(this.everyone ? "Consensus: everybody's verdicts are shown; what you decide now is the common one" : "Your own verdicts");
    return this.reload();
  }

  // ---------------------------------------------------------------------------------------- corrections

  async swap() {
    const sure = await ask("Swap therapist and client?", (close) => el(
      "div",
      {},
      this.view.voices.map((voice) => el("p", {}, el("b", {}, `${this.words.roles[voice.role]} now: `), voice.why)),
      el("p", { class: "quiet" }, "Turns, numbers and moments are made again. Verdicts stay where they are."),
      el("p", { class: "actions" }, el("button", { type: "button", on: { click: () => close(false) } }, "Leave as they are"), el("button", { type: "button", class: "main", autofocus: true, on: { click: () => close(true) } }, "Swap")),
    ));
    if (sure && (await this.again("swap", "Swapped"))) this.done.push("swap");
  }

  async correct(correction) {
    if (await this.again("corrections", "Kept", correction)) this.done.push("correction");
  }

  async again(path, done, body = {}) {
    const answer = await this.send(`sessions/${this.view.id}/${path}`, body);
    if (!answer) return false;
    Object.assign(this.view, answer);
    this.remaking = true;
    this.show("What depends on it is made again…", { done: 0 });
    say(done);
    this.poll();
    return true;
  }

  /** Take up the session as it is now; the place in the recording and in the transcript is kept. */
  async remade() {
    this.remaking = false;
    const item = this.chosen;
    const following = this.transcript.following;
    const top = this.transcript.list.scrollTop;
    const { media } = this.view;
    const [view, judged] = await Promise.all([get(`sessions/${this.view.id}`), get(`sessions/${this.view.id}/judged`, { rater: rater().name, everyone: this.everyone })]);
    Object.assign(this.view, view, { media });
    this.judged = judged;
    this.transcript.setView(this.view);
    this.wave.setTurns(this.view.turns);
    const fresh = new Overview(this.view, this.overview.act);
    this.overview.node.replaceWith(fresh.node);
    this.overview = fresh;
    const items = this.items();
    const near = item && (items.find((other) => other.start < item.end && other.end > item.start) || items.find((other) => other.start >= item.start));
    this.chosenKey = near?.key || items[0]?.key || null;
    this.cardKey = null;
    this.draw();
    this.transcript.list.scrollTop = top;
    this.transcript.follow(following);
    this.tick(this.player.time);
    say("Made again. You are where you were.");
  }

  // -------------------------------------------------------------------------------- work in the background

  async poll() {
    window.clearTimeout(this.timer);
    const mine = (this.polls = (this.polls || 0) + 1);
    let found;
    try {
      found = await get(`sessions/${this.view.id}/state`);
    } catch (error) {
      if (this.closed) return;
      this.show(`${error.message}. ${error.mend}.`, { problem: true });
      this.timer = window.setTimeout(() => this.poll(), 4 * POLL_MS);
      return;
    }
    if (this.closed || mine !== this.polls) return;
    this.player.loaded(found.media);
    this.player.showCopy(found.copy);
    await this.fetchPeaks(found);
    if (this.remaking) await this.watchRemake(found.remake);
    const making = found.copy && found.copy.state !== "stopped" && found.copy.state !== "done";
    const copying = found.media.sound && (making || found.media.version !== this.player.version);
    if (copying || this.remaking) this.timer = window.setTimeout(() => this.poll(), POLL_MS);
    else if (!this.banner.classList.contains("problem") && found.media.problem && this.told !== found.media.problem) {
      this.told = found.media.problem;
      if (found.media.problem !== "") say(`Sound only: ${found.media.problem}`);
    }
  }

  async fetchPeaks() {
    if (this.peaks || !this.view.media.sound) return;
    const peaks = await bytes(`sessions/${this.view.id}/peaks`);
    if (!peaks.length) return;
    this.peaks = true;
    this.wave.setPeaks(peaks);
  }

  async watchRemake(job) {
    if (!job || job.state === "done") {
      this.banner.hidden = true;
      await this.remade();
    } else if (job.state === "stopped") {
      this.remaking = false;
      this.show(job.problem, { problem: true });
    } else this.show(`Making again: ${job.says}…`, { done: job.done });
  }

  show(text, { done = null, problem = false } = {}) {
    this.banner.hidden = false;
    this.banner.classList.toggle("problem", problem);
    this.banner.replaceChildren(
      el("span", {}, text),
      done === null ? "" : el("progress", { value: done, max: 1, "aria-label": text }),
      problem ? el("button", { type: "button", on: { click: () => { this.banner.hidden = true; } } }, "Close") : "",
    );
  }

  get unjudged() { return this.view.clips.some((clip, k) => !this.judged.told[k]); }

  /** What an export does not hold yet, for somebody who must not be led by it. */
  leftOut() {
    if (this.hidden) return "Blind first pass: nothing of what the tool marked is in them, and nobody else's verdicts. Press B to see what is marked; then there is more to export.";
    const later = this.unjudged ? " A moment that is not judged yet is in them as it is here: marker and strength of evidence come once it is. Tables of moments, and the files for software, come once all are judged." : "";
    if (this.everyone) return `Tiers for ELAN and Praat hold everybody's verdicts.${later}`;
    return `Tiers for ELAN and Praat hold your own verdicts. Other people's are left out until you look at them together: Consensus.${later}`;
  }

  exports() {
    const whose = new URLSearchParams({ rater: rater().name, everyone: this.everyone, blind: this.hidden });
    const formats = this.words.formats.map(([name, files, unmarked, veiled]) => [name, this.hidden ? unmarked : this.unjudged ? veiled : files]).filter(([, files]) => files);
    ask("Export this session", (close) => el(
      "div",
      {},
      el("p", { class: "quiet" }, "Each is saved by the browser, on this machine. Some hold words of the session."),
      el("p", { class: "quiet left-out" }, this.leftOut()),
      this.chosen && this.view.media.sound ? el("p", {}, el("a", { href: `/api/sessions/${this.view.id}/clip?${new URLSearchParams({ start: Math.max(0, this.chosen.in - this.player.preRoll), end: this.chosen.out })}`, download: true }, "The chosen moment as a clip"), el("span", { class: "quiet" }, " (mp4 from its lead-in on, and its captions)")) : "",
      el("ul", { class: "exports" }, formats.map(([format, files]) => el("li", {}, el("a", { href: `/api/sessions/${this.view.id}/export/${format}?${whose}`, download: true }, FORMATS[format] || format), el("small", { class: "quiet" }, files)))),
      el("p", { class: "actions" }, el("button", { type: "button", class: "main", autofocus: true, on: { click: () => close(true) } }, "Close")),
    ), { wide: true });
  }

  keys() {
    return {
      toggle: () => this.player.toggle(),
      skip: (seconds) => this.player.skip(seconds),
      playChosen: () => (this.chosen ? this.play(this.chosen) : this.player.toggle()),
      replay: () => this.player.replay(),
      loop: () => this.player.setLoop(!this.player.loop),
      faster: (steps) => this.player.faster(steps),
      step: (by) => this.step(by),
      toggleEvidence: () => { const details = this.middle.querySelector("details"); if (details) details.open = !details.open; },
      transcript: () => (document.activeElement === this.transcript.list ? this.transcript.list.blur() : this.transcript.list.focus()),
      blind: () => this.blind(),
      judge: (changes) => this.judge(changes),
      repair: () => this.repair(),
      edge: (which) => this.edge(which),
      mark: () => this.mark(),
      undo: () => this.undo(),
      swap: () => this.swap(),
    };
  }
}
