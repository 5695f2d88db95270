"""Word times from two listeners, and the forced alignment that is one of them, on acted speech of known times."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intervals import Span
from pipeline.records import Word
from pipeline.speech.audio import AudioOptions, decode_recording
from pipeline.speech.engines.sphinx_align import Aligner
from pipeline.speech.word_times import APART_S, choose_times, may_be_unsaid

FOLDER = Path(__file__).parents[1] / "sample_audio"
FIRST_S, LAST_S = 20.0, 45.0
RATE = 16000


@pytest.fixture(scope="module")
def spoken():
    """25 s of an acted session: its sound, and its words with their times in it."""
    samples = decode_recording(FOLDER / "acted_session_1.mp4", AudioOptions()).mono
    words = json.loads((FOLDER / "acted_session_1.words.json").read_text(encoding="utf-8"))
    inside = [w for w in words if w["start"] >= FIRST_S and w["end"] <= LAST_S]
    cut = samples[round(FIRST_S * RATE) : round(LAST_S * RATE)]
    return cut, [Word(w["start"] - FIRST_S, w["end"] - FIRST_S, w["word"]) for w in inside]


def align(samples, texts, optional=()):
    return Aligner().align(samples, texts, [text in optional for text in texts])


def test_words_are_found_where_they_were_said(spoken):
    samples, words = spoken
    spans = align(samples, [word.text for word in words])
    pairs = [(word, span) for word, span in zip(words, spans, strict=True) if span]
    assert len(pairs) > 0.95 * len(words) > 40
    assert median(abs(span.start - word.start) for word, span in pairs) < 0.07
    assert median(abs(span.end - word.end) for word, span in pairs) < 0.05
    assert all(a.start < b.start for (_, a), (_, b) in pairwise(pairs))


def test_the_same_sound_gives_the_same_times_whatever_came_before(spoken):
    samples, words = spoken
    texts = [word.text for word in words]
    aligner = Aligner()
    first = aligner.align(samples, texts, [False] * len(texts))
    aligner.align(samples[: 5 * RATE] * 0.1, ["yes"], [False])
    assert aligner.align(samples, texts, [False] * len(texts)) == first


def test_what_no_dictionary_has_is_left_to_others(spoken):
    samples, words = spoken
    texts = [word.text for word in words]
    plain = align(samples, texts)
    with_unknown = align(samples, [*texts[:10], "Zzyzxqu", "42", *texts[10:]])
    assert with_unknown[10:12] == [None, None]
    assert with_unknown[:10] + with_unknown[12:] == plain


def test_a_hesitation_that_nobody_made_may_be_left_out(spoken):
    samples, words = spoken
    texts = [word.text for word in words]
    spans = align(samples, [*texts[:10], "um", *texts[10:]], optional={"um"})
    rest = [span for i, span in enumerate(spans) if i != 10]
    kept = [(a, b) for a, b in zip(rest, align(samples, texts), strict=True) if a and b]
    assert sum(abs(a.start - b.start) < 0.05 for a, b in kept) >= len(kept) - 2


def test_a_written_word_of_several_is_one(spoken):
    samples, words = spoken
    texts = [word.text for word in words]
    joined = align(samples, [f"{texts[0]}-{texts[1].upper()},", *texts[2:]])
    apart = align(samples, texts)
    assert joined[0] == Span(apart[0].start, apart[1].end)
    assert joined[1:] == apart[2:]


@pytest.mark.parametrize("seconds", [0.0, 0.05, 3.0])
def test_text_without_its_sound_is_not_found(seconds):
    nothing = np.zeros(round(seconds * RATE), dtype=np.float32)
    texts = ["it", "is", "all", "rather", "much", "to", "say", "in", "so", "short", "a", "time"]
    assert align(nothing, texts) == [None] * len(texts)
    assert Aligner().align(nothing, [], []) == []


def words_at(*starts, confidence=1.0):
    return [Word(start, start + 0.2, "word", confidence) for start in starts]


def test_alignment_counts_where_both_agree():
    (word,) = choose_times(words_at(1.0), [Span(1.2, 1.5)])
    assert (word.start, word.end) == (1.2, 1.5)


def test_one_word_across_a_pause_goes_where_alignment_has_it():
    words = words_at(1.0, 2.9, 3.2)  # the recogniser put the first before the pause
    timed = choose_times(words, [Span(2.5, 2.8), Span(2.9, 3.1), Span(3.2, 3.4)])
    assert [w.start for w in timed] == [2.5, 2.9, 3.2]


def test_an_alignment_that_lost_its_place_does_not_count():
    words = words_at(1.0, 1.3, 1.6, 1.9)
    lost = [Span(w.start + 2 * APART_S, w.end + 2 * APART_S) for w in words[:3]]
    assert [w.start for w in choose_times(words, [*lost, Span(1.9, 2.1)])] == [1.0, 1.3, 1.6, 1.9]
    far = [Span(9.0, 9.2), *[Span(w.start, w.end) for w in words[1:]]]
    assert choose_times(words, far)[0].start == 1.0


def test_a_word_without_alignment_keeps_its_times_and_its_place():
    timed = choose_times(words_at(1.0, 1.1, 1.6), [Span(1.3, 1.5), None, Span(1.6, 1.8)])
    assert [(w.start, w.end) for w in timed] == [(1.3, 1.5), (1.5, 1.5), (1.6, 1.8)]


def test_doubtful_words_and_hesitations_may_be_unsaid():
    assert may_be_unsaid(Word(0, 1, "Um,"))
    assert may_be_unsaid(Word(0, 1, "liver", 0.1))
    assert not may_be_unsaid(Word(0, 1, "liver", 0.9))


moments = st.floats(0, 30).map(lambda t: round(t, 2))


@given(st.lists(st.tuples(moments, st.one_of(st.none(), st.tuples(moments, moments))), max_size=20))
def test_no_word_is_lost_and_order_is_kept(drawn):
    words = [Word(start, start + 0.1, str(i)) for i, (start, _) in enumerate(sorted(drawn, key=lambda d: d[0]))]
    spans = [Span(min(s), max(s)) if s else None for _, s in drawn]
    timed = choose_times(words, spans)
    assert [w.text for w in timed] == [w.text for w in words]
    assert timed == sorted(timed, key=lambda w: (w.start, w.end))
    assert all(w.start <= w.end for w in timed)
