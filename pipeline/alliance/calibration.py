"""A clinic's calibration: what its own verdicts changed, and the moments found under it.

A turn's evidence is its log-odds above an ordinary turn. A factor on one kind of evidence draws it nearer to the
ordinary turn or further from it; a factor is never below 0, so that no evidence can come to count against a moment.
Kinds are the ids of markers (the one that a turn is closest to), "voice" and "silence".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.alliance.evidence import gather
from pipeline.alliance.moments import FAMILIES, MomentsOptions, find_moments
from pipeline.records import Findings, Marker, Turn, Voice

if TYPE_CHECKING:
    import pandas as pd

VOICE, SILENCE = "voice", "silence"


@dataclass(frozen=True)
class Calibration:
    """What the moments step reads.

    factors   kind of evidence -> factor on its weight, 0 or more; a kind that is not named keeps its weight
    move_withdrawal, move_confrontation
              how far the thresholds go up, natural-log units; below 0 they go down
    """

    factors: Mapping[str, float] = field(default_factory=dict)
    move_withdrawal: float = 0.0
    move_confrontation: float = 0.0

    @property
    def moves_nothing(self) -> bool:
        return not self.move_withdrawal and not self.move_confrontation and all(f == 1 for f in self.factors.values())

    def factor(self, kind: str) -> float:
        return self.factors.get(kind, 1.0)

    def move(self, family: str) -> float:
        return self.move_withdrawal if family == "withdrawal" else self.move_confrontation


def find_clinic_moments(
    markers: list[Marker],
    turns: list[Turn],
    turn_table: pd.DataFrame | None,
    voices: list[Voice],
    calibration: Calibration | None,
    options: MomentsOptions,
) -> Findings:
    """`find_moments` with the clinic's weights and thresholds; with the program's own where there is no calibration."""
    if calibration is None:
        return find_moments(markers, turns, turn_table, voices, options)
    weighed = reweigh(markers, turns, calibration, options.base)
    return find_moments(weighed, turns, turn_table, voices, adapt(options, calibration))


def adapt(options: MomentsOptions, calibration: Calibration) -> MomentsOptions:
    """The options with the clinic's thresholds and its weights of voice and silence. Caps stay as they are."""
    return replace(
        options,
        threshold_withdrawal=options.threshold_withdrawal + calibration.move_withdrawal,
        threshold_confrontation=options.threshold_confrontation + calibration.move_confrontation,
        voice_weight=options.voice_weight * calibration.factor(VOICE),
        silence_weight=options.silence_weight * calibration.factor(SILENCE),
    )


def reweigh(markers: Sequence[Marker], turns: Sequence[Turn], calibration: Calibration, base: float) -> list[Marker]:
    """The markers, those of a turn's own evidence with the strength that the clinic's weight gives them."""
    return [
        replace(marker, strength=_weighed(marker.strength, calibration.factor(marker.marker), base))
        if _is_own(marker, turns) and calibration.factor(marker.marker) != 1.0
        else marker
        for marker in markers
    ]


def _is_own(marker: Marker, turns: Sequence[Turn]) -> bool:
    """Whether it is what the heads gave a turn: no voice, and no silence, which lies beside the other's turn."""
    return marker.family in FAMILIES and marker.modality != "voice" and turns[marker.turn].role == marker.role


def _weighed(strength: float, factor: float, base: float) -> float:
    log_odds = base + factor * (_log_odds(strength) - base)
    return round(1.0 / (1.0 + math.exp(-max(-9.0, min(9.0, log_odds)))), 6)


def _log_odds(share: float) -> float:
    share = min(0.9999, max(0.0001, share))
    return math.log(share / (1.0 - share))


def measure_terms(
    family: str, start: float, end: float, markers: Sequence[Marker], turns: Sequence[Turn], options: MomentsOptions
) -> tuple[float, dict[str, float]]:
    """(log-odds, evidence by kind) of the turn in a stretch that speaks most for the family, by the program's own
    weights. The evidence sums to the log-odds above `options.base`; where there is none the stretch is as ordinary as
    any."""
    evidence = gather(family, markers, turns, options)
    inside = [
        (odds, -i)
        for i, odds in zip(evidence.turns, evidence.log_odds, strict=True)
        if turns[i].start < end and turns[i].end > start
    ]
    if not inside:
        return options.base, {}
    odds, i = max(inside)[0], -max(inside)[1]
    mine = [m for m in markers if m.family == family and m.turn == i]
    if any(m.role != turns[i].role for m in mine):
        return odds, {SILENCE: odds - options.base}
    own = next(m for m in reversed(mine) if m.modality != "voice")
    spoken = own.reliability * (_log_odds(own.strength) - options.base)
    terms = {own.marker: spoken, VOICE: odds - options.base - spoken}
    return odds, {kind: value for kind, value in terms.items() if abs(value) > 1e-9}
