"""Baseline: how far a value lies from the same person's usual in the same session.

Robust z = (x - usual) / max(1.4826 MAD, floor), clipped to 4 either way. The usual of a turn is the median over the
person's own turns away from it, so that a long unusual passage does not become its own measure. Too little to compare
with gives a missing value and the reason, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLIP = 4.0
MAD_TO_SD = 1.4826  # of a normal distribution

# The least spread that a value is measured by: about what can be heard or measured at all. The first six are standard
# practice; those marked ours keep one unsteady value from looking rare.
FLOORS = {
    "pitch_st": 0.5,
    "pitch_range_st": 1.0,
    "level_db": 1.5,
    "articulation_syll_per_s": 0.3,
    "log_latency": 0.25,
    "log_words": 0.35,
    "pitch_slope_st_per_s": 1.0,  # ours
    "words_per_min": 20.0,  # ours: 0.3 syllables a second at about 1.3 syllables a word, and some for word times
    "pause_share": 0.05,  # ours
    "jitter_percent": 0.3,  # ours
    "shimmer_percent": 1.0,  # ours
    "hnr_db": 1.0,  # ours
    "cpp_db": 1.0,  # ours
}


@dataclass(frozen=True)
class Needs:
    """What it takes to have a usual.

    turns    turns to compare with
    speech_s seconds of speech in them; 0 where the number of turns is enough
    away_s   turns nearer than this to the one measured are left out
    detrend  take out a straight line over the session first: people warm up and tire
    """

    turns: int = 30
    speech_s: float = 240.0
    away_s: float = 60.0
    detrend: bool = True


@dataclass(frozen=True)
class Compared:
    """One value a turn.

    z       robust z; NaN where missing
    usual   the person's usual in the value's own unit, at this point of the session; NaN where missing
    reason  why z is missing, or ""
    """

    z: np.ndarray
    usual: np.ndarray
    reason: list[str]


def compare(
    values: np.ndarray, start: np.ndarray, end: np.ndarray, usable: np.ndarray, floor: float, needs: Needs
) -> Compared:
    """Each value of one person against the person's own others.

    values   one a turn; NaN where not measured
    start, end   of the turns, seconds
    usable   turns that may serve as baseline
    floor    see `FLOORS`
    """
    values = np.asarray(values, dtype=float)
    usable = np.asarray(usable, dtype=bool) & np.isfinite(values)
    middle = (start + end) / 2
    trend = _trend(values, middle, usable) if needs.detrend else np.zeros(values.size)
    level = values - trend
    z, usual = np.full(values.size, np.nan), np.full(values.size, np.nan)
    reason = [""] * values.size
    for i in range(values.size):
        if not np.isfinite(values[i]):
            reason[i] = "not measured"
            continue
        away = usable & ((start >= end[i] + needs.away_s) | (end <= start[i] - needs.away_s))
        reason[i] = _too_little(away, end - start, needs)
        if reason[i]:
            continue
        center = np.median(level[away])
        spread = max(MAD_TO_SD * np.median(np.abs(level[away] - center)), floor)
        z[i] = np.clip((level[i] - center) / spread, -CLIP, CLIP)
        usual[i] = center + trend[i]
    return Compared(z, usual, reason)


def _too_little(away: np.ndarray, length_s: np.ndarray, needs: Needs) -> str:
    speech_s = float(length_s[away].sum())
    if speech_s < needs.speech_s:
        return f"baseline too short: {speech_s / 60:.1f} min"
    if away.sum() < max(needs.turns, 3):
        return f"baseline too short: {int(away.sum())} turns"
    return ""


def _trend(values: np.ndarray, at: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """The straight line through the usable values (Theil-Sen: the median of all slopes), 0 at their middle time."""
    if usable.sum() < 10:
        return np.zeros(values.size)
    from scipy.stats import theilslopes

    slope = theilslopes(values[usable], at[usable]).slope
    return slope * (at - np.median(at[usable]))
