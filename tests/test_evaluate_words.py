"""Scoring words against a reference: counts that add up, times of rightly heard words."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from pipeline.evaluate.words import WordCounts, pair_words, plain_tokens, score_words, word_time_errors
from pipeline.records import Word


def words_of(text: str, step: float = 0.5) -> list[Word]:
    return [Word(i * step, (i + 1) * step, token) for i, token in enumerate(text.split())]


def test_same_text_in_other_dress_has_no_errors():
    counts = score_words(
        "I can't, really. I've had twenty two of them!", words_of("i can not really I have had 22 of them")
    )
    assert counts.errors == 0
    assert counts.reference == 10


def test_each_kind_of_error_is_counted_apart():
    counts = score_words(
        "the cat sat down on a wide mat beside them", words_of("the dog sat down on wide mat beside them today")
    )
    assert (counts.substitutions, counts.deletions, counts.insertions) == (1, 1, 1)
    assert counts.wer == pytest.approx(3 / 10)


def test_fillers_do_not_touch_the_word_error_rate():
    counts = score_words("um I uh went home", words_of("I um went um home uh"))
    assert counts.errors == 0
    assert counts.fillers_reference == 2
    assert counts.fillers_kept == 1  # "uh" before "went"; spelling does not matter
    assert counts.fillers_invented == 2


def test_mm_hm_is_an_answer_and_no_filler():
    for spelling in ("Mm-hmm.", "mhm", "Uh-huh,", "mm hm", "M-hm"):
        assert plain_tokens(spelling) == ["mhm"], spelling
    assert score_words("mm-hm okay", words_of("Mm-hmm. Okay.")).fillers_reference == 0


def test_pooling_adds_counts_and_not_rates():
    short = score_words("no", words_of("yes"))
    long = score_words("a b c d e f g h i", words_of("a b c d e f g h i"))
    assert (short + long).wer == pytest.approx(0.1)
    assert sum([short, long], WordCounts()) == short + long


def test_empty_reference():
    assert score_words("", []).wer == 0.0
    assert math.isinf(score_words("", words_of("you")).wer)


def test_time_errors_come_from_rightly_heard_words_only():
    reference = [Word(0.0, 0.4, "well"), Word(0.4, 0.8, "I"), Word(1.0, 1.5, "went"), Word(1.5, 2.0, "home")]
    heard = [
        Word(0.1, 0.4, "Well,"),
        Word(0.4, 0.8, "eye"),
        Word(0.9, 1.0, "um"),
        Word(1.3, 1.5, "went"),
        Word(1.5, 2, "home."),
    ]
    assert word_time_errors(reference, heard) == pytest.approx([0.1, 0.3, 0.0])


def test_a_repeated_word_pairs_in_order():
    reference = [Word(0, 1, "no"), Word(1, 2, "no"), Word(2, 3, "no")]
    heard = [Word(0.2, 1, "No,"), Word(1.2, 2, "no"), Word(2.2, 3, "no.")]
    assert [(r.start, h.start) for r, h in pair_words(reference, heard)] == [(0, 0.2), (1, 1.2), (2, 2.2)]


def test_of_two_places_for_a_word_the_nearer_in_time_counts():
    reference = [Word(1.0, 1.1, "I"), Word(1.1, 1.4, "think")]
    heard = [Word(0.2, 0.3, "I"), Word(1.0, 1.1, "I"), Word(1.2, 1.4, "think")]
    assert word_time_errors(reference, heard) == pytest.approx([0.0, 0.1])
    assert word_time_errors(heard, reference) == pytest.approx([0.0, 0.1])


tokens = st.lists(st.sampled_from(["well", "home", "river", "stone"]), max_size=12)


@given(tokens, tokens)
def test_counts_add_up(expected, heard):
    counts = score_words(" ".join(expected), words_of(" ".join(heard)))
    assert counts.reference == len(expected)
    assert counts.reference - counts.deletions + counts.insertions == len(heard)
    assert counts.errors >= abs(len(expected) - len(heard))


@given(tokens)
def test_a_text_scores_perfectly_against_itself(expected):
    words = words_of(" ".join(expected))
    assert score_words(" ".join(expected), words).errors == 0
    assert word_time_errors(words, words) == [0.0] * len(words)


@given(tokens, tokens, st.integers(0, 60))
def test_pairs_lie_on_an_alignment_with_the_fewest_errors(expected, heard, late_s):
    reference = [Word(i, i + 1, token) for i, token in enumerate(expected)]
    found = [Word(i + late_s, i + 1 + late_s, token) for i, token in enumerate(heard)]
    pairs = [(-1, -1), *((r.start, h.start - late_s) for r, h in pair_words(reference, found))]
    pairs.append((len(expected), len(heard)))
    errors = sum(max(b[0] - a[0], b[1] - a[1]) - 1 for a, b in pairwise(pairs))
    assert errors == Levenshtein.distance(expected, heard)
