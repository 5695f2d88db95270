// The waveform around the playhead: who speaks by tone and by side, words where there is room, edges to drag.
import { clock } from "./clock.js";
import { button, el } from "./dom.js";

const PER_S = 50; // peaks a second
const SPANS_S = [10, 20, 40, 60, 120, 300];
const STRIP_SPANS = 3; // what is drawn ahead of the playhead and behind it, in times of what is seen
const WIDEST = 8192; // pixels of a strip: more than browsers like to keep
const GRIP = 7; // pixels on either side of an edge that take hold of it
const COLOURS = ["--ink", "--soft", "--line", "--accent", "--therapist", "--client", "--shade", "--card", "--withdrawal", "--confrontation", "--repair"];

export class Wave {
  /** @param act `seek(seconds)` and `edge("start" | "end", seconds)` once an edge was let go */
  constructor(view, act) {
    [this.view, this.act] = [view, act];
    [this.peaks, this.span, this.at, this.item] = [new Uint8Array(), 60, 0, null];
    this.canvas = el("canvas", { role: "img", "aria-label": "Waveform around the place in the session" });
    this.seen = this.canvas.getContext("2d");
    this.strip = el("canvas");
    this.context = this.strip.getContext("2d");
    this.node = el("section", { class: "wave", "aria-label": "Waveform" }, this.zoom(), this.canvas);
    this.probe = el("span", { class: "unseen", "aria-hidden": "true" });
    this.node.append(this.probe);
    for (const [name, does] of [["pointerdown", "press"], ["pointermove", "hover"], ["wheel", "roll"]]) {
      this.canvas.addEventListener(name, (event) => this[does](event), { passive: name !== "wheel" });
    }
    this.watch();
  }

  zoom() {
    this.spanNode = el("span", { class: "quiet" });
    const step = (by) => () => this.setSpan(by);
    return el(
      "div",
      { class: "names" },
      el("b", {}, "Zoom"),
      button({ on: { click: step(1) } }, { name: "Show more time", quiet: true, iconName: "minus" }),
      this.spanNode,
      button({ on: { click: step(-1) } }, { name: "Show less time", quiet: true, iconName: "plus" }),
    );
  }

  setSpan(by) {
    const k = SPANS_S.indexOf(this.span);
    this.span = SPANS_S[Math.min(SPANS_S.length - 1, Math.max(0, k + by))];
    this.draw();
  }

  watch() {
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    const again = () => { this.colours = null; this.draw(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    this.themes = new MutationObserver(again);
    this.themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  stop() { this.themes.disconnect(); }

  resize() {
    const scale = window.devicePixelRatio || 1;
    [this.width, this.height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    [this.scale, this.canvas.width, this.canvas.height] = [scale, this.width * scale, this.height * scale];
    this.seen.setTransform(scale, 0, 0, scale, 0, 0);
    this.draw();
  }

  setPeaks(peaks) { this.peaks = peaks; this.draw(); }
  show(item) { this.item = item; this.draw(); }

  follow(at) {
    this.at = at;
    this.paint();
  }

  /** First second shown: the playhead stays in the middle, except at both ends of the session. */
  get from() {
    const span = Math.min(this.span, this.view.end_s);
    return Math.min(Math.max(0, this.at - span / 2), this.view.end_s - span);
  }

  get perSecond() { return this.width / Math.min(this.span, this.view.end_s); }
  x(at) { return (at - this.from) * this.perSecond; }
  time(x) { return this.from + x / this.perSecond; }

  colour(name) {
    if (!this.colours) {
      this.colours = {};
      for (const key of COLOURS) {
        this.probe.style.color = `var(${key})`;
        this.colours[key] = getComputedStyle(this.probe).color;
      }
    }
    return this.colours[name];
  }

  /** Anew: something other than the place has changed. */
  draw() {
    if (!this.width) return;
    this.spanNode.textContent = `${this.span < 120 ? `${this.span} s` : `${this.span / 60} min`}`;
    this.drawn = null;
    this.paint();
  }

  /** A strip longer than what is seen is drawn now and then; a frame only moves it, so that playing costs little. */
  paint() {
    if (!this.width) return;
    const shown = this.width / this.perSecond;
    const { from } = this;
    if (!this.drawn || from < this.drawn.from || from + shown > this.drawn.to) this.drawStrip(from, shown);
    const left = Math.round((from - this.drawn.from) * this.perSecond * this.scale);
    this.seen.clearRect(0, 0, this.width, this.height);
    this.seen.drawImage(this.strip, left, 0, this.canvas.width, this.canvas.height, 0, 0, this.width, this.height);
    this.seen.fillStyle = this.colour("--accent");
    this.seen.fillRect(this.x(this.at) - 1, 0, 2, this.height);
  }

  drawStrip(from, shown) {
    const spans = Math.max(1, Math.min(STRIP_SPANS, WIDEST / (this.width * this.scale)));
    const start = Math.max(0, from - ((spans - 1) / 2) * shown);
    this.drawn = { from: start, to: start + spans * shown };
    [this.strip.width, this.strip.height] = [Math.ceil(spans * this.width * this.scale) + 1, this.canvas.height]; // clears it
    this.context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    this.drawItem();
    this.drawTicks();
    this.drawPeaks();
    this.drawWords();
    this.drawEdges();
  }

  /** Pixels from the strip's left edge. */
  on(at) { return (at - this.drawn.from) * this.perSecond; }

  drawItem() {
    if (!this.item) return;
    this.context.fillStyle = this.colour("--shade");
    this.context.fillRect(this.on(this.item.in), 0, (this.item.out - this.item.in) * this.perSecond, this.height);
  }

  drawTicks() {
    const step = [1, 5, 10, 30, 60].find((s) => s * this.perSecond > 70) || 60;
    this.context.font = "11px system-ui, sans-serif";
    this.context.fillStyle = this.colour("--soft");
    for (let at = Math.ceil(this.drawn.from / step) * step; at < this.drawn.to; at += step) {
      this.context.fillText(clock(at), this.on(at) + 3, 11);
      this.context.fillRect(this.on(at), 2, 1, 9);
    }
  }

  /** Therapist above the middle line, client below; both where nobody or both speak. */
  drawPeaks() {
    const [top, bottom] = [16, this.height - (this.roomForWords ? 20 : 4)];
    const [middle, half] = [(top + bottom) / 2, (bottom - top) / 2];
    const step = Math.max(1, Math.floor(PER_S / this.perSecond));
    const wide = Math.max(1, (step / PER_S) * this.perSecond - 0.6);
    const first = Math.floor((this.drawn.from * PER_S) / step) * step;
    const last = Math.min(this.peaks.length, Math.ceil(this.drawn.to * PER_S));
    const paths = { none: new Path2D(), therapist: new Path2D(), client: new Path2D() };
    let turn = this.turnAt(this.drawn.from);
    for (let k = first; k < last; k += step) {
      let peak = 0;
      for (let i = k; i < Math.min(k + step, last); i += 1) peak = Math.max(peak, this.peaks[i]);
      const at = k / PER_S;
      while (turn < this.floor.length && this.floor[turn].end <= at) turn += 1;
      const who = turn < this.floor.length && this.floor[turn].start <= at ? this.floor[turn].role : "none";
      const height = Math.max(0.5, Math.sqrt(peak / 255) * half);
      (paths[who] || paths.none).rect(this.on(at), middle - height, wide, 2 * height);
    }
    for (const [who, path] of Object.entries(paths)) {
      this.context.fillStyle = this.colour(who === "none" ? "--line" : `--${who}`);
      this.context.fill(path);
    }
  }

  setTurns(turns) {
    this.floor = turns.filter((turn) => !turn.brief);
    this.draw();
  }

  turnAt(at) {
    let [low, high] = [0, this.floor.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.floor[middle].end <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get roomForWords() { return this.perSecond > 60; }

  drawWords() {
    if (!this.roomForWords) return;
    this.context.font = "12px system-ui, sans-serif";
    const { from, to } = this.drawn;
    let free = 0;
    for (let k = Math.max(0, this.turnAt(from)); k < this.floor.length && this.floor[k].start < to; k += 1) {
      for (const [start, , text] of this.floor[k].words) {
        if (start < from - 2 || start > to || this.on(start) < free) continue;
        this.context.fillStyle = this.colour(this.floor[k].role === "client" ? "--ink" : "--soft");
        this.context.fillText(text, this.on(start), this.height - 5);
        free = this.on(start) + this.context.measureText(text).width + 4;
      }
    }
  }

  drawEdges() {
    if (!this.item) return;
    this.context.fillStyle = this.colour("--ink");
    for (const [at, side] of [[this.item.in, 1], [this.item.out, -1]]) {
      const x = this.on(at);
      this.context.fillRect(x - 1, 0, 2, this.height);
      this.context.fillRect(x, 0, 7 * side, 3);
      this.context.fillRect(x, this.height - 3, 7 * side, 3);
    }
  }

  edgeNear(event) {
    if (!this.item) return null;
    const near = (at) => Math.abs(this.x(at) - event.offsetX) <= GRIP;
    return near(this.item.in) ? "in" : near(this.item.out) ? "out" : null;
  }

  hover(event) {
    if (!event.buttons) this.canvas.style.cursor = this.edgeNear(event) ? "ew-resize" : "text";
  }

  press(event) {
    if (event.button) return;
    const edge = this.edgeNear(event);
    if (!edge) {
      this.act.seek(this.time(event.offsetX));
      return;
    }
    this.canvas.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const at = Math.min(Math.max(0, this.time(moved.offsetX)), this.view.end_s);
      this.item[edge] = edge === "in" ? Math.min(at, this.item.out - 0.2) : Math.max(at, this.item.in + 0.2);
      this.draw();
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", () => {
      this.canvas.removeEventListener("pointermove", move);
      this.act.edge(edge, this.item[edge]);
    }, { once: true });
  }

  roll(event) {
    event.preventDefault();
    if (event.ctrlKey) this.setSpan(event.deltaY > 0 ? 1 : -1);
    else this.act.seek(this.at + ((event.deltaX || event.deltaY) / this.perSecond) * 0.5);
  }
}
