"""Turns in their course: who answered whom, how late, how short, against the person's usual."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alliance import timing
from pipeline.records import Turn, Word


def turns_from(rows):
    """(role, words, gap) -> turns; half a second a word."""
    out, at = [], 0.0
    for role, text, gap in rows:
        start = max(0.0, at + gap)
        words = tuple(Word(start + 0.5 * k, start + 0.5 * k + 0.5, w) for k, w in enumerate(text.split()))
        at = words[-1].end
        out.append(Turn(start, at, role, role, words))
    return out


LONG = "I went to the lake with my sister and the kids and it was good"
ROWS = [("therapist", "How was your week?", 0.3), ("client", LONG, 0.5)] * 6


def test_a_latency_runs_from_the_others_end_and_is_negative_on_overlap():
    turns = turns_from(
        [("therapist", "What was that like?", 0.0), ("client", "Fine.", 2.5), ("therapist", "Mm.", -0.2)]
    )
    course = timing.measure_course(turns)
    assert course[0].latency_s is None
    assert course[1].latency_s == pytest.approx(2.5)
    assert course[2].latency_s == pytest.approx(-0.2)


def test_a_long_break_is_no_answer():
    course = timing.measure_course(turns_from([("therapist", "Say more?", 0.0), ("client", "Yes.", 90.0)]))
    assert course[1].latency_s is None


def test_a_late_and_short_reply_stands_out_from_the_persons_usual():
    turns = turns_from([*ROWS, ("therapist", "What is it like for you?", 0.3), ("client", "Fine.", 5.0)])
    last = timing.measure_course(turns)[-1]
    assert last.invited
    assert last.minimal
    assert last.latency_z > 2
    assert last.log_words_z < -2
    assert last.usual_words == pytest.approx(len(LONG.split()), abs=0.5)
    assert last.usual_latency_s == pytest.approx(0.5, abs=0.05)


def test_runs_of_minimal_replies_are_counted_and_end_with_content():
    ask = ("therapist", "What comes up for you?", 0.3)
    turns = turns_from([ask, ("client", "Yeah.", 0.3), ask, ("client", "Okay.", 0.3), ask, ("client", LONG, 0.3)])
    assert [
        row.short_run for row, t in zip(timing.measure_course(turns), turns, strict=True) if t.role == "client"
    ] == [
        1,
        2,
        0,
    ]


def test_a_silence_counts_only_between_two_turns_of_the_therapist():
    kept = turns_from([("therapist", "What is there?", 0.0), ("therapist", "Take your time.", 6.0)])
    answered = turns_from([("therapist", "What is there?", 0.0), ("client", "Grief.", 6.0)])
    (silence,) = timing.find_silences(kept, 3.0)
    assert silence.end - silence.start == pytest.approx(6.0)
    assert silence.invited
    assert silence.turn == 1
    assert timing.find_silences(answered, 3.0) == []
    assert timing.find_silences(kept, 7.0) == []


def test_backchannels_do_not_stand_between_question_and_answer():
    turns = turns_from([("therapist", "What is there for you?", 0.0), ("client", "Mm.", -0.3), ("client", LONG, 1.0)])
    turns[1] = Turn(turns[1].start, turns[1].end, "client", "client", turns[1].words, backchannel=True)
    course = timing.measure_course(turns)
    assert course[2].before == 0
    assert course[2].own_before is None


@given(
    st.lists(st.tuples(st.sampled_from(["therapist", "client"]), st.integers(1, 12), st.floats(-0.4, 8.0)), min_size=2)
)
def test_a_later_start_of_the_clock_changes_nothing(rows):
    turns = turns_from([(role, " ".join(["word"] * n), gap) for role, n, gap in rows])
    turns.sort(key=lambda t: t.start)
    moved = [
        Turn(
            t.start + 10, t.end + 10, t.speaker, t.role, tuple(Word(w.start + 10, w.end + 10, w.text) for w in t.words)
        )
        for t in turns
    ]
    for a, b in zip(timing.measure_course(turns), timing.measure_course(moved), strict=True):
        assert (a.before, a.after, a.words, a.minimal, a.short_run) == (
            b.before,
            b.after,
            b.words,
            b.minimal,
            b.short_run,
        )
        assert a.latency_z == pytest.approx(b.latency_z, abs=1e-6)


@pytest.mark.parametrize(("value", "expected"), [(5.0, 0.0), (100.0, 4.0), (-100.0, -4.0)])
def test_robust_z_is_clipped_and_centred_on_the_median(value, expected):
    assert timing.robust_z(value, [4.0, 5.0, 5.0, 5.0, 6.0], 1.0) == expected


def test_robust_z_needs_something_to_compare_with():
    assert timing.robust_z(9.0, [1.0, 2.0], 1.0) == 0.0


def test_floor_share():
    turns = turns_from([("therapist", "a b c d", 0.0), ("client", "a b c d e f g h i j k l", 0.0)])
    assert timing.floor_share(turns, "client", 0.0, 8.0) == pytest.approx(0.75)
    assert timing.floor_share(turns, "client", 50.0, 60.0) is None
