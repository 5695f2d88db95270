"""The quality track: how far the sound and the words of a stretch can be trusted.

A grey minute neither raises nor lowers anything. A measure that is missing makes no minute grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.features.pitch import FRAME_S
from pipeline.intervals import Span
from pipeline.records import Turn

if TYPE_CHECKING:
    import pandas as pd

LEAST_S = 2.0  # of speech, or of quiet, before a level is read from it
ROOM_S = 300.0  # the room's level is read within this much around, because a busy minute may hold no quiet


class Limits(Protocol):
    grey_snr_db: float
    grey_confidence: float
    grey_clipped_share: float
    grey_dropout_s: float
    grey_overlap_share: float


class Track:
    """What quality is read from, laid out once."""

    def __init__(self, turns: Sequence[Turn], frames: pd.DataFrame | None) -> None:
        words = sorted((word.start, word.confidence) for turn in turns for word in turn.words)
        self.word_start = np.array([start for start, _ in words])
        self.confidence = np.array([confidence for _, confidence in words])
        self.sound = frames is not None and len(frames) > 0
        if self.sound:
            self.speaks = (frames["speaker"].astype(str) != "").to_numpy()
            self.level, self.clipped, self.dropout, self.overlap = (
                frames[name].to_numpy() for name in ("intensity_db", "clipped", "dropout", "overlap")
            )

    def measure(self, span: Span, limits: Limits) -> dict[str, object]:
        """snr_db, clipped_share, dropout_s, overlap_share, word_confidence, grey and grey_why of one stretch."""
        first, last = np.searchsorted(self.word_start, [span.start, span.end])
        row: dict[str, object] = {
            "snr_db": np.nan,
            "clipped_share": np.nan,
            "dropout_s": np.nan,
            "overlap_share": np.nan,
            "word_confidence": float(self.confidence[first:last].mean()) if last > first else np.nan,
        }
        if self.sound:
            row |= self._sound(span)
        why = _why_grey(row, span.end - span.start, limits)
        return row | {"grey": bool(why), "grey_why": why}

    def _sound(self, span: Span) -> dict[str, float]:
        here = self._frames(span.start, span.end)
        speaks = self.speaks[here]
        if not speaks.any():
            return {}
        return {
            "snr_db": self._snr_db(span),
            "clipped_share": float((self.clipped[here][speaks] > 0.01).mean()),
            "dropout_s": float((self.dropout[here] & speaks).sum() * FRAME_S),
            "overlap_share": float(self.overlap[here][speaks].mean()),
        }

    def _snr_db(self, span: Span) -> float:
        """Loud speech (80th percentile) over the room (median where nobody speaks); NaN with too little of either."""
        here = self._frames(span.start, span.end)
        middle = (span.start + span.end) / 2
        around = self._frames(middle - ROOM_S / 2, middle + ROOM_S / 2)
        speech = self.level[here][self.speaks[here] & np.isfinite(self.level[here])]
        room = self.level[around][~self.speaks[around] & np.isfinite(self.level[around])]
        if min(speech.size, room.size) * FRAME_S < LEAST_S:
            return float("nan")
        return float(np.percentile(speech, 80) - np.median(room))

    def _frames(self, start: float, end: float) -> slice:
        return slice(max(0, round(start / FRAME_S)), max(0, round(end / FRAME_S)))


def _why_grey(row: dict[str, object], length_s: float, limits: Limits) -> str:
    """The reasons, joined; "" for a stretch that can be read. A measure that is missing is no reason."""
    reasons = [
        (row["snr_db"] < limits.grey_snr_db, f"speech only {row['snr_db']:.0f} dB above the room"),
        (row["clipped_share"] > limits.grey_clipped_share, f"{row['clipped_share']:.0%} of the speech at full scale"),
        (row["dropout_s"] * 60 / length_s > limits.grey_dropout_s, f"{row['dropout_s']:.1f} s of speech cut out"),
        (
            row["overlap_share"] > limits.grey_overlap_share,
            f"two people at once in {row['overlap_share']:.0%} of the speech",
        ),
        (row["word_confidence"] < limits.grey_confidence, f"mean word confidence {row['word_confidence']:.2f}"),
    ]
    return "; ".join(text for true, text in reasons if true)
