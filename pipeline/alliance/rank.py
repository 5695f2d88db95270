"""Which moments are worth a supervisor's minutes: a small budget, filled in order of evidence."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records import Moment

PER_50_MIN = 5
FULL_S = 50 * 60.0


def budget(duration_s: float) -> int:
    """Five for a session of up to 50 minutes, in proportion above that."""
    return max(PER_50_MIN, round(PER_50_MIN * duration_s / FULL_S))


def choose(candidates: Sequence[Moment], places: int, apart_s: float, withdrawal_places: int) -> list[Moment]:
    """The moments to watch, strongest first; never more than `places`, peaks at least `apart_s` seconds apart.

    withdrawal_places   kept for withdrawal as long as there are such candidates, because confrontation is easier to see
    """
    chosen: list[Moment] = []
    ranked = sorted(candidates, key=lambda m: (-m.score, m.start))
    kept = min(withdrawal_places, sum(m.kind == "withdrawal" for m in ranked))
    for moment in ranked:
        free = places - len(chosen)
        waiting = kept - sum(m.kind == "withdrawal" for m in chosen)
        if free <= 0 or (moment.kind != "withdrawal" and free <= waiting):
            continue
        if all(abs(moment.peak - other.peak) >= apart_s for other in chosen):
            chosen.append(moment)
    return sorted(chosen, key=lambda m: (-m.score, m.start))
