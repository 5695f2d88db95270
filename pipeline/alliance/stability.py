"""How well a flag survives when the rules are shaken: a statement about the tool, not about the session.

Evidence is scaled by a log-normal factor around the base and thresholds are moved; the share of repeats in which the
flag is still chosen gives its band. Seeded, so that the same session always gets the same bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.alliance.evidence import Evidence, Span
from pipeline.records import Turn

if TYPE_CHECKING:
    from pipeline.alliance.moments import MomentsOptions

SEED = 20
SCALE = 0.3  # spread of the log-normal factor on a turn's evidence
THRESHOLD = 0.3  # thresholds move this far either way
STRONGER, SOME = 0.8, 0.5  # shares of repeats
Choose = Callable[[dict[str, Evidence], Sequence[Turn], "MomentsOptions", float], list[Span]]


def find_bands(
    evidence: dict[str, Evidence],
    spans: Sequence[Span],
    turns: Sequence[Turn],
    options: MomentsOptions,
    duration: float,
    choose: Choose,
) -> list[str]:
    """One of "stronger", "some", "weak" for each span: from 80 %, from 50 %, or fewer of the repeats keep it."""
    if not spans:
        return []
    kept = np.zeros(len(spans))
    rng = np.random.default_rng(SEED)
    for _ in range(options.stability_runs):
        shaken = {family: _shake(rows, options.base, rng) for family, rows in evidence.items()}
        move = rng.uniform(-THRESHOLD, THRESHOLD, 2)
        moved = replace(
            options,
            threshold_withdrawal=options.threshold_withdrawal + move[0],
            threshold_confrontation=options.threshold_confrontation + move[1],
        )
        again = choose(shaken, turns, moved, duration)
        kept += [_is_among(span, again) for span in spans]
    shares = kept / max(1, options.stability_runs)
    return ["stronger" if share >= STRONGER else "some" if share >= SOME else "weak" for share in shares]


def _shake(rows: Evidence, base: float, rng: np.random.Generator) -> Evidence:
    factors = rng.lognormal(0.0, SCALE, len(rows.log_odds))
    return Evidence(rows.turns, tuple(base + f * (x - base) for f, x in zip(factors, rows.log_odds, strict=True)))


def _is_among(span: Span, others: Sequence[Span]) -> bool:
    return any(o.family == span.family and o.first <= span.last and o.last >= span.first for o in others)
