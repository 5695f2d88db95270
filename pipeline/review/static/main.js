// Which page is shown: the sessions, one session, or how far people agree.
import { get } from "./api.js";
import { applyTheme, askRater, problemPage, rater } from "./frame.js";
import { showList } from "./list.js";
import { showResults } from "./results.js";
import { showSession } from "./session.js";

let leave = () => {};
let turn = 0;

async function show() {
  const mine = ++turn;
  const root = document.getElementById("app");
  const session = location.hash.match(/^#\/session\/([0-9a-f]{12})$/);
  const page = session ? (at, words) => showSession(at, words, session[1]) : location.hash === "#/agreement" ? showResults : showList;
  leave();
  leave = () => {};
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  try {
    const words = await get("words");
    if (!rater().name) await askRater();
    const left = await page(root, words);
    if (mine === turn) leave = left || leave;
    else (left || (() => {}))();
  } catch (error) {
    root.replaceChildren(problemPage(error));
  }
}

// a button pressed by mouse gives the keys back to the page
document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.("button, summary");
  if (pressed && event.detail > 0 && !pressed.closest("dialog")) pressed.blur();
});
window.addEventListener("hashchange", show);
applyTheme();
show();
