"""The lanes above the waveform: who holds the floor, silences, and stretches where the sound was poor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.intervals import Span, gaps, merge, overlap_s
from pipeline.records import Turn

if TYPE_CHECKING:
    import pandas as pd

SILENCE_S = 3.0  # a silence worth drawing, seconds: the least that counts as therapist-pause-therapist
MOST_BINS = 200
LEAST_BIN_S = 4.0


def floor_share(turns: Sequence[Turn], end_s: float) -> list[tuple[float, float]]:
    """(therapist, client) share of each bin in which they hold the floor, 0 to 1; bins of `bin_s(end_s)`."""
    step = bin_s(end_s)
    spans = [merge(t for t in turns if t.role == role and not t.backchannel) for role in ("therapist", "client")]
    bins = [Span(k * step, min(end_s, (k + 1) * step)) for k in range(MOST_BINS) if k * step < end_s]
    shares = [_share_of_bins(own, bins) for own in spans]
    return list(zip(*shares, strict=True))


def bin_s(end_s: float) -> float:
    """Length of a bin: the session in at most `MOST_BINS`, none shorter than `LEAST_BIN_S`; seconds."""
    return max(LEAST_BIN_S, end_s / MOST_BINS)


def _share_of_bins(spans: Sequence[Span], bins: Sequence[Span]) -> list[float]:
    found, k = [], 0
    for stretch in bins:
        while k < len(spans) and spans[k].end <= stretch.start:
            k += 1
        held, i = 0.0, k
        while i < len(spans) and spans[i].start < stretch.end:
            held += overlap_s(spans[i], stretch)
            i += 1
        found.append(round(held / (stretch.end - stretch.start), 3))
    return found


def find_silences(turns: Sequence[Turn], end_s: float) -> list[Span]:
    """Stretches of at least `SILENCE_S` in which nobody talks, between the first word and the last."""
    if not turns:
        return []
    talk = Span(turns[0].start, min(end_s, max(turn.end for turn in turns)))
    return [gap for gap in gaps(turns, talk) if gap.end - gap.start >= SILENCE_S]


def find_poor_sound(windows: pd.DataFrame | None) -> list[tuple[float, float, str]]:
    """(start, end, why) of the stretches that the window table greys out, neighbours with one reason joined."""
    if windows is None or not {"grey", "grey_why"} <= set(windows.columns):
        return []
    grey = windows[windows["grey"].fillna(False).astype(bool)]
    by_why: dict[str, list[Span]] = {}
    for start, end, why in zip(grey["start"], grey["end"], grey["grey_why"], strict=True):
        by_why.setdefault(str(why), []).append(Span(float(start), float(end)))
    return sorted((span.start, span.end, why) for why, spans in by_why.items() for span in merge(spans))
