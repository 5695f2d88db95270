"""What a person changed on the tiers of turns and words, as corrections.

Words are compared word by word, so that those left alone keep their times. A whole turn given to the other person is
one correction; a changed line of a turn is as many as there are changed stretches in it. A turn cut in two or drawn
together is a split or a join, an edge drawn elsewhere is the time of its first or last word. What a correction cannot
say, such as two words that changed places, is named and left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """`moved` are said last, once every word is what and whose it should be: base label -> where it lies, and whose."""

    corrections: list[Correction] = field(default_factory=list)
    edges: list[tuple[Label, str, Role]] = field(default_factory=list)
    moved: dict[Label, tuple[int, int, Role]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def move(self, label: Label, start_ms: int, end_ms: int, role: Role) -> None:
        if (start_ms, end_ms) != (label.start_ms, label.end_ms):
            self.moved[label] = (start_ms, end_ms, role)


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
        spoken = [label for label in words.before(moved.of) if _inside(label, moved.before)]
        if moved.after.text != moved.before.text:
            found.corrections += _reworded(spoken, moved.after.text, moved.role)
        _edge_changes(moved.before, moved.after, spoken, moved.role, found)
    for moved in words.moved:
        if moved.after.text != moved.before.text:
            found.corrections.append(_correction([moved.before], moved.after.text, moved.role))
        found.move(moved.before, moved.after.start_ms, moved.after.end_ms, moved.role)
    return [*found.corrections, *_timed(found), *_cut(found)], found.left


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
    """The labels that are not on both sides: one with the same text in the same place among those left alone was put
    elsewhere; of the others, those that meet in time belong together."""
    gone, come = _without(before, after), _without(after, before)
    for old, new in _put_elsewhere(gone, come, sorted(label.start_ms for label in set(before) & set(after))):
        gone.remove(old)
        come.remove(new)
        yield _Changed((old,), (new,))
    loose = [(label, True) for label in gone] + [(label, False) for label in come]
    group: list[tuple[Label, bool]] = []
    for label, was in sorted(loose, key=lambda pair: (pair[0].start_ms, pair[0].end_ms)):
        if group and label.start_ms >= max(known.end_ms for known, _ in group):
            yield _group(group)
            group = []
        group.append((label, was))
    if group:
        yield _group(group)


def _put_elsewhere(gone: Sequence[Label], come: Sequence[Label], alone_ms: Sequence[int]) -> list[tuple[Label, Label]]:
    """Pairs of labels with one text, in order. `alone_ms` is where those begin that were left alone: a word that was
    put past one of them is another word."""

    def between(labels: Sequence[Label]) -> list[tuple[int, str]]:
        return [(bisect_left(alone_ms, label.start_ms), label.text) for label in labels]

    matcher = SequenceMatcher(a=between(gone), b=between(come), autojunk=False)
    blocks = matcher.get_matching_blocks()
    return [(gone[block.a + k], come[block.b + k]) for block in blocks for k in range(block.size)]


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
        near = min(spoken, key=lambda label: _away_ms(label, change), default=None)
        if change.before:
            _words_changed(change, role, found)
        elif near is None or _away_ms(near, change) > NEAR_MS:
            at = short(change.start_ms / 1000)
            found.left.append(f"{at} {role}: words were put where this person says nothing")
        else:
            beside.setdefault(near, []).append(change)
    for near, added in beside.items():
        before = [_said(change.after) for change in added if change.start_ms < near.start_ms]
        after = [_said(change.after) for change in added if change.start_ms >= near.start_ms]
        found.corrections.append(_correction([near], " ".join([*before, near.text, *after]), role))


def _words_changed(change: _Changed, role: Role, found: _Found) -> None:
    """One by one where there are as many as before, or else the whole stretch of them."""
    if len(change.before) == len(change.after):
        for before, after in zip(change.before, change.after, strict=True):
            if before.text != after.text:
                found.corrections.append(_correction([before], after.text, role))
            found.move(before, after.start_ms, after.end_ms, role)
        return
    if _said(change.before) != _said(change.after):
        found.corrections.append(_correction(change.before, _said(change.after), role))
    if len(change.before) == 1 and change.after:
        found.move(change.before[0], change.after[0].start_ms, change.after[-1].end_ms, role)
    elif change.after:
        edges = [(labels[0].start_ms, labels[-1].end_ms) for labels in (change.before, change.after)]
        if edges[0] != edges[1] or _said(change.before) == _said(change.after):
            found.left.append(f"{short(change.start_ms / 1000)} {role}: where each of several words lies now")


def _away_ms(label: Label, change: _Changed) -> int:
    return max(label.start_ms - change.end_ms, change.start_ms - label.end_ms, 0)


def _line_change(change: _Changed, words: _Pair, role: Role, found: _Found) -> None:
    text, at = _said(change.after), short(change.start_ms / 1000)
    spoken = [label for label in words.before(role) if any(_inside(label, turn) for turn in change.before)]
    if not spoken:
        found.left.append(f"{at} {role}: a turn was put where this person says nothing")
        return
    if _said(change.before) == text:
        _cut_changes(change, spoken, role, found)
    elif len(change.before) != len(change.after) and change.after:
        found.left.append(f"{at} {role}: where turns begin, for their words were changed too")
    if any(_inside(label, change) for word in words.changes(role) for label in (*word.before, *word.after)):
        now = [label for label in words.after(role) if _inside(label, change)]
        if _said(change.before) != text and _said(now) != text:
            raise AttuneError(
                f"the {role}'s turn at {at} and its words were both changed, and do not say the same",
                mend="change the turn or its words, and leave the other as it was exported",
                code="edits-disagree",
            )
    else:
        found.corrections += _reworded(spoken, text, role)
    if len(change.before) == len(change.after):
        for before, after in zip(change.before, change.after, strict=True):
            own = [label for label in spoken if _inside(label, before)]
            _edge_changes(before, after, own, role, found)


def _edge_changes(before: Label, after: Label, spoken: Sequence[Label], role: Role, found: _Found) -> None:
    """The edges of a turn are those of its first and its last word; where these were moved themselves, they count."""
    if (before.start_ms, before.end_ms) == (after.start_ms, after.end_ms) or not spoken:
        return
    if spoken[0] in found.moved or spoken[-1] in found.moved:
        return
    begins = after.start_ms if after.start_ms != before.start_ms else spoken[0].start_ms
    ends = after.end_ms if after.end_ms != before.end_ms else spoken[-1].end_ms
    if len(spoken) == 1:
        found.move(spoken[0], begins, ends, role)
    elif begins < spoken[0].end_ms and ends > spoken[-1].start_ms:
        found.move(spoken[0], begins, spoken[0].end_ms, role)
        found.move(spoken[-1], spoken[-1].start_ms, ends, role)
    else:
        found.left.append(f"{short(before.start_ms / 1000)} {role}: an edge of a turn beyond its first or last word")


def _cut_changes(change: _Changed, spoken: Sequence[Label], role: Role, found: _Found) -> None:
    """Where turns begin now and did not before, and the other way round, counted in words."""
    was, now = (set(_beginnings(labels)) for labels in (change.before, change.after))
    at_word = dict(zip(_beginnings(spoken), spoken, strict=True))
    for place in sorted(was ^ now):
        if place in at_word:
            found.edges.append((at_word[place], "split" if place in now else "join", role))
        else:
            found.left.append(f"{short(change.start_ms / 1000)} {role}: a turn that begins within a word")


def _beginnings(labels: Sequence[Label]) -> list[int]:
    """How many words are before each of the labels."""
    counts = [len(label.text.split()) for label in labels]
    return [sum(counts[:k]) for k in range(len(counts))]


def _timed(found: _Found) -> Iterator[Correction]:
    """The corrections of times, each before another could take up the word that it put there."""
    waiting = dict(found.moved)
    while waiting:
        free = next((label for label in waiting if _is_free(label, waiting)), None)
        if free is None:
            places = ", ".join(short(label.start_ms / 1000) for label in waiting)
            found.left.append(f"{places}: words that changed places")
            return
        start_ms, end_ms, role = waiting.pop(free)
        yield Correction(
            free.start_ms / 1000, free.end_ms / 1000, "times", of=role, begins=start_ms / 1000, ends=end_ms / 1000
        )


def _is_free(label: Label, waiting: Mapping[Label, tuple[int, int, Role]]) -> bool:
    start_ms, end_ms, role = waiting[label]
    lies = Label(start_ms, end_ms, "")
    return not any(other != label and waiting[other][2] == role and _inside(lies, other) for other in waiting)


def _cut(found: _Found) -> Iterator[Correction]:
    """Turns cut and drawn together, at the words where they lie in the end."""
    for label, kind, role in found.edges:
        start_ms, end_ms, _ = found.moved.get(label, (label.start_ms, label.end_ms, role))
        yield Correction(start_ms / 1000, end_ms / 1000, kind, of=role)  # type: ignore[arg-type]


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
