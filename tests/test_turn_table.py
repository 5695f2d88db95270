"""The turn table: known pitch, rate and pauses per turn, the same columns with and without sound."""

import numpy as np
import pandas as pd
import pytest

from pipeline.features.prosody import FramesOptions, measure_frames
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.features.voice import COLUMNS as VOICE
from pipeline.formats import dump
from pipeline.records import Audio, Speech, Turn, Word
from tests.made_speech import RATE, VOICES, make_noise, make_session, make_syllables, make_tone, make_voice, silence

SHORT = TurnTableOptions(baseline_turns=6, baseline_min=0.1, timing_turns=6, away_s=5.0)


def table_of(*sounds, who="C", options=SHORT, room_db=-75):
    """One turn for each sound, 1 s apart; speech is said to fill each turn."""
    pieces, speech, turns, at = [], [], [], 0.0
    role = {"C": "client", "T": "therapist"}[who]
    for sound in sounds:
        end = at + sound.size / RATE
        speech.append(Speech(at, end, who))
        turns.append(Turn(at, end, who, role, (Word(at, end, "well"),)))
        pieces += [sound, silence(1.0)]
        at = end + 1.0
    sound = np.concatenate(pieces)
    audio = Audio((sound + make_noise(sound.size / RATE, room_db))[None], RATE)
    return measure_turns(turns, measure_frames(audio, speech, VOICES, FramesOptions()), audio, options)


def test_pitch_is_relative_to_the_persons_median():
    table = table_of(make_tone(200, 3.0), make_tone(200, 3.0), make_tone(224.5, 2.0))
    assert table["pitch_hz"].to_numpy() == pytest.approx([200, 200, 224.5], rel=0.005)
    assert table["pitch_st"].to_numpy() == pytest.approx([0, 0, 2.0], abs=0.1)


def test_range_and_slope_of_a_glide():
    glide = make_voice(150 * 2 ** (np.arange(2 * RATE) / (2 * RATE) * 6 / 12))  # 6 semitones up in 2 s
    table = table_of(glide, make_tone(180, 2.0))
    assert table["pitch_slope_st_per_s"].to_numpy() == pytest.approx([3.0, 0.0], abs=0.1)
    assert table["pitch_range_st"].to_numpy() == pytest.approx([0.9 * 6, 0.0], abs=0.3)


def test_level_is_relative_to_the_usual_level():
    tones = [make_tone(200, 3.0, level) for level in (-20, -20, -20, -20, -14)]
    assert table_of(*tones)["level_db"].to_numpy() == pytest.approx([0, 0, 0, 0, 6], abs=0.3)


@pytest.mark.parametrize("per_s", [3.0, 4.0, 5.5])
def test_syllables_are_counted(per_s):
    table = table_of(make_syllables(180, 20, per_s))
    assert table["articulation_syll_per_s"][0] == pytest.approx(per_s, rel=0.08)


def test_pauses_are_found_and_left_out_of_the_rate():
    spoken = np.concatenate([make_syllables(180, 8, 4.0), silence(0.8), make_syllables(180, 8, 4.0)])
    table = table_of(spoken)
    assert table["pauses"][0] == 1
    assert table["pause_s"][0] == pytest.approx(0.8, abs=0.15)
    assert table["longest_pause_s"][0] == pytest.approx(0.8, abs=0.15)
    assert table["articulation_syll_per_s"][0] == pytest.approx(4.0, rel=0.12)


def test_pauses_without_sound_lie_between_words():
    words = (Word(0.0, 0.5, "well"), Word(0.6, 1.0, "it"), Word(2.0, 2.4, "went"))
    table = measure_turns([Turn(0.0, 2.4, "C", "client", words)], None, None, SHORT)
    assert table["pauses"].tolist() == [1]
    assert table["pause_s"][0] == pytest.approx(1.0)


def test_roughness_knows_a_steady_voice_from_a_shaky_one():
    chance = np.random.default_rng(0)
    steps = np.repeat(150 * (1 + 0.02 * chance.standard_normal(400)), RATE // 150)
    table = table_of(make_tone(150, 3.0), make_voice(steps), make_tone(150, 3.0) + make_noise(3.0, -26))
    steady, shaky, noisy = (table.iloc[i] for i in range(3))
    assert steady["jitter_percent"] < 0.2 < 0.8 < shaky["jitter_percent"]
    assert steady["cpp_db"] > noisy["cpp_db"]
    assert steady["hnr_db"] > noisy["hnr_db"]


def test_short_turns_have_no_roughness_and_no_guess():
    table = table_of(make_tone(150, 0.2), make_tone(150, 3.0))
    assert table.loc[0, [name for name in VOICE if name != "voiced_s"]].isna().all()


def test_a_whisper_has_no_pitch():
    assert table_of(make_noise(3.0, -30), make_tone(150, 3.0))["pitch_st"].isna().tolist() == [True, False]


def test_the_therapist_has_timing_but_no_voice():
    table = table_of(make_tone(150, 3.0), who="T")
    assert table[list(VOICE)].isna().all().all()
    assert table["voice_baseline"].tolist() == ["not measured"]
    assert table["duration_s"][0] == pytest.approx(3.0)


def test_the_therapist_by_option():
    made = make_session(4)
    frames = measure_frames(made.audio, made.speech, VOICES, FramesOptions(therapist_voice=True))
    for allowed in (False, True):
        options = TurnTableOptions(therapist_voice=allowed, roughness=False)
        table = measure_turns(made.turns, frames, made.audio, options)
        assert table.loc[table["role"] == "therapist", "pitch_hz"].notna().any() == allowed


def test_the_same_columns_and_types_with_sound_without_and_empty():
    made = make_session(4)
    frames = measure_frames(made.audio, made.speech, VOICES, FramesOptions())
    full = measure_turns(made.turns, frames, made.audio, SHORT)
    bare = measure_turns(made.turns, None, None, SHORT)
    empty = measure_turns([], None, None, SHORT)
    assert len(full) == len(made.turns)
    assert full.dtypes.equals(bare.dtypes)
    assert full.dtypes.equals(empty.dtypes)
    assert bare[list(VOICE)].isna().all().all()


def test_the_table_survives_the_disk_and_is_the_same_twice(tmp_path):
    made = make_session(4)
    frames = measure_frames(made.audio, made.speech, VOICES, FramesOptions())
    first, second = (measure_turns(made.turns, frames, made.audio, SHORT) for _ in range(2))
    assert dump("turns.parquet", first) == dump("turns.parquet", second)
    (tmp_path / "turns.parquet").write_bytes(dump("turns.parquet", first))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "turns.parquet"), first)
    (tmp_path / "frames.parquet").write_bytes(dump("frames.parquet", frames))
    reread = pd.read_parquet(tmp_path / "frames.parquet")
    pd.testing.assert_frame_equal(measure_turns(made.turns, reread, made.audio, SHORT), first)


def test_an_unusual_turn_stands_out_and_a_short_session_says_why():
    usual = [make_tone(180, 2.0, -20) for _ in range(12)]
    table = table_of(*usual[:6], make_tone(240, 2.0, -14), *usual[6:])
    assert table["pitch_st_z"][6] > 3.5
    assert table["level_db_z"][6] > 3
    assert table["pitch_st_z"].drop(6).abs().max() < 0.5
    strict = table_of(*usual, options=TurnTableOptions(roughness=False))
    assert strict["pitch_st_z"].isna().all()
    assert strict["voice_baseline"].str.startswith("baseline too short: 0.").all()


def test_latency_is_compared_with_replies_to_the_same_kind():
    turns, at = [], 0.0
    for i in range(80):
        open_ = i % 2 == 0
        text = "How was that for you?" if open_ else "Did you sleep?"
        wait = 2.0 if open_ else 0.2
        if i == 30:
            wait = 6.0
        turns.append(Turn(at, at + 1, "T", "therapist", tuple(Word(at, at + 1, w) for w in text.split())))
        turns.append(Turn(at + 1 + wait, at + 3 + wait, "C", "client", (Word(at, at + 1, "well"),)))
        at += 4 + wait
    table = measure_turns(turns, None, None, TurnTableOptions())
    client = table[table["role"] == "client"].reset_index()
    assert client["usual_latency_s"][30] == pytest.approx(2.0)
    assert client["usual_latency_s"][31] == pytest.approx(0.2)
    assert client["usual_latency_of"][30] == "replies to an open question"
    assert client["log_latency_z"][30] > 3
    assert client["log_latency_z"].drop(30).abs().max() < 0.5
