"use strict";
// Plays the recording from the times on the page. Without it, every time is still a link into the recording.
(() => {
  const player = document.getElementById("player");
  const missing = document.getElementById("missing");
  const drawing = document.getElementById("drawing");
  const playhead = document.getElementById("playhead");
  const keys = document.getElementById("keys");
  const cards = [...document.querySelectorAll(".card")];
  const index = [...document.querySelectorAll(".index li")];
  const lines = [...document.querySelectorAll("#talk > li")];
  const starts = lines.map((line) => Number(line.dataset.start));
  if (!player) return;

  let broken = false;
  let wanted = null;

  const play = (at) => {
    if (broken) {
      wanted = at;
      missing.scrollIntoView({ block: "center" });
      document.getElementById("choose").focus();
      return;
    }
    player.currentTime = at;
    player.play().catch(() => {});
  };

  player.addEventListener("error", () => {
    broken = true;
    player.hidden = true;
    missing.hidden = false;
  });
  if (player.error) player.dispatchEvent(new Event("error"));

  document.getElementById("choose").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (!file) return;
    broken = false;
    player.hidden = false;
    missing.hidden = true;
    player.src = URL.createObjectURL(file);
    if (wanted !== null) play(wanted);
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-at]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    play(Number(link.dataset.at));
  });

  if (drawing) {
    drawing.addEventListener("click", (event) => {
      if (event.target.closest("a")) return;
      const box = drawing.getBoundingClientRect();
      play(((event.clientX - box.left) / box.width) * Number(drawing.dataset.length));
    });
  }

  // the turn that is being spoken: the last one that has begun
  let now = -1;
  const follow = () => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= player.currentTime) low = middle + 1;
      else high = middle;
    }
    if (low - 1 === now) return;
    if (lines[now]) lines[now].classList.remove("now");
    now = low - 1;
    if (lines[now]) lines[now].classList.add("now");
  };
  player.addEventListener("timeupdate", () => {
    follow();
    cards.forEach((card, k) => {
      const inside = player.currentTime >= card.dataset.start && player.currentTime < card.dataset.end;
      index[k].classList.toggle("on", inside);
    });
    if (!playhead) return;
    const x = `${(100 * player.currentTime) / Number(drawing.dataset.length)}%`;
    playhead.setAttribute("x1", x);
    playhead.setAttribute("x2", x);
    playhead.setAttribute("visibility", "visible");
  });

  let chosen = -1;
  const go = (step) => {
    if (!cards.length) return;
    const here = cards.indexOf(document.activeElement.closest(".card"));
    chosen = Math.min(cards.length - 1, Math.max(0, (here < 0 ? chosen : here) + step));
    const card = cards[chosen];
    card.scrollIntoView({ block: "start" });
    const link = card.querySelector(".when a");
    if (link) link.focus({ preventScroll: true });
  };
  const skip = (seconds) => {
    player.currentTime = Math.max(0, player.currentTime + seconds);
  };
  const actions = {
    k: () => (broken ? play(0) : player.paused ? player.play().catch(() => {}) : player.pause()),
    j: () => skip(-5),
    l: () => skip(5),
    J: () => skip(-30),
    L: () => skip(30),
    n: () => go(1),
    p: () => go(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (!keys.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = actions[event.key] || actions[event.key.toLowerCase()];
    if (action) action();
  });
})();
