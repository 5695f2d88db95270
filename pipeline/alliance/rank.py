"""Which moments are worth a supervisor's minutes: a small budget, filled in order of evidence."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.alliance.evidence import Span

PER_50_MIN = 5
FULL_S = 50 * 60.0


def budget(duration_s: float) -> int:
    """Five for a session of up to 50 minutes, in proportion above that."""
    return max(PER_50_MIN, round(PER_50_MIN * duration_s / FULL_S))


def choose(candidates: Sequence[Span], places: int, apart_s: float, withdrawal_places: int) -> list[Span]:
    """The spans to flag, strongest first; never more than `places`, peaks at least `apart_s` seconds apart.

    withdrawal_places   kept for withdrawal as long as there are such candidates, because confrontation is easier to see
    """
    chosen: list[Span] = []
    ranked = sorted(candidates, key=lambda s: (-s.excess, s.peak_s))
    kept = min(withdrawal_places, sum(s.family == "withdrawal" for s in ranked))
    for span in ranked:
        free = places - len(chosen)
        waiting = kept - sum(s.family == "withdrawal" for s in chosen)
        if free <= 0 or (span.family != "withdrawal" and free <= waiting):
            continue
        if all(abs(span.peak_s - other.peak_s) >= apart_s for other in chosen):
            chosen.append(span)
    return chosen
