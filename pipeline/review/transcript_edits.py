"""What a person changed on the tiers of turns and words, as corrections.

Words are compared word by word, so that those left alone keep their times. A whole turn given to the other person is
one correction; a changed line of a turn is as many as there are changed stretches in it. Words that were put in, or cut
into others, are said where they were put. A turn cut in two or drawn together is a split or a join, an edge drawn
elsewhere is the time of its first or last word. What a correction cannot say, such as two words that changed places, is
named and left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise

from pipeline.exports.clock import short
from pipeline.exports.tiers import Label
from pipeline.records import AttuneError, Role
from pipeline.review.edited_files import Tiers
from pipeline.review.word_places import Found, correction, counts, inside, runs, said, spread
from pipeline.speech.corrections import ROLES, Correction
from pipeline.speech.turns import TurnsOptions

OWN_SILENCE_MS = round(1000 * TurnsOptions().own_silence_s)  # a longer one ends a turn
MOVED_SHARE = 0.5  # of a turn's time that it must share with itself on the other person's tier


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
    def all(self) -> tuple[Label, ...]:
        return (*self.before, *self.after)

    @property
    def start_ms(self) -> int:
        return min(label.start_ms for label in self.all)

    @property
    def end_ms(self) -> int:
        return max(label.end_ms for label in self.all)


def find_corrections(base: Tiers, edited: Tiers) -> tuple[list[Correction], list[str]]:
    """(corrections in the order to make them in, what was changed and cannot be taken up).

    base, edited  tiers as exported, and as they came back; one that is missing in `edited` counts as not changed
    raises        AttuneError where a turn and its words were both changed and do not say the same
    """
    found = Found()
    turns, words = _Pair(base, edited, "turns"), _Pair(base, edited, "words")
    with_turn = [m for m in words.moved if any(m.role == t.role and _within(m.before, t.before) for t in turns.moved)]
    moved_words = [moved for moved in words.moved if moved not in with_turn]
    found.corrections += [_given(moved) for moved in (*turns.moved, *moved_words)]
    for role in ROLES:
        changes = turns.changes(role)
        _word_changes(words, role, found)
        for change in changes:
            _line_change(change, words, role, found)
        _add_words(words, changes, role, found)
        _keep_apart(turns, words, role, found)
    for moved in turns.moved:
        spoken = [label for label in words.before(moved.of) if _within(label, moved.before)]
        if moved.after.text != moved.before.text:
            spoken = _reword_line(spoken, moved.after.text, moved.role, found)
        _edge_changes(moved.before, moved.after, spoken, moved.role, found)
    for moved in words.moved:
        if moved.after.text != moved.before.text:
            found.corrections.append(correction([moved.before], moved.after.text, moved.role))
        found.move(moved.before, moved.after.start_ms, moved.after.end_ms, moved.role)
    return found.all(), found.left


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
        before, after = _without(self.before(role), gone), _without(self.after(role), come)
        return list(_find_changed(before, after, apart=self.sort == "words"))


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


def _within(label: Label, stretch: Label | _Changed) -> bool:
    return inside(label, stretch.start_ms, stretch.end_ms)


def _find_changed(before: Sequence[Label], after: Sequence[Label], *, apart: bool) -> Iterator[_Changed]:
    """The labels that are not on both sides: one with the same text in the same place among those left alone was put
    elsewhere; of the others, those that meet in time belong together.

    apart   whether one that was put elsewhere stands for itself even where it meets others that were changed, as words
            do; a turn there is a part of what was changed
    """
    gone, come = _without(before, after), _without(after, before)
    for old, new in _put_elsewhere(gone, come, sorted(label.start_ms for label in set(before) & set(after))):
        pair = _Changed((old,), (new,))
        if apart or not any(_meet(pair, other) for other in (*gone, *come) if other not in pair.all):
            gone.remove(old)
            come.remove(new)
            yield pair
    loose = [(label, True) for label in gone] + [(label, False) for label in come]
    group: list[tuple[Label, bool]] = []
    for label, was in sorted(loose, key=lambda pair: (pair[0].start_ms, pair[0].end_ms)):
        if group and label.start_ms >= max(known.end_ms for known, _ in group):
            yield _group(group)
            group = []
        group.append((label, was))
    if group:
        yield _group(group)


def _meet(change: _Changed, label: Label) -> bool:
    return change.start_ms < label.end_ms and label.start_ms < change.end_ms


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


def _word_changes(words: _Pair, role: Role, found: Found) -> None:
    for change in words.changes(role):
        if not change.before:
            found.added.setdefault(role, []).extend(change.after)
        elif not change.after:
            found.corrections.append(correction(change.before, "", role))
        elif len(change.before) != len(change.after):
            found.recut(change.before, change.after, role)
        else:
            for before, after in zip(change.before, change.after, strict=True):
                _word_change(before, after, role, found)


def _word_change(before: Label, after: Label, role: Role, found: Found) -> None:
    if before.text != after.text:
        found.corrections.append(correction([before], after.text, role))
    found.move(before, after.start_ms, after.end_ms, role)


def _add_words(words: _Pair, changes: Sequence[_Changed], role: Role, found: Found) -> None:
    """Words that were put in: said with one that was left alone, and then each where it lies."""
    kept = set(words.after(role))
    alone = [w for w in words.before(role) if w in kept and not any(_within(w, change) for change in changes)]
    beside: dict[Label, list[Label]] = {}
    for label in found.added.get(role, ()):
        near = min(alone, key=lambda word: _away_ms(word, label), default=None)
        if near is None:
            found.leave(label.start_ms, role, f"{label.text!r} was put in, and no word of this person is left alone")
        else:
            beside.setdefault(near, []).append(label)
    for near, labels in beside.items():
        found.recut([near], sorted([near, *labels], key=lambda label: label.start_ms), role)


def _away_ms(label: Label, other: Label) -> int:
    return max(label.start_ms - other.end_ms, other.start_ms - label.end_ms, 0)


def _line_change(change: _Changed, words: _Pair, role: Role, found: Found) -> None:
    text = said(change.after)
    spoken = [label for label in words.before(role) if any(_within(label, turn) for turn in change.before)]
    now = [label for label in words.after(role) if _within(label, change)]
    were_edited = any(_within(label, change) for word in words.changes(role) for label in word.all)
    if were_edited and said(change.before) != text and said(now) != text:
        raise AttuneError(
            f"the {role}'s turn at {short(change.start_ms / 1000)} and its words were both changed, and do not say "
            "the same",
            mend="change the turn or its words, and leave the other as it was exported",
            code="edits-disagree",
        )
    if not spoken:
        _turn_added(change, now, role, found)
        return
    if were_edited:
        lies = now
        spoken = [label for label in spoken if label in now]
    elif said(change.before) != text:
        lies = spoken = _reword_line(spoken, text, role, found)
    else:
        lies = spoken
    _cut_changes(change, lies, role, found, in_the_end=were_edited)
    if len(change.before) != len(change.after):
        if change.after:
            _edge_changes(_whole(change.before), _whole(change.after), spoken, role, found)
        return
    own = (
        [[w for w in spoken if _within(w, turn)] for turn in change.before] if were_edited else runs(change.after, lies)
    )
    for k, (before, after, run) in enumerate(zip(change.before, change.after, own, strict=True)):
        beside = [word for words_of in (*own[:k], *own[k + 1 :]) for word in words_of]
        if any(_within(word, after) for word in beside):
            found.leave(after.start_ms, role, "an edge of a turn drawn over words of the turn beside it")
        else:
            _edge_changes(before, after, run, role, found)


def _whole(labels: Sequence[Label]) -> Label:
    return Label(labels[0].start_ms, max(label.end_ms for label in labels), said(labels))


def _turn_added(change: _Changed, now: Sequence[Label], role: Role, found: Found) -> None:
    """A turn where this person said nothing: words that nobody had put on the tier of words share its time."""
    for turn in change.after:
        laid = [label for label in now if _within(label, turn)]
        if not now:
            laid = spread([turn], turn.text)
            found.added.setdefault(role, []).extend(laid)
        found.edges += [(label, True, "split", role) for label in laid[:1]]


def _edge_changes(before: Label, after: Label, spoken: Sequence[Label], role: Role, found: Found) -> None:
    """The edges of a turn are those of its first and its last word; where these were moved themselves, they count."""
    if (before.start_ms, before.end_ms) == (after.start_ms, after.end_ms) or not spoken:
        return
    if (role, spoken[0]) in found.moved or (role, spoken[-1]) in found.moved:
        return
    begins = after.start_ms if after.start_ms != before.start_ms else spoken[0].start_ms
    ends = after.end_ms if after.end_ms != before.end_ms else spoken[-1].end_ms
    if len(spoken) == 1:
        found.move(spoken[0], begins, ends, role)
    elif begins < spoken[0].end_ms and ends > spoken[-1].start_ms:
        found.move(spoken[0], begins, spoken[0].end_ms, role)
        found.move(spoken[-1], spoken[-1].start_ms, ends, role)
    else:
        found.leave(before.start_ms, role, "an edge of a turn beyond its first or last word")


def _cut_changes(change: _Changed, lies: Sequence[Label], role: Role, found: Found, *, in_the_end: bool) -> None:
    """Where turns begin now and did not before, and the other way round, counted in words.

    lies   the words as they are said now
    """
    words = said(lies).split()
    was, now = (_begin_now(labels, words) for labels in (change.before, change.after))
    at_word = dict(zip(counts(lies), lies, strict=True))
    for label, place in zip(change.after, _places(change.after, words), strict=True):
        if place in at_word:
            found.firsts[role, label] = at_word[place], in_the_end
    for place in sorted((was ^ now) - {0}):
        kind = "split" if place in now else "join"
        if place in at_word:
            found.edges.append((at_word[place], in_the_end, kind, role))
        elif kind == "split":
            found.leave(change.start_ms, role, "a turn that begins within a word")
    if words == said(change.after).split():
        for run in runs(change.after, lies):
            _keep_together(change, run, role, found, in_the_end=in_the_end)
    lost = [label for label, place in zip(change.after, _places(change.after, words), strict=True) if place is None]
    for label in lost:
        found.leave(label.start_ms, role, "where a turn begins, among words that were changed on their own tier")


def _keep_together(change: _Changed, run: Sequence[Label], role: Role, found: Found, *, in_the_end: bool) -> None:
    """Say that the words of a turn are one where words were taken out of it, over the edge of two turns or so many that
    the silence would end it."""
    for last, word in pairwise(run):
        silent = word.start_ms - last.end_ms >= OWN_SILENCE_MS
        if silent or any(last.start_ms < turn.start_ms <= word.start_ms for turn in change.before):
            edge = (word, in_the_end, "join", role)
            if edge not in found.edges:
                found.edges.append(edge)


def _keep_apart(turns: _Pair, words: _Pair, role: Role, found: Found) -> None:
    """Say that turns are two which were drawn so near to each other that they would be laid out as one. One that comes
    from another person may well go on the turn before."""
    gaps = {(a.end_ms, b.start_ms) for a, b in pairwise(turns.before(role))}
    split = {(label, whose) for label, _, kind, whose in found.edges if kind == "split"}
    alone = {*turns.before(role), *(moved.after for moved in turns.moved)}
    for last, turn in pairwise(turns.after(role)):
        near = turn.start_ms - last.end_ms < OWN_SILENCE_MS
        if not near or (last.end_ms, turn.start_ms) in gaps or {last, turn} <= alone:
            continue
        left_alone = [(word, False) for word in words.before(role) if _within(word, turn)][:1]
        for first, in_the_end in [found.firsts[role, turn]] if (role, turn) in found.firsts else left_alone:
            if (first, role) not in split:
                found.edges.append((first, in_the_end, "split", role))


def _begin_now(labels: Sequence[Label], words: Sequence[str]) -> set[int]:
    return {place for place in _places(labels, words) if place is not None and place < len(words)}


def _places(labels: Sequence[Label], words: Sequence[str]) -> list[int | None]:
    """Where each label begins, counted in the words as they are said now; None within a stretch that was changed."""
    at: dict[int, int] = {}
    matcher = SequenceMatcher(a=said(labels).split(), b=words, autojunk=False)
    for kind, i1, i2, j1, _ in matcher.get_opcodes():
        at |= {i: j1 + i - i1 for i in range(i1, i2)} if kind == "equal" else {i1: j1}
    return [at.get(count) if count else 0 for count in counts(labels)]


def _reword_line(spoken: Sequence[Label], text: str, role: Role, found: Found) -> list[Label]:
    """Say what changed between the words that were spoken and the text that should stand there; returns where each word
    lies then. What was put in between two words goes with the one before it."""
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
    lies: list[Label] = []
    for i1, i2, now in groups:
        lies += spoken[i1:i2] if now == old[i1:i2] else found.reword(spoken[i1:i2], " ".join(now), role)
    return lies
