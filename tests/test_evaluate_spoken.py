"""Scripts spoken and heard: paired with their recordings, judged at the places their turns have in the sound."""

import json
from dataclasses import replace

import pytest

from pipeline.evaluate import moments, spoken
from pipeline.records import AttuneError, Voice
from tests.talk import SESSION
from tests.test_evaluate_moments import SCRIPT, START, known, raw  # noqa: F401
from tests.test_heads import letters


def write_pair(folder, name, rows):
    (folder / f"{name}.flac").write_bytes(b"sound")
    (folder / f"{name}.turns.json").write_text(json.dumps(rows))


def test_only_scripts_with_a_recording_and_its_turns_are_paired(tmp_path):
    other = replace(SCRIPT, id="p02")
    write_pair(tmp_path, "p01", [])
    (tmp_path / "p02.flac").write_bytes(b"sound")
    (pair,) = spoken.find_pairs([SCRIPT, other], tmp_path)
    assert (pair.script.id, pair.recording.name) == ("p01", "p01.flac")


def test_no_recording_says_how_to_make_one(tmp_path):
    with pytest.raises(AttuneError) as caught:
        spoken.find_pairs([SCRIPT], tmp_path)
    assert "speak_scripts" in caught.value.mend


def test_turns_lie_where_they_were_spoken_and_silent_ones_after_the_one_before():
    rows = [{"turn": i, "start": 10.0 * i, "end": 10.0 * i + 4} for i in range(len(SCRIPT.turns)) if i != 2]
    placed = spoken.at_times(SCRIPT, rows)
    assert [(t.start, t.end) for t in placed.turns[:4]] == [(0.0, 4.0), (10.0, 14.0), (14.0, 14.0), (30.0, 34.0)]
    assert [t.text for t in placed.turns] == [t.text for t in SCRIPT.turns]
    assert placed.events == SCRIPT.events


@pytest.fixture
def pair(known, tmp_path):  # noqa: F811
    """One script of a known hand, and its recording; what is heard in it comes from `heard`."""
    folder, sounds = tmp_path / "scripts", tmp_path / "sounds"
    folder.mkdir()
    sounds.mkdir()
    (folder / "p01.json").write_text(json.dumps(raw("p01", SESSION, "confrontation")))
    write_pair(sounds, "p01", [{"turn": i, "start": t.start, "end": t.end} for i, t in enumerate(SCRIPT.turns)])
    return folder, sounds


def heard(monkeypatch, turns):
    """In place of the engines: these turns, without a table of their voices."""
    voices = [Voice(0.0, 1.0, role, role, 1.0, "") for role in ("therapist", "client")]
    made = {"turns": list(turns), "turn_table": None, "windows": None, "voices": voices}
    session = type("Session", (), {"load": lambda self, step: made[step.name]})()
    monkeypatch.setattr(spoken, "open_session", lambda *given: session)
    monkeypatch.setattr(spoken, "run_one", lambda session, step: None)


def test_what_is_heard_word_for_word_loses_nothing_that_the_words_carry(pair, monkeypatch):
    heard(monkeypatch, SCRIPT.turns)
    result = spoken.evaluate_spoken(*pair, embed=letters)
    assert result["sessions"] == 1
    (row,) = result["by_script"]
    assert row["written"]["ruptures"] == row["spoken"]["ruptures"] == 1
    assert row["written"]["hits"] == row["spoken"]["hits"]
    assert "without the author" in result["judged_by"]


def test_a_recording_in_which_nothing_is_heard_loses_all(pair, monkeypatch):
    heard(monkeypatch, [replace(turn, words=()) for turn in SCRIPT.turns])
    result = spoken.evaluate_spoken(*pair, embed=letters)
    assert result["by_script"][0]["spoken"]["hits"] == 0
    written = result["written"]["recall_at_5"]
    assert result["lost_points"]["recall_at_5"] == pytest.approx(100 * written)
    text = spoken.render_spoken(result)
    assert "written" in text
    assert "lose at most 5 points" in text


def test_points_are_lost_only_where_both_sides_have_something_to_count():
    assert spoken._lost(0.75, 0.7) == pytest.approx(5.0)
    assert spoken._lost(None, 0.7) is None
    assert START > 0
    assert moments.PLACES == 5
