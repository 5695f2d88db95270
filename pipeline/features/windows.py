"""Windows: the course of the session, in pieces of 30 s and 60 s every 5 s, in 5-minute bins and in minutes.

One table; `kind` tells which. Shares are 0 to 1. A window at the end is as long as what is left of the session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.features import entrainment, latency, quality, questions
from pipeline.intervals import Span, overlap_s
from pipeline.records import Turn

if TYPE_CHECKING:
    import pandas as pd

SILENCE_S = 1.5  # between turns; a shorter gap is an ordinary change of speaker
REPLIES = 3  # the client's last replies, among which minimal ones are counted


@dataclass(frozen=True)
class WindowsOptions:
    """Where windows lie, and when a minute is grey."""

    hop_s: float = 5.0  # step of the 30 s and 60 s windows
    shuffles: int = 200  # pairings by chance that entrainment is compared with
    grey_snr_db: float = 6.0  # a minute is grey below this; ours: consonants go under the room there
    grey_confidence: float = 0.5  # ... or with a mean word confidence below this; ours
    grey_clipped_share: float = 0.02  # ... or with more of its speech at full scale; ours
    grey_dropout_s: float = 3.0  # ... or with more seconds of speech blanked out; ours
    grey_overlap_share: float = 0.4  # ... or with more of its speech overlapped: speakers cannot be told apart; ours


def measure_windows(
    turns: list[Turn], turn_table: pd.DataFrame, frames: pd.DataFrame | None, options: WindowsOptions
) -> pd.DataFrame:
    """One row a window, in order of kind, then of start. `attune features --describe` says what each column means.

    turns, turn_table   row i of the table measures turn i
    frames              for the quality track; None without sound, and then only word confidence tells of quality
    """
    import pandas as pd

    duration = max([turn.end for turn in turns], default=0.0)
    if frames is not None and len(frames):
        duration = max(duration, float(frames["end"].iloc[-1]))
    course = _Course(turns, turn_table)
    track = quality.Track(turns, frames)
    rows = []
    for kind, span in _spans(duration, options.hop_s):
        row = {"start": span.start, "end": span.end, "kind": kind} | course.measure(span)
        row |= entrainment.measure(course.table, span, options.shuffles if kind == "5 min" else 0)
        rows.append(row | track.measure(span, options))
    return pd.DataFrame(rows, columns=None if rows else _no_rows(options))


def _no_rows(options: WindowsOptions) -> list[str]:
    import pandas as pd

    empty = _Course([], pd.DataFrame()).measure(Span(0.0, 1.0))
    names = ["start", "end", "kind", *empty, *entrainment.COLUMNS]
    return [*names, *quality.Track([], None).measure(Span(0.0, 1.0), options)]


def _spans(duration: float, hop_s: float) -> Iterator[tuple[str, Span]]:
    for kind, length, hop in (
        ("30 s", 30.0, hop_s),
        ("60 s", 60.0, hop_s),
        ("5 min", 300.0, 300.0),
        ("minute", 60.0, 60.0),
    ):
        for k in (
            range(max(0, int(np.ceil((duration - (length - hop)) / hop))))
            if duration > length - hop
            else range(duration > 0)
        ):
            yield kind, Span(k * hop, min(k * hop + length, duration))


class _Course:
    """The turns and the silences between them, laid out once."""

    def __init__(self, turns: Sequence[Turn], table: pd.DataFrame) -> None:
        self.turns = turns
        self.table = table
        self.start = np.array([turn.start for turn in turns])
        self.end = np.array([turn.end for turn in turns])
        self.latest = np.maximum.accumulate(self.end) if len(turns) else self.end
        self.silences = _silences(turns)
        self.runs = _minimal_runs(turns, table)

    def measure(self, span: Span) -> dict[str, float]:
        last = int(np.searchsorted(self.start, span.end))
        first = int(np.searchsorted(self.latest, span.start, side="right"))
        here = [i for i in range(first, last) if self.end[i] > span.start]
        talk = {
            role: sum(overlap_s(self.turns[i], span) for i in here if self.turns[i].role == role)
            for role in ("client", "therapist", "other")
        }
        total = sum(talk.values())
        begun = [i for i in here if span.start <= self.start[i]]
        return {
            "client_talk_s": talk["client"],
            "therapist_talk_s": talk["therapist"],
            "client_floor_share": talk["client"] / total if total > 0 else np.nan,
            **self._silence(span),
            **self._turns(begun),
            **self._voice(here),
        }

    def _silence(self, span: Span) -> dict[str, float]:
        inside = [(overlap_s(s.span, span), s) for s in self.silences if overlap_s(s.span, span) > 0]
        held = [s for s in self.silences if s.t_pause_t and span.start <= s.span.end < span.end]
        return {
            "silence_s": sum(seconds for seconds, _ in inside),
            "silence_broken_by_client_s": sum(seconds for seconds, s in inside if s.broken_by == "client"),
            "silence_broken_by_therapist_s": sum(seconds for seconds, s in inside if s.broken_by == "therapist"),
            "t_pause_t": len(held),
            "longest_t_pause_t_s": max((s.span.end - s.span.start for s in held), default=0.0),
        }

    def _turns(self, begun: list[int]) -> dict[str, float]:
        client = [i for i in begun if self.turns[i].role == "client" and not self.turns[i].backchannel]
        words = [len(self.turns[i].words) for i in client]
        return {
            "client_turns": len(client),
            "client_words_per_turn": float(np.median(words)) if words else np.nan,
            "client_log_words_trend": _trend(np.log1p(words)),
            "minimal_replies": max((self.runs[i] for i in client), default=0),
            "client_latency_s": self._median("latency_s", client),
            "interruptions": sum(str(self.table["overlap"].iat[i]).startswith("interruption") for i in begun),
            "overlap_s": float(sum(self.table["overlap_s"].iat[i] for i in begun)),
        }

    def _voice(self, here: list[int]) -> dict[str, float]:
        client = [i for i in here if self.turns[i].role == "client"]
        names = ("pitch_st_z", "pitch_range_st_z", "level_db_z", "articulation_rate_z")
        return {f"client_{name}": self._median(name, client) for name in names}

    def _median(self, name: str, rows: list[int]) -> float:
        values = self.table[name].to_numpy(dtype=float)[rows] if rows else np.array([])
        values = values[np.isfinite(values)]
        return float(np.median(values)) if values.size else float("nan")


@dataclass(frozen=True)
class _Silence:
    span: Span
    broken_by: str
    t_pause_t: bool


def _silences(turns: Sequence[Turn]) -> list[_Silence]:
    """Silences of 1.5 s or more between turns. Backchannels break none: they are passed over."""
    found: list[_Silence] = []
    floor = [turn for turn in turns if not turn.backchannel]
    end, who = (floor[0].end, floor[0].role) if floor else (0.0, "")
    for turn in floor[1:]:
        if SILENCE_S <= turn.start - end <= latency.BREAK_S:
            found.append(_Silence(Span(end, turn.start), turn.role, who == turn.role == "therapist"))
        if turn.end > end:
            end, who = turn.end, turn.role
    return found


def _minimal_runs(turns: Sequence[Turn], table: pd.DataFrame) -> list[int]:
    """For each turn of the client: minimal replies to open invitations among this one and the two replies before."""
    runs, recent = [0] * len(turns), []
    for i, turn in enumerate(turns):
        if turn.role != "client" or turn.backchannel or not turn.words:
            continue
        invited = questions.is_invitation(table["answers"].iat[i])
        only = table["agreement_only"].iat[i]
        recent = [*recent, invited and latency.is_minimal(turn.text, bool(only) if only is not None else False)][
            -REPLIES:
        ]
        runs[i] = sum(recent) if recent[-1] else 0
    return runs


def _trend(values: np.ndarray) -> float:
    """Slope for each further turn; NaN with fewer than three."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0]) if len(values) >= 3 else float("nan")
