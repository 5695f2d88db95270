import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline import intervals
from pipeline.intervals import Span

times = st.floats(0, 100, allow_nan=False).map(lambda t: round(t, 2))
spans = st.tuples(times, times).map(lambda pair: Span(min(pair), max(pair) + 0.01))
many = st.lists(spans, max_size=12)


def test_touching_intervals_share_nothing():
    assert intervals.overlap_s(Span(0, 1), Span(1, 2)) == 0.0
    assert intervals.gap_s(Span(0, 1), Span(1, 2)) == 0.0
    assert intervals.within([Span(1, 2)], Span(0, 1)) == []


def test_gap_does_not_depend_on_order():
    assert intervals.gap_s(Span(0, 1), Span(3, 4)) == intervals.gap_s(Span(3, 4), Span(0, 1)) == 2.0


def test_merge_bridges_gaps_up_to_the_given_length():
    assert intervals.merge([Span(0, 1), Span(1.5, 2)], gap=0.5) == [Span(0, 2)]
    assert intervals.merge([Span(0, 1), Span(1.6, 2)], gap=0.5) == [Span(0, 1), Span(1.6, 2)]


def test_an_inner_interval_does_not_shorten_the_outer():
    assert intervals.merge([Span(0, 10), Span(2, 3)]) == [Span(0, 10)]


@given(many)
def test_merged_intervals_are_in_order_and_apart(items):
    merged = intervals.merge(items)
    assert all(a.end < b.start for a, b in itertools.pairwise(merged))
    assert all(any(m.start <= i.start and i.end <= m.end for m in merged) for i in items)


@given(many, spans)
def test_covered_and_uncovered_time_make_up_the_window(items, window):
    free = sum(gap.end - gap.start for gap in intervals.gaps(items, window))
    assert abs(intervals.covered_s(window, items) + free - (window.end - window.start)) < 1e-6


@given(many)
def test_total_counts_overlap_once(items):
    assert intervals.total_s(items) <= sum(i.end - i.start for i in items) + 1e-9
    assert intervals.total_s([*items, *items]) == intervals.total_s(items)
