"""Who waits how long for what, and how two voices meet."""

import numpy as np
import pytest

from pipeline.features.latency import is_minimal, measure_replies
from pipeline.records import Turn, Word


def turn(start, end, who, text="so it goes on", backchannel=False):
    role = {"T": "therapist", "C": "client", "O": "other"}[who]
    return Turn(start, end, who, role, (Word(start, end, text),), backchannel)


def replies(*turns, kinds=None):
    return measure_replies(turns, kinds or ["open question"] * len(turns))


def test_latency_is_from_the_others_end_and_signed():
    first, late, early = replies(turn(0, 2, "T"), turn(3.5, 6, "C"), turn(5.4, 9, "T"))
    assert np.isnan(first.latency_s)
    assert (first.answers, first.answers_turn) == ("", -1)
    assert late.latency_s == pytest.approx(1.5)
    assert (late.answers, late.answers_turn) == ("open question", 0)
    assert early.latency_s == pytest.approx(-0.6)


def test_nobody_waits_after_ones_own_turn_or_a_break():
    rows = replies(turn(0, 2, "T"), turn(6, 8, "T"), turn(70, 72, "C"))
    assert np.isnan(rows[1].latency_s)
    assert rows[1].pause_before_s == pytest.approx(4.0)
    assert np.isnan(rows[2].latency_s)
    assert rows[2].answers == ""


def test_a_backchannel_is_no_answer_and_hides_none():
    rows = replies(turn(0, 10, "T"), turn(4, 4.4, "C", "mm", True), turn(11, 12, "C"))
    assert np.isnan(rows[1].latency_s)
    assert rows[1].overlap == "backchannel"
    assert rows[2].latency_s == pytest.approx(1.0)
    assert rows[2].answers_turn == 0


@pytest.mark.parametrize(
    ("holder", "second", "kind"),
    [
        (turn(0, 5, "T"), turn(4.9, 8, "C"), ""),  # a smooth change
        (turn(0, 5, "T"), turn(4.6, 8, "C"), "collaborative"),
        (turn(0, 5, "T"), turn(4.0, 8, "C"), "interruption, holder yields"),
        (turn(0, 9, "T"), turn(4.0, 8, "C"), "interruption, holder goes on"),
        (turn(0, 7, "T"), turn(4.0, 9, "C"), "interruption, holder goes on"),
        (turn(0, 7, "T", "and then he—"), turn(4.0, 9, "C"), "interruption, holder yields"),
    ],
)
def test_overlap_by_form(holder, second, kind):
    assert replies(holder, second)[1].overlap == kind


def test_overlap_seconds_are_those_both_speak():
    assert replies(turn(0, 9, "T"), turn(4, 6, "C"))[1].overlap_s == pytest.approx(2.0)


def test_turns_out_of_order_are_refused_by_number():
    with pytest.raises(ValueError, match=r"turn 1 starts at 1.00 s, before turn 0 at 2.00 s"):
        replies(turn(2, 3, "T"), turn(1, 2, "C"))


def test_minimal():
    assert is_minimal("I guess so", 0.0)
    assert not is_minimal("I guess it was hard", 0.0)
    assert is_minimal("yeah, okay, sure, of course", 1.0)
    assert not is_minimal("yeah it was hard really", float("nan"))
