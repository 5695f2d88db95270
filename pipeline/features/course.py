"""The course of a session: who holds the floor, who breaks silences, how replies shrink or grow, in any stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.features import latency, questions
from pipeline.intervals import Span, overlap_s
from pipeline.records import Turn

if TYPE_CHECKING:
    import pandas as pd

SILENCE_S = 1.5  # between turns; a shorter gap is an ordinary change of speaker
REPLIES = 3  # the client's last replies, among which minimal ones are counted
EDGE_S = 180.0  # the first and last three minutes are mostly arrangements
VOICE = ("pitch_st_z", "pitch_range_st_z", "level_db_z", "articulation_rate_z")


@dataclass(frozen=True)
class Silence:
    """A silence of 1.5 s or more between turns.

    broken_by   role of the person who speaks next
    held        the therapist speaks before and after it
    """

    start: float
    end: float
    broken_by: str
    held: bool


class Course:
    """The turns of a session and the silences between them, laid out once to be read for many stretches."""

    def __init__(self, turns: Sequence[Turn], table: pd.DataFrame, duration_s: float) -> None:
        self.turns = turns
        self.table = table
        self.duration_s = duration_s
        self.start = np.array([turn.start for turn in turns])
        self.latest = np.maximum.accumulate([turn.end for turn in turns]) if turns else self.start
        self.silences = find_silences(turns)
        self.runs = count_minimal_replies(turns, table)

    def measure(self, span: Span) -> dict[str, object]:
        """Every column of one stretch. A turn counts where it begins, its seconds where they lie."""
        first = int(np.searchsorted(self.latest, span.start, side="right"))
        last = int(np.searchsorted(self.start, span.end))
        here = [i for i in range(first, last) if self.turns[i].end > span.start]
        begun = [i for i in here if self.turns[i].start >= span.start]
        return {
            "phase": self._phase(span),
            **self._floor(span, here),
            **self._silence(span),
            **self._replies(begun),
            **self._voice(here),
        }

    def _phase(self, span: Span) -> str:
        middle = (span.start + span.end) / 2
        if middle < EDGE_S:
            return "opening"
        return "closing" if middle > self.duration_s - EDGE_S else "middle"

    def _floor(self, span: Span, here: list[int]) -> dict[str, float]:
        talk = {"client": 0.0, "therapist": 0.0, "other": 0.0}
        for i in here:
            talk[self.turns[i].role] += overlap_s(self.turns[i], span)
        total = sum(talk.values())
        return {
            "client_talk_s": talk["client"],
            "therapist_talk_s": talk["therapist"],
            "client_floor_share": talk["client"] / total if total > 0 else float("nan"),
        }

    def _silence(self, span: Span) -> dict[str, float]:
        inside = [(overlap_s(silence, span), silence) for silence in self.silences]
        held = [s for s in self.silences if s.held and span.start <= s.end < span.end]
        return {
            "silence_s": float(sum(seconds for seconds, _ in inside)),
            "silence_broken_by_client_s": float(sum(sec for sec, s in inside if s.broken_by == "client")),
            "silence_broken_by_therapist_s": float(sum(sec for sec, s in inside if s.broken_by == "therapist")),
            "t_pause_t": float(len(held)),
            "longest_t_pause_t_s": max((s.end - s.start for s in held), default=0.0),
        }

    def _replies(self, begun: list[int]) -> dict[str, float]:
        client = [i for i in begun if self.turns[i].role == "client" and not self.turns[i].backchannel]
        words = [len(self.turns[i].words) for i in client]
        return {
            "client_turns": float(len(client)),
            "client_words_per_turn": float(np.median(words)) if words else float("nan"),
            "client_log_words_trend": _trend(np.log1p(words)),
            "minimal_replies": float(max((self.runs[i] for i in client), default=0)),
            "client_latency_s": self._median("latency_s", client),
            "interruptions": float(sum(self.table["overlap"].iat[i].startswith("interruption") for i in begun)),
            "overlap_s": float(sum(self.table["overlap_s"].iat[i] for i in begun)),
        }

    def _voice(self, here: list[int]) -> dict[str, float]:
        client = [i for i in here if self.turns[i].role == "client"]
        return {f"client_{name}": self._median(name, client) for name in VOICE}

    def _median(self, name: str, rows: list[int]) -> float:
        values = self.table[name].to_numpy(dtype=float)[rows] if rows else np.array([])
        values = values[np.isfinite(values)]
        return float(np.median(values)) if values.size else float("nan")


def find_silences(turns: Sequence[Turn]) -> list[Silence]:
    """Silences of 1.5 s up to a break of a minute. Backchannels break none: they are passed over."""
    floor = [turn for turn in turns if not turn.backchannel]
    found: list[Silence] = []
    end, who = (floor[0].end, floor[0].role) if floor else (0.0, "")
    for turn in floor[1:]:
        if SILENCE_S <= turn.start - end <= latency.BREAK_S:
            found.append(Silence(end, turn.start, turn.role, who == turn.role == "therapist"))
        if turn.end > end:
            end, who = turn.end, turn.role
    return found


def count_minimal_replies(turns: Sequence[Turn], table: pd.DataFrame) -> list[int]:
    """For each turn of the client: how many of this and the two replies before are minimal replies to open invitations.

    0 for a turn that is none itself, for backchannels and for everybody else's turns.
    """
    runs, recent = [0] * len(turns), []
    for i, turn in enumerate(turns):
        if turn.role != "client" or turn.backchannel or not turn.words:
            continue
        invited = questions.is_invitation(table["answers"].iat[i])
        recent = [*recent, invited and latency.is_minimal(turn.text, table["agreement_only"].iat[i])][-REPLIES:]
        runs[i] = sum(recent) if recent[-1] else 0
    return runs


def _trend(values: np.ndarray) -> float:
    """Slope for each further turn; NaN with fewer than three."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0]) if len(values) >= 3 else float("nan")
