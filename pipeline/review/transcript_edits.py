"""What a person changed on the tiers of turns and words, as corrections.

Words are compared word by word, so that those left alone keep their times. A whole turn given to the other person is
one correction; a changed line of a turn is as many as there are changed stretches in it. What a correction cannot say,
such as a word that only lies elsewhere in time, is named and left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property

from pipeline.exports.clock import short
from pipeline.exports.tiers import Label
from pipeline.records import AttuneError, Role
from pipeline.review.edited_files import Tiers
from pipeline.speech.corrections import ROLES, Correction

MOVED_SHARE = 0.5  # of a turn's time that it must share with itself on the other person's tier
NEAR_MS = 2000  # a word that was added belongs to the nearest one of the same person within this time


@dataclass
class _Found:
    corrections: list[Correction] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Moved:
    """A label that now lies on the tier of another person."""

    before: Label
    after: Label
    of: Role
    role: Role


@dataclass(frozen=True)
class _Changed:
    """Labels that meet in time and are not what they were. Either side may be empty."""

    before: tuple[Label, ...]
    after: tuple[Label, ...]

    @property
    def start_ms(self) -> int:
        return min(label.start_ms for label in (*self.before, *self.after))

    @property
    def end_ms(self) -> int:
        return max(label.end_ms for label in (*self.before, *self.after))


def find_corrections(base: Tiers, edited: Tiers) -> tuple[list[Correction], list[str]]:
    """(corrections in the order to make them in, what was changed and cannot be taken up).

    base, edited  tiers as exported, and as they came back; one that is missing in `edited` counts as not changed
    raises        AttuneError where a turn and its words were both changed and do not say the same
    """
    found = _Found()
    turns, words = _Pair(base, edited, "turns"), _Pair(base, edited, "words")
    with_turn = [m for m in words.moved if any(m.role == t.role and _inside(m.before, t.before) for t in turns.moved)]
    moved_words = [moved for moved in words.moved if moved not in with_turn]
    found.corrections += [_given(moved) for moved in (*turns.moved, *moved_words)]
    for role in ROLES:
        _word_changes(words, role, found)
        for change in turns.changes(role):
            _line_change(change, words, role, found)
    for moved in turns.moved:
        if moved.after.text != moved.before.text:
            spoken = [label for label in words.before(moved.of) if _inside(label, moved.before)]
            found.corrections += _reworded(spoken, moved.after.text, moved.role)
    for moved in words.moved:
        if moved.after.text != moved.before.text:
            found.corrections.append(_correction([moved.before], moved.after.text, moved.role))
    return found.corrections, found.left


@dataclass(frozen=True)
class _Pair:
    """The tiers of one sort, before and after."""

    base: Tiers
    edited: Tiers
    sort: str

    def before(self, role: Role) -> tuple[Label, ...]:
        return self.base.get(f"{role} {self.sort}", ())

    def after(self, role: Role) -> tuple[Label, ...]:
        return self.edited.get(f"{role} {self.sort}", self.before(role))

    @cached_property
    def moved(self) -> list[_Moved]:
        return list(_find_moved(self))

    def changes(self, role: Role) -> list[_Changed]:
        """What is not the same on the person's own tier, apart from what came from or went to another."""
        gone = [moved.before for moved in self.moved if moved.of == role]
        come = [moved.after for moved in self.moved if moved.role == role]
        return list(_find_changed(_without(self.before(role), gone), _without(self.after(role), come)))


def _find_moved(pair: _Pair) -> Iterator[_Moved]:
    for of in ROLES:
        gone = _without(pair.before(of), pair.after(of))
        for role in ROLES:
            come = _without(pair.after(role), pair.before(role)) if role != of else []
            for before in gone:
                same = [after for after in come if _is_same(before, after)]
                if same:
                    yield _Moved(before, same[0], of, role)


def _is_same(before: Label, after: Label) -> bool:
    shared = min(before.end_ms, after.end_ms) - max(before.start_ms, after.start_ms)
    times = (before.start_ms, before.end_ms) == (after.start_ms, after.end_ms)
    return times or (before.text == after.text and shared >= MOVED_SHARE * (before.end_ms - before.start_ms))


def _without(labels: Sequence[Label], others: Iterable[Label]) -> list[Label]:
    known = set(others)
    return [label for label in labels if label not in known]


def _inside(label: Label, stretch: Label | _Changed) -> bool:
    return stretch.start_ms <= (label.start_ms + label.end_ms) / 2 < stretch.end_ms


def _find_changed(before: Sequence[Label], after: Sequence[Label]) -> Iterator[_Changed]:
    """The labels that are not on both sides, those that meet in time together."""
    loose = [(label, True) for label in _without(before, after)] + [(label, False) for label in _without(after, before)]
    group: list[tuple[Label, bool]] = []
    for label, was in sorted(loose, key=lambda pair: (pair[0].start_ms, pair[0].end_ms)):
        if group and label.start_ms >= max(known.end_ms for known, _ in group):
            yield _group(group)
            group = []
        group.append((label, was))
    if group:
        yield _group(group)


def _group(group: Sequence[tuple[Label, bool]]) -> _Changed:
    return _Changed(tuple(label for label, was in group if was), tuple(label for label, was in group if not was))


# ------------------------------------------------------------------------------------------ into corrections


def _given(moved: _Moved) -> Correction:
    return Correction(moved.before.start_ms / 1000, moved.before.end_ms / 1000, "role", role=moved.role, of=moved.of)


def _said(labels: Iterable[Label]) -> str:
    return " ".join(label.text for label in labels)


def _word_changes(words: _Pair, role: Role, found: _Found) -> None:
    kept = set(words.after(role))
    spoken = [label for label in words.before(role) if label in kept]
    beside: dict[Label, list[_Changed]] = {}
    for change in words.changes(role):
        text, at = _said(change.after), short(change.start_ms / 1000)
        near = min(spoken, key=lambda label: _away_ms(label, change), default=None)
        if change.before and _said(change.before) == text:
            found.left.append(f"{at} {role}: only the times of words were changed")
        elif change.before:
            found.corrections.append(_correction(change.before, text, role))
        elif near is None or _away_ms(near, change) > NEAR_MS:
            found.left.append(f"{at} {role}: words were put where this person says nothing")
        else:
            beside.setdefault(near, []).append(change)
    for near, added in beside.items():
        before = [_said(change.after) for change in added if change.start_ms < near.start_ms]
        after = [_said(change.after) for change in added if change.start_ms >= near.start_ms]
        found.corrections.append(_correction([near], " ".join([*before, near.text, *after]), role))


def _away_ms(label: Label, change: _Changed) -> int:
    return max(label.start_ms - change.end_ms, change.start_ms - label.end_ms, 0)


def _line_change(change: _Changed, words: _Pair, role: Role, found: _Found) -> None:
    text, at = _said(change.after), short(change.start_ms / 1000)
    spoken = [label for label in words.before(role) if any(_inside(label, turn) for turn in change.before)]
    if _said(change.before) == text:
        found.left.append(f"{at} {role}: only the times of turns were changed")
    elif not spoken:
        found.left.append(f"{at} {role}: a turn was put where this person says nothing")
    elif any(_inside(label, change) for word in words.changes(role) for label in (*word.before, *word.after)):
        now = [label for label in words.after(role) if _inside(label, change)]
        if _said(now) != text:
            raise AttuneError(
                f"the {role}'s turn at {at} and its words were both changed, and do not say the same",
                mend="change the turn or its words, and leave the other as it was exported",
                code="edits-disagree",
            )
    else:
        found.corrections += _reworded(spoken, text, role)


def _reworded(spoken: Sequence[Label], text: str, role: Role) -> Iterator[Correction]:
    """The changed stretches between the words that were spoken and the text that should stand there. What was put in
    between two words goes with the one before it."""
    old, new = [label.text for label in spoken], text.split()
    groups: list[tuple[int, int, list[str]]] = []
    waiting: list[str] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "insert":
            (groups[-1][2] if groups else waiting).extend(new[j1:j2])
        elif kind == "equal":
            groups += [(i, i + 1, [*(waiting if i == 0 else ()), old[i]]) for i in range(i1, i2)]
        else:
            groups.append((i1, i2, new[j1:j2]))
    for i1, i2, said in groups:
        if said != old[i1:i2]:
            yield _correction(spoken[i1:i2], " ".join(said), role)


def _correction(labels: Sequence[Label], text: str, role: Role) -> Correction:
    start, end = labels[0].start_ms, max(label.end_ms for label in labels)
    return Correction(start / 1000, end / 1000, "words", text=text, of=role)
