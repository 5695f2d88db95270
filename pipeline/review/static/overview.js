// The whole session at a glance: one lane for each thing worth seeing, all on one clock.
import { clock } from "./clock.js";
import { badge, el, svg } from "./dom.js";

const TICKS_S = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const FLOOR = 46; // height of the lane of who speaks, pixels of its own drawing

export class Overview {
  /** @param act `seek(seconds)` and `choose(item)` */
  constructor(view, act) {
    [this.view, this.act] = [view, act];
    this.marks = el("div", { class: "lane marks" });
    this.repairs = el("div", { class: "lane repairs" });
    this.head = el("div", { class: "playhead", "aria-hidden": "true" });
    this.shades = el("div", { class: "shades", "aria-hidden": "true" });
    this.track = el(
      "div",
      { class: "track", on: { pointerdown: (event) => this.press(event) } },
      this.shades, this.marks, this.repairs, this.floor(), this.quiet(), this.sound(), this.axis(), this.head,
    );
    this.slider = el("div", {
      class: "position", role: "slider", tabindex: 0, "aria-label": "Place in the session",
      "aria-valuemin": 0, "aria-valuemax": Math.round(view.end_s), "aria-valuenow": 0, "aria-valuetext": "0:00",
      on: { keydown: (event) => this.arrow(event) },
    });
    this.track.append(this.slider);
    this.node = el("section", { class: "overview", "aria-label": "Course of the session" }, this.names(), this.track);
    new ResizeObserver(() => { this.width = this.track.clientWidth; this.follow(this.time || 0); }).observe(this.track);
  }

  names() {
    const share = this.shareOf("therapist");
    const row = (name, note) => el("div", { class: "low" }, el("b", {}, name), el("span", {}, note));
    [this.count, this.repairCount] = [el("span", {}), el("span", {})];
    return el(
      "div",
      { class: "names" },
      el("div", {}, el("b", {}, "Possible ruptures"), this.count),
      el("div", {}, el("b", {}, "Possible repairs"), this.repairCount),
      el(
        "div",
        { class: "tall pair" },
        el("div", {}, el("b", {}, "Therapist"), el("span", {}, share === null ? "not heard" : `${share} %`)),
        el("div", {}, el("b", {}, "Client"), el("span", {}, share === null ? "" : `${100 - share} %`)),
      ),
      row("Silences", this.view.silences.length ? `${this.view.silences.length} of 3 s +` : "none"),
      row("Sound", this.quality()),
      el("div", { class: "axis" }),
    );
  }

  quality() {
    const { media, poor } = this.view;
    if (!media.sound) return "none";
    if (!poor) return "not measured";
    return poor.length ? `▨ poor in ${poor.length} ${poor.length === 1 ? "place" : "places"}` : "nowhere poor";
  }

  /** Percent of the two people's talking that is this person's, by the share of the floor; null where nobody talks. */
  shareOf(role) {
    const sums = this.view.floor.shares.reduce((sum, [t, c]) => [sum[0] + t, sum[1] + c], [0, 0]);
    const all = sums[0] + sums[1];
    return all ? Math.round((100 * sums[role === "therapist" ? 0 : 1]) / all) : null;
  }

  percent(at) { return `${(100 * at) / this.view.end_s}%`; }

  /** Therapist's bars stand on the middle line, client's hang from it. */
  floor() {
    const { bin_s: bin, shares } = this.view.floor;
    const drawing = svg("svg", { class: "floor", viewBox: `0 0 ${this.view.end_s} ${FLOOR}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    const path = (k, up) =>
      shares.map((share, n) => {
        const height = (share[k] * FLOOR) / 2;
        return height ? `M${n * bin} ${up ? FLOOR / 2 - height : FLOOR / 2}h${bin * 0.86}v${height}h${-bin * 0.86}Z` : "";
      }).join("");
    drawing.append(
      svg("path", { class: "therapist", d: path(0, true) }),
      svg("path", { class: "client", d: path(1, false) }),
    );
    return el("div", { class: "lane floor-lane" }, drawing);
  }

  quiet() {
    const bars = this.view.silences.map(([start, end]) => this.bar("silence", start, end, `Silence of ${(end - start).toFixed(0)} s at ${clock(start)}`));
    return el("div", { class: "lane quiet-lane" }, bars);
  }

  sound() {
    const poor = (this.view.poor || []).map(([start, end, why]) => this.bar("poor", start, end, `Sound hard to trust from ${clock(start)}: ${why}`));
    return el("div", { class: "lane sound-lane" }, poor);
  }

  bar(name, start, end, title) {
    return el("div", { class: name, title, style: { left: this.percent(start), width: this.percent(end - start) } });
  }

  axis() {
    const step = TICKS_S.find((s) => this.view.end_s / s <= 12) || 14400;
    const ticks = [];
    for (let at = 0; at <= this.view.end_s; at += step) {
      ticks.push(el("span", { style: { left: this.percent(at) }, class: at === 0 ? "first" : at > 0.975 * this.view.end_s ? "last" : "" }, clock(at)));
    }
    return el("div", { class: "lane axis", "aria-hidden": "true" }, ticks);
  }

  /** The repair attempts that the tool marked: a blind first pass is without them too. */
  drawRepairs(blind) {
    if (this.repairsHidden === blind) return;
    this.repairsHidden = blind;
    const shown = blind ? [] : this.view.repairs;
    this.repairCount.textContent = blind ? "hidden" : shown.length ? String(shown.length) : "none";
    this.repairs.replaceChildren(...shown.map((repair) =>
      el(
        "button",
        {
          type: "button", class: "mark", style: { left: this.percent(repair.start) },
          "aria-label": `Possible repair attempt at ${clock(repair.start)}, ${repair.moves}; engagement afterwards: ${repair.engagement}`,
          title: `${clock(repair.start)} ${repair.moves}; engagement afterwards: ${repair.engagement}`,
          on: { click: () => this.act.play(repair) },
        },
        badge("repair", "", 18),
      )));
  }

  /** The moments that may be seen now; `chosen` is drawn stronger. */
  draw(items, chosen, blind) {
    const ruptures = items.filter((item) => item.kind !== "repair");
    this.drawRepairs(blind);
    this.count.textContent = blind ? "hidden" : ruptures.length ? String(ruptures.length) : "none";
    this.marks.replaceChildren(...items.map((item) =>
      el(
        "button",
        {
          type: "button", class: item === chosen ? "mark chosen" : "mark", style: { left: this.percent((item.start + item.end) / 2) },
          "aria-label": `${item.title} at ${clock(item.start)}${item.verdict ? `, ${item.verdict.answer}` : ""}`,
          "aria-current": item === chosen ? "true" : null,
          title: `${clock(item.start)} ${item.title}`,
          on: { click: () => this.act.choose(item) },
        },
        badge(item.sign, item.number, 24),
      )));
    this.shades.replaceChildren(...items.map((item) =>
      el("div", { class: item === chosen ? "chosen" : "", style: { left: this.percent(item.start), width: this.percent(item.end - item.start) } })));
  }

  follow(at) {
    this.time = at;
    this.head.style.transform = `translateX(${((at / this.view.end_s) * (this.width || 0)).toFixed(2)}px)`;
    const whole = Math.round(at);
    if (this.told === whole) return;
    this.told = whole;
    this.slider.setAttribute("aria-valuenow", whole);
    this.slider.setAttribute("aria-valuetext", clock(at));
  }

  press(event) {
    if (event.button || event.target.closest("button")) return;
    const box = this.track.getBoundingClientRect();
    const seek = (x) => this.act.seek(((x - box.left) / box.width) * this.view.end_s);
    seek(event.clientX);
    this.track.setPointerCapture(event.pointerId);
    const move = (moved) => seek(moved.clientX);
    this.track.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) {
      this.track.addEventListener(name, () => this.track.removeEventListener("pointermove", move), { once: true });
    }
  }

  arrow(event) {
    const steps = { ArrowLeft: -5, ArrowRight: 5, ArrowDown: -5, ArrowUp: 5, PageDown: -60, PageUp: 60 };
    const at = event.key === "Home" ? 0 : event.key === "End" ? this.view.end_s : this.time + steps[event.key];
    if (Number.isNaN(at)) return;
    event.preventDefault();
    event.stopPropagation();
    this.act.seek(at);
  }
}
