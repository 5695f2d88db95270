"""Where somebody speaks: hysteresis over frames, lines of a transcript, and what the real model makes of made sound."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Activity, Audio, Given
from pipeline.speech.activity import (
    ActivityOptions,
    activity_models,
    activity_of_frames,
    activity_of_lines,
    find_activity,
)
from tests.made_speech import make_noise, make_tone, silence

RATE = 16000
STEP = 0.01
OPTIONS = ActivityOptions()


def frames_of(*runs: tuple[float, int]) -> np.ndarray:
    """(seconds, people) one after another, as sure probabilities."""
    people = np.concatenate([np.full(round(seconds / STEP), n) for seconds, n in runs])
    return np.eye(3, dtype=np.float32)[people]


def found(*runs: tuple[float, int], options: ActivityOptions = OPTIONS) -> list[tuple[float, float, int]]:
    activity = activity_of_frames(frames_of(*runs), STEP, 0.0, options)
    return [(round(a.start, 3), round(a.end, 3), a.people) for a in activity]


def test_a_stretch_begins_and_ends_where_its_frames_do():
    assert found((1, 0), (2, 1), (1, 0)) == [(1.0, 3.0, 1)]
    shifted = activity_of_frames(frames_of((1, 0), (2, 1)), STEP, 0.025, OPTIONS)
    assert shifted[0].start == pytest.approx(1.025)


def test_short_silences_are_bridged_and_clicks_left_out():
    assert found((1, 1), (0.05, 0), (1, 1)) == [(0.0, 2.05, 1)]
    assert found((1, 0), (0.03, 1), (1, 0)) == []


def test_overlap_is_cut_out_of_the_speech_around_it():
    assert found((1, 1), (0.5, 2), (1, 1)) == [(0.0, 1.0, 1), (1.0, 1.5, 2), (1.5, 2.5, 1)]
    assert found((1, 1), (0.05, 2), (1, 1)) == [(0.0, 2.05, 1)]


def test_hysteresis_keeps_a_weak_end_and_starts_at_nothing_weak():
    options = ActivityOptions(onset=0.6, offset=0.4)
    speech = np.array([0.5] * 20 + [0.0] * 20 + [0.9] * 20 + [0.5] * 20 + [0.0] * 20)
    frames = np.stack([1 - speech, speech, 0 * speech], axis=1)
    activity = activity_of_frames(frames, STEP, 0.0, options)
    assert [(round(a.start, 3), round(a.end, 3)) for a in activity] == [(0.4, 0.8)]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2)), min_size=1, max_size=12))
def test_stretches_are_in_order_and_never_overlap(runs):
    activity = activity_of_frames(frames_of(*[(n * STEP, people) for n, people in runs]), STEP, 0.0, OPTIONS)
    assert all(a.start < a.end for a in activity)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(activity))


def test_lines_of_two_speakers_overlap_as_two_people():
    lines = [Given(0, 2, "A", text="so"), Given(1.5, 3, "B"), Given(3, 4, "B"), Given(6, 6, "A")]
    assert activity_of_lines(lines) == [Activity(0, 1.5, 1), Activity(1.5, 2, 2), Activity(2, 4, 1)]


def test_no_model_is_needed_where_the_lines_tell_the_speakers():
    told, untold = [Given(0, 1, "A", text="hello")], [Given(0, 1, text="hello")]
    assert activity_models(OPTIONS, told) == ()
    assert activity_models(OPTIONS, untold) == activity_models(OPTIONS, None) == ("segmentation-3.0",)
    assert find_activity(None, untold, OPTIONS) == [Activity(0, 1, 1)]
    assert find_activity(None, None, OPTIONS) == []


@pytest.mark.models
@pytest.mark.parametrize(
    "sound",
    [
        silence(12),
        make_noise(12, -60.0),
        make_noise(12, -30.0),
        sum(make_tone(50.0 * k, 12, -26.0 - 6 * k) for k in (1, 2, 3)),
        sum(make_tone(hz, 12, -24.0) for hz in (220.0, 277.2, 329.6)),
        silence(0.02),
    ],
    ids=["digital silence", "room", "loud noise", "mains hum", "a held chord", "shorter than a frame"],
)
def test_sound_without_speech_is_no_activity(sound):
    assert find_activity(Audio(sound.astype(np.float32)[None], RATE), None, OPTIONS) == []


@pytest.mark.models
def test_acted_speech_is_found_and_its_chunks_agree(root):
    """The same talk is found again when it lies elsewhere in the 10 s grid, and pauses are left out."""
    from pipeline.speech.audio import AudioOptions, decode_recording

    talk = decode_recording(root / "sample_audio" / "acted_session_2.m4a", AudioOptions()).mono[: 25 * RATE]
    room = make_noise(7.3, -70.0)
    plain = find_activity(Audio(talk[None], RATE), None, OPTIONS)
    later = find_activity(Audio(np.concatenate([room, talk])[None], RATE), None, OPTIONS)
    assert later[0].start >= 7.2
    spoken = np.zeros((2, 3500))
    for row, activity, shift in zip(spoken, (plain, later), (0.0, 7.3), strict=True):
        for a in activity:
            row[round(100 * (a.start - shift)) : round(100 * (a.end - shift))] = 1
    assert 500 < spoken[0].sum() < 2500
    assert np.abs(spoken[0] - spoken[1]).mean() < 0.03
