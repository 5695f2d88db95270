"""Word edges by the sound itself: a recogniser's word reaches over the pause before it, a spoken word does not.

Whisper's attention moves on a little before the next word is heard, and a pause belongs to no token, so a word after a
pause begins far too early. Both are mended here, for every engine alike. Times in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.intervals import Span, merge, within
from pipeline.records import Activity, Word

if TYPE_CHECKING:
    import numpy as np

# Median early start of Whisper's words against forced alignment (two interviews, 49 and 57 ms) and against synthesised
# speech with known times (98 ms at starts, 50 ms at ends).
LEAD_S = 0.05
LEVEL_S = 0.01  # one value of level
QUIET_DB = 25.0  # this far under the loud parts of a word is no part of it; the consonants of a word are louder
QUIET_S = 0.12  # a quiet run this long is a pause; the closure of a stop consonant is shorter
LEAST_SOUND_S = 0.1  # what is left of a word after a pause is at least this long


def tighten(words: Sequence[Word], activity: Sequence[Activity], samples: np.ndarray, rate_hz: int) -> list[Word]:
    """The words, later by the recogniser's lead, cut to the voice activity and to the sound after their last pause.

    words    in any order; a word that touches no activity keeps its edges
    samples  float32, (n,), mono
    """
    level_db = measure_level(samples, rate_hz)
    end_s = len(samples) / rate_hz
    stretches = merge(activity)
    tight = []
    for word in words:
        late = replace(word, start=min(word.start + LEAD_S, end_s), end=min(word.end + LEAD_S, end_s))
        tight.append(_after_pause(_inside(late, within(stretches, late)), level_db))
    return tight


def measure_level(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Level in dB re full scale, one value each `LEVEL_S`, over three of them: a glottal pulse is no word edge."""
    import numpy as np

    hop = round(LEVEL_S * rate_hz)
    n = len(samples) // hop
    power = np.einsum("ij,ij->i", *[samples[: n * hop].reshape(n, hop)] * 2) / hop
    return 10 * np.log10(np.convolve(power, np.full(3, 1 / 3), mode="same") + 1e-10) if n else np.zeros(0)


def _inside(word: Word, stretches: Sequence[Span]) -> Word:
    """The part of the word in the last stretch that holds a word's worth of it: pauses come before, not after."""
    parts = [Span(max(word.start, s.start), min(word.end, s.end)) for s in stretches]
    if not parts:
        return word
    long = [part for part in parts if part.end - part.start >= LEAST_SOUND_S]
    part = long[-1] if long else max(parts, key=lambda p: p.end - p.start)
    return replace(word, start=round(part.start, 3), end=round(part.end, 3))


def _after_pause(word: Word, level_db: np.ndarray) -> Word:
    """The word without a pause, and what sounds before the pause, at its beginning."""
    import numpy as np

    first, last = round(word.start / LEVEL_S), round(word.end / LEVEL_S)
    least, run = round(LEAST_SOUND_S / LEVEL_S), round(QUIET_S / LEVEL_S)
    inside = level_db[first:last]
    if len(inside) < least + run:
        return word
    quiet = inside < np.percentile(inside, 95) - QUIET_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8))).reshape(-1, 2)
    pauses = [end for start, end in edges.tolist() if end - start >= run and len(inside) - end >= least]
    if not pauses:
        return word
    return replace(word, start=round(float(max(word.start, (first + pauses[-1]) * LEVEL_S)), 3))
