"""Entrainment: whether neighbouring turns of the two people move together, beside the same with the pairs shuffled.

Stored and never used for a moment: published work does not agree on its sign. Pitch and level need both voices, and so
are missing unless the therapist's voice is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.intervals import Span

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {"pitch": "pitch_st", "level": "level_db", "rate": "words_per_min"}
COLUMNS = tuple(f"{name}_entrainment{part}" for name in MEASURES for part in ("", "_shuffled"))
LEAST_PAIRS = 8  # fewer give a correlation that is mostly chance


def measure(table: pd.DataFrame, span: Span, shuffles: int) -> dict[str, float]:
    """Rank correlation of each turn with the other's turn that it answers, and the 95th percentile by chance.

    table     the turn table
    shuffles  0 leaves all columns missing
    """
    row = dict.fromkeys(COLUMNS, float("nan"))
    if shuffles == 0 or table.empty:
        return row
    inside = (table["start"] >= span.start) & (table["start"] < span.end) & (table["answers_turn"] >= 0)
    at = np.flatnonzero(inside.to_numpy())
    before = table["answers_turn"].to_numpy()[at]
    for name, column in MEASURES.items():
        values = table[column].to_numpy(dtype=float)
        pairs = np.isfinite(values[at]) & np.isfinite(values[before])
        if pairs.sum() >= LEAST_PAIRS:
            row |= _correlate(name, values[before[pairs]], values[at[pairs]], shuffles)
    return row


def _correlate(name: str, before: np.ndarray, after: np.ndarray, shuffles: int) -> dict[str, float]:
    chance = np.random.default_rng(0)  # the same pairs by chance every time
    a, b = _ranks(before), _ranks(after)
    if a.std() == 0 or b.std() == 0:
        return {}
    by_chance = [np.corrcoef(a, chance.permutation(b))[0, 1] for _ in range(shuffles)]
    return {
        f"{name}_entrainment": float(np.corrcoef(a, b)[0, 1]),
        f"{name}_entrainment_shuffled": float(np.percentile(by_chance, 95)),
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)
