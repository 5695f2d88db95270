"""The lanes above the waveform, worked by hand."""

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.records import Turn, Word
from pipeline.review.lanes import bin_s, find_poor_sound, find_silences, floor_share


def turn(start, end, role, backchannel=False):
    return Turn(start, end, role[0], role, (Word(start, end, "word"),), backchannel)


def test_who_holds_the_floor_is_counted_by_bins_without_listening_sounds():
    turns = [turn(0.0, 6.0, "therapist"), turn(3.0, 3.5, "client", True), turn(7.0, 9.0, "client")]
    assert floor_share(turns, 10.0) == [(1.0, 0.0), (0.5, 0.25), (0.0, 0.5)]  # bins of 4, 4 and 2 s
    assert floor_share([], 0.0) == []


@given(st.floats(0.01, 20_000.0))
@example(809.0)  # 200 bins of it end a hair before it
def test_a_session_of_any_length_is_covered_by_its_bins(end_s):
    shares = floor_share([turn(0.0, end_s, "client")], end_s)
    assert 1 <= len(shares) <= 200
    assert set(shares) == {(0.0, 1.0)}
    assert len(shares) * bin_s(end_s) == pytest.approx(end_s, abs=4.0)


def test_silences_lie_between_the_first_word_and_the_last():
    turns = [turn(5.0, 6.0, "therapist"), turn(9.0, 10.0, "client"), turn(12.9, 14.0, "client")]
    assert [tuple(gap) for gap in find_silences(turns, 60.0)] == [(6.0, 9.0)]
    assert find_silences([], 60.0) == []


def test_poor_sound_is_what_the_windows_grey_out_with_its_reason():
    windows = pd.DataFrame(
        {
            "start": [0.0, 5.0, 40.0, 90.0],
            "end": [30.0, 35.0, 70.0, 120.0],
            "grey": [True, True, False, True],
            "grey_why": ["too quiet", "too quiet", "", "both talk at once"],
        }
    )
    assert find_poor_sound(windows) == [(0.0, 35.0, "too quiet"), (90.0, 120.0, "both talk at once")]
    assert find_poor_sound(None) == []
    assert find_poor_sound(windows[["start", "end"]]) == []


@pytest.mark.parametrize("grey", [[None, None], [False, False]])
def test_windows_that_were_not_judged_are_not_poor(grey):
    windows = pd.DataFrame({"start": [0.0, 5.0], "end": [30.0, 35.0], "grey": grey, "grey_why": ["", ""]})
    assert find_poor_sound(windows) == []
