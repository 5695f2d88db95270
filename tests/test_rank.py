"""The budget: few flags, apart from each other, places kept for withdrawal, none where nothing passes."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alliance import rank, stability
from pipeline.alliance.evidence import Evidence, Span
from pipeline.alliance.moments import MomentsOptions, choose_spans
from pipeline.records import Turn


def span(family, at, excess):
    return Span(family, 0, 0, 0, at, excess, excess)


def test_the_budget_grows_with_the_session_and_never_falls_below_five():
    assert [rank.budget(60 * minutes) for minutes in (10, 50, 100)] == [5, 5, 10]


def test_nothing_is_chosen_where_nothing_passes():
    assert rank.choose([], 5, 60.0, 2) == []


def test_the_strongest_come_first_and_lie_apart():
    near = [span("withdrawal", 100, 1.0), span("confrontation", 130, 2.0), span("withdrawal", 300, 0.5)]
    assert [s.peak_s for s in rank.choose(near, 5, 75.0, 2)] == [130, 300]


def test_places_are_kept_for_withdrawal():
    loud = [span("confrontation", 100.0 * k, 5.0 - k / 10) for k in range(6)]
    quiet = [span("withdrawal", 1000.0 + 100 * k, 0.1) for k in range(3)]
    kinds = [s.family for s in rank.choose(loud + quiet, 5, 60.0, 2)]
    assert kinds.count("withdrawal") == 2
    assert kinds.count("confrontation") == 3


spans = st.builds(
    span, st.sampled_from(["withdrawal", "confrontation"]), st.floats(0, 3000), st.floats(0.0, 5.0, allow_nan=False)
)


@given(st.lists(spans, max_size=30), st.integers(0, 6))
def test_never_more_than_the_places_and_always_apart(candidates, places):
    chosen = rank.choose(candidates, places, 75.0, 2)
    assert len(chosen) <= places
    times = sorted(s.peak_s for s in chosen)
    assert all(b - a >= 75.0 for a, b in pairwise(times))


def evidence_with(peak):
    return {
        "withdrawal": Evidence(tuple(range(0, 20, 2)), tuple([-3.5] * 5 + [peak] + [-3.5] * 4)),
        "confrontation": Evidence((), ()),
    }


def test_a_strong_flag_is_steadier_than_one_that_just_passes():
    turns = [Turn(10.0 * i, 10.0 * i + 5, "x", "client" if i % 2 == 0 else "therapist", ()) for i in range(20)]
    options = MomentsOptions(stability_runs=100)
    bands = []
    for peak in (3.0, options.threshold_withdrawal + 0.01):
        evidence = evidence_with(peak)
        found = choose_spans(evidence, turns, options, 200.0)
        bands += stability.find_bands(evidence, found, turns, options, 200.0, choose_spans)
        again = stability.find_bands(evidence, found, turns, options, 200.0, choose_spans)
        assert again == bands[-1:]
    assert bands[0] == "stronger"
    assert bands[1] in ("some", "weak")
    assert np.isfinite(options.base)
