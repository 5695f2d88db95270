"""What a person changed on the tiers of candidates, of repair attempts and of their own verdicts: labels taken away,
changed or added."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.exports.tiers import CANDIDATES, REPAIRS, Label
from pipeline.intervals import Span
from pipeline.review.edited_files import Tiers
from pipeline.review.verdicts import same_place


@dataclass(frozen=True)
class Mark:
    """A label and the tier it lies on. Times in seconds."""

    tier: str
    label: Label

    @property
    def start(self) -> float:
        return self.label.start_ms / 1000

    @property
    def end(self) -> float:
        return self.label.end_ms / 1000


@dataclass(frozen=True)
class MarkEdit:
    """One change: `before` is None for a label that was added, `after` for one that was taken away."""

    before: Mark | None
    after: Mark | None


def find_candidates(tiers: Tiers) -> list[Mark]:
    """Every label on the tiers of candidates."""
    return [Mark(name, label) for name in CANDIDATES for label in tiers.get(name, ())]


def find_candidate_edits(base: Tiers, edited: Tiers) -> list[MarkEdit]:
    """Changes on the tiers of candidates, in order of time. One drawn over to another kind's tier is one change."""
    return _find_edits(base, edited, CANDIDATES)


def find_verdict_edits(base: Tiers, edited: Tiers, tier: str) -> list[MarkEdit]:
    """Changes on one person's tier of verdicts, in order of time."""
    return _find_edits(base, edited, [tier])


def find_repair_edits(base: Tiers, edited: Tiers) -> list[MarkEdit]:
    """Changes on the tier of repair attempts, in order of time."""
    return _find_edits(base, edited, [REPAIRS])


def _find_edits(base: Tiers, edited: Tiers, names: Iterable[str]) -> list[MarkEdit]:
    before, after = [], []
    for name in names:
        was = base.get(name, ())
        now = edited.get(name, was)
        before += [Mark(name, label) for label in was if label not in now]
        after += [Mark(name, label) for label in now if label not in was]
    edits = list(_paired(before, after))
    return sorted(edits, key=lambda edit: (edit.after or edit.before).start)  # type: ignore[union-attr]


def _paired(before: Sequence[Mark], after: Sequence[Mark]) -> Iterator[MarkEdit]:
    """Each label taken away with the one that took its place: on its own tier where there is one."""
    free = list(after)
    for mark in sorted(before, key=lambda mark: mark.start):
        near = [other for other in free if same_place(_place(mark), _place(other))]
        own = [other for other in near if other.tier == mark.tier] or near
        if own:
            free.remove(own[0])
        yield MarkEdit(mark, own[0] if own else None)
    for mark in free:
        yield MarkEdit(None, mark)


def _place(mark: Mark) -> Span:
    return Span(mark.start, mark.end)
