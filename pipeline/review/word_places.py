"""What was found in an edited transcript, put into corrections that can be made one after the other: whose words are,
which they are, when they are said, and where turns begin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.exports.clock import short
from pipeline.exports.tiers import Label
from pipeline.records import Role
from pipeline.speech.corrections import Correction, spread_times

LEAST_MS = 3  # a shorter word could not be told from its neighbour again by the middle of its time
Edge = Literal["split", "join"]
Key = tuple[Role, Label]


@dataclass
class Found:
    """Corrections of persons and words, and what is said after them, once every word is what and whose it should be.

    moved   (who says it then, where it lies until then) -> from when to when it is said
    edges   where a turn begins, or begins no more: its first word, and whether that word's times are those in the end
    firsts  (who says it, a turn as it lies now) -> its first word, and whether that word's times are those in the end
    added   words that were put in, as they lie, by person
    left    what cannot be taken up, in words for the person
    """

    corrections: list[Correction] = field(default_factory=list)
    moved: dict[Key, tuple[int, int]] = field(default_factory=dict)
    edges: list[tuple[Label, bool, Edge, Role]] = field(default_factory=list)
    firsts: dict[Key, tuple[Label, bool]] = field(default_factory=dict)
    added: dict[Role, list[Label]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def move(self, label: Label, start_ms: int, end_ms: int, role: Role) -> None:
        if (start_ms, end_ms) != (label.start_ms, label.end_ms):
            self.moved[role, label] = (start_ms, end_ms)

    def leave(self, at_ms: int, role: Role, what: str) -> None:
        self.left.append(f"{short(at_ms / 1000)} {role}: {what}")

    def reword(self, labels: Sequence[Label], text: str, role: Role) -> list[Label]:
        """Say another text in the place of some words; returns where each of its words lies then."""
        self.corrections.append(correction(labels, text, role))
        return spread(labels, text)

    def recut(self, before: Sequence[Label], after: Sequence[Label], role: Role) -> None:
        """Say other words in the place of some, each where it was put."""
        laid = self.reword(before, said(after), role)
        short_ones = any(label.end_ms - label.start_ms < LEAST_MS for label in laid)
        if short_ones and [(a.start_ms, a.end_ms) for a in after] != [(b.start_ms, b.end_ms) for b in laid]:
            self.leave(after[0].start_ms, role, "where each of several words lies now; they were too short")
            return
        for word, lies in zip(laid, (part for label in after for part in spread([label], label.text)), strict=True):
            self.move(word, lies.start_ms, lies.end_ms, role)

    def all(self) -> list[Correction]:
        """Every correction, in the order to make them in."""
        return [*self.corrections, *self._timed(), *self._cut()]

    def _timed(self) -> Iterator[Correction]:
        """The corrections of times, each before another could take up the word that it put there."""
        waiting = dict(self.moved)
        while waiting:
            free = next((key for key in waiting if _is_free(key, waiting)), None)
            if free is None:
                places = ", ".join(short(label.start_ms / 1000) for _, label in waiting)
                self.left.append(f"{places}: words that changed places")
                return
            (role, label), (begins_ms, ends_ms) = free, waiting.pop(free)
            yield Correction(
                label.start_ms / 1000,
                label.end_ms / 1000,
                "times",
                of=role,
                begins=begins_ms / 1000,
                ends=ends_ms / 1000,
            )

    def _cut(self) -> Iterator[Correction]:
        """Turns cut and drawn together, at the words where they lie in the end."""
        for label, in_the_end, kind, role in self.edges:
            lies = label.start_ms, label.end_ms
            start_ms, end_ms = lies if in_the_end else self.moved.get((role, label), lies)
            yield Correction(start_ms / 1000, end_ms / 1000, kind, of=role)


def inside(label: Label, start_ms: int, end_ms: int) -> bool:
    """Whether the middle of a label lies in a stretch: so corrections meet words."""
    return start_ms <= (label.start_ms + label.end_ms) / 2 < end_ms


def _is_free(key: Key, waiting: Mapping[Key, tuple[int, int]]) -> bool:
    lies = Label(*waiting[key], "")
    others = (label for role, label in waiting if role == key[0] and label != key[1])
    return not any(inside(lies, other.start_ms, other.end_ms) for other in others)


def said(labels: Sequence[Label]) -> str:
    return " ".join(label.text for label in labels)


def counts(labels: Sequence[Label]) -> list[int]:
    """How many words are before each of the labels."""
    of_each = [len(label.text.split()) for label in labels]
    return [sum(of_each[:k]) for k in range(len(of_each))]


def runs(labels: Sequence[Label], words: Sequence[Label]) -> list[list[Label]]:
    """The words of each label; together they are said by both."""
    begin = [*counts(labels), math.inf]
    return [
        [word for k, word in zip(counts(words), words, strict=True) if begin[n] <= k < begin[n + 1]]
        for n in range(len(labels))
    ]


def spread(labels: Sequence[Label], text: str) -> list[Label]:
    """The words of a text as a correction lays them in the place of some labels."""
    start, end = labels[0].start_ms / 1000, max(label.end_ms for label in labels) / 1000
    texts = text.split()
    edges = spread_times(texts, start, end)
    return [Label(round(1000 * a), round(1000 * b), part) for part, (a, b) in zip(texts, edges, strict=True)]


def correction(labels: Sequence[Label], text: str, role: Role) -> Correction:
    """The words of these labels, which are another text."""
    start, end = labels[0].start_ms, max(label.end_ms for label in labels)
    return Correction(start / 1000, end / 1000, "words", text=text, of=role)
