"""The course of the session: shares, silences, runs and trends of a session laid out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.course import find_silences
from pipeline.features.entrainment import measure as measure_entrainment
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.features.windows import WindowsOptions, find_spans, measure_windows
from pipeline.formats import dump
from pipeline.intervals import Span
from pipeline.records import Turn, Word


def turn(start, end, who, text="well it goes on", backchannel=False):
    role = {"T": "therapist", "C": "client", "O": "other"}[who]
    texts = text.split()
    step = (end - start) / len(texts)
    words = tuple(Word(start + k * step, start + (k + 1) * step, w, 0.9) for k, w in enumerate(texts))
    return Turn(start, end, who, role, words, backchannel)


def windows_of(turns, kind="5 min", frames=None):
    table = measure_turns(turns, None, None, TurnTableOptions())
    windows = measure_windows(turns, table, frames, WindowsOptions())
    return windows[windows["kind"] == kind].reset_index(drop=True)


def test_spans_cover_the_session_and_end_with_it():
    spans = list(find_spans(130.0, 5.0))
    by_kind = {kind: [span for k, span in spans if k == kind] for kind in ("30 s", "60 s", "5 min", "minute")}
    assert by_kind["30 s"][0] == (0, 30)
    assert by_kind["30 s"][1] == (5, 35)
    assert by_kind["30 s"][-1] == (100, 130)
    assert by_kind["60 s"][-1] == (70, 130)
    assert by_kind["5 min"] == [(0, 130)]
    assert by_kind["minute"] == [(0, 60), (60, 120), (120, 130)]
    with pytest.raises(ValueError, match="above 0"):
        list(find_spans(10.0, 0.0))


def test_floor_share_and_seconds():
    row = windows_of([turn(0, 30, "T"), turn(30, 40, "C"), turn(50, 60, "O")]).iloc[0]
    assert (row["therapist_talk_s"], row["client_talk_s"]) == (30.0, 10.0)
    assert row["client_floor_share"] == pytest.approx(0.2)
    minute = windows_of([turn(50, 70, "C"), turn(80, 120, "T")], "minute")
    assert minute["client_talk_s"].tolist() == [10.0, 10.0]


def test_who_breaks_silences():
    turns = [turn(0, 5, "T"), turn(9, 12, "C"), turn(13, 15, "T"), turn(20, 25, "T"), turn(100, 101, "C")]
    row = windows_of(turns).iloc[0]
    assert row["silence_s"] == pytest.approx(9.0)  # 4 s and 5 s; a gap of 1 s is none, one of 75 s is a break
    assert row["silence_broken_by_client_s"] == pytest.approx(4.0)
    assert row["silence_broken_by_therapist_s"] == pytest.approx(5.0)
    assert row["t_pause_t"] == 1
    assert row["longest_t_pause_t_s"] == pytest.approx(5.0)


def test_a_backchannel_breaks_no_silence():
    turns = [turn(0, 5, "T"), turn(7, 7.4, "C", "mm", True), turn(10, 12, "T")]
    assert [(s.start, s.end, s.held) for s in find_silences(turns)] == [(5, 10, True)]


def test_minimal_replies_count_after_open_invitations_only():
    def session(ask):
        pairs = [(turn(10 * i, 10 * i + 3, "T", ask), turn(10 * i + 4, 10 * i + 5, "C", "I guess")) for i in range(3)]
        return [t for pair in pairs for t in pair]

    assert windows_of(session("What was that like for you?")).iloc[0]["minimal_replies"] == 3
    assert windows_of(session("Did you sleep?")).iloc[0]["minimal_replies"] == 0


def test_replies_that_shrink_have_a_falling_trend():
    sizes = [40, 20, 10, 5]
    turns = []
    for i, n in enumerate(sizes):
        turns += [turn(20 * i, 20 * i + 2, "T"), turn(20 * i + 3, 20 * i + 15, "C", "so " * n)]
    row = windows_of(turns).iloc[0]
    assert row["client_log_words_trend"] < -0.5
    assert row["client_words_per_turn"] == 15
    assert row["client_latency_s"] == pytest.approx(1.0)
    assert np.isnan(windows_of(turns[:2]).iloc[0]["client_log_words_trend"])


def test_interruptions_and_overlap():
    row = windows_of([turn(0, 6, "T"), turn(5, 9, "C"), turn(20, 26, "T"), turn(22, 23, "C")]).iloc[0]
    assert row["interruptions"] == 2
    assert row["overlap_s"] == pytest.approx(2.0)


def test_phases():
    turns = [turn(60 * i, 60 * i + 50, "C") for i in range(20)]
    minutes = windows_of(turns, "minute")
    assert minutes["phase"].tolist() == ["opening"] * 3 + ["middle"] * 14 + ["closing"] * 3


def test_entrainment_beside_chance():
    chance = np.random.default_rng(0)
    n = 60
    together = chance.normal(size=n)
    rate = np.repeat(together, 2) + chance.normal(size=2 * n) * 0.1
    table = pd.DataFrame(
        {
            "start": np.arange(2 * n) * 2.0,
            "answers_turn": np.where(np.arange(2 * n) % 2 == 1, np.arange(2 * n) - 1, -1),
            "pitch_st": np.nan,
            "level_db": chance.normal(size=2 * n),
            "words_per_min": rate,
        }
    )
    row = measure_entrainment(table, Span(0, 1000), 200)
    assert row["rate_entrainment"] > 0.9 > 0.5 > row["rate_entrainment_shuffled"] > 0
    assert abs(row["level_entrainment"]) < 0.4
    assert np.isnan(row["pitch_entrainment"])
    assert row == pytest.approx(measure_entrainment(table, Span(0, 1000), 200), nan_ok=True)
    assert all(np.isnan(value) for value in measure_entrainment(table, Span(0, 20), 200).values())


def test_an_empty_session_has_the_columns_and_no_row():
    table = measure_turns([], None, None, TurnTableOptions())
    empty = measure_windows([], table, None, WindowsOptions())
    full = windows_of([turn(0, 5, "C")])
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)
    assert dump("windows.parquet", empty)


def test_a_table_of_another_session_is_refused():
    table = measure_turns([turn(0, 5, "C")], None, None, TurnTableOptions())
    with pytest.raises(ValueError, match="1 rows for 2 turns"):
        measure_windows([turn(0, 5, "C"), turn(6, 7, "T")], table, None, WindowsOptions())


@st.composite
def any_turns(draw):
    n = draw(st.integers(1, 12))
    starts = sorted(draw(st.lists(st.floats(0, 400), min_size=n, max_size=n)))
    texts = st.sampled_from(
        ["mm", "I guess", "What was that like?", "it sounds hard, you never listen", "no — I mean—"]
    )
    return [
        turn(a, a + draw(st.floats(0.01, 60)), draw(st.sampled_from("TCO")), draw(texts), draw(st.booleans()))
        for a in starts
    ]


@settings(max_examples=25, deadline=None)
@given(any_turns())
def test_whatever_the_turns_the_seconds_add_up(turns):
    table = measure_turns(turns, None, None, TurnTableOptions())
    windows = measure_windows(turns, table, None, WindowsOptions())
    assert len(table) == len(turns)
    length = windows["end"] - windows["start"]
    assert (windows["silence_s"] <= length + 1e-9).all()
    assert (windows["silence_broken_by_client_s"] + windows["silence_broken_by_therapist_s"] <= length + 1e-9).all()
    assert windows["client_floor_share"].dropna().between(0, 1).all()
    minutes = windows[windows["kind"] == "minute"]
    said = sum(t.end - t.start for t in turns if t.role == "client")
    assert minutes["client_talk_s"].sum() == pytest.approx(said)
    assert (table["overlap_s"] <= table["duration_s"] + 1e-9).all()
