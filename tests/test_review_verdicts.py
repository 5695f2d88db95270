"""Verdicts: the last one stands, an undo takes one back, and nothing is ever lost."""

import csv
import io
import itertools
import json
import sqlite3

import pytest

from pipeline.records import AttuneError, Moment
from pipeline.review import verdict_store
from pipeline.review.verdict_files import write_csv, write_jsonl
from pipeline.review.verdicts import Verdict, Withdrawal, attach, current_verdicts, last_standing, same_place

numbers = itertools.count()


def verdict(rater="a", at=10.0, length=20.0, answer="agree", subject="flag", **more):
    values = {
        "rater_role": "supervisor",
        "flag_kind": "" if subject == "missed" else "withdrawal",
        "session": "s",
        **more,
    }
    return Verdict(
        id=f"v{next(numbers)}", at="2026-11-24T20:00:00.000+00:00", subject=subject, rater=rater, answer=answer,
        start=at, end=at + length, flag_start=at, flag_end=at + length, **values,
    )  # fmt: skip


def moment(start, length=20.0, kind="withdrawal", audit=False):
    return Moment(start, start + length, start + 1, kind, "wd_denial", 1.0, "some", (), (), "", (), audit)


def test_a_later_verdict_on_the_same_moment_replaces_the_first():
    first, second = verdict(answer="agree"), verdict(answer="disagree")
    assert current_verdicts([first, second]) == [second]


def test_another_person_session_kind_or_place_replaces_nothing():
    kept = [
        verdict(),
        verdict(rater="b"),
        verdict(session="t"),
        verdict(flag_kind="confrontation"),
        verdict(at=60.0),
        verdict(rater_role="consensus"),
        verdict(subject="missed", mark="m1"),
        verdict(subject="missed", mark="m2"),
    ]
    assert current_verdicts(kept) == kept


def test_an_undo_brings_back_what_stood_before():
    first, second = verdict(answer="agree"), verdict(answer="disagree")
    events = [first, second, Withdrawal("w1", "", "s", "a", second.id)]
    assert current_verdicts(events) == [first]
    assert last_standing(events, "a", "s") == first
    events.append(Withdrawal("w2", "", "s", "a", first.id))
    assert current_verdicts(events) == []
    assert last_standing(events, "a", "s") is None


def test_a_missed_moment_with_corrected_edges_is_still_that_moment():
    mark = verdict(subject="missed", mark="m1", at=30.0)
    moved = verdict(subject="missed", mark="m1", at=80.0)
    assert current_verdicts([mark, moved]) == [moved]


def test_verdicts_find_their_moment_again_after_it_has_moved():
    judged = verdict(at=100.0)
    assert attach([judged], [moment(20.0), moment(108.0), moment(200.0)]) == {judged.id: 1}
    assert attach([judged], [moment(115.0)]) == {}
    assert attach([judged], [moment(100.0, kind="confrontation")]) == {}
    assert attach([verdict(subject="missed", mark="x", at=100.0)], [moment(100.0)]) == {}
    assert attach([judged], [moment(95.0, 30.0), moment(100.0)]) == {judged.id: 0}  # a tie goes to the earlier


def test_places_of_no_length_are_the_same_only_where_they_meet():
    assert same_place(moment(5.0, 0.0), moment(5.0, 0.0))
    assert not same_place(moment(5.0, 0.0), moment(6.0, 0.0))


def test_what_is_kept_is_read_back_in_order(tmp_path):
    events = [verdict(significance=3, useful=True), verdict(session="t"), Withdrawal("w", "now", "s", "a", "v")]
    for event in events:
        verdict_store.append(tmp_path, event)
    assert verdict_store.load_events(tmp_path) == events
    assert verdict_store.load_events(tmp_path, "t") == [events[1]]
    assert verdict_store.load_events(tmp_path / "elsewhere") == []


def test_rows_from_before_repair_was_asked_for_are_read(tmp_path):
    """The body of a row as it was written until then."""
    verdict_store.append(tmp_path, verdict())
    old = (
        '{"id":"v-old","at":"2026-11-01T20:00:00.000+00:00","session":"s","subject":"flag","rater":"a",'
        '"rater_role":"supervisor","answer":"agree","start":1.0,"end":2.0,"flag_start":1.0,"flag_end":2.0,'
        '"flag_kind":"withdrawal","marker":"wd_denial","mark":"","kind":"","clarity":"","significance":3,'
        '"useful":null,"reject_reason":"","saw_flag":true,"watched":"audio","note":"","attune":"0.1.0","rules":"",'
        '"models":""}'
    )
    with sqlite3.connect(tmp_path / verdict_store.FILE) as connection:
        connection.execute("INSERT INTO events (id, session, kind, body) VALUES ('v-old', 's', 'verdict', ?)", (old,))
    read = verdict_store.load_events(tmp_path)[-1]
    assert (read.id, read.significance) == ("v-old", 3)
    assert (read.repair, read.strategies, read.resolution, read.therapist_contribution) == ("", (), 0, 0)


def test_what_was_said_of_repair_is_kept_and_exported(tmp_path):
    moves = ("rs_invite_feelings", "rs_validate_defence")
    row = verdict(repair="attempt", strategies=moves, resolution=4, therapist_contribution=2)
    verdict_store.append(tmp_path, row)
    assert verdict_store.load_events(tmp_path) == [row]
    line = json.loads(write_jsonl([row]))
    assert (line["repair"], line["strategies"], line["resolution"]) == ("attempt", list(moves), 4)
    [cells] = csv.DictReader(io.StringIO(write_csv([row]).decode()))
    assert (cells["strategies"], cells["therapist_contribution"]) == (" ".join(moves), "2")


@pytest.mark.parametrize("change", ["DELETE FROM events", "UPDATE events SET body = ''"])
def test_the_database_itself_refuses_to_forget(tmp_path, change):
    verdict_store.append(tmp_path, verdict())
    with sqlite3.connect(tmp_path / verdict_store.FILE) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(change)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(verdict_store.load_events(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["overwritten", "cut off", "torn in the middle"])
def test_a_damaged_database_is_said_so_and_never_written_over(tmp_path, damage):
    path = tmp_path / verdict_store.FILE
    for k in range(400):  # several pages of 4096 bytes
        verdict_store.append(tmp_path, verdict(at=100.0 * k))
    whole = path.read_bytes()
    content = {
        "overwritten": b"not a database at all" * 999,
        "cut off": whole[: len(whole) // 2],
        "torn in the middle": whole[:8192] + b"\xff" * (len(whole) - 12288) + whole[-4096:],
    }[damage]
    path.write_bytes(content)
    for use in (verdict_store.load_events, lambda store: verdict_store.append(store, verdict())):
        with pytest.raises(AttuneError) as caught:
            use(tmp_path)
        assert caught.value.code == "verdicts-damaged"
        assert "backup" in caught.value.mend
    assert path.read_bytes() == content


def test_a_verdict_is_on_the_disk_when_it_is_answered(tmp_path):
    """Another connection, as after a power failure, sees every row that was answered."""
    for k in range(5):
        verdict_store.append(tmp_path, verdict(at=100.0 * k))
        with sqlite3.connect(f"file:{tmp_path / verdict_store.FILE}?mode=ro", uri=True) as other:
            assert other.execute("SELECT COUNT(*) FROM events").fetchone() == (k + 1,)


def test_notes_lie_in_the_session_and_a_torn_line_is_left_out(tmp_path):
    verdict_store.add_note(tmp_path, "n1", "she looked away <b>")
    with (tmp_path / verdict_store.NOTES).open("ab") as file:
        file.write(b'{"ref": "n2", "te')
    assert verdict_store.load_notes(tmp_path) == {"n1": "she looked away <b>"}
    verdict_store.add_note(tmp_path, "n3", "after the power came back")
    assert verdict_store.load_notes(tmp_path) == {"n1": "she looked away <b>", "n3": "after the power came back"}


def test_files_hold_neither_notes_nor_formulas():
    rows = [verdict(rater="=cmd()", note="ref1", significance=4), verdict(rater="b")]
    lines = [json.loads(line) for line in write_jsonl(rows).splitlines()]
    assert [line["rater"] for line in lines] == ["=cmd()", "b"]
    assert all("note" not in line for line in lines)
    table = write_csv(rows).decode().splitlines()
    assert len(table) == 3
    assert "'=cmd()" in table[1]
    assert "ref1" not in table[1]
    assert write_jsonl([]) == b""
