"""How well the words and their times fit a reference: counts that add up, never means of rates.

Text is compared through Whisper's English normaliser (lower case, no punctuation, "can't" = "can not", numbers as
digits), which also removes hesitation sounds; those are counted on their own, as `Fillers`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

from pipeline.records import Word

# Hesitation sounds as reference transcripts spell them. "mm-hmm" and "uh-huh" are answers, not hesitations.
FILLERS = frozenset({"um", "umm", "uhm", "uh", "er", "err", "erm", "hm", "hmm", "mm", "mmm", "ah", "eh"})
BOTH, MISSED, ADDED = (
    0,
    1,
    2,
)  # how an alignment goes on: a word of each, of the reference alone, of the transcript alone
FAR_S = 30.0  # words further apart than this in time are all the same to the alignment
ROUNDING = (
    1e-9  # costs closer than this are equal: a difference of one thousandth of a second in an hour of talk is more
)
ANSWERS = re.compile(r"\b(?:mm+|m|uh|um)[- ]?(?:hu?m+|huh|uh)\b")


@dataclass(frozen=True)
class WordCounts:
    """Word errors as counts; `a + b` pools two recordings.

    reference          words in the reference, after normalising
    substitutions, deletions, insertions    of the alignment with the fewest errors
    fillers_reference  hesitation sounds that the reference holds
    fillers_kept       of these, how many the transcript has at the same place
    fillers_invented   hesitation sounds in the transcript where the reference has none; references are often cleaned,
                       so an upper bound
    """

    reference: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    fillers_reference: int = 0
    fillers_kept: int = 0
    fillers_invented: int = 0

    def __add__(self, other: WordCounts) -> WordCounts:
        return WordCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def wer(self) -> float:
        """Errors for each reference word; 0.0 where neither has a word, infinite where only the transcript has."""
        if self.reference:
            return self.errors / self.reference
        return float("inf") if self.errors else 0.0


def score_words(reference_text: str, words: Sequence[Word]) -> WordCounts:
    """Compare a transcript with its reference.

    reference_text   plain text, hesitation sounds included where the reference has them
    words            in order of time
    """
    spoken = " ".join(word.text for word in words)
    expected, heard = normalise(reference_text), normalise(spoken)
    kinds = [op.tag for op in _edit_operations(expected, heard)]
    return WordCounts(
        reference=len(expected),
        substitutions=kinds.count("replace"),
        deletions=kinds.count("delete"),
        insertions=kinds.count("insert"),
        **_filler_counts(plain_tokens(reference_text), plain_tokens(spoken)),
    )


def word_time_errors(reference: Sequence[Word], words: Sequence[Word]) -> list[float]:
    """How far the start of each rightly heard word lies from the reference's, in seconds, in order; never negative.

    Words pair up as `pair_words` says. Wrong, missing and added words give no entry, nor do hesitation sounds, which
    references place loosely or leave out.
    """
    return [abs(theirs.start - ours.start) for theirs, ours in pair_words(reference, words)]


def pair_words(reference: Sequence[Word], words: Sequence[Word]) -> list[tuple[Word, Word]]:
    """(reference word, heard word) wherever both have the same word, in order; punctuation and case do not matter.

    Of the alignments with the fewest errors, of which talk that repeats itself has many, the one that lies closest in
    time: "I, I think" for "I think" says nothing about which "I" was heard.
    """
    expected = [(token, word) for word in reference for token in plain_tokens(word.text) if token not in FILLERS]
    heard = [(token, word) for word in words for token in plain_tokens(word.text) if token not in FILLERS]
    pairs = _closest_pairs(expected, heard) if expected and heard else []
    return list(dict.fromkeys((expected[i][1], heard[j][1]) for i, j in pairs))


def _closest_pairs(expected: Sequence[tuple[str, Word]], heard: Sequence[tuple[str, Word]]) -> list[tuple[int, int]]:
    """Indices of equal tokens in the alignment with the fewest errors and, among those, the least time apart."""
    import numpy as np

    ids = {token: i for i, token in enumerate({token for token, _ in (*expected, *heard)})}
    theirs, ours = (np.array([ids[token] for token, _ in side]) for side in (expected, heard))
    their_s, our_s = (np.array([word.start for _, word in side]) for side in (expected, heard))
    # A second apart costs so little that no sum of them over a recording outweighs one error.
    per_s = 0.5 / (FAR_S * min(len(theirs), len(ours)))
    came = np.zeros((len(theirs) + 1, len(ours) + 1), dtype=np.int8)
    came[0] = ADDED
    places = np.arange(len(ours) + 1, dtype=float)
    before = places
    for i in range(1, len(theirs) + 1):
        apart = np.minimum(np.abs(their_s[i - 1] - our_s), FAR_S) * per_s
        both = before[:-1] + np.where(ours == theirs[i - 1], apart, 1.0)
        cost = before + 1.0
        came[i] = MISSED
        came[i, 1:][both <= cost[1:]] = BOTH
        cost[1:] = np.minimum(cost[1:], both)
        with_added = np.minimum.accumulate(cost - places) + places  # any number of heard words more
        came[i][with_added < cost - ROUNDING] = ADDED
        before = with_added
    return [(i, j) for i, j in _walk_back(came) if theirs[i] == ours[j]]


def _walk_back(came) -> list[tuple[int, int]]:
    """The (i, j) that an alignment has side by side, in order, from how each cell was reached."""
    i, j = came.shape[0] - 1, came.shape[1] - 1
    side_by_side = []
    while i and j:
        how = came[i, j]
        i, j = i - (how != ADDED), j - (how != MISSED)
        if how == BOTH:
            side_by_side.append((i, j))
    return side_by_side[::-1]


def normalise(text: str) -> list[str]:
    """The words of a text through Whisper's English normaliser; hesitation sounds removed."""
    return _english_normaliser()(text).split()


def plain_tokens(text: str) -> list[str]:
    """Lower-case words without punctuation, hesitation sounds kept; "mm-hmm" and its like become one word, "mhm"."""
    text = ANSWERS.sub("mhm", text.lower().replace("’", "'"))
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text)


@cache
def _english_normaliser():
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()


def _filler_counts(expected: list[str], heard: list[str]) -> dict[str, int]:
    """All hesitation sounds count as one: "um" for "uh" is kept."""
    expected = ["um" if token in FILLERS else token for token in expected]
    heard = ["um" if token in FILLERS else token for token in heard]
    kept = sum(expected[i] == "um" for i, _ in _equal_pairs(expected, heard))
    in_reference = expected.count("um")
    return {
        "fillers_reference": in_reference,
        "fillers_kept": kept,
        "fillers_invented": heard.count("um") - kept,
    }


def _edit_operations(expected: list[str], heard: list[str]):
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.editops(expected, heard)


def _equal_pairs(expected: list[str], heard: list[str]) -> list[tuple[int, int]]:
    """Indices of the words that the alignment with the fewest errors leaves as they are."""
    from rapidfuzz.distance import Levenshtein

    return [
        pair
        for op in Levenshtein.opcodes(expected, heard)
        if op.tag == "equal"
        for pair in zip(range(op.src_start, op.src_end), range(op.dest_start, op.dest_end), strict=True)
    ]
