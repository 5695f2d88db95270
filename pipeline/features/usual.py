"""Every measure of a turn beside the same speaker's usual: the z columns, the usual columns and why one is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.features.baseline import FLOORS, Compared, Needs, compare
from pipeline.features.questions import KINDS

if TYPE_CHECKING:
    import pandas as pd

VOICE_Z = {  # measure -> its robust z, which has no unit
    "pitch_st": "pitch_st_z",
    "pitch_range_st": "pitch_range_st_z",
    "pitch_slope_st_per_s": "pitch_slope_z",
    "level_db": "level_db_z",
    "articulation_syll_per_s": "articulation_rate_z",
    "hnr_db": "hnr_db_z",
    "jitter_percent": "jitter_percent_z",
    "shimmer_percent": "shimmer_percent_z",
    "cpp_db": "cpp_db_z",
}
TIMING_Z = {"log_words": "log_words_z", "words_per_min": "words_per_min_z", "pause_share": "pause_share_z"}
LATENCY_Z = "log_latency_z"
SHOWN = ("pitch_range_st", "articulation_syll_per_s")  # voice measures whose usual is shown to people
COLUMNS = (*VOICE_Z.values(), *TIMING_Z.values(), LATENCY_Z, *(f"usual_{name}" for name in SHOWN),
           "usual_words", "usual_latency_s", "usual_latency_of", "voice_baseline", "timing_baseline")  # fmt: skip
LEAST_OF_KIND = 10  # replies to one kind of turn before they have a usual of their own
_A = {kind: f"an {kind}" if kind[0] in "aeio" else f"a {kind}" for kind in KINDS}
VOICE_TURN_S = 1.0  # a shorter turn is no baseline for the voice


def compare_turns(table: pd.DataFrame, voice: Needs, timing: Needs) -> pd.DataFrame:
    """The columns of `COLUMNS`, one row for each row of the turn table.

    voice    what a usual of the voice needs; turns of 1 s or more serve
    timing   what a usual of words, pauses and latency needs; every turn but backchannels serves
    """
    import pandas as pd

    speakers = sorted(set(table["speaker"]))
    parts = [_compare_speaker(table[table["speaker"] == name], voice, timing) for name in speakers]
    if not parts:
        parts = [_compare_speaker(table, voice, timing)]
    return pd.concat(parts).reindex(table.index)[list(COLUMNS)]


def _compare_speaker(mine: pd.DataFrame, voice: Needs, timing: Needs) -> pd.DataFrame:
    import pandas as pd

    floor = ~mine["backchannel"].to_numpy(dtype=bool)
    long = floor & (mine["duration_s"].to_numpy() >= VOICE_TURN_S)
    found = {name: _compare(mine, name, long, voice) for name in VOICE_Z}
    found |= {name: _compare(mine, name, floor, timing) for name in TIMING_Z}
    columns = {z: found[name].z for name, z in (VOICE_Z | TIMING_Z).items()}
    columns |= {f"usual_{name}": found[name].usual for name in SHOWN}
    columns["usual_words"] = np.expm1(found["log_words"].usual)
    columns["voice_baseline"] = found["level_db"].reason
    columns["timing_baseline"] = found["log_words"].reason
    return pd.DataFrame(columns | _compare_latency(mine, floor, timing), index=mine.index)


def _compare(mine: pd.DataFrame, name: str, usable: np.ndarray, needs: Needs) -> Compared:
    start, end = mine["start"].to_numpy(), mine["end"].to_numpy()
    return compare(mine[name].to_numpy(), start, end, usable, FLOORS[name], needs)


def _compare_latency(mine: pd.DataFrame, floor: np.ndarray, needs: Needs) -> dict[str, np.ndarray]:
    """Against replies to the same kind of turn where there are enough of them, otherwise against all replies."""
    kinds = mine["answers"].to_numpy()
    overall = _compare(mine, "log_latency", floor, needs)
    z, usual = overall.z.copy(), np.expm1(overall.usual)
    of = np.where(np.isfinite(z), "all replies", "").astype(object)
    for kind in sorted(set(kinds) - {""}):
        same = kinds == kind
        if (same & floor).sum() < LEAST_OF_KIND:
            continue
        own = _compare(mine, "log_latency", floor & same, needs)
        known = same & np.isfinite(own.z)
        z[known], usual[known], of[known] = own.z[known], np.expm1(own.usual[known]), f"replies to {_A[kind]}"
    return {LATENCY_Z: z, "usual_latency_s": usual, "usual_latency_of": of}
