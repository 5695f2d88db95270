"""`attune calibrate` on a store: verdicts of known truth in, other moments out, and back to the very same bytes."""

import json
import random
import shutil
from dataclasses import replace

import msgspec
import pytest

from pipeline import formats
from pipeline.alliance import calibration_store
from pipeline.alliance.calibration import Calibration
from pipeline.cli import main
from pipeline.records import AttuneError, Findings, Moment
from pipeline.review import verdict_store
from pipeline.review.learning import Evidence, evaluate, group_clips
from pipeline.review.verdicts import same_place
from pipeline.session import all_sessions, open_session, run_session
from pipeline.settings import load_tables
from tests.talk import COMPLAINT, ORDINARY, SHUTTING_DOWN, WORK, talk
from tests.test_review_verdicts import moment, verdict

SETTINGS = '[markers]\nembedder = "none"\n[moments]\nstability_runs = 5\n'
OTHERS = 70  # sessions beside the two that are whole: only what verdicts are laid beside is in them
WRONG, RIGHT = (
    "wd_minimal_response",
    "wd_deferential",
)  # the closest marker of the withdrawals; the other in every second
TALKS = (
    [*ORDINARY, *COMPLAINT, *WORK, *SHUTTING_DOWN, *ORDINARY, *WORK],
    [*ORDINARY, *WORK, *SHUTTING_DOWN, *ORDINARY, *WORK, *COMPLAINT, *ORDINARY, *SHUTTING_DOWN, *WORK],
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two whole sessions, and many that hold only turns, markers and findings, every second with another marker."""
    store = tmp_path_factory.mktemp("calibrate") / "store"
    store.mkdir()
    (store / "attune.toml").write_text(SETTINGS)
    settings = load_tables(store / "attune.toml")
    for k, lines in enumerate(TALKS):
        session = open_session(store, None, [write_talk(store.parent / f"{k}.json", lines)], settings)
        run_session(session)
    for k in range(OTHERS):
        folder = store / "sessions" / f"{k:012x}"
        folder.mkdir()
        for name in ("about.json", "turns.jsonl", "markers.jsonl", "findings.json"):
            content = (session.folder / name).read_bytes()
            (folder / name).write_bytes(content.replace(WRONG.encode(), RIGHT.encode()) if k % 2 else content)
    return store


def write_talk(path, lines):
    rows = [{"start": t.start, "end": t.end, "speaker": t.role, "role": t.role, "text": t.text} for t in talk(*lines)]
    path.write_text(json.dumps({"turns": rows}))
    return path


@pytest.fixture
def store(made, tmp_path):
    return shutil.copytree(made, tmp_path / "store")


def judge(store, most, *, agree=lambda flag, rng: rng.random() < 0.5, client=None):
    """Verdicts on the flags of every session in turn, up to `most`, with the audit clips of those sessions."""
    rng, given = random.Random(3), 0
    for session in all_sessions(store, {}):
        if client:
            (session.folder / "session.toml").write_text(f'[about]\nclient = "{client(session.id)}"\nlanguage = "en"\n')
        for flag in formats.load(session.folder / "findings.json").moments:
            if given >= most and not flag.audit:
                continue
            given += not flag.audit
            answer = "agree" if agree(flag, rng) and not flag.audit else "disagree"
            add(store, session.id, flag, answer)
    return given


def add(store, session, flag, answer, **more):
    row = verdict(session=session, answer=answer, subject="audit" if flag.audit else "flag", **more)
    place = {"start": flag.start, "end": flag.end, "flag_start": flag.start, "flag_end": flag.end}
    row = replace(row, flag_kind=flag.kind, marker=flag.marker, **place)
    verdict_store.append(store, row)


def told(store, capsys, *more):
    assert main(["calibrate", "--store", str(store), "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def files(store):
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file() and "lock" not in p.name}


# ------------------------------------------------------------------------------------------------ restraint


def test_below_forty_verdicts_counts_are_shown_and_nothing_can_be_applied(store, capsys):
    judge(store, 39)
    before = files(store)
    found = told(store, capsys)
    assert (found["stage"], found["verdicts"]["flags"]) == ("counts", 39)
    assert found["calibration"] == {"factors": {}, "move_withdrawal": 0.0, "move_confrontation": 0.0}
    assert main(["calibrate", "--store", str(store), "--apply"]) == 1
    assert "39 flags are judged" in capsys.readouterr().err
    assert files(store) == before


def test_a_store_without_verdicts_says_so(store, capsys):
    assert main(["calibrate", "--store", str(store)]) == 0
    text = capsys.readouterr().out
    assert "No flag is judged yet" in text
    assert "the program's own weights" in text
    assert main(["calibrate", "--store", str(store), "--rollback"]) == 1
    assert main(["calibrate", "--store", str(store / "nowhere")]) == 1
    with pytest.raises(SystemExit):
        main(["calibrate", "--store", str(store), "--precision", "1.5"])


def test_from_forty_on_the_clinics_own_share_is_shown_and_no_moment_changes(store, capsys):
    judge(store, 80)
    before = {s.id: (s.folder / "findings.json").read_bytes() for s in all_sessions(store, {})}
    found = told(store, capsys, "--apply")
    assert found["stage"] == "shares"
    assert found["applied"] == {"version": 1, "follows": 0, "made_again": 0, "waiting": OTHERS}
    assert {s.id: (s.folder / "findings.json").read_bytes() for s in all_sessions(store, {})} == before
    assert calibration_store.load_calibration(store) is None
    kept = calibration_store.load_kept(store)
    assert sum(such.n for such in kept.such) == found["verdicts"]["flags"] == 80
    main(["calibrate", "--store", str(store)])
    text = capsys.readouterr().out
    assert "In force: calibration 1 of" in text
    assert f"people agreed with {found['verdicts']['agreed']} of 80 flags (95 % interval" in text


# ------------------------------------------------------------------------------------- applying, and taking back


def test_applied_it_changes_moments_and_taken_back_they_are_the_very_same_bytes(store, capsys):
    judge(store, 10_000, agree=lambda flag, rng: rng.random() < (0.1 if flag.marker == WRONG else 0.9))
    whole = [s for s in all_sessions(store, {}) if (s.folder / "moments.json").is_file()]
    before = {
        s.id: ((s.folder / "moments.json").read_bytes(), (s.folder / "findings.json").read_bytes()) for s in whole
    }

    found = told(store, capsys)
    assert found["stage"] == "weights", found["why_no_further"]
    assert found["weights"][WRONG]["factor"] < 0.8 < found["weights"][RIGHT]["factor"]
    assert not (store / calibration_store.FOLDER).exists()  # to look changes nothing

    again = told(store, capsys, "--apply")
    assert again.pop("applied") == {"version": 1, "follows": 0, "made_again": 2, "waiting": OTHERS}
    assert again == found
    for session in whole:
        after = formats.load(session.folder / "findings.json").moments
        assert (session.folder / "moments.json").read_bytes() != before[session.id][0]
        old = {m.peak: m.score for m in msgspec.json.decode(before[session.id][1], type=Findings).moments}
        assert all(m.score < old[m.peak] for m in after if m.marker == WRONG and m.peak in old)

    taken_back = told(store, capsys, "--rollback")
    assert taken_back == {"version": 0, "made_again": 2, "waiting": OTHERS}
    for session in whole:
        assert (session.folder / "moments.json").read_bytes() == before[session.id][0]
        assert (session.folder / "findings.json").read_bytes() == before[session.id][1]
    changes = calibration_store.load_changes(store)
    assert [(c.does, c.version) for c in changes] == [("apply", 1), ("rollback", 0)]
    assert (store / calibration_store.FOLDER / "1.json").is_file()  # nothing is ever deleted


def test_no_name_of_a_client_or_rater_is_in_what_is_kept(store, capsys):
    judge(store, 80, client=lambda key: f"Jane {key[-1]}")
    found = told(store, capsys, "--apply")
    assert found["verdicts"]["clients_named"] > 1
    kept = b"".join(path.read_bytes() for path in (store / calibration_store.FOLDER).iterdir())
    assert b"Jane" not in kept
    assert "Jane" not in json.dumps(found)
    assert [group["what"] for group in found["groups"]] == ["language en"]


# ------------------------------------------------------------------------------------------------- the store


def kept(version, follows, factor=0.5):
    return calibration_store.Kept(
        version, follows, "2026-11-25T01:00:00", "0.2", 40, 20, 9, 9, 1.0, 0.0, (), 0.6, Calibration({"voice": factor})
    )  # fmt: skip


def test_rolling_back_leads_to_what_was_in_force_before(tmp_path):
    for version, follows in ((1, 0), (2, 1)):
        assert calibration_store.next_version(tmp_path) == (version, follows)
        calibration_store.put_in_force(tmp_path, kept(version, follows, 0.1 * version))
    assert calibration_store.roll_back(tmp_path, "now", "0.2") == 1
    assert calibration_store.load_calibration(tmp_path).factors == {"voice": 0.1}
    assert calibration_store.next_version(tmp_path) == (3, 1)
    calibration_store.put_in_force(tmp_path, kept(3, 1))
    assert calibration_store.roll_back(tmp_path, "now", "0.2") == 1
    assert calibration_store.roll_back(tmp_path, "now", "0.2") == 0
    assert calibration_store.load_calibration(tmp_path) is None
    with pytest.raises(AttuneError, match="no calibration"):
        calibration_store.roll_back(tmp_path, "now", "0.2")


def test_a_calibration_edited_by_hand_is_refused_and_can_be_taken_back(tmp_path):
    calibration_store.put_in_force(tmp_path, kept(1, 0))
    path = tmp_path / calibration_store.FOLDER / "1.json"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"9.5"))
    with pytest.raises(AttuneError, match="edited"):
        calibration_store.load_calibration(tmp_path)
    assert calibration_store.roll_back(tmp_path, "now", "0.2") == 0
    assert calibration_store.load_calibration(tmp_path) is None


@pytest.mark.parametrize("torn", [b'{"at":"2026', b'{"at":"x","does":"apply","version":2,"follows":1,"sha256":""'])
def test_a_change_cut_off_by_a_power_failure_never_came_into_force(tmp_path, torn):
    calibration_store.put_in_force(tmp_path, kept(1, 0))
    log = tmp_path / calibration_store.FOLDER / calibration_store.LOG
    log.write_bytes(log.read_bytes() + torn)
    assert calibration_store.load_kept(tmp_path).version == 1
    calibration_store.put_in_force(tmp_path, kept(2, 1))
    assert [c.version for c in calibration_store.load_changes(tmp_path)] == [1, 2]


# ------------------------------------------------------------------------------------ what verdicts say together


def evidence(flags=(), turns=20, client=None, audit=True):
    said = talk(*[("c" if k % 2 else "t", "one two three") for k in range(2 * turns)])
    clip = Moment(900.0, 920.0, 910.0, "withdrawal", "", -9.0, "weak", (), (), "", (), True)
    found = Findings((*flags, *([clip] if audit else ())), (), ())
    return Evidence("2026-01-01", {"client": client} if client else {}, said, [], found, None)


def test_two_people_on_one_clip_are_one_clip_and_a_consensus_stands_alone():
    both = [verdict(rater="a"), verdict(rater="b", at=12.0, answer="disagree"), verdict(at=300.0)]
    assert [len(clip) for clip in group_clips(both)] == [2, 1]
    found = evaluate(both, {})
    assert [row.agreed for row in found.rows] == [0.5, 1.0]
    settled = [*both, verdict(rater="c", rater_role="consensus", answer="disagree")]
    assert [row.agreed for row in evaluate(settled, {}).rows] == [0.0, 1.0]


def test_agreement_that_names_another_family_is_no_agreement_with_this_one():
    rows = evaluate([verdict(kind="confrontation"), verdict(at=200.0, kind="mixed")], {}).rows
    assert [(row.agreed, row.fits) for row in rows] == [(1.0, 0.0), (1.0, 1.0)]


def test_what_is_missed_is_weighed_by_what_an_audit_clip_stands_for(monkeypatch):
    """Of 30 sessions with one agreed flag each, 3 audit clips of 30 hold a moment; a session has unflagged client
    turns, and a flag spans 2 of them, so that an audit clip with a moment stands for half as many moments."""
    import pipeline.review.learning as learning

    monkeypatch.setattr(learning, "measure_terms", lambda *_: (0.0, {}))
    sessions, rows = {}, []
    for k in range(30):
        said = evidence().turns
        flag = replace(moment(0.0), start=said[0].start, end=said[3].end)
        sessions[f"s{k}"] = evidence([flag], turns=20)
        rows.append(replace(verdict(session=f"s{k}"), flag_start=flag.start, flag_end=flag.end))
        rows.append(verdict(session=f"s{k}", at=900.0, subject="audit", answer="agree" if k < 3 else "disagree"))
    far = len(learning.far_turns(sessions["s0"].turns, sessions["s0"].flags))
    found = evaluate(rows, sessions).recall
    assert (found.audits, found.with_moment, found.found) == (30, 3, 30.0)
    assert found.missed == pytest.approx(0.1 * 30 * far / 2)
    assert found.share == pytest.approx(30 / (30 + found.missed), abs=1e-3)
    assert found.low < found.share < found.high
    few = evaluate([row for row in rows if int(row.session[1:]) < 19], sessions).recall
    assert (few.share, few.audits) == (None, 19)


def test_blind_marks_are_counted_apart(monkeypatch):
    flags = [moment(100.0)]
    marks = [
        verdict(subject="missed", mark="m1", at=95.0, saw_flag=False),
        verdict(subject="missed", mark="m2", at=400.0, saw_flag=False),
        verdict(subject="missed", mark="m3", at=105.0),
    ]
    found = evaluate(marks, {"s": evidence(flags)})
    assert (found.missed, found.blind.marked, found.blind.flagged) == (3, 2, 1)
    assert same_place(flags[0], marks[0].place)


def test_sessions_that_name_no_client_are_each_their_own(tmp_path):
    rows = [verdict(session="s"), verdict(session="t"), verdict(session="u")]
    known = {"s": evidence(client="c1"), "t": evidence(client="c1"), "u": evidence()}
    import pipeline.review.learning as learning

    found = evaluate(rows, {k: replace(v, options=learning.MomentsOptions()) for k, v in known.items()})
    assert [row.client for row in found.rows] == ["c1", "c1", "u"]
    assert (found.named, found.unnamed, found.gone) == (1, 1, 0)
