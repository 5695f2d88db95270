"""The quality track: known noise, clipping, dropouts, overlap and doubtful words make a minute grey, and say why."""

import numpy as np
import pytest

from pipeline.features.prosody import FramesOptions, measure_frames
from pipeline.features.quality import Track
from pipeline.features.windows import WindowsOptions
from pipeline.intervals import Span
from pipeline.records import Audio, Speech, Turn, Word
from tests.made_speech import RATE, VOICES, make_noise, make_tone, silence

OPTIONS = WindowsOptions()
SECONDS = 12.0


def quality_of(sound, speech=None, confidence=0.9, spoil=lambda x: x):
    """Quality of 12 s in which the client speaks from 0 to 8 s."""
    audio = Audio(spoil(sound)[None].astype(np.float32), RATE)
    speech = speech or [Speech(0.0, 8.0, "C")]
    turns = [Turn(0.0, 8.0, "C", "client", tuple(Word(k, k + 0.5, "well", confidence) for k in range(8)))]
    frames = measure_frames(audio, speech, VOICES, FramesOptions())
    return Track(turns, frames).measure(Span(0.0, SECONDS), OPTIONS)


def spoken(snr_db):
    return np.concatenate([make_tone(200, 8.0, -20), silence(4.0)]) + make_noise(SECONDS, -20 - snr_db)


@pytest.mark.parametrize("snr_db", [10, 20, 40])
def test_signal_to_noise(snr_db):
    # what is read is speech with the room in it over the room
    expected = 10 * np.log10(10 ** (snr_db / 10) + 1)
    row = quality_of(spoken(snr_db))
    assert row["snr_db"] == pytest.approx(expected, abs=1.0)
    assert not row["grey"]


def test_speech_under_the_room_is_grey():
    row = quality_of(spoken(0))
    assert row["grey"]
    assert row["grey_why"].startswith("speech only 3 dB above the room")


def test_clipping_is_grey():
    row = quality_of(spoken(40), spoil=lambda x: np.clip(x * 20, -1, 1))
    assert row["clipped_share"] > 0.5
    assert "at full scale" in row["grey_why"]


def test_dropouts_are_counted_in_speech_only():
    def lose(sound):
        lost = sound.copy()
        for second in range(12):
            lost[second * RATE + 4000 : second * RATE + 8000] = 0
        return lost

    row = quality_of(spoken(40), spoil=lose)
    assert row["dropout_s"] == pytest.approx(8 * 0.25, abs=0.2)
    assert "cut out" in row["grey_why"]


def test_two_people_at_once_are_grey():
    row = quality_of(spoken(40), speech=[Speech(0.0, 8.0, "C"), Speech(1.0, 7.0, "T")])
    assert row["overlap_share"] == pytest.approx(0.75, abs=0.01)
    assert "two people at once in 75%" in row["grey_why"]


def test_doubtful_words_are_grey():
    row = quality_of(spoken(40), confidence=0.3)
    assert row["grey_why"] == "mean word confidence 0.30"


def test_without_sound_only_words_tell():
    turns = [Turn(0.0, 8.0, "C", "client", (Word(0.0, 1.0, "well", 0.9),))]
    row = Track(turns, None).measure(Span(0.0, 60.0), OPTIONS)
    assert np.isnan(row["snr_db"])
    assert (row["grey"], row["grey_why"]) == (False, "")


def test_a_silent_minute_is_not_grey():
    row = quality_of(spoken(40), speech=[Speech(0.0, 0.001, "C")])
    assert np.isnan(row["snr_db"])
    assert not row["grey"]
