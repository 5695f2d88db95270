"""Windows: the course of the session, in pieces of 30 s and 60 s every 5 s, in 5-minute bins and in minutes.

One table; `kind` tells which: "30 s", "60 s", "5 min" or "minute". Shares are 0 to 1. The minutes are the quality
track.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.features import entrainment, quality
from pipeline.features.course import Course
from pipeline.intervals import Span
from pipeline.records import Turn

if TYPE_CHECKING:
    import pandas as pd

BINS = {"5 min": 300.0, "minute": 60.0}  # side by side; the windows of 30 s and 60 s overlap


@dataclass(frozen=True)
class WindowsOptions:
    """Where windows lie, and when a stretch is grey."""

    hop_s: float = 5.0  # step of the 30 s and 60 s windows, seconds
    shuffles: int = 200  # pairings by chance that entrainment is compared with
    grey_snr_db: float = 6.0  # grey with speech less than this above the room; ours: consonants drown there
    grey_confidence: float = 0.5  # grey with a mean word confidence below this; ours
    grey_clipped_share: float = 0.02  # grey with more of the speech at full scale; ours
    grey_dropout_s: float = 3.0  # grey with more seconds of speech cut out in a minute; ours
    grey_overlap_share: float = 0.4  # grey with more of the speech overlapped, so that voices mix; ours


def measure_windows(
    turns: list[Turn], turn_table: pd.DataFrame, frames: pd.DataFrame | None, options: WindowsOptions
) -> pd.DataFrame:
    """One row a window, in order of kind, then of start. `attune features --describe` says what each column means.

    turns, turn_table   row i of the table measures turn i
    frames              for the quality track; None without sound: then only the words' confidence tells of quality
    returns             a window that the session's end cuts short is as long as what is left
    raises              ValueError where the table has not one row a turn
    """
    import pandas as pd

    if len(turns) != len(turn_table):
        raise ValueError(f"the turn table has {len(turn_table)} rows for {len(turns)} turns; it needs one a turn")
    duration = max([turn.end for turn in turns], default=0.0)
    if frames is not None and len(frames):
        duration = max(duration, float(frames["end"].iloc[-1]))
    course, track = Course(turns, turn_table, duration), quality.Track(turns, frames)
    rows = [
        {"start": span.start, "end": span.end, "kind": kind}
        | course.measure(span)
        | entrainment.measure(turn_table, span, options.shuffles if kind == "5 min" else 0)
        | track.measure(span, options)
        for kind, span in find_spans(max(duration, 1.0), options.hop_s)
    ]
    return pd.DataFrame(rows if duration > 0 else rows[:1]).iloc[: len(rows) if duration > 0 else 0]


def find_spans(duration_s: float, hop_s: float) -> Iterator[tuple[str, Span]]:
    """(kind, window) over the whole session; the last window of each kind ends with it.

    raises   ValueError where `hop_s` is not above 0
    """
    if hop_s <= 0:
        raise ValueError(f"hop_s is {hop_s}; windows need a step above 0 s")
    for kind, length, hop in (("30 s", 30.0, hop_s), ("60 s", 60.0, hop_s), *((k, n, n) for k, n in BINS.items())):
        k = 0
        while True:
            start = k * hop
            yield kind, Span(start, float(min(start + length, duration_s)))
            if start + length >= duration_s:
                break
            k += 1
