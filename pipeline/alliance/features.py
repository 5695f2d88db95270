"""What is known of a turn in its place: numbers for the trained heads, each with a name.

A turn is read together with its neighbours: the other's turn before and after, the own turn before and after, and
how this person usually talks in this session. Three kinds, so that each can be left out:

timing    how long, how late, how short, against the person's usual; needs no words
words     word classes and gates: what the turn does in the exchange
meaning   sentence embeddings of the turn and its neighbours
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from pipeline.alliance import gates, lexicon, timing
from pipeline.alliance.timing import Course
from pipeline.records import Turn

KINDS = ("timing", "words", "meaning")
PLACES = ("", "before_", "after_", "own_before_", "own_after_")
EDGE_S = 180.0  # first and last minutes of a session: arrangements, not work
NEAR_S = 30.0

_TIMING = ("log_words_z", "latency_z", "waited", "cut_in", "log_words", "three_words")
_WORDS = (
    "minimal",
    "invited",
    "challenged",
    "short_run",
    "minimal_invited",
    "late_invited",
    "short_invited",
    "question",
)
_AROUND = ("own_length_before", "own_length_after", "own_length_near", "own_wait_near", "floor_share", "opening",
           "closing", "silence_near")  # fmt: skip
_COURSE = ("minimal_near", "unanswered_near", "addressed", "other_people", "logistics", "feeling_asked", "fact_asked",
           "receipt", "receipts_near")  # fmt: skip
_NEARNESS = (
    "near_before",
    "near_after",
    "near_own_before",
    "before_near_after",
    "after_near_own_after",
    "near_own_course",
)

GATED = re.compile(  # columns that rest on the gates
    r"(?:invited|challenged|addressed|logistics|feeling_asked|fact_asked|unanswered_near|receipt|receipts_near)$"
)


@dataclass(frozen=True)
class Features:
    """Rows of one role's turns.

    turns   indices into the session's turns
    values  float32, shape (len(turns), len(names))
    """

    turns: np.ndarray
    values: np.ndarray


def feature_names(role: str, width: int) -> list[str]:
    """Names of the columns, "kind:name"; `width` is that of the embeddings, 0 without them."""
    other = "therapist" if role == "client" else "client"
    names = [f"timing:{place}{name}" for place in PLACES for name in _TIMING]
    names += [f"timing:{name}" for name in _AROUND]
    names += [f"words:{place}{name}" for place in PLACES for name in _WORDS]
    names += [f"words:{name}" for name in _COURSE]
    for place in PLACES:
        speaker = other if place in ("before_", "after_") else role
        names += [f"words:{place}{name}" for name in lexicon.class_names(speaker)]
    if width:
        names += [f"meaning:{name}" for name in _NEARNESS]
        names += [f"meaning:{place}{k}" for place in PLACES for k in range(width)]
    return names


def measure_features(
    turns: Sequence[Turn], course: Sequence[Course], vectors: np.ndarray | None, role: str
) -> Features:
    """One row for every turn of `role` that is not a backchannel.

    vectors   embeddings of the turns' sure text, shape (len(turns), width), or None to leave meaning out
    """
    own = [i for i, turn in enumerate(turns) if turn.role == role and not turn.backchannel]
    session = _Session(turns, course, vectors)
    rows = [session.row(own, at) for at in range(len(own))]
    width = 0 if vectors is None else vectors.shape[1]
    shape = (len(own), len(feature_names(role, width)))
    return Features(np.array(own, dtype=int), np.array(rows, dtype=np.float32).reshape(shape))


class _Session:
    """What the rows of one session share."""

    def __init__(self, turns: Sequence[Turn], course: Sequence[Course], vectors: np.ndarray | None) -> None:
        self.turns, self.course, self.vectors = turns, course, vectors
        self.texts = [gates.sure_text(turn) for turn in turns]
        self.timing = [_timing_of(row) for row in course]
        self.words = [_words_of(row, text) for row, text in zip(course, self.texts, strict=True)]
        self.classes = [
            lexicon.count_classes(text, turn.role) if turn.role in lexicon.BY_ROLE else []
            for turn, text in zip(turns, self.texts, strict=True)
        ]
        self.silences = timing.find_silences(turns, 3.0)
        self.end = max((turn.end for turn in turns), default=0.0)

    def row(self, own: Sequence[int], at: int) -> list[float]:
        i = own[at]
        around = (i, self.course[i].before, self.course[i].after, _at(own, at - 1), _at(own, at + 1))
        numbers = [x for j in around for x in _of(self.timing, j, len(_TIMING))]
        numbers += self._around(own, at)
        numbers += [x for j in around for x in _of(self.words, j, len(_WORDS))]
        numbers += self._course(own, at)
        role = self.turns[i].role
        other = "therapist" if role == "client" else "client"
        for j, speaker in zip(around, (role, other, other, role, role), strict=True):
            numbers += _of(self.classes, j, 2 * len(lexicon.BY_ROLE[speaker]))
        if self.vectors is not None:
            numbers += self._meaning(own, at, around)
        return numbers

    def _around(self, own: Sequence[int], at: int) -> list[float]:
        turn = self.turns[own[at]]
        before, after, near = own[max(0, at - 3) : at], own[at + 1 : at + 4], own[max(0, at - 2) : at + 3]
        share = timing.floor_share(self.turns, turn.role, turn.start - NEAR_S, turn.end + NEAR_S)
        return [
            _mean(self.course[j].log_words_z / 2 for j in before),
            _mean(self.course[j].log_words_z / 2 for j in after),
            _mean(self.course[j].log_words_z / 2 for j in near),
            _mean(self.course[j].latency_z / 2 for j in near),
            share or 0.0,
            min(1.0, turn.start / EDGE_S),
            min(1.0, (self.end - turn.end) / EDGE_S),
            float(any(abs(silence.start - turn.start) < NEAR_S for silence in self.silences)),
        ]

    def _course(self, own: Sequence[int], at: int) -> list[float]:
        i = own[at]
        near = own[max(0, at - 2) : at + 3]
        text, before = self.texts[i], self.course[i].before
        asked = self.texts[before] if before is not None else ""
        return [
            _mean(float(self.course[j].minimal) for j in near),
            _mean(float(self.course[j].minimal and self.course[j].invited) for j in near),
            float(gates.is_addressed(text)),
            float(gates.about_third_party(text)),
            float(gates.is_logistics(text)),
            float(gates.is_feeling_probe(asked)),
            float(gates.is_factual_question(asked)),
            float(self._is_receipt(i)),
            _mean(float(self._is_receipt(j)) for j in near),
        ]

    def _is_receipt(self, i: int) -> bool:
        """A very short turn after a statement: it says "I hear you", where after a question it would leave one open."""
        before = self.course[i].before
        return self.course[i].minimal and before is not None and not gates.is_question(self.texts[before])

    def _meaning(self, own: Sequence[int], at: int, around: Sequence[int | None]) -> list[float]:
        i, before, after, own_before, own_after = around
        v = self.vectors
        pairs = ((i, before), (i, after), (i, own_before), (before, after), (after, own_after))
        numbers = [float(v[a] @ v[b]) if a is not None and b is not None else 0.0 for a, b in pairs]
        numbers.append(_mean(float(v[i] @ v[j]) for j in own[max(0, at - 3) : at]))
        for j in around:
            numbers += list(v[j]) if j is not None else [0.0] * v.shape[1]
        return numbers


def _timing_of(row: Course) -> list[float]:
    late = row.latency_s or 0.0
    return [
        row.log_words_z / 2,
        row.latency_z / 2,
        float(late > 2.0),
        float(late < -0.15),
        math.log1p(row.words) / 3,
        float(row.words <= 3),
    ]


def _words_of(row: Course, text: str) -> list[float]:
    return [
        float(row.minimal),
        float(row.invited),
        float(row.challenged),
        row.short_run / 3,
        float(row.minimal and row.invited),
        max(0.0, row.latency_z) * row.invited / 2,
        row.log_words_z / 2 * row.invited,
        float("?" in text),
    ]


def _at(items: Sequence[int], k: int) -> int | None:
    return items[k] if 0 <= k < len(items) else None


def _of(rows: Sequence[Sequence[float]], j: int | None, width: int) -> Sequence[float]:
    return rows[j] if j is not None else [0.0] * width


def _mean(values) -> float:
    values = list(values)
    return mean(values) if values else 0.0
