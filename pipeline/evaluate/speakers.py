"""How well speech, turns and roles fit a reference: counts and seconds that add up, rates only at the end.

DER by pyannote.metrics. Its `collar` is the total width around an edge, the field's 0.25 s are on each side: 0.5.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from pipeline.evaluate.words import normalise, pair_words
from pipeline.intervals import HasTimes, overlap_s, total_s
from pipeline.records import Speech, Turn, Word

COLLAR_S = 0.25  # each side of every edge of the reference, the field's usual forgiveness
SHORT_WORDS = 3  # a turn of so many words or fewer is a short one


@dataclass(frozen=True)
class DerSeconds:
    """Diarization error in seconds; `a + b` pools two recordings."""

    total: float = 0.0  # of reference speech, each person's counted
    missed: float = 0.0
    false_alarm: float = 0.0
    confusion: float = 0.0

    def __add__(self, other: DerSeconds) -> DerSeconds:
        return DerSeconds(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def rate(self) -> float:
        """Errors for each second of reference speech; 0.0 where there is neither."""
        errors = self.missed + self.false_alarm + self.confusion
        return errors / self.total if self.total else (float("inf") if errors else 0.0)


@dataclass(frozen=True)
class SpeakerCounts:
    """Words and turns by speaker, as counts; `a + b` pools two recordings.

    words            reference words that were heard: paired by text, or else by time
    words_wrong      of these, given to another person
    short            reference turns of three words or fewer of which a word was heard
    short_wrong      of these, at least half of the heard words given to another person
    short_unheard    reference turns of three words or fewer of which no word was heard: most lie under other talk
    cp_words, cp_errors   words and errors of the cpWER: each person's words in a row, under the best pairing of people
    """

    words: int = 0
    words_wrong: int = 0
    short: int = 0
    short_wrong: int = 0
    short_unheard: int = 0
    cp_words: int = 0
    cp_errors: int = 0

    def __add__(self, other: SpeakerCounts) -> SpeakerCounts:
        return SpeakerCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def cpwer(self) -> float:
        return self.cp_errors / self.cp_words if self.cp_words else (float("inf") if self.cp_errors else 0.0)


def score_der(reference: Sequence[Speech], speech: Sequence[Speech], collar_s: float = 0.0) -> DerSeconds:
    """Diarization error under the best pairing of speakers, where two speak at once too.

    collar_s   seconds each side of every edge of the reference that are not scored
    """
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric = DiarizationErrorRate(collar=2 * collar_s)
    last = max((s.end for s in [*reference, *speech]), default=0.0)
    found = metric(
        _annotation(reference), _annotation(speech), detailed=True, uem=Timeline([Segment(0.0, last + collar_s)])
    )
    return DerSeconds(found["total"], found["missed detection"], found["false alarm"], found["confusion"])


def _annotation(speech: Iterable[Speech]):
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for track, stretch in enumerate(speech):
        annotation[Segment(stretch.start, stretch.end), track] = stretch.speaker
    return annotation


def score_speakers(reference: Sequence[Sequence[Word]], turns: Sequence[Turn]) -> SpeakerCounts:
    """Whether each word went to the right person.

    reference   one sequence of words for each reference turn, in order; every word names its speaker
    turns       as laid out by the pipeline
    """
    expected = [word for turn in reference for word in turn]
    pairs = match_words(expected, turns)
    people = match_people(pairs.values())
    wrong = {i: people.get(theirs) != ours for i, (ours, theirs) in pairs.items()}
    short, short_wrong, short_unheard, at = 0, 0, 0, 0
    for turn in reference:
        heard = [wrong[i] for i in range(at, at + len(turn)) if i in wrong]
        at += len(turn)
        if len(turn) <= SHORT_WORDS:
            short += bool(heard)
            short_wrong += bool(heard) and 2 * sum(heard) >= len(heard)
            short_unheard += not heard
    words, errors = score_cp(_texts(expected), _texts(_heard_words(turns)))
    return SpeakerCounts(len(wrong), sum(wrong.values()), short, short_wrong, short_unheard, words, errors)


def match_words(expected: Sequence[Word], turns: Sequence[Turn]) -> dict[int, tuple[str, str]]:
    """For each heard reference word, by index: (its speaker, the speaker it was given to).

    Words pair up by text; one that was misheard pairs with the word written at its middle, unless that is the hearing
    of another one: what nobody wrote was given to nobody.
    """
    heard = _heard_words(turns)
    place = {id(word): i for i, word in enumerate(expected)}
    pairs = {place[id(ours)]: theirs for ours, theirs in pair_words(expected, heard)}
    taken = {id(theirs) for theirs in pairs.values()}
    left = [word for word in heard if id(word) not in taken]
    for i, word in enumerate(expected):
        if i not in pairs and (at := _word_at(left, (word.start + word.end) / 2)) is not None:
            pairs[i] = at
    return {i: (expected[i].speaker, pairs[i].speaker) for i in sorted(pairs)}


def match_people(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Heard speaker -> reference speaker, each at most once, so that most pairs agree."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    counts = Counter(pairs)
    ours = sorted({a for a, _ in counts})
    theirs = sorted({b for _, b in counts})
    table = np.array([[counts[a, b] for b in theirs] for a in ours]).reshape(len(ours), len(theirs))
    rows, columns = linear_sum_assignment(table, maximize=True)
    return {theirs[c]: ours[r] for r, c in zip(rows, columns, strict=True)}


def score_cp(reference: Mapping[str, str], heard: Mapping[str, str]) -> tuple[int, int]:
    """(reference words, word errors) of the concatenated minimum-permutation word error rate.

    Both map a speaker to all that was said, through Whisper's English normaliser; a speaker without a partner counts
    in full as deletions or insertions.
    """
    import numpy as np
    from rapidfuzz.distance import Levenshtein
    from scipy.optimize import linear_sum_assignment

    ours = [normalise(text) for _, text in sorted(reference.items())]
    theirs = [normalise(text) for _, text in sorted(heard.items())]
    size = max(len(ours), len(theirs))
    ours += [[]] * (size - len(ours))
    theirs += [[]] * (size - len(theirs))
    errors = np.array([[Levenshtein.distance(a, b) for b in theirs] for a in ours]).reshape(size, size)
    rows, columns = linear_sum_assignment(errors)
    return sum(len(words) for words in ours), int(errors[rows, columns].sum())


def talk_shares(talk: Iterable[HasTimes]) -> dict[str, float]:
    """Each speaker's share of all talking time; empty where nobody talks. Items have a `speaker`."""
    spans: dict[str, list[HasTimes]] = defaultdict(list)
    for item in talk:
        spans[item.speaker].append(item)
    seconds = {speaker: total_s(own) for speaker, own in spans.items()}
    total = sum(seconds.values())
    return {speaker: own / total for speaker, own in seconds.items()} if total else {}


def talk_share_error(reference: Sequence[Speech], speech: Sequence[Speech]) -> float:
    """Largest difference between a person's true share of the talking time and the share measured: 0 to 1.

    People pair up by the time they have in common; somebody who was not found has a measured share of 0.
    """
    shared: Counter = Counter()
    for ours in reference:
        for theirs in speech:
            shared[ours.speaker, theirs.speaker] += round(1000 * overlap_s(ours, theirs))
    people = match_people(shared.elements())
    true, measured = talk_shares(reference), talk_shares(speech)
    found = {ours: measured[theirs] for theirs, ours in people.items()}
    return max((abs(share - found.get(speaker, 0.0)) for speaker, share in true.items()), default=0.0)


def _heard_words(turns: Sequence[Turn]) -> list[Word]:
    """All words in order of start, each with the speaker of its turn."""
    words = [Word(w.start, w.end, w.text, w.confidence, turn.speaker) for turn in turns for w in turn.words]
    return sorted(words, key=lambda w: (w.start, w.end))


def _word_at(heard: Sequence[Word], time_s: float) -> Word | None:
    from bisect import bisect_right

    i = bisect_right(heard, time_s, key=lambda w: w.start) - 1
    return heard[i] if i >= 0 and heard[i].end > time_s else None


def _texts(words: Sequence[Word]) -> dict[str, str]:
    texts: dict[str, list[str]] = defaultdict(list)
    for word in words:
        texts[word.speaker].append(word.text)
    return {speaker: " ".join(own) for speaker, own in texts.items()}
