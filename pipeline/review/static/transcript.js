// The session as a conversation. It follows the playback; words can be clicked, given away and put right.
import { clock, lastBefore } from "./clock.js";
import { badge, button, el, say } from "./dom.js";

const LINGER_S = 0.6; // a word stays lit this long after its end
const ROUNDED_S = 0.001; // a browser that is sent to a time may stand this much before it

export class Transcript {
  /** @param act `seek(seconds)`, `correct(correction)` */
  constructor(view, words, act) {
    [this.view, this.words, this.act] = [view, words, act];
    this.following = true;
    this.left = null; // where the cursor was before a correction, seconds
    this.list = el("ol", {
      class: "talk", tabindex: 0, "aria-label": "Transcript. Arrow keys move from word to word.",
      on: { click: (event) => this.click(event), keydown: (event) => this.key(event), wheel: () => this.letGo(), touchmove: () => this.letGo() },
    });
    this.tools = el("div", { class: "mend", hidden: true, role: "toolbar", "aria-label": "Correct the transcript" });
    this.followButton = el("button", { type: "button", "aria-pressed": "true", on: { click: () => this.follow(!this.following) } }, "Follow");
    this.node = el(
      "section",
      { class: "transcript", "aria-label": "Transcript" },
      el("header", {}, el("h2", {}, "Transcript"), this.search(), this.followButton),
      this.list,
      this.tools,
    );
    this.setView(view);
  }

  setView(view) {
    this.view = view;
    this.clearCursor();
    this.rows = view.turns.map((turn, k) => this.row(turn, k));
    this.list.replaceChildren(...this.rows);
    if (!this.rows.length) this.list.append(el("li", { class: "none" }, "No words were heard."));
    this.starts = view.turns.map((turn) => turn.start);
    this.flat = view.turns.flatMap((turn, k) => turn.words.map((word, i) => ({ start: word[0], end: word[1], turn: k, word: i })));
    this.flat.sort((a, b) => a.start - b.start);
    this.wordStarts = this.flat.map((word) => word.start);
    [this.lit, this.current] = [null, null];
  }

  row(turn, k) {
    const name = turn.role === "other" ? `Other ${turn.speaker}` : this.words.roles[turn.role];
    const spans = turn.words.flatMap(([, , text, confidence], i) => [
      el("span", { class: confidence < this.view.doubt_below ? "w doubt" : "w", data: { k, i }, title: confidence < this.view.doubt_below ? "the recogniser was unsure of this word" : null }, text),
      " ",
    ]);
    return el(
      "li",
      { class: `turn ${turn.role}${turn.brief ? " brief" : ""}`, data: { k } },
      el("button", { type: "button", class: "time", tabindex: -1, "aria-label": `Play from ${clock(turn.start)}` }, clock(turn.start)),
      el("b", {}, name),
      el("p", { dir: "auto" }, spans),
      el("span", { class: "flags" }),
    );
  }

  /** Mark the turns of the moments that may be seen now. */
  draw(items, chosen) {
    this.rows.forEach((row, k) => {
      const turn = this.view.turns[k];
      const here = items.filter((item) => item.start < turn.end && item.end > turn.start);
      row.classList.toggle("flagged", here.length > 0);
      row.classList.toggle("chosen", here.includes(chosen));
      const begins = here.filter((item) => !(k && item.start < this.view.turns[k - 1].end && item.end > this.view.turns[k - 1].start));
      row.lastChild.replaceChildren(...begins.map((item) => el("span", { title: item.title }, badge(item.sign, item.number, 20), el("span", { class: "unseen" }, item.title))));
    });
  }

  // ------------------------------------------------------------------------------------------- following

  follow(on) {
    this.following = on;
    this.followButton.setAttribute("aria-pressed", String(on));
    if (on && this.current !== null) this.reveal(this.rows[this.current]);
  }

  letGo() { if (this.following) this.follow(false); }

  tick(time, { jump = false } = {}) {
    const at = time + ROUNDED_S;
    const n = lastBefore(this.wordStarts, at);
    const word = n >= 0 && at < this.flat[n].end + LINGER_S ? this.flat[n] : null;
    const node = word ? this.span(word.turn, word.word) : null;
    if (node !== this.lit) {
      this.lit?.classList.remove("now");
      node?.classList.add("now");
      this.lit = node;
    }
    const turn = word ? word.turn : Math.max(0, lastBefore(this.starts, at));
    if (turn === this.current && !jump) return;
    this.rows[this.current]?.classList.remove("now");
    this.rows[turn]?.classList.add("now");
    this.current = turn;
    if (this.following && this.rows[turn]) this.reveal(this.rows[turn]);
  }

  span(k, i) { return this.rows[k].children[2].children[i]; }

  reveal(row) {
    const [top, height] = [row.offsetTop, this.list.clientHeight]; // the list is the row's own frame of reference
    const away = top - this.list.scrollTop;
    if (away > height * 0.2 && away + row.offsetHeight < height * 0.75) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches || Math.abs(away) > 2 * height;
    this.list.scrollTo({ top: top - height * 0.3, behavior: calm ? "instant" : "smooth" });
  }

  // -------------------------------------------------------------------------------------- cursor, keys

  click(event) {
    const word = event.target.closest(".w");
    const row = event.target.closest("li.turn");
    if (word) {
      const place = { k: Number(word.dataset.k), i: Number(word.dataset.i) };
      if (event.shiftKey && this.cursor && this.cursor.k === place.k) this.setCursor(this.cursor, place);
      else {
        this.setCursor(place, place);
        this.act.seek(this.view.turns[place.k].words[place.i][0]);
      }
    } else if (row && event.target.closest(".time")) this.act.seek(this.view.turns[Number(row.dataset.k)].start);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, button")) return;
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (move) this.step(...move, event.shiftKey);
    else if (event.key === "Enter" && this.cursor) this.act.seek(this.view.turns[this.cursor.k].words[this.cursor.i][0], true);
    else if (event.key === "Escape" && this.cursor) this.clearCursor();
    else if (event.key.toLowerCase() === "f" && this.cursor) this.fix();
    else if (event.key.toLowerCase() === "g" && this.cursor) this.give(event.shiftKey);
    else if (event.key.toLowerCase() === "y" && this.cursor) this.divide(event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(turns, words, extend) {
    const from = this.end || this.whereLeft() || { k: Math.max(0, this.current ?? 0), i: turns || words < 0 ? 0 : -1 };
    let { k, i } = { k: from.k + turns, i: turns ? 0 : from.i + words };
    if (i < 0 && k > 0 && !turns) i = this.view.turns[(k -= 1)].words.length - 1;
    else if (this.view.turns[k] && i >= this.view.turns[k].words.length) [k, i] = [k + 1, 0];
    if (!this.view.turns[k]?.words[i] || (extend && k !== this.cursor?.k)) return;
    this.setCursor(extend && this.cursor ? this.cursor : { k, i }, { k, i });
    this.reveal(this.rows[k]);
    say(this.told(k, turns || k !== from.k), { seen: true });
  }

  /** The words that are picked, as they are read out: with who says them where that is another turn. */
  told(k, who) {
    const said = this.pickedWords().map((word) => word[2]).join(" ");
    return who ? `${this.rows[k].children[1].textContent}: ${said}` : said;
  }

  /** The word at which something was put right, found again by its time: the keys go on from there. */
  whereLeft() {
    const word = this.left === null ? null : this.flat[lastBefore(this.wordStarts, this.left)];
    this.left = null;
    return word ? { k: word.turn, i: word.word } : null;
  }

  /** The words from `from` to `to`, of one turn, are the ones to correct. */
  setCursor(from, to) {
    this.clearCursor();
    [this.cursor, this.end] = [from, to];
    const [low, high] = [Math.min(from.i, to.i), Math.max(from.i, to.i)];
    this.picked = { k: from.k, low, high };
    for (let i = low; i <= high; i += 1) this.span(from.k, i).classList.add("picked");
    this.showTools();
  }

  clearCursor() {
    if (this.picked) for (let i = this.picked.low; i <= this.picked.high; i += 1) this.span(this.picked.k, i)?.classList.remove("picked");
    [this.cursor, this.end, this.picked] = [null, null, null];
    if (this.tools) this.tools.hidden = true;
  }

  // ----------------------------------------------------------------------------------------- correcting

  showTools() {
    const turn = this.view.turns[this.picked.k];
    const other = this.words.roles[this.otherRole(turn.role)];
    const text = this.pickedWords().map((word) => word[2]).join(" ");
    const before = this.ownBefore(this.picked.k);
    const tool = (name, key, says, act, on = true) =>
      button({ title: `${says} (${key})`, "aria-label": says, disabled: !on, on: { click: act } }, { name, key: key.replace("Shift+", "⇧") });
    this.tools.replaceChildren(
      el("q", {}, text.length > 34 ? `${text.slice(0, 32)}…` : text),
      tool("Fix", "F", "Put it right", () => this.fix()),
      tool(`${other}'s`, "G", `Said by the ${other.toLowerCase()}`, () => this.give(false)),
      tool("Whole turn", "Shift+G", `The whole turn was said by the ${other.toLowerCase()}`, () => this.give(true)),
      tool("Split", "Y", "A turn of its own begins with this word", () => this.divide(false), this.picked.low > 0),
      tool("Join", "Shift+Y", before ? `Join the turn to the same person's at ${clock(before.start)}` : "Join the turn to the one before", () => this.divide(true), Boolean(before)),
    );
    this.tools.hidden = false;
  }

  otherRole(role) { return role === "therapist" ? "client" : "therapist"; }
  pickedWords() { return this.view.turns[this.picked.k].words.slice(this.picked.low, this.picked.high + 1); }

  /** A stretch that holds the middles of these words and of no other of the turn. */
  stretch(words) { return { start: words[0][0], end: Math.max(...words.map((word) => word[1]), words[0][0] + 0.02) }; }

  correct(correction) {
    const at = this.pickedWords()[0][0];
    this.act.correct(correction);
    this.clearCursor();
    this.left = at;
  }

  give(whole) {
    const turn = this.view.turns[this.picked.k];
    const words = whole ? turn.words : this.pickedWords();
    this.correct({ ...this.stretch(words), kind: "role", of: turn.role, role: this.otherRole(turn.role) });
  }

  /** The same person's turn before this one; undefined where there is none. */
  ownBefore(k) { return this.view.turns.slice(0, k).findLast((turn) => turn.speaker === this.view.turns[k].speaker); }

  /** Let a turn begin with the first word that is picked, or join the whole turn to the one before. */
  divide(join) {
    const { k, low } = this.picked;
    const turn = this.view.turns[k];
    if (join && !this.ownBefore(k)) return say("This person has no turn before");
    if (!join && !low) return say("The turn begins with this word already");
    const word = turn.words[join ? 0 : low];
    return this.correct({ ...this.stretch([word]), kind: join ? "join" : "split", of: turn.role });
  }

  fix() {
    const words = this.pickedWords();
    const of = this.view.turns[this.picked.k].role;
    const before = words.map((word) => word[2]).join(" ");
    const field = el("input", { value: before, "aria-label": "What was said; empty for nothing", dir: "auto", size: Math.max(12, before.length + 2) });
    const keep = () => {
      if (field.value.trim() !== before) this.correct({ ...this.stretch(words), kind: "words", of, text: field.value.trim() });
      else this.clearCursor();
      this.list.focus();
    };
    const keys = (event) => {
      event.stopPropagation();
      if (event.key === "Enter") keep();
      if (event.key === "Escape") { this.clearCursor(); this.list.focus(); }
    };
    field.addEventListener("keydown", keys);
    this.tools.replaceChildren(el("label", {}, "What was said", field), el("button", { type: "button", class: "main", on: { click: keep } }, "Keep"));
    field.focus();
    field.select();
  }

  // ------------------------------------------------------------------------------------------- searching

  search() {
    this.found = { text: "", at: -1 };
    return el("input", {
      type: "search", placeholder: "Find a word", "aria-label": "Find in the transcript",
      on: { keydown: (event) => { event.stopPropagation(); if (event.key === "Enter") this.find(event.target.value, event.shiftKey ? -1 : 1); if (event.key === "Escape") event.target.blur(); } },
    });
  }

  find(text, by) {
    const wanted = text.trim().toLowerCase();
    if (!wanted || !this.view.turns.length) return;
    const n = this.view.turns.length;
    for (let step = 1; step <= n; step += 1) {
      const k = (((this.found.at + by * step) % n) + n) % n;
      const line = this.view.turns[k].words.map((word) => word[2]).join(" ").toLowerCase();
      const place = line.indexOf(wanted);
      if (place >= 0) {
        this.found.at = k;
        const i = line.slice(0, place).split(" ").length - 1;
        this.letGo();
        this.setCursor({ k, i }, { k, i });
        this.list.scrollTo({ top: this.rows[k].offsetTop - 80 });
        say(`${clock(this.view.turns[k].start)} ${this.told(k, true)}`, { seen: true });
        return;
      }
    }
    say("No turn holds that");
  }
}
