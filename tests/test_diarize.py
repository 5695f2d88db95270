"""Speakers told apart in made embeddings, made channels and, marked `models`, in acted speech."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intervals import Span, covered_s, merge, overlap_s
from pipeline.records import Activity, AttuneError, Audio, Given, Speech
from pipeline.speech.diarize import (
    SAME_VOICE,
    DiarizeOptions,
    build_speech,
    closest_voices,
    cluster_windows,
    cut_steps,
    cut_windows,
    diarize,
    diarize_models,
    learn_voices,
    measure_clarity,
    smooth,
)
from pipeline.speech.engines import channels

RATE_HZ = 16000
OPTIONS = DiarizeOptions()


def voices(labels, spread: float = 0.8, seed: int = 0) -> np.ndarray:
    """Embeddings around one random direction a label; `spread` is the noise's length beside the voice's."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(labels) + 1, 192))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = rng.normal(size=(len(labels), 192)) / np.sqrt(192)
    return (centres[np.array(labels)] + spread * noise).astype(np.float32)


def same(found, true) -> bool:
    """Whether two labellings are equal up to the names."""
    return len(set(zip(found, true, strict=True))) == len(set(found)) == len(set(true))


# ------------------------------------------------------------------------------------------ windows


@settings(deadline=None)
@given(st.floats(0, 500), st.floats(0.05, 60))
def test_windows_and_steps_cover_their_region_and_nothing_else(start, length):
    region = Span(start, start + length)
    for pieces in (cut_windows(region, 1.5, 0.75), [step for step, _ in cut_steps(region, 0.1)]):
        assert covered_s(region, pieces) == pytest.approx(length)
        assert min(piece.start for piece in pieces) >= region.start
        assert max(piece.end for piece in pieces) <= region.end + 1e-9


def test_steps_tile_without_gaps():
    steps = [step for step, _ in cut_steps(Span(1.0, 2.23), 0.1)]
    assert all(a.end == b.start for a, b in pairwise(steps))


# ------------------------------------------------------------------------------------------ grouping


def test_two_voices_are_told_apart():
    true = [0] * 20 + [1] * 15 + [0] * 8
    assert same(cluster_windows(voices(true), [1.5] * len(true), 2), true)


def test_three_voices_when_three_are_asked_for():
    true = [0, 1, 2] * 12
    assert same(cluster_windows(voices(true), [1.5] * len(true), 3), true)


def test_one_voice_stays_one_even_when_two_are_asked_for():
    assert set(cluster_windows(voices([0] * 60), [1.5] * 60, 2)) == {0}


def test_two_voices_stay_two_when_three_are_asked_for():
    true = [0] * 30 + [1] * 30
    assert same(cluster_windows(voices(true), [1.5] * 60, 3), true)


def test_too_few_windows_are_one_voice():
    assert cluster_windows(voices([0, 1, 0]), [1.0] * 3, 2) == [0, 0, 0]


def test_grouping_is_the_same_every_time():
    true = [0, 1, 1, 0] * 10
    assert cluster_windows(voices(true), [1.5] * 40, 2) == cluster_windows(voices(true), [1.5] * 40, 2)


def test_closeness_is_high_for_halves_of_one_voice_and_low_for_two():
    halves, _, _ = closest_voices(voices([0] * 40), [1.5] * 40, [0, 1] * 20)
    two, a, b = closest_voices(voices([0, 1] * 20), [1.5] * 40, [0, 1] * 20)
    assert two < 0.5 < SAME_VOICE < halves
    assert {a, b} == {0, 1}


# ------------------------------------------------------------------------------------------ second pass


def steps_of(*regions: tuple[float, float]) -> list[Span]:
    return [step for start, end in regions for step, _ in cut_steps(Span(start, end), 0.1)]


def test_a_short_doubt_inside_a_phrase_is_smoothed_and_a_real_change_is_kept():
    steps = steps_of((0.0, 4.0))
    evidence = np.log(np.where(np.arange(40)[:, None] < 20, [[0.95, 0.05]], [[0.05, 0.95]]))
    evidence[8] = np.log([0.2, 0.8])
    assert smooth(steps, evidence, OPTIONS) == [0] * 20 + [1] * 20


def test_a_change_costs_less_at_a_pause():
    evidence = np.log(np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 4 + [[0.9, 0.1]] * 10))
    through = smooth(steps_of((0.0, 2.4)), evidence, OPTIONS)
    apart = smooth(steps_of((0.0, 1.0), (1.5, 1.9), (2.5, 3.5)), evidence, OPTIONS)
    assert (sum(through), sum(apart)) == (0, 4)


def test_the_second_pass_learns_these_two_voices():
    true = [0, 1] * 15
    later = [1, 0, 0, 1]
    heard = voices(true + later)
    evidence = learn_voices(heard[:30], true, heard[30:])
    assert evidence.argmax(1).tolist() == later


def test_overlap_is_kept_as_speech_of_two():
    steps = steps_of((0.0, 2.0))
    path = [0] * 10 + [1] * 10
    speech = build_speech(
        steps, path, np.zeros((20, 2)), [Activity(0.0, 0.8), Activity(0.8, 1.2, 2), Activity(1.2, 2.0)]
    )
    assert sum(overlap_s(a, b) for a in speech for b in speech if a.speaker < b.speaker) == pytest.approx(0.2, abs=0.11)
    alone = build_speech(steps, path, np.zeros((20, 2)), [])
    assert [(s.start, s.end) for s in alone] == [(0.0, pytest.approx(1.0)), (pytest.approx(1.0), 2.0)]


def evidence_of(*probabilities: float) -> np.ndarray:
    """Evidence for voice 0, one probability a step."""
    own = np.array(probabilities)
    return np.log(np.stack([own, 1 - own], axis=1))


def test_a_clear_voice_has_full_confidence_and_a_doubtful_middle_is_a_stretch_of_its_own():
    steps = steps_of((0.0, 6.0))
    evidence = evidence_of(*[0.95] * 20, *[0.55] * 20, *[0.95] * 20)
    speech = build_speech(steps, [0] * 60, evidence, [])
    assert [s.doubtful for s in speech] == [False, True, False]
    assert speech[0].confidence > 0.9
    assert speech[1].confidence < 0.4
    assert [s.end for s in speech[:-1]] == [s.start for s in speech[1:]]
    assert (speech[1].start, speech[1].end) == (pytest.approx(2.0, abs=0.3), pytest.approx(4.0, abs=0.3))


def test_a_step_beside_a_change_of_speaker_is_less_clear_than_one_inside():
    clarity = measure_clarity(steps_of((0.0, 4.0)), [0] * 20 + [1] * 20, evidence_of(*[0.95] * 20, *[0.05] * 20))
    assert clarity[5] == clarity[34] == 1.0
    assert clarity[19] < 0.6
    assert clarity[20] < 0.6


def test_a_voice_kept_against_the_evidence_has_no_confidence():
    assert measure_clarity(steps_of((0.0, 1.0)), [0] * 10, evidence_of(*[0.3] * 10)).max() == 0.0


def test_among_three_voices_the_next_likeliest_counts():
    evidence = np.log(np.tile([0.45, 0.1, 0.45], (10, 1)))
    assert measure_clarity(steps_of((0.0, 1.0)), [0] * 10, evidence).max() == 0.0
    assert measure_clarity(steps_of((0.0, 1.0)), [1] * 10, evidence).max() == 0.0


def test_the_second_voice_of_an_overlap_is_doubtful_and_does_not_double_its_own_speech():
    steps = steps_of((0.0, 4.0))
    speech = build_speech(
        steps, [0] * 20 + [1] * 20, evidence_of(*[0.95] * 20, *[0.05] * 20), [Activity(0.0, 4.0), Activity(1.0, 1.8, 2)]
    )
    second = [s for s in speech if s.speaker == "1" and s.start < 1.9]
    assert [(s.start, s.end) for s in second] == [(1.0, 1.8)]
    assert all(s.doubtful for s in second)
    for name in "01":
        own = sorted((s for s in speech if s.speaker == name), key=lambda s: s.start)
        assert all(a.end <= b.start for a, b in pairwise(own))


# ------------------------------------------------------------------------------------------ given speakers, odd input


def test_given_speakers_need_no_sound_and_no_model():
    lines = [Given(3, 5, "Ann"), Given(0, 2, "Ben"), Given(2, 3, "Ben"), Given(4, 6, "Ben")]
    assert diarize(None, [], lines, OPTIONS) == [Speech(0, 3, "Ben"), Speech(3, 5, "Ann"), Speech(4, 6, "Ben")]
    assert diarize_models(OPTIONS, lines) == ()


def test_a_transcript_without_speakers_or_sound_is_one_speaker():
    assert {s.speaker for s in diarize(None, [], [Given(0, 2, text="hello"), Given(3, 4, text="you")], OPTIONS)} == {
        "speaker_1"
    }


def test_no_activity_is_no_speech():
    assert diarize(Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ), [], None, OPTIONS) == []


def test_weights_follow_the_engine():
    assert diarize_models(OPTIONS, None) == ("campplus",)
    assert diarize_models(DiarizeOptions(engine="pyannote"), None) == ("segmentation-3.0", "campplus")
    assert diarize_models(DiarizeOptions(engine="pyannote", pyannote_model="mine"), None) == ("mine",)


@pytest.mark.parametrize("options", [DiarizeOptions(engine="magic"), DiarizeOptions(speakers=0)])
def test_impossible_settings_say_so(options):
    with pytest.raises(AttuneError, match="setting") as error:
        diarize(None, [], None, options)
    assert error.value.mend


# ------------------------------------------------------------------------------------------ two channels


def two_channels(leak_db: float, seed: int = 0) -> tuple[Audio, list[Activity], list[Speech]]:
    """Noise bursts of two people in turn, 2 s each and 0.5 s apart, each heard `leak_db` lower by the other's channel;
    one stretch of both at once, from 20 to 21 s."""
    rng = np.random.default_rng(seed)
    n = 24 * RATE_HZ
    people = np.zeros((2, n), np.float32)
    truth = [Speech(k * 2.5, k * 2.5 + 2.0, str(k % 2)) for k in range(8)]
    truth += [Speech(20.0, 21.0, "0"), Speech(20.0, 21.0, "1")]
    for stretch in truth:
        at = slice(int(stretch.start * RATE_HZ), int(stretch.end * RATE_HZ))
        people[int(stretch.speaker), at] = 0.1 * rng.normal(size=at.stop - at.start)
    leak = 10 ** (leak_db / 20)
    sound = people + leak * people[::-1] + 1e-4 * rng.normal(size=people.shape).astype(np.float32)
    activity = [Activity(s.start, s.end) for s in truth[:8]] + [Activity(20.0, 21.0, 2)]
    return Audio(sound.astype(np.float32), RATE_HZ), activity, truth


def wrong_s(speech, truth) -> float:
    """Seconds by which the speakers' stretches differ, misses and false alarms added."""
    return sum(
        abs(sum(overlap_s(a, b) for b in truth if b.speaker == a.speaker) - (a.end - a.start)) for a in speech
    ) + sum(abs(sum(overlap_s(a, b) for b in speech if b.speaker == a.speaker) - (a.end - a.start)) for a in truth)


@pytest.mark.parametrize("leak_db", [-25.0, -15.0, -10.0])
def test_channels_tell_two_people_apart_under_crosstalk(leak_db):
    audio, activity, truth = two_channels(leak_db)
    assert wrong_s(channels.diarize(audio, activity), truth) < 0.05 * 18


def test_both_at_once_are_heard_as_both():
    audio, activity, _ = two_channels(-20.0)
    at_once = [s for s in channels.diarize(audio, activity) if s.start < 20.9 and s.end > 20.1]
    assert {s.speaker for s in at_once} == {"0", "1"}


def test_a_channel_gain_does_not_matter():
    audio, activity, truth = two_channels(-15.0)
    quieter = Audio(audio.samples * np.array([[1.0], [0.1]], np.float32), RATE_HZ)
    assert wrong_s(channels.diarize(quieter, activity), truth) < 0.05 * 18


def test_the_same_sound_twice_is_no_two_channels():
    audio, activity, _ = two_channels(-15.0)
    double = Audio(np.stack([audio.samples.sum(0)] * 2), RATE_HZ)
    assert channels.diarize(double, activity) is None


def test_sound_in_one_ear_is_no_two_channels():
    audio, activity, _ = two_channels(-15.0)
    rng = np.random.default_rng(1)
    mono = audio.samples.sum(0)
    for other in (np.zeros_like(mono), 1e-3 * rng.normal(size=len(mono)).astype(np.float32)):
        assert channels.diarize(Audio(np.stack([mono, other]), RATE_HZ), activity) is None


def test_one_channel_is_no_two_channels():
    audio, activity, _ = two_channels(-15.0)
    assert channels.diarize(Audio(audio.samples[:1], RATE_HZ), activity) is None


def test_auto_takes_the_channels_and_names_speakers_in_order():
    audio, activity, _ = two_channels(-15.0)
    speech = diarize(audio, activity, None, OPTIONS)
    assert speech[0].speaker == "speaker_1"
    assert {s.speaker for s in speech} == {"speaker_1", "speaker_2"}
    assert speech == sorted(speech, key=lambda s: (s.start, s.end, s.speaker))


# ------------------------------------------------------------------------------------------ with weights


@pytest.mark.models
def test_filter_bank_has_kaldis_values_for_a_tone():
    from pipeline.speech.engines import campplus

    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    bank = campplus.filter_bank(tone)
    mel = 1127 * np.log1p(np.array([20, 1000, 8000]) / 700)
    expected = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 81 - 1
    assert bank.shape == (98, 80)
    assert abs(int(bank.mean(0).argmax()) - expected) <= 1


@pytest.mark.models
def test_embeddings_do_not_depend_on_where_the_chunks_fall():
    from pipeline.speech.engines import campplus

    rng = np.random.default_rng(0)
    sound = (0.1 * rng.normal(size=25 * RATE_HZ)).astype(np.float32)
    windows = [Span(19.0, 20.5), Span(19.6, 21.1), Span(24.9, 26.0)]
    found = campplus.embed_windows(sound, windows)
    cosine = found[0] @ found[1] / np.linalg.norm(found[0]) / np.linalg.norm(found[1])
    assert found.shape == (3, 192)
    assert np.isfinite(found).all()
    assert cosine > 0.8


@pytest.mark.models
def test_half_precision_hears_the_same_voices(root):
    import torch

    from pipeline import models
    from pipeline.speech.audio import AudioOptions, decode_recording
    from pipeline.speech.engines import campplus

    state = torch.load(models.weights("campplus") / "campplus_cn_en_common.pt", map_location="cpu", weights_only=True)
    sound = decode_recording(root / "sample_audio" / "acted_session_2.m4a", AudioOptions()).mono
    bank = campplus.filter_bank(sound[5 * RATE_HZ : 15 * RATE_HZ])
    embedded = []
    for dtype in (torch.float32, torch.bfloat16):
        network = campplus.build_network(state, dtype)
        with torch.inference_mode():
            mapped = campplus.frame_map(network, (bank - bank.mean(0))[None].to(dtype))
            frames = campplus.frame_features(network, mapped)[0].float()
        embedded.append([campplus.embed_frames(frames[:, at : at + 75]).numpy() for at in range(0, 425, 75)])
    for full, half in zip(*embedded, strict=True):
        assert full @ half / np.linalg.norm(full) / np.linalg.norm(half) > 0.998


@pytest.mark.models
def test_weights_must_fit_exactly():
    import torch

    from pipeline import models
    from pipeline.speech.engines import campplus

    state = torch.load(models.weights("campplus") / "campplus_cn_en_common.pt", map_location="cpu", weights_only=True)
    with pytest.raises(ValueError, match="unknown tensors"):
        campplus.build_network({**state, "extra.weight": torch.zeros(1)}, torch.float32)
    state.pop("head.conv1.weight")
    with pytest.raises(ValueError, match="lack"):
        campplus.build_network(state, torch.float32)


@pytest.mark.models
def test_a_third_voice_is_kept_apart(root):
    """Two minutes of an acted session, in which every fourth turn is said by a third person (made by Praat)."""
    import json

    from pipeline.speech.audio import AudioOptions, decode_recording

    sound = decode_recording(root / "sample_audio" / "acted_session_1.mp4", AudioOptions()).mono[: 125 * RATE_HZ].copy()
    turns = json.loads((root / "sample_audio" / "acted_session_1.turns.json").read_text())
    truth = []
    for i, turn in enumerate(t for t in turns if t["end"] < 120):
        who = "third" if i % 4 == 3 else turn["role"]
        at = slice(int(turn["start"] * RATE_HZ), int(turn["end"] * RATE_HZ))
        if who == "third":
            sound[at] = another_voice(sound[at])
        truth.append(Speech(turn["start"], turn["end"], who))
    activity = [Activity(span.start, span.end) for span in merge(truth)]
    speech = diarize(Audio(sound[None], RATE_HZ), activity, None, DiarizeOptions(engine="embeddings", speakers=3))
    shared = {
        (who, name): sum(overlap_s(a, b) for a in truth for b in speech if (a.speaker, b.speaker) == (who, name))
        for who in ("therapist", "client", "third")
        for name in {s.speaker for s in speech}
    }
    mostly = {who: max((s for w, s in shared if w == who), key=lambda s: shared[who, s]) for who, _ in shared}
    assert len(set(mostly.values())) == 3
    assert sum(shared[pair] for pair in mostly.items()) > 0.9 * sum(shared.values())


def another_voice(sound: np.ndarray) -> np.ndarray:
    """The same words by a person with a longer vocal tract (formants 15 % lower) and a pitch of 150 Hz."""
    import parselmouth
    from parselmouth.praat import call

    made = call(parselmouth.Sound(sound.astype(float), RATE_HZ), "Change gender", 75, 500, 0.85, 150, 1.2, 1.0)
    return np.resize(call(made, "Resample", RATE_HZ, 50).values[0], len(sound)).astype(np.float32)
