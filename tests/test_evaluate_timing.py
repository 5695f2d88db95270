"""Scores of timing: made turn tables with known errors."""

import json

import pytest

from pipeline.evaluate.timing import evaluate_timing, render_timing
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.records import Turn, Word

ROLE = {"D": "therapist", "P": "client"}


@pytest.fixture
def folder(tmp_path):
    """Forty turns of 3 s with waits of 1 s, a pause of 0.6 s in each."""
    rows, turns = [], []
    for i in range(40):
        at, who = 4.0 * i, "DP"[i % 2]
        for start, end in ((0.0, 1.0), (1.6, 3.0)):
            rows.append({"turn": i, "speaker": who, "word": "well", "start": at + start, "end": at + end})
        turns.append({"speaker": who, "role": ROLE[who], "text": "well well", "start": at, "end": at + 3.0})
    (tmp_path / "one.mp3").write_bytes(b"")
    (tmp_path / "one.words.json").write_text(json.dumps(rows))
    (tmp_path / "one.turns.json").write_text(json.dumps(turns))
    lines = [f"SPEAKER one 1 {t['start']} 3.0 <NA> <NA> {t['speaker']} <NA> <NA>" for t in turns]
    (tmp_path / "one.rttm").write_text("\n".join(lines))
    return tmp_path


def table(late_s=0.0, longer_s=0.0, pause_s=0.6, every=1):
    turns = []
    for i in range(0, 40, every):
        who = "DP"[i % 2]
        start = 4.0 * i + (late_s if who == "P" else 0.0)
        end = 4.0 * i + 3.0 + (longer_s if who == "P" else 0.0)
        words = (Word(start, start + 1.0, "well"), Word(start + 1.0 + pause_s, end, "well"))
        turns.append(Turn(start, end, f"speaker_{who}", ROLE[who], words))
    return measure_turns(turns, None, None, TurnTableOptions())


def test_a_perfect_table_has_no_error(folder):
    pooled = evaluate_timing(folder, lambda path: table())["pooled"]
    assert (pooled["replies"], pooled["found_share"]) == (39, 1.0)
    for name in ("latency_median_s", "latency_p95_s", "pause_p95_s", "talk_share_points"):
        assert pooled[name] == pytest.approx(0.0, abs=1e-9)


def test_errors_are_those_that_were_made(folder):
    pooled = evaluate_timing(folder, lambda path: table(late_s=0.3))["pooled"]
    assert pooled["latency_p95_s"] == pytest.approx(0.3)
    assert pooled["latency_bias_s"] in (pytest.approx(0.3), pytest.approx(0.0))
    assert pooled["talk_share_points"] == pytest.approx(100 * (0.5 - 2.7 / 5.7), abs=0.01)
    pooled = evaluate_timing(folder, lambda path: table(pause_s=0.9))["pooled"]
    assert pooled["pause_median_s"] == pytest.approx(0.3)


def test_replies_that_are_not_there_are_not_found(folder):
    result = evaluate_timing(folder, lambda path: table(late_s=1.2))
    assert result["pooled"]["found_share"] == pytest.approx(19 / 39)
    assert "not kept" in render_timing(result)
    assert "kept" in render_timing(evaluate_timing(folder, lambda path: table()))
