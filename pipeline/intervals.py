"""Interval arithmetic: the only place for it.

An interval is any object with `start` and `end` in seconds, half-open `[start, end)`. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class HasTimes(Protocol):
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...


class Span(NamedTuple):
    """A bare interval."""

    start: float
    end: float


def overlap_s(a: HasTimes, b: HasTimes) -> float:
    """Seconds that `a` and `b` share; 0.0 where they only touch."""
    return max(0.0, min(a.end, b.end) - max(a.start, b.start))


def gap_s(a: HasTimes, b: HasTimes) -> float:
    """Seconds between `a` and `b`, whichever comes first; 0.0 where they touch or overlap."""
    return max(0.0, max(a.start, b.start) - min(a.end, b.end))


def merge(intervals: Iterable[HasTimes], gap: float = 0.0) -> list[Span]:
    """Union of the intervals, in order; neighbours no further apart than `gap` seconds become one."""
    merged: list[Span] = []
    for item in sorted(intervals, key=lambda i: (i.start, i.end)):
        if merged and item.start - merged[-1].end <= gap:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, item.end))
        else:
            merged.append(Span(item.start, item.end))
    return merged


def covered_s(interval: HasTimes, others: Sequence[HasTimes]) -> float:
    """Seconds of `interval` that lie inside any of `others`; overlapping `others` count once."""
    return sum(overlap_s(interval, span) for span in merge(others))


def total_s(intervals: Iterable[HasTimes]) -> float:
    """Seconds covered by any of the intervals; overlaps count once."""
    return sum(span.end - span.start for span in merge(intervals))


def within(intervals: Iterable[HasTimes], window: HasTimes) -> list:
    """The intervals that share time with `window`, unchanged and in the order given."""
    return [item for item in intervals if item.start < window.end and item.end > window.start]


def gaps(intervals: Iterable[HasTimes], window: HasTimes) -> list[Span]:
    """What of `window` no interval covers, in order."""
    spans: list[Span] = []
    at = window.start
    for item in merge(intervals):
        if item.start > at and at < window.end:
            spans.append(Span(at, min(item.start, window.end)))
        at = max(at, item.end)
    if at < window.end:
        spans.append(Span(at, window.end))
    return spans
