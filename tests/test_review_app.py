"""The page's server: who may ask, what it gives away, and what it keeps."""

import csv
import io
import json
import os
import re
import shutil
import zipfile
from dataclasses import replace

import pandas as pd
import pytest

from pipeline import formats
from pipeline.alliance.calibration import Calibration
from pipeline.alliance.calibration_store import Kept, Such, put_in_force
from pipeline.alliance.moments import UNSEEN
from pipeline.records import About
from pipeline.review import media, verdict_store
from pipeline.review.access import HEADERS, Gate
from pipeline.review.app import build_app
from pipeline.review.edited_files import load_tiers
from pipeline.review.verdicts import current_verdicts
from pipeline.session import Receipt
from tests.review_sessions import write_session, write_stopped

TestClient = pytest.importorskip("fastapi.testclient", reason="needs httpx, which comes with Prefect").TestClient
LONG, SPOKEN, QUIET, STOPPED = "aaaaaaaaaa01", "aaaaaaaaaa02", "aaaaaaaaaa03", "aaaaaaaaaa04"
AUDIT = 2  # the third clip in order of time is the one drawn at random


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = tmp_path_factory.mktemp("made")
    write_session(
        store, LONG, 8, notes=("please confirm who is the therapist: withdrawal and confrontation depend on it",)
    )
    write_session(store, SPOKEN, 0.5, clicks_s=(5.0,))
    write_session(store, QUIET, 3, quiet=True)
    write_stopped(store, STOPPED)
    return store


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made, tmp_path / "store")


@pytest.fixture
def gate():
    return Gate(8765)


@pytest.fixture
def stranger(store, gate):
    return TestClient(build_app(store, {}, gate), base_url="http://127.0.0.1:8765")


@pytest.fixture
def page(stranger, gate):
    """A browser that opened the printed address."""
    assert stranger.get(f"/?token={gate.token}").status_code == 200
    stranger.headers["Origin"] = "http://127.0.0.1:8765"
    return stranger


def judge(page, **changes):
    body = {
        "rater": "mh",
        "rater_role": "supervisor",
        "answer": "agree",
        "clip": 0,
        "start": 10.0,
        "end": 20.0,
        **changes,
    }
    return page.post(f"/api/sessions/{LONG}/verdicts", json=body)


def test_every_module_is_asked_for_at_once(root):
    """One after the other they would cost a round each before anything is shown."""
    static = root / "pipeline" / "review" / "static"
    told = set(re.findall(r'modulepreload" href="/static/(\w+\.js)"', (static / "index.html").read_text()))
    assert told == {path.name for path in static.glob("*.js")} - {"main.js"}


# --------------------------------------------------------------------------------------------- who may ask

PATHS = [
    "/",
    "/static/main.js",
    "/api/sessions",
    f"/api/sessions/{LONG}",
    f"/api/sessions/{LONG}/media",
    "/api/verdicts.csv",
]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_key_nothing_is_shown(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "sister" not in answer.text


@pytest.mark.parametrize("token", ["", "x", "é" * 40])
def test_a_wrong_token_opens_nothing(stranger, token):
    assert stranger.get("/", params={"token": token}).status_code == 403
    assert not stranger.cookies


def test_the_token_becomes_a_cookie_that_no_script_or_other_site_can_use(stranger, gate):
    answer = stranger.get(f"/?token={gate.token}")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert gate.token not in cookie
    assert gate.token not in answer.text
    assert "url=/" in answer.text  # the address bar is cleared at once
    assert stranger.get("/").status_code == 200


def test_two_starts_have_two_keys():
    assert len({Gate(1).token, Gate(1).token, Gate(1).cookie, Gate(1).cookie}) == 4
    assert Gate(1).token not in repr(Gate(1))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1:9", "127.0.0.1", "", "[::1]:8765"])
def test_another_host_name_is_turned_away(page, host):
    assert page.get("/api/sessions", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9", "http://localhost:8765"])
def test_another_origin_is_turned_away(page, origin):
    assert page.get("/api/sessions", headers={"Origin": origin}).status_code == 403
    assert page.post(f"/api/sessions/{LONG}/swap", json={}, headers={"Origin": origin}).status_code == 403


def test_a_change_needs_the_page_itself(page, store):
    url = f"/api/sessions/{LONG}/swap"
    assert page.post(url, json={}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert page.post(url, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 403
    del page.headers["Origin"]
    assert page.post(url, json={}).status_code == 403
    assert not (store / "sessions" / LONG / "session.toml").exists()


def test_a_huge_body_is_turned_away(page):
    assert judge(page, note="a" * 300_000).status_code == 403
    chunks = (b"a" for _ in range(3))
    headers = {"Content-Type": "application/json"}
    assert page.post(f"/api/sessions/{LONG}/undo", content=chunks, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/api/sessions", "/no-such-page", f"/api/sessions/{LONG}/peaks"]
)
def test_every_answer_keeps_to_itself(page, path):
    answer = page.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_nothing_of_the_page_comes_from_elsewhere_or_runs_from_markup(root):
    static = root / "pipeline" / "review" / "static"
    for path in static.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, path.name
        assert "https:" not in text, path.name
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert word not in text, (path.name, word)
    assert "<style" not in (static / "index.html").read_text()


# ------------------------------------------------------------------------------------- hostile folders, ids


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fetc",
        "AAAAAAAAAA01",
        "aaaaaaaaaa0",
        "aaaaaaaaaa011",
        "aaaaaaaaaa09",
        "aaaaaaaaaa01%00",
        "a/b",
    ],
)
@pytest.mark.parametrize("rest", ["", "/media", "/peaks", "/export/json"])
def test_only_ids_of_sessions_lead_anywhere(page, key, rest):
    assert page.get(f"/api/sessions/{key}{rest}").status_code == 404


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "style.css/..", "nothing.js", ""])
def test_only_the_pages_own_files_are_static(page, name):
    assert page.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(
    "name", ["turns.jsonl", "audio.flac", "review", "review/sound.m4a", "session.toml", "deep/link"]
)
def test_a_link_in_a_session_leads_nowhere(page, store, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    link = store / "sessions" / LONG / name
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(secret)
    for rest in ("", "/media", "/peaks", "/state"):
        answer = page.get(f"/api/sessions/{LONG}{rest}")
        assert answer.status_code == 409
        assert "the secret" not in answer.text
    assert page.post(f"/api/sessions/{LONG}/swap", json={}).status_code == 409
    assert secret.read_text() == "the secret"
    rows = {row["id"]: row for row in page.get("/api/sessions").json()["sessions"]}
    assert rows[LONG]["state"] == "unreadable"
    assert rows[QUIET]["state"] == "ready"


def test_a_file_renamed_while_the_folder_is_read_is_no_link(page, store, monkeypatch):
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: [(at, dirs, [*names, "gone.part"]) for at, dirs, names in walk(top)])
    assert page.get(f"/api/sessions/{LONG}/state").status_code == 200


def test_a_whole_session_that_is_a_link_is_none(page, store, tmp_path):
    shutil.move(store / "sessions" / LONG, tmp_path / "elsewhere")
    (store / "sessions" / LONG).symlink_to(tmp_path / "elsewhere")
    assert page.get(f"/api/sessions/{LONG}").status_code == 404


def test_a_folder_cannot_name_another_file_as_its_recording(page, store, tmp_path):
    """about.json may say anything; only the bytes that the session is named after are ever played."""
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"the secret")
    folder = store / "sessions" / SPOKEN
    (folder / "about.json").write_bytes(formats.dump("about.json", About(SPOKEN, str(secret), 30.0)))
    (folder / "review").mkdir()
    (folder / "review" / "peaks.u8").write_bytes(b"")
    made = replace(media.Made(media.copies.VERSION, ""), plays="recording", picture=True, whole=True)
    (folder / "review" / "made.json").write_bytes(formats.dump("made.json", made))
    answer = page.get(f"/api/sessions/{SPOKEN}/media")
    assert answer.status_code == 409
    assert "the secret" not in answer.text


def test_a_copy_cannot_be_named_outside_its_folder(page, store, tmp_path):
    (store / "secret").write_text("the secret")
    folder = store / "sessions" / SPOKEN / "review"
    folder.mkdir()
    (folder / "peaks.u8").write_bytes(b"")
    made = replace(media.Made(media.copies.VERSION, ""), plays="../../../secret", whole=True)
    (folder / "made.json").write_bytes(formats.dump("made.json", made))
    answer = page.get(f"/api/sessions/{SPOKEN}/media")
    assert answer.content.startswith(b"fLaC")
    assert "the secret" not in answer.text


@pytest.mark.parametrize("at", [1e300, -5.0, float("nan")])
def test_a_time_that_no_session_has_is_told_and_nothing_runs_on(page, store, at):
    path = store / "sessions" / LONG / "turns.jsonl"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps(json.loads(first) | {"end": at}), *rest]) + "\n")
    for rest in ("", "/export/html", "/export/eaf"):
        answer = page.get(f"/api/sessions/{LONG}{rest}")
        assert answer.status_code == 409, rest
        assert "process" in answer.json()["mend"]


def test_markup_in_a_transcript_stays_text(page, store):
    path = store / "sessions" / LONG / "turns.jsonl"
    path.write_text(
        path.read_text().replace('"begin"', '"<script>alert(1)</script>"').replace("begin", "<img/src=x>", 1)
    )
    answer = page.get(f"/api/sessions/{LONG}")
    assert answer.headers["content-type"] == "application/json"
    words = [word[2] for turn in answer.json()["turns"] for word in turn["words"]]
    assert any("<" in word for word in words)


@pytest.mark.parametrize("name", ["about.json", "findings.json", "turns.jsonl"])
def test_a_damaged_session_does_not_take_the_list_down(page, store, name):
    (store / "sessions" / LONG / name).write_bytes(b"\xff{nonsense")
    answer = page.get(f"/api/sessions/{LONG}")
    assert answer.status_code in (409, 422)
    rows = {row["id"] for row in page.get("/api/sessions").json()["sessions"]}
    assert rows == {LONG, SPOKEN, QUIET, STOPPED}


# ------------------------------------------------------------------------------------------------- the list


def test_the_list_says_what_waits_and_why_something_stopped(page):
    judge(page)
    rows = {row["id"]: row for row in page.get("/api/sessions", params={"rater": "mh"}).json()["sessions"]}
    assert (rows[LONG]["clips"], rows[LONG]["judged"], rows[LONG]["raters"]) == (5, 1, ["mh"])
    assert rows[LONG]["notes"] == ["please confirm who is the therapist: withdrawal and confrontation depend on it"]
    assert rows[STOPPED]["problem"] == ["the recording holds no sound", "record again with a microphone"]
    assert rows[QUIET]["clips"] == 0
    assert rows[SPOKEN]["name"] == "Session of Thursday.mp4"
    others = page.get("/api/sessions", params={"rater": "someone"}).json()["sessions"]
    assert {row["judged"] for row in others} == {0}


def test_consent_and_retention_are_shown_as_decided(page, store):
    (store / "sessions" / LONG / "session.toml").write_text(
        '[consent]\nstate = "given"\n[retention]\ndelete_after = 2026-12-01\n'
    )
    row = next(row for row in page.get("/api/sessions").json()["sessions"] if row["id"] == LONG)
    assert row["decided"] == ["consent: state given", "retention: delete after 2026-12-01"]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("[retention]\ndelete_after = 2020-01-31\n", ["this session was to be deleted by 2020-01-31"]),
        ("[retention]\ndelete_after = 2999-01-31\n", []),
        ('[consent]\nrecording = "withdrawn"\n', ["consent was not given, or was taken back"]),
        ("[consent]\nrecording = true\nteaching = false\n", ["consent was not given, or was taken back"]),
        ('consent = "a word where a table belongs"\n', []),
    ],
)
def test_what_is_due_about_consent_and_retention_is_told(page, store, text, due):
    (store / "sessions" / LONG / "session.toml").write_text(text)
    row = next(row for row in page.get("/api/sessions").json()["sessions"] if row["id"] == LONG)
    assert (row["state"], row["due"]) == ("ready", due)


def test_every_format_says_which_files_it_is(page):
    formats_told = {name: files for name, files, *_ in page.get("/api/words").json()["formats"]}
    assert formats_told["bins"] == "bins_5min.csv, bins_60s.csv, bins.html"
    assert formats_told["csv"].startswith("9 tables, turns")


def test_a_session_that_stopped_says_why(page):
    answer = page.get(f"/api/sessions/{STOPPED}")
    assert answer.status_code == 409
    assert answer.json() == {"problem": "the recording holds no sound", "mend": "record again with a microphone"}


def test_a_session_whose_last_run_stopped_is_still_shown(page, store):
    problem = store / "sessions" / STOPPED / "problem.json"
    shutil.copy(problem, store / "sessions" / LONG / "problem.json")
    assert page.get(f"/api/sessions/{LONG}").json()["problem"] == [
        "the recording holds no sound",
        "record again with a microphone",
    ]
    row = next(row for row in page.get("/api/sessions").json()["sessions"] if row["id"] == LONG)
    assert (row["state"], row["clips"], row["problem"][1]) == ("ready", 5, "record again with a microphone")


# ----------------------------------------------------------------------------------------------- one session


def test_the_clip_drawn_at_random_looks_like_the_others_until_it_is_judged(page):
    text = page.get(f"/api/sessions/{LONG}").text
    view = json.loads(text)
    assert "audit" not in text
    assert "band" not in text
    assert "closing off" not in text
    assert len(view["clips"]) == 5
    assert [clip["start"] for clip in view["clips"]] == sorted(clip["start"] for clip in view["clips"])
    assert len({tuple(sorted(clip)) for clip in view["clips"]}) == 1
    assert "audit" not in judge(page, clip=0).json()["told"].get("2", {})
    told = judge(page, clip=AUDIT).json()["told"]
    assert told["2"] == {"audit": True, "closest": "", "band": "", "such": ""}
    closest = "playing down / closing off a feeling"
    assert told["0"] == {"audit": False, "closest": closest, "band": "some evidence", "such": ""}
    assert set(told) == {"0", "2"}


def test_what_holds_for_every_flag_is_not_told_of_flags_only(page, store):
    """Every moment that the rules mark says that faces were not seen; the clip drawn at random does not."""
    path = store / "sessions" / LONG / "findings.json"
    found = formats.load(path)
    moments = tuple(m if m.audit else replace(m, against=(*m.against, UNSEEN)) for m in found.moments)
    path.write_bytes(formats.dump("findings.json", replace(found, moments=moments)))
    against = [clip["against"] for clip in page.get(f"/api/sessions/{LONG}").json()["clips"]]
    assert against == [["the line before may be about arrangements"], [], [], [], []]
    assert page.get(f"/api/sessions/{LONG}/export/html").text.count(UNSEEN) == 5


def test_how_often_people_agreed_with_such_flags_is_told_after_the_verdict(page, store):
    such = (Such("withdrawal", "some", 14, 22, 0.43, 0.8), Such("confrontation", "weak", 1, 2, 0.1, 0.9))
    kept = Kept(1, 0, "2026-11-25", "0.2", 44, 20, 9, 9, 1.0, 0.0, such, 0.0, Calibration())
    put_in_force(store, kept)
    assert "such flags" not in page.get(f"/api/sessions/{LONG}").text
    told = judge(page, clip=0).json()["told"]
    assert told["0"]["such"] == "In this clinic, people agreed with 14 of 22 such flags (95 % interval 43 to 80 %)."
    assert judge(page, clip=1).json()["told"]["1"]["such"] == ""  # of that kind and band none was judged
    assert judge(page, clip=AUDIT).json()["told"]["2"]["such"] == ""


def test_a_verdict_says_under_which_calibration_the_flag_was_found(page, store):
    path = store / "sessions" / LONG / "receipts" / "moments.json"
    for inputs in ({}, {"calibration": "a" * 64}, {"calibration": "b" * 64}):
        path.write_bytes(formats.dump("moments.json", Receipt("moments", 2, {}, inputs, {}, {})))
        judge(page)
    events = verdict_store.load_events(store)
    assert len({event.rules for event in events}) == 3


def test_another_person_is_told_nothing_by_my_verdict(page):
    judge(page, clip=AUDIT)
    mine = page.get(f"/api/sessions/{LONG}/judged", params={"rater": "mh"}).json()
    theirs = page.get(f"/api/sessions/{LONG}/judged", params={"rater": "other"}).json()
    assert len(mine["own"]) == 1
    assert theirs == {"own": [], "others": [], "told": {}, "notes": []}


def test_the_session_is_laid_out_for_the_page(page):
    view = page.get(f"/api/sessions/{LONG}").json()
    assert {turn["role"] for turn in view["turns"]} == {"therapist", "client"}
    assert all(0 <= share <= 1 for pair in view["floor"]["shares"] for share in pair)
    assert view["silences"]
    assert view["media"]["sound"] is False
    assert view["clips"][0]["why"][0] == "answers after 4.2 s; usual 0.9 s"
    assert "nothing crossed" not in json.dumps(page.get(f"/api/sessions/{QUIET}").json()["notes"])
    assert page.get(f"/api/sessions/{QUIET}/judged").json()["notes"] == [
        "nothing crossed the line; this does not mean that there was no rupture"
    ]


@pytest.mark.parametrize("length_s", [809.0, 3011.2, 5400.7, 0.5])
def test_a_session_of_any_length_is_laid_out(page, store, length_s):
    (store / "sessions" / QUIET / "about.json").write_bytes(formats.dump("about.json", About(QUIET, "", length_s)))
    assert page.get(f"/api/sessions/{QUIET}").status_code == 200


def test_parts_of_a_copy_are_sent_as_asked_for(page, store):
    folder = store / "sessions" / SPOKEN
    from pipeline.session import Session

    media.prepare(Session(folder, {}))
    whole = page.get(f"/api/sessions/{SPOKEN}/media")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/mp4")
    assert whole.headers["accept-ranges"] == "bytes"
    part = page.get(f"/api/sessions/{SPOKEN}/media", headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.content)}"
    tail = page.get(f"/api/sessions/{SPOKEN}/media", headers={"Range": "bytes=-50"})
    assert tail.content == whole.content[-50:]
    beyond = page.get(f"/api/sessions/{SPOKEN}/media", headers={"Range": f"bytes={len(whole.content) + 5}-"})
    assert beyond.status_code == 416
    length_s = json.loads((folder / "about.json").read_text())["duration_s"]
    assert len(page.get(f"/api/sessions/{SPOKEN}/peaks").content) == pytest.approx(50 * length_s, abs=1)


# ------------------------------------------------------------------------------------------------- deciding


def test_a_verdict_is_kept_whole_and_its_note_apart(page, store):
    answer = judge(
        page,
        answer="disagree",
        kind="mixed",
        clarity="plus",
        significance=4,
        useful=True,
        reject_reason="humour",
        note="he <b>laughed</b>",
    )
    assert answer.status_code == 200
    [kept] = current_verdicts(verdict_store.load_events(store))
    assert (kept.session, kept.subject, kept.marker, kept.flag_kind) == (LONG, "flag", "wd_denial", "withdrawal")
    assert (kept.answer, kept.kind, kept.clarity, kept.significance, kept.useful) == (
        "disagree",
        "mixed",
        "plus",
        4,
        True,
    )
    assert (kept.start, kept.end, kept.reject_reason, kept.saw_flag) == (10.0, 20.0, "humour", True)
    assert "laughed" not in (store / verdict_store.FILE).read_bytes().decode("latin-1")
    assert "laughed" in (store / "sessions" / LONG / "notes.jsonl").read_text()
    assert answer.json()["own"][0]["note"] == "he <b>laughed</b>"
    files = [page.get(f"/api/verdicts.{kind}", params={"rater": "mh"}).text for kind in ("jsonl", "csv")]
    assert all("humour" in file and "laughed" not in file for file in files)


def test_what_was_seen_of_repair_is_kept_and_shown_again(page, store):
    known = [name for name, _ in page.get("/api/words").json()["moves"]]
    assert "rs_invite_feelings" in known
    assert not any(name.startswith(("wd_", "cf_")) for name in known)
    said = {"repair": "attempt", "strategies": [known[3], known[0]], "resolution": 2, "therapist_contribution": 5}
    own = judge(page, **said).json()["own"][0]
    assert {name: own[name] for name in said} == said | {"strategies": [known[0], known[3]]}
    assert current_verdicts(verdict_store.load_events(store))[0].strategies == (known[0], known[3])


def test_the_page_cannot_say_what_was_shown(page, store):
    """Which clip was drawn at random is looked up, never believed."""
    judge(page, clip=AUDIT)
    assert current_verdicts(verdict_store.load_events(store))[0].subject == "audit"
    assert judge(page, subject="flag").status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": "perhaps"},
        {"rater": ""},
        {"rater": "a" * 61},
        {"rater": "a\nb"},
        {"clip": 99},
        {"clip": -1},
        {"start": 30.0, "end": 20.0},
        {"end": 1e9},
        {"start": -1.0},
        {"significance": 6},
        {"kind": "anger"},
        {"note": "a" * 20_001},
        {"repair": "resolved"},
        {"resolution": 6},
        {"therapist_contribution": -1},
        {"strategies": ["rs_invite_feelings"]},
        {"repair": "none", "strategies": ["rs_invite_feelings"]},
        {"repair": "attempt", "strategies": ["wd_denial"]},
    ],
)
def test_a_verdict_that_does_not_fit_is_refused(page, store, wrong):
    assert judge(page, **wrong).status_code == 422
    assert verdict_store.load_events(store) == []


def test_a_missed_moment_is_added_moved_and_taken_back(page, store):
    added = judge(page, clip=None, start=50.0, end=70.0, saw_flag=False).json()
    mark = added["mark"]
    assert added["own"][0]["clip"] is None
    moved = judge(page, clip=None, mark=mark, start=55.0, end=72.0, kind="withdrawal").json()
    assert [(v["start"], v["flag"], v["kind"]) for v in moved["own"]] == [(55.0, [50.0, 70.0], "withdrawal")]
    assert {v.subject for v in current_verdicts(verdict_store.load_events(store))} == {"missed"}
    back = page.post(f"/api/sessions/{LONG}/undo", json={"rater": "mh"}).json()
    assert [(v["start"], v["kind"]) for v in back["own"]] == [(50.0, "")]
    assert page.post(f"/api/sessions/{LONG}/undo", json={"rater": "mh"}).json()["own"] == []
    assert page.post(f"/api/sessions/{LONG}/undo", json={"rater": "mh"}).json()["undone"] is None
    assert len(verdict_store.load_events(store)) == 4  # nothing was ever removed


def test_consensus_shows_everybody_and_is_kept_beside(page, store):
    judge(page, clip=0)
    judge(page, clip=0, rater="ab", answer="disagree", reject_reason="quoted")
    alone = page.get(f"/api/sessions/{LONG}/judged", params={"rater": "mh"}).json()
    assert [v["answer"] for v in alone["own"]] == ["agree"]
    assert alone["others"] == []
    both = page.get(f"/api/sessions/{LONG}/judged", params={"rater": "mh", "everyone": "true"}).json()
    assert both["own"] == []
    assert {(v["rater"], v["answer"]) for v in both["others"]} == {("mh", "agree"), ("ab", "disagree")}
    page.post(
        f"/api/sessions/{LONG}/verdicts?everyone=true",
        json={"rater": "mh", "rater_role": "consensus", "answer": "agree", "clip": 0, "start": 1.0, "end": 2.0},
    )
    assert len(current_verdicts(verdict_store.load_events(store))) == 3
    found = page.get("/api/agreement").json()
    assert found["clinic"]["agreed"] == 1
    assert found["clinic"]["disagreed"] == 0
    assert (found["raters"][0]["both"], found["raters"][0]["same"]) == (1, 0)


def test_verdict_files_of_the_page_lead_nobody(page):
    for clip in (0, 1, AUDIT):
        judge(page, rater="mh", clip=clip)
    judge(page, rater="mh", clip=None, start=50.0, end=70.0)
    judge(page, rater="ab", clip=None, start=30.0, end=40.0, saw_flag=False)  # in a blind first pass

    def given(kind, **query):
        answer = page.get(f"/api/verdicts.{kind}", params=query)
        assert answer.status_code == 200
        if kind == "jsonl":
            return [(row["rater"], row["subject"]) for row in map(json.loads, answer.text.splitlines())]
        return [(row["rater"], row["subject"]) for row in csv.DictReader(io.StringIO(answer.text))]

    own = [("ab", "missed")]
    for kind in ("csv", "jsonl"):
        assert given(kind) == []
        assert given(kind, everyone=True) == []
        assert given(kind, rater="ab") == own
        assert given(kind, rater="ab", everyone=True) == own
    judge(page, rater="ab", clip=1, answer="disagree")
    assert given("csv", rater="ab") == [*own, ("ab", "flag")]
    assert given("csv", rater="ab", everyone=True) == [("mh", "flag"), ("mh", "missed"), *own, ("ab", "flag")]


def test_verdicts_outlive_a_session_made_again(page, store):
    judge(page, clip=0, note="kept")
    path = store / "sessions" / LONG / "findings.json"
    found = formats.load(path)
    moved = [replace(m, start=m.start + 1.5, end=m.end + 1.5) for m in found.moments]
    path.write_bytes(formats.dump("findings.json", replace(found, moments=tuple(moved))))
    judged = page.get(f"/api/sessions/{LONG}/judged", params={"rater": "mh"}).json()
    assert [(v["clip"], v["note"]) for v in judged["own"]] == [(0, "kept")]
    path.write_bytes(formats.dump("findings.json", replace(found, moments=())))
    gone = page.get(f"/api/sessions/{LONG}/judged", params={"rater": "mh"}).json()
    assert [v["clip"] for v in gone["own"]] == [None]


def test_a_clip_comes_as_an_archive(page):
    answer = page.get(f"/api/sessions/{SPOKEN}/clip", params={"start": 2, "end": 6})
    assert answer.headers["content-disposition"] == f'attachment; filename="{SPOKEN}.clip.zip"'
    assert answer.content.startswith(b"PK")
    assert page.get(f"/api/sessions/{SPOKEN}/clip", params={"start": 2, "end": "x"}).status_code == 422
    assert page.get(f"/api/sessions/{LONG}/clip", params={"start": 2, "end": 6}).status_code == 409


def tiers_of(page, path, form="eaf", **query):
    """The tiers of an export asked for on the page, read back."""
    answer = page.get(f"/api/sessions/{LONG}/export/{form}", params=query)
    assert answer.status_code == 200
    file = path / {"eaf": "a.eaf", "textgrid": "a.TextGrid"}[form]
    file.write_bytes(answer.content)
    return load_tiers(file)


@pytest.mark.parametrize("form", ["eaf", "textgrid"])
def test_an_export_from_the_page_holds_other_peoples_verdicts_only_in_consensus(page, tmp_path, form):
    judge(page, rater="mh")
    judge(page, rater="ab", answer="disagree")
    alone = tiers_of(page, tmp_path, form, rater="mh")
    assert [name for name in alone if name.startswith("verdicts")] == ["verdicts mh"]
    assert "without other people's verdicts" in alone["attune"][0].text
    together = tiers_of(page, tmp_path, form, rater="mh", everyone=True)
    assert {"verdicts mh", "verdicts ab"} <= set(together)
    assert "without" not in together["attune"][0].text
    nobody = tiers_of(page, tmp_path, form)
    assert not any(name.startswith("verdicts") for name in nobody)


def judge_all(page, rater="mh"):
    for clip in range(5):
        assert judge(page, rater=rater, clip=clip).status_code == 200


@pytest.mark.parametrize("form", ["eaf", "textgrid"])
def test_an_export_from_the_page_tells_the_clip_drawn_at_random_only_once_it_is_judged(page, tmp_path, form):
    shown = [(clip["start"], clip["kind"]) for clip in page.get(f"/api/sessions/{LONG}").json()["clips"]]
    kinds = ("withdrawal", "confrontation")

    def marked(**query):
        tiers = tiers_of(page, tmp_path, form, **query)
        rows = [(label.start_ms / 1000, kind, label.text) for kind in kinds for label in tiers[f"possible {kind}"]]
        return sorted(rows)

    plain = [(at, kind, f"Possible {kind}") for at, kind in shown]
    for query in ({}, {"rater": "mh"}, {"rater": "mh", "everyone": True}):
        assert marked(**query) == plain
    judge(page, clip=0)
    first = marked(rater="mh")
    assert first[0][2] == "Possible withdrawal: playing down / closing off a feeling"
    assert first[1:] == plain[1:]
    assert marked(rater="ab") == plain
    assert marked(rater="ab", everyone=True) == first  # in consensus what anybody judged is told, as on the page
    judge(page, clip=AUDIT)
    assert [at for at, *_ in marked(rater="mh")] == [at for at, _ in shown[:AUDIT] + shown[AUDIT + 1 :]]


# what a file says of five moments that look alike
MOMENTS_SAID = {
    "html": (rb"data-start=\"([\d.]+)\" data-end=\"[\d.]+\">", 5),
    "edl": (rb"COMMENT: Possible (?:withdrawal|confrontation)\n", 5),
    "audacity": (rb"Possible (?:withdrawal|confrontation)\n", 5),
}


@pytest.mark.parametrize("form", MOMENTS_SAID)
def test_files_for_people_hold_every_moment_alike_until_it_is_judged(page, form):
    def read():
        return page.get(f"/api/sessions/{LONG}/export/{form}", params={"rater": "mh"}).content

    pattern, count = MOMENTS_SAID[form]
    before = read()
    assert len(re.findall(pattern, before)) == count
    for told in (b"closing off", b"some evidence", b"Audit", b"audit", b"weak"):
        assert told not in before.split(b"How to read this")[0]
    judge_all(page)
    after = read()
    assert b"closing off" in after
    assert len(re.findall(pattern.replace(rb"\n", rb": "), after)) == count - 1


def test_what_lists_scores_and_markers_comes_once_every_moment_is_judged(page, store):
    frame = pd.DataFrame({"start": [0.0], "end": [1.0]})
    for name, value in {
        "speech.jsonl": [],
        "markers.jsonl": [],
        "windows.parquet": frame,
        "frames.parquet": frame,
    }.items():
        (store / "sessions" / LONG / name).write_bytes(formats.dump(name, value))

    def answers(**query):
        return {
            name: page.get(f"/api/sessions/{LONG}/export/{name}", params={"rater": "mh", **query})
            for name, *_ in page.get("/api/words").json()["formats"]
        }

    before = answers()
    assert {name for name, answer in before.items() if answer.status_code != 200} == {"json", "bins"}
    assert "judge every moment" in before["json"].json()["mend"]
    names = zipfile.ZipFile(io.BytesIO(before["csv"].content)).namelist()
    assert names == [f"{name}.csv" for name in ("turns", "words", "voices", "speech", "windows", "frames")]
    judge_all(page)
    after = answers()
    assert {answer.status_code for answer in after.values()} == {200}
    assert "moments.csv" in zipfile.ZipFile(io.BytesIO(after["csv"].content)).namelist()
    assert [moment["audit"] for moment in after["json"].json()["moments"]] == [False] * 4 + [True]


@pytest.mark.parametrize("form", ["eaf", "textgrid"])
def test_a_blind_export_holds_no_flag_and_nobody_elses_verdict(page, tmp_path, form):
    judge(page, rater="ab")
    judge(page, rater="mh", clip=None, start=30.0, end=40.0, saw_flag=False)
    found = tiers_of(page, tmp_path, form, rater="mh", blind=True, everyone=True)
    assert {name for name, labels in found.items() if labels} == {
        *(f"{role} {sort}" for role in ("therapist", "client") for sort in ("turns", "words")),
        "verdicts mh",
        "attune",
    }
    assert "blind first pass" in found["attune"][0].text


def test_formats_that_show_what_is_marked_are_refused_in_a_blind_first_pass(page):
    given = set()
    for name, _, unmarked, _ in page.get("/api/words").json()["formats"]:
        given |= {(name, unmarked)} if unmarked else set()
        if not unmarked:
            answer = page.get(f"/api/sessions/{LONG}/export/{name}", params={"rater": "mh", "blind": True})
            assert answer.status_code == 409, name
            assert "press B" in answer.json()["mend"]
    tables = "6 tables, turns, words, voices, speech, windows, frames"
    assert given == {
        ("vtt", "transcript.vtt"),
        ("srt", "transcript.srt"),
        ("csv", tables),
        ("parquet", tables),
        ("rttm", "speech.rttm"),
        ("ctm", "words.ctm"),
        ("textgrid", "session.TextGrid"),
        ("eaf", "session.eaf"),
    }
    vtt = page.get(f"/api/sessions/{LONG}/export/vtt", params={"rater": "mh", "blind": True})
    assert vtt.headers["content-disposition"].endswith('transcript.vtt"')


def test_exports_come_with_neutral_names(page):
    one = page.get(f"/api/sessions/{LONG}/export/eaf")
    assert one.headers["content-disposition"] == f'attachment; filename="{LONG}.session.eaf"'
    assert one.content.startswith(b"<?xml")
    two = page.get(f"/api/sessions/{LONG}/export/vtt")
    assert two.content.startswith(b"PK")
    assert page.get(f"/api/sessions/{LONG}/export/nothing").status_code == 409
