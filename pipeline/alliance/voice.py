"""Cues from the client's voice: only that it differed from this client's usual, never what that would mean.

Either direction counts, two independent features must differ in the same turn, and moments cap what they add, so that
voice alone never suffices. The therapist's voice is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.records import Marker, Turn

if TYPE_CHECKING:
    import pandas as pd

LEAST_S = 1.0  # of speech: shorter turns have no voice to compare
LEAST_FEATURES = 2
MARKERS = {"withdrawal": "wd_minimal_response", "confrontation": "cf_control_pressure"}
COLUMNS = {  # independent features -> (columns of the turn table, words for people)
    "pitch": (("pitch_st_z",), "pitch"),
    "range": (("pitch_range_st_z",), "pitch range"),
    "level": (("level_db_z",), "loudness"),
    "rate": (("articulation_rate_z",), "speed"),
    "quality": (("hnr_db_z", "shimmer_percent_z", "cpp_db_z"), "voice quality"),
}


def find_voice_markers(turns: Sequence[Turn], turn_table: pd.DataFrame, least_z: float) -> list[Marker]:
    """Two markers (one a family: the direction says nothing) for each client turn whose voice was out of range.

    turn_table   one row a turn; a missing column or an empty value is a feature that cannot be seen
    least_z      robust z, either way, from which a feature is out of range
    """
    found = []
    for i, turn in enumerate(turns):
        if turn.role == "client" and not turn.backchannel and turn.end - turn.start >= LEAST_S:
            out = _out_of_range(turn_table, i, least_z)
            if len(out) >= LEAST_FEATURES:
                found += [_marker(turn, i, family, out) for family in MARKERS]
    return found


def _out_of_range(table: pd.DataFrame, i: int, least_z: float) -> list[tuple[str, float]]:
    """(words for people, strongest z) of every feature out of range, strongest first."""
    out = []
    for columns, words in COLUMNS.values():
        values = [float(table[name].iloc[i]) for name in columns if name in table.columns]
        strongest = max((v for v in values if not math.isnan(v)), key=abs, default=0.0)
        if abs(strongest) >= least_z:
            out.append((words, strongest))
    return sorted(out, key=lambda pair: -abs(pair[1]))


def _marker(turn: Turn, i: int, family: str, out: list[tuple[str, float]]) -> Marker:
    parts = ", ".join(
        f"{words} {abs(z):.1f} times its usual spread {'above' if z > 0 else 'below'}" for words, z in out
    )
    return Marker(
        start=turn.start,
        end=turn.end,
        marker=MARKERS[family],
        family=family,
        role="client",
        turn=i,
        strength=round(min(1.0, len(out) / 3), 3),
        reliability=1.0,
        modality="voice",
        why=f"the voice differed from this client's usual: {parts}",
        against="a different voice can mean anything",
    )
