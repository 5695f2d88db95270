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

    Words pair up where the alignment with the fewest errors has the same word in both. Wrong, missing and added
    words give no entry, nor do hesitation sounds, which references place loosely or leave out.
    """
    return [abs(theirs.start - ours.start) for theirs, ours in pair_words(reference, words)]


def pair_words(reference: Sequence[Word], words: Sequence[Word]) -> list[tuple[Word, Word]]:
    """(reference word, heard word) wherever both have the same word, in order; punctuation and case do not matter."""
    expected = [(token, word) for word in reference for token in plain_tokens(word.text) if token not in FILLERS]
    heard = [(token, word) for word in words for token in plain_tokens(word.text) if token not in FILLERS]
    pairs = _equal_pairs([token for token, _ in expected], [token for token, _ in heard])
    return list(dict.fromkeys((expected[i][1], heard[j][1]) for i, j in pairs))


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
