"""Frames: sound with a known pitch, level and speaker must be measured as such, whatever it came through."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.prosody import VOICE_COLUMNS, FramesOptions, find_dropouts, measure_frames, who_speaks
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.records import AttuneError, Audio, Speech, Voice
from tests.made_speech import (
    RATE,
    VOICES,
    make_noise,
    make_session,
    make_syllables,
    make_tone,
    make_voice,
    one_client,
    silence,
)


def frames_of(sound, rate=RATE, options=None):
    return measure_frames(*one_client(sound, rate), options or FramesOptions())


@settings(max_examples=8, deadline=None)
@given(hz=st.floats(75, 400), level_db=st.floats(-45, -6))
def test_a_tone_has_its_pitch_and_level(hz, level_db):
    frames = frames_of(make_tone(hz, 0.5, level_db)).iloc[10:-10]
    assert frames["voiced"].all()
    assert np.max(np.abs(frames["f0_hz"] / hz - 1)) < 0.005
    assert np.max(np.abs(frames["intensity_db"] - level_db)) < 0.5


def test_a_glide_is_followed():
    f0 = np.geomspace(120, 240, 2 * RATE)
    frames = frames_of(make_voice(f0)).iloc[10:-10]
    truth = np.interp((frames["start"] + 0.005) * RATE, np.arange(f0.size), f0)
    assert np.median(np.abs(frames["f0_hz"] / truth - 1)) < 0.005
    assert np.max(np.abs(frames["f0_hz"] / truth - 1)) < 0.02


def test_noise_and_silence_have_no_pitch():
    assert frames_of(make_noise(2.0, -30)).voiced.mean() < 0.03
    frames = frames_of(silence(1.0))
    assert not frames["voiced"].any()
    assert (frames["intensity_db"] == -120.0).all()


def test_hnr_is_that_of_the_mixture():
    for snr_db in (5, 15, 25):
        sound = make_tone(150, 2.0, -20) + make_noise(2.0, -20 - snr_db)
        assert frames_of(sound)["hnr_db"].median() == pytest.approx(snr_db, abs=2.0)


def test_voiced_edges_lie_within_two_frames():
    sound = np.concatenate([silence(0.5), make_tone(200, 0.5), silence(0.5)]) + make_noise(1.5, -75)
    voiced = frames_of(sound)["voiced"].to_numpy()
    assert abs(np.flatnonzero(voiced)[0] - 50) <= 2
    assert abs(np.flatnonzero(voiced)[-1] - 99) <= 2


def test_values_do_not_depend_on_where_minutes_are_cut(monkeypatch):
    from pipeline.features import spectrum

    sound = np.concatenate([make_syllables(180, 12), make_noise(1.0, -40), make_syllables(220, 12)])
    whole = frames_of(sound)
    monkeypatch.setattr(spectrum, "PIECE", 97)
    cut = frames_of(sound)
    for name in spectrum.COLUMNS:
        assert np.allclose(cut[name], whole[name], rtol=1e-3, atol=0.02), name


def test_the_therapist_is_not_measured_unless_allowed():
    sound = np.concatenate([make_tone(120, 1.0), make_tone(220, 1.0), make_tone(150, 1.0)])
    speech = [Speech(0, 1, "T"), Speech(1, 3, "C"), Speech(2, 3, "T")]
    audio = Audio(sound[None], RATE)
    frames = measure_frames(audio, speech, VOICES, FramesOptions())
    hidden = frames[(frames["start"] < 1) | (frames["start"] >= 2)]
    assert hidden[list(VOICE_COLUMNS)].isna().all().all()
    assert not hidden["measured"].any()
    assert frames["f0_hz"].iloc[110:190].median() == pytest.approx(220, rel=0.01)
    allowed = measure_frames(audio, speech, VOICES, FramesOptions(therapist_voice=True))
    assert allowed["f0_hz"].iloc[10:90].median() == pytest.approx(120, rel=0.01)
    assert allowed["f0_hz"].iloc[200:].isna().all(), "no pitch where two speak"


def test_a_third_person_is_never_measured():
    audio, speech, _ = one_client(make_tone(200, 1.0))
    for voices in ([], [Voice(0, 1, "C", "other", 1.0, "")]):
        frames = measure_frames(audio, speech, voices, FramesOptions(therapist_voice=True))
        assert (frames["role"] == "other").all()
        assert frames["f0_hz"].isna().all()


def test_who_speaks_first_holds_the_frame():
    names, speaker, overlap = who_speaks([Speech(0.0, 0.05, "b"), Speech(0.03, 0.08, "a"), Speech(0.05, 0.06, "b")], 10)
    assert names == ["a", "b"]
    assert speaker.tolist() == [1, 1, 1, 1, 1, 0, 0, 0, -1, -1]
    assert overlap.tolist() == [False, False, False, True, True, True, False, False, False, False]


def test_speech_beyond_the_sound_is_cut():
    frames = measure_frames(*one_client(make_tone(200, 0.5))[:1], [Speech(-1.0, 9.0, "C")], VOICES, FramesOptions())
    assert len(frames) == 50
    assert (frames["speaker"] == "C").all()


def test_clipping_and_dropouts_are_seen():
    sound = make_tone(200, 2.0, -10)
    loud = np.clip(sound * 8, -1, 1)
    assert frames_of(loud)["clipped"].mean() > 0.1
    assert frames_of(sound)["clipped"].max() == 0
    lost = sound.copy()
    lost[RATE : RATE + 1600] = 0.0
    assert 8 <= frames_of(lost)["dropout"].sum() <= 10
    assert frames_of(sound)["dropout"].sum() == 0


def test_a_gate_that_closes_on_a_faded_voice_is_no_dropout():
    rms = np.r_[
        np.full(50, 0.1), np.geomspace(0.1, 1e-4, 20), np.zeros(30), np.geomspace(1e-4, 0.1, 20), np.full(50, 0.1)
    ]
    assert not find_dropouts(rms == 0, rms).any()
    cut = np.r_[np.full(50, 0.1), np.zeros(30), np.full(50, 0.1)]
    assert find_dropouts(cut == 0, cut).sum() == 30


def test_bad_input_is_refused():
    with pytest.raises(AttuneError, match=r"'yaapt'.*praat, swift, pyin"):
        frames_of(make_tone(200, 0.2), options=FramesOptions(pitch="yaapt"))
    with pytest.raises(AttuneError, match="nothing can be measured"):
        frames_of(np.zeros(10))


def test_the_sound_is_left_as_it_was():
    made = make_session(3)
    before = made.audio.samples.copy()
    measure_frames(made.audio, made.speech, VOICES, FramesOptions())
    assert np.array_equal(made.audio.samples, before)


# What a recording comes through must not change what is said about a voice. Bounds are of robust z, clipped at 4.

ROUNDS = 12
SHORT = TurnTableOptions(baseline_turns=5, baseline_min=0.1, timing_turns=6, away_s=5.0)


def z_of(made, audio=None):
    audio = audio or made.audio
    frames = measure_frames(audio, made.speech, VOICES, FramesOptions())
    table = measure_turns(made.turns, frames, audio, SHORT)
    return table[[name for name in table if name.endswith("_z")]]


@pytest.fixture(scope="module")
def made():
    return make_session(ROUNDS)


@pytest.fixture(scope="module")
def z(made):
    table = z_of(made)
    measured = table.notna().sum()
    assert measured.min() >= 9, "the comparison needs something to compare"
    return table


def assert_same(z, other, bound):
    off = (z - other).abs().max()
    assert (z.isna() == other.isna()).all().all()
    assert off.max() <= bound, off.to_dict()


def test_gain_changes_no_z(made, z):
    assert_same(z, z_of(made, Audio(made.audio.samples * 2.0, RATE)), 0.02)


def test_two_channels_or_one_swapped_or_not(made, z):
    left = made.audio.samples[0]
    pair = Audio(np.stack([left, left * 0.5]), RATE)
    swapped = Audio(pair.samples[::-1].copy(), RATE)
    assert_same(z_of(made, pair), z_of(made, swapped), 1e-9)
    assert_same(z, z_of(made, pair), 0.02)
    assert_same(z, z_of(made, Audio(np.stack([left, np.zeros_like(left)]), RATE)), 0.02)


def test_ten_seconds_of_silence_first(z):
    later = make_session(ROUNDS, lead_s=10.0)
    assert_same(z, z_of(later), 0.05)


def test_another_sampling_rate(made, z):
    import librosa

    other = librosa.resample(made.audio.samples, orig_sr=RATE, target_sr=44100)
    assert_same(z, z_of(made, Audio(other, 44100)), 0.25)


def test_turns_do_not_depend_on_the_speakers_name(made, z):
    names = {"C": "speaker_2", "T": "speaker_1"}
    renamed = replace(
        made,
        speech=[replace(s, speaker=names[s.speaker]) for s in made.speech],
        turns=[replace(t, speaker=names[t.speaker]) for t in made.turns],
    )
    voices = [replace(v, speaker=names[v.speaker]) for v in VOICES]
    frames = measure_frames(made.audio, renamed.speech, voices, FramesOptions())
    table = measure_turns(renamed.turns, frames, made.audio, SHORT)
    assert_same(z, table[list(z)], 1e-9)
