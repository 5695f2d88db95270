"""Evidence: one family's log-odds along the session, and the spans that stand out of it.

Natural-log odds throughout. A turn's evidence is what the heads give it, drawn back to the base where its words are
doubtful, plus what silences and the voice add up to their caps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.records import Marker, Turn

if TYPE_CHECKING:
    from pipeline.alliance.moments import MomentsOptions

SILENCES_S = 120.0  # silences within this time add up
ENOUGH_SILENCES = 3  # unanswered invitations that may stand alone


@dataclass(frozen=True)
class Evidence:
    """One family's evidence: indices of turns in order, and the log-odds of each."""

    turns: tuple[int, ...]
    log_odds: tuple[float, ...]


@dataclass(frozen=True)
class Span:
    """A run of turns that stands out; indices of its first, last and strongest turn.

    log_odds   at the peak
    excess     the same above the family's threshold: what is ranked by, so that families can be compared
    """

    family: str
    first: int
    last: int
    peak: int
    peak_s: float
    log_odds: float
    excess: float


def gather(family: str, markers: Sequence[Marker], turns: Sequence[Turn], options: MomentsOptions) -> Evidence:
    """The family's evidence for every turn that has any, in order."""
    mine = [m for m in markers if m.family == family]
    odds: dict[int, float] = {}
    for m in mine:
        if m.modality != "voice" and turns[m.turn].role == m.role:
            odds[m.turn] = options.base + m.reliability * (_log_odds(m.strength) - options.base)
    for m in mine:
        if m.modality == "voice" and m.turn in odds:
            odds[m.turn] += min(options.cap_voice, options.voice_weight * m.strength * 3)
    silences = [m for m in mine if m.role != turns[m.turn].role]
    for m in silences:
        odds[m.turn] = _silence_odds(m, silences, options)
    order = tuple(sorted(odds))
    return Evidence(order, tuple(odds[i] for i in order))


def _log_odds(share: float) -> float:
    share = min(0.9999, max(0.0001, share))
    return math.log(share / (1.0 - share))


def _silence_odds(marker: Marker, silences: Sequence[Marker], options: MomentsOptions) -> float:
    """Unanswered invitations add up; fewer than three stay below the cap, three or more cross the line."""
    near = [m for m in silences if m.strength == 1.0 and 0.0 <= marker.end - m.end <= SILENCES_S]
    if len(near) >= ENOUGH_SILENCES and marker.strength == 1.0:
        return options.threshold_withdrawal + 0.1 * (len(near) - ENOUGH_SILENCES + 1)
    return options.base + min(options.cap_silence, options.silence_weight * len(near))


def find_spans(family: str, evidence: Evidence, turns: Sequence[Turn], options: MomentsOptions) -> list[Span]:
    """Peaks above the family's threshold, each with the turns around that stay near it; strongest first."""
    threshold = options.threshold(family)
    where, odds = evidence.turns, evidence.log_odds
    taken: set[int] = set()
    spans = []
    for k in sorted(range(len(odds)), key=lambda k: (-odds[k], k)):
        if odds[k] < threshold:
            break
        if k not in taken:
            first, last = _extent(k, evidence, turns, taken, threshold, options)
            taken.update(range(first, last + 1))
            peak_s = turns[where[k]].end
            spans.append(Span(family, where[first], where[last], where[k], peak_s, odds[k], odds[k] - threshold))
    return spans


def _extent(
    k: int, evidence: Evidence, turns: Sequence[Turn], taken: set[int], threshold: float, options: MomentsOptions
) -> tuple[int, int]:
    where, odds = evidence.turns, evidence.log_odds
    least = max(threshold - options.floor, odds[k] - options.drop)
    first = last = k

    def goes_on(j: int, start: float, end: float) -> bool:
        return 0 <= j < len(odds) and j not in taken and odds[j] >= least and end - start <= options.longest_s

    while goes_on(first - 1, turns[where[first - 1]].start, turns[where[last]].end):
        first -= 1
    while last + 1 < len(odds) and goes_on(last + 1, turns[where[first]].start, turns[where[last + 1]].end):
        last += 1
    return first, last
