// Plays the session. One element for sound and picture together, so that they cannot drift apart.
import { memory } from "./api.js";
import { clock } from "./clock.js";
import { button, el, icon, say } from "./dom.js";

const RATES = [0.5, 0.75, 1, 1.25, 1.5, 2];
const TAIL_S = 0.4; // a clip plays on this long past its end, so that the last word is heard whole

export class Player {
  /** @param tell hears `tick(seconds)` whenever the place changes, `ended(clip)` where a clip is over, `changed()`. */
  constructor(view, tell) {
    [this.view, this.tell] = [view, tell];
    [this.at, this.clip, this.media, this.version] = [0, null, null, ""];
    this.loop = memory.get("loop", false);
    this.rate = memory.get("rate", 1);
    this.preRoll = memory.get("preRoll", view.pre_roll_s);
    this.screen = el("div", { class: "screen" });
    this.node = el("section", { class: view.media.sound ? "player" : "player mute", "aria-label": "Player" }, this.screen, this.controls());
    this.loaded(view.media);
    this.running = false;
  }

  get time() { return this.media && this.media.readyState ? this.media.currentTime : this.at; }
  get paused() { return !this.media || this.media.paused; }

  /** Take up what can be played now; the place is kept where a better copy has been made. */
  loaded(media) {
    this.view.media = media;
    if (!media.sound) return this.showWaiting("This session comes from a transcript alone: there is nothing to play.");
    if (media.version === this.version || (this.media && !this.paused)) return undefined; // never in the middle of a word
    const playing = !this.paused;
    this.at = this.time;
    this.version = media.version;
    this.media?.pause();
    this.media = el(media.picture ? "video" : "audio", {
      src: `/api/sessions/${this.view.id}/media?${encodeURIComponent(media.version)}`,
      preload: "auto",
      playsinline: true,
      "aria-label": "Recording of the session",
    });
    this.listen();
    this.media.preservesPitch = true;
    this.media.playbackRate = this.rate;
    this.screen.replaceChildren(this.media, media.picture ? "" : this.speaking());
    this.screen.classList.toggle("sound", !media.picture);
    this.media.addEventListener("loadedmetadata", () => {
      this.media.playbackRate = this.rate;
      this.seek(this.at, { keepClip: true });
      if (playing) this.play();
    }, { once: true });
    return undefined;
  }

  listen() {
    const media = this.media;
    for (const name of ["timeupdate", "seeking", "seeked"]) media.addEventListener(name, () => this.tick());
    for (const name of ["play", "pause", "ratechange"]) media.addEventListener(name, () => this.changed());
    media.addEventListener("play", () => this.run());
    media.addEventListener("error", () => this.showWaiting("This browser cannot play the copy. Another one may: open the printed address there."));
    media.addEventListener("click", () => this.toggle());
  }

  showWaiting(text) {
    this.screen.replaceChildren(el("p", { class: "quiet waiting" }, text));
    this.media = null;
    this.version = "";
  }

  /** How far the copy is: until then the sound is played as it is, without a picture. */
  showCopy(job) {
    if (!this.copying) return;
    const busy = job && !this.view.media.whole && job.says && job.state !== "done";
    this.copying.textContent = !busy ? "" : job.state === "stopped" ? job.problem : `${job.says[0].toUpperCase()}${job.says.slice(1)}${job.done ? `: ${Math.round(100 * job.done)} %` : "…"}`;
  }

  speaking() {
    [this.who, this.said, this.captioned] = [el("b", {}), el("p", {}), null];
    this.copying = el("small", { class: "quiet copying" });
    return el("div", { class: "speaking", "aria-hidden": "true" }, this.who, this.said, this.copying);
  }

  /** For a session without picture: who speaks now, and their words. */
  caption(turn, who) {
    if (!this.who || this.captioned === turn) return;
    this.captioned = turn;
    [this.who.textContent, this.said.textContent] = [who, turn.words.map((word) => word[2]).join(" ")];
    this.who.parentNode.dataset.role = turn.role;
  }

  // ---------------------------------------------------------------------------------------------- moving

  seek(at, { keepClip = false } = {}) {
    this.at = Math.min(Math.max(0, at), this.view.end_s);
    if (this.media && this.media.readyState) this.media.currentTime = this.at;
    if (this.clip && !keepClip && (at < this.clip.start - this.preRoll - 0.1 || at > this.clip.end)) this.clip = null;
    this.tick();
  }

  skip(seconds) { this.seek(this.time + seconds); }

  play() {
    if (!this.media) return say("There is nothing to play");
    return this.media.play().catch(() => say("The browser did not start to play; press K"));
  }

  pause() { this.media?.pause(); }
  toggle() { return this.paused ? this.play() : this.pause(); }

  /** Play a stretch from its lead-in on, to its end, again and again where the loop is on. */
  playClip(clip) {
    this.clip = { start: clip.start, end: clip.end };
    this.seek(clip.start - this.preRoll, { keepClip: true });
    this.play();
  }

  replay() {
    if (this.clip) this.playClip(this.clip);
    else this.skip(-this.preRoll);
  }

  faster(steps) {
    const k = RATES.indexOf(this.rate) < 0 ? 2 : RATES.indexOf(this.rate);
    this.setRate(RATES[Math.min(RATES.length - 1, Math.max(0, k + steps))]);
  }

  setRate(rate) {
    this.rate = rate;
    memory.set("rate", rate);
    if (this.media) this.media.playbackRate = rate;
    say(`Speed ${rate}`);
    this.changed();
  }

  setLoop(on) {
    this.loop = on;
    memory.set("loop", on);
    say(on ? "The clip plays again and again" : "The clip plays once");
    this.changed();
  }

  run() {
    if (this.running) return;
    this.running = true;
    const frame = () => {
      this.running = !this.paused;
      this.tick();
      if (this.running) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  tick() {
    if (this.media?.readyState) this.at = this.media.currentTime;
    if (this.clip && !this.paused && !this.media.seeking && this.at >= this.clip.end + TAIL_S) this.endClip();
    const said = clock(this.at);
    if (this.clockNode.textContent !== said) this.clockNode.textContent = said; // the same text set again is laid out again
    this.tell.tick(this.at);
  }

  endClip() {
    if (this.loop) return this.playClip(this.clip);
    this.pause();
    return this.tell.ended();
  }

  stop() {
    this.media?.pause();
    this.media?.removeAttribute("src");
    this.media?.load();
  }

  // -------------------------------------------------------------------------------------------- controls

  controls() {
    this.playButton = button({ class: "big", on: { click: () => this.toggle() } }, { name: "Play", key: "K", iconName: "play", quiet: true });
    this.loopButton = button({ on: { click: () => this.setLoop(!this.loop) } }, { name: "Loop the clip", key: "Shift+R", iconName: "loop", quiet: true });
    this.rateChoice = el(
      "select",
      { "aria-label": "Speed, pitch kept", title: "Speed, pitch kept ( , and . )", on: { change: (event) => this.setRate(Number(event.target.value)) } },
      RATES.map((rate) => el("option", { value: rate }, `${rate}×`)),
    );
    this.leadChoice = el(
      "select",
      { "aria-label": "Lead-in before a clip", title: "Lead-in before a clip", on: { change: (event) => this.setLead(Number(event.target.value)) } },
      [...new Set([0, 3, 5, 10, 20, this.preRoll])].sort((a, b) => a - b).map((s) => el("option", { value: s, selected: s === this.preRoll }, `−${s} s`)),
    );
    this.clockNode = el("span", { class: "clock" }, clock(0));
    return el(
      "div",
      { class: "transport" },
      this.playButton,
      el("span", { class: "times" }, this.clockNode, el("span", { class: "quiet" }, ` / ${clock(this.view.end_s)}`)),
      this.loopButton,
      this.rateChoice,
      this.leadChoice,
    );
  }

  setLead(seconds) {
    this.preRoll = seconds;
    memory.set("preRoll", seconds);
  }

  changed() {
    const name = this.paused ? "Play" : "Pause";
    this.playButton.replaceChildren(icon(name.toLowerCase(), 22));
    this.playButton.setAttribute("aria-label", name);
    this.loopButton.setAttribute("aria-pressed", String(this.loop));
    this.rateChoice.value = String(this.rate);
    this.tell.changed();
  }
}
