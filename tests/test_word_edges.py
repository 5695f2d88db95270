"""Word edges: later by the recogniser's lead, inside the voice activity, after the pause before the word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Activity, Word
from pipeline.speech.word_edges import LEAD_S, measure_level, tighten
from tests.made_speech import make_noise, make_tone, silence

RATE = 16000


def talk(*pieces):
    """Seconds of tone where positive, of near silence where negative."""
    sound = [make_tone(150.0, p, -20.0) if p > 0 else silence(-p) for p in pieces]
    whole = np.concatenate(sound)
    return whole + make_noise(len(whole) / RATE, -70.0)[: len(whole)]


def test_a_word_after_a_pause_begins_where_its_sound_does():
    samples = talk(1.0, -0.5, 0.4, -0.6)  # one word, a pause of 0.5 s, another from 1.5 to 1.9
    words = [Word(0.0, 0.9, "so"), Word(0.9, 1.85, "yes")]
    _, after = tighten(words, [Activity(0, 1.95)], samples, RATE)
    assert after.start == pytest.approx(1.5, abs=0.03)
    assert after.end == pytest.approx(1.9, abs=0.01)
    assert type(after.start) is float  # as records are written


def test_a_word_is_cut_to_the_voice_activity_it_ends_in():
    samples = talk(1.0, -2.0, 1.0)
    (word,) = tighten([Word(0.8, 3.5, "well")], [Activity(0, 1.0), Activity(3.0, 4.0)], samples, RATE)
    assert (word.start, word.end) == (pytest.approx(3.0, abs=0.03), pytest.approx(3.5 + LEAD_S))


def test_a_short_closure_inside_a_word_stays():
    samples = talk(0.2, -0.08, 0.3)  # "backache": the stop lasts 80 ms
    (word,) = tighten([Word(0.0, 0.5, "backache")], [Activity(0, 0.58)], samples, RATE)
    assert word.start == pytest.approx(LEAD_S)


def test_level_is_in_db_re_full_scale():
    assert measure_level(make_tone(150.0, 1.0, -20.0), RATE)[10:90] == pytest.approx(-20.0, abs=2.5)
    assert len(measure_level(np.zeros(100, dtype=np.float32), RATE)) == 0


times = st.floats(0, 5).map(lambda t: round(t, 2))


@given(st.lists(st.tuples(times, times), max_size=8), st.lists(st.tuples(times, times), max_size=4))
def test_edges_stay_in_order_and_no_word_is_lost(spans, spoken):
    words = [Word(min(s), max(s), "word", 0.5) for s in spans]
    activity = [Activity(min(s), max(s)) for s in spoken if s[0] != s[1]]
    tight = tighten(words, activity, talk(1.0, -0.5, 1.0, -0.5, 2.0), RATE)
    assert [w.text for w in tight] == [w.text for w in words]
    assert all(0 <= w.start <= w.end <= 5 for w in tight)
