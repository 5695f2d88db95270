"""Enrolled voices: made embeddings with known angles and, marked `models`, a voice of an acted session."""

import json

import numpy as np
import pytest

from pipeline import models
from pipeline.cli import main
from pipeline.intervals import Span
from pipeline.records import AttuneError, Audio, Speech, Voice
from pipeline.session import Session, expected_receipt
from pipeline.speech import voices as naming
from pipeline.speech.enrolled import (
    FILE,
    Enrolled,
    Match,
    embed_speakers,
    enrol_voice,
    load_enrolled,
    match_voices,
)
from pipeline.speech.voices import VoicesOptions, name_voices, use_match
from pipeline.steps import VOICES
from tests.test_voices import ASKS, TELLS, roles, talk

RATE = 16000


def at_angle(cosine: float) -> np.ndarray:
    """A unit vector with this cosine to the sample's."""
    vector = np.zeros(192)
    vector[:2] = cosine, np.sqrt(1 - cosine**2)
    return vector


def sample(weights: str | None = None) -> dict[str, Enrolled]:
    return {"Dr Lee": Enrolled(tuple(at_angle(1.0)), weights or models.weight_set("campplus").identity)}


@pytest.mark.parametrize(
    ("heard", "found"),
    [
        ({"a": 0.91, "b": 0.3}, "a"),
        ({"a": 0.84, "b": 0.3}, None),  # not close enough
        ({"a": 0.91, "b": 0.83}, None),  # not clearly closer than the other
        ({"a": 0.5, "b": 0.4}, None),
        ({"a": 0.2, "b": 0.9, "c": 0.5}, "b"),
        ({"a": 0.9}, "a"),
    ],
)
def test_a_voice_is_matched_only_when_it_is_sure(heard, found):
    matches = match_voices({name: at_angle(cosine) for name, cosine in heard.items()}, sample())
    assert [match.speaker for match in matches] == ([found] if found else [])


def test_a_match_says_how_close_it_is():
    (match,) = match_voices({"a": at_angle(0.91), "b": at_angle(0.3)}, sample())
    assert (match.name, match.cosine, match.other) == ("Dr Lee", pytest.approx(0.91), pytest.approx(0.3))


def test_a_sample_of_other_weights_is_refused():
    with pytest.raises(AttuneError, match="other weights"):
        match_voices({"a": at_angle(0.9)}, sample("another network"))


def test_the_sample_wins_over_the_words(monkeypatch):
    words = talk(("x", ASKS), ("y", TELLS))
    audio = Audio(np.zeros((1, RATE), np.float32), RATE)
    heard = {"x": at_angle(0.2), "y": at_angle(0.92)}
    monkeypatch.setattr(naming, "embed_speakers", lambda audio, speech: heard)

    def named(swap=False, **changes):
        inputs = {"given": None, "audio": audio, "enrolled": sample(), **changes}
        return name_voices(words, [], **inputs, options=VoicesOptions(swap=swap))

    assert roles(named(enrolled={})) == roles(named(audio=None)) == {"x": "therapist", "y": "client"}
    voices = named()
    assert roles(voices) == {"x": "client", "y": "therapist"}
    assert {voice.confidence for voice in voices} == {naming.BY_SAMPLE}
    assert "voice sample of Dr Lee (cosine 0.92, the closest other voice 0.20)" in voices[1].why
    assert roles(named(swap=True)) == {"x": "client", "y": "therapist"}
    heard["y"] = at_angle(0.8)
    assert roles(named()) == {"x": "therapist", "y": "client"}


def test_two_enrolled_people_in_one_session_are_left_to_the_words(monkeypatch):
    other = np.roll(at_angle(1.0), 5)
    both = {**sample(), "Sam": Enrolled(tuple(other), models.weight_set("campplus").identity)}
    monkeypatch.setattr(naming, "embed_speakers", lambda audio, speech: {"x": other, "y": at_angle(0.95)})
    audio = Audio(np.zeros((1, RATE), np.float32), RATE)
    voices = name_voices(talk(("x", ASKS), ("y", TELLS)), [], None, audio, both, VoicesOptions())
    assert "voice sample" not in voices[0].why


def test_a_third_person_is_never_made_the_client():
    voices = [Voice(0, 9, name, role, 0.8, "") for name, role in (("x", "therapist"), ("y", "client"), ("z", "other"))]
    assert roles(use_match(voices, Match("z", "Dr Lee", 0.9, 0.1))) == {"x": "other", "y": "client", "z": "therapist"}
    assert roles(use_match(voices, Match("y", "Dr Lee", 0.9, 0.1))) == {"x": "client", "y": "therapist", "z": "other"}
    assert roles(use_match(voices, Match("x", "Dr Lee", 0.9, 0.1))) == {"x": "therapist", "y": "client", "z": "other"}


def test_too_little_speech_is_no_sample():
    with pytest.raises(AttuneError, match="6 s of speech"):
        enrol_voice(Audio(np.zeros((1, 9 * RATE), np.float32), RATE), [Span(0, 4), Span(5, 7)])


def test_a_store_without_voices_has_no_trace_of_them_in_its_receipts(tmp_path):
    folder = tmp_path / "sessions" / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "about.json").write_text('{"session": "0", "recording": "", "duration_s": 1}')
    before = expected_receipt(Session(folder, {}), VOICES)
    assert FILE not in before.inputs
    (tmp_path / FILE).write_text(json.dumps({"A": {"embedding": [1.0], "weights": "w"}}))
    assert FILE in expected_receipt(Session(folder, {}), VOICES).inputs


def test_a_damaged_file_says_what_to_do(tmp_path):
    (tmp_path / FILE).write_text("{")
    with pytest.raises(AttuneError, match="cannot be read"):
        load_enrolled(tmp_path / FILE)
    assert load_enrolled(tmp_path / "absent.json") == {}


@pytest.mark.parametrize(
    "arguments", [["enrol"], ["enrol", " ", "x.wav"], ["enrol", "Lee"], ["enrol", "--delete", "x"]]
)
def test_what_cannot_be_enrolled_or_deleted_ends_with_a_reason(tmp_path, capsys, arguments):
    assert main([*arguments, "--store", str(tmp_path)]) == 1
    assert "what to do:" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ with weights


def one_person(root, name: str, role: str) -> tuple[Audio, list[dict]]:
    from pipeline.speech.audio import AudioOptions, decode_recording

    recording = next(path for path in (root / "sample_audio").glob(f"{name}.m*"))
    turns = json.loads((root / "sample_audio" / f"{name}.turns.json").read_text())
    own = [turn for turn in turns if turn["role"] == role and turn["end"] - turn["start"] > 1.5]
    return decode_recording(recording, AudioOptions()), own


@pytest.mark.models
def test_a_sample_of_the_therapist_names_the_therapist(root, tmp_path, capsys):
    import soundfile

    audio, own = one_person(root, "acted_session_1", "therapist")
    _, others = one_person(root, "acted_session_1", "client")
    half = len(own) // 2
    clip = np.concatenate([audio.mono[int(t["start"] * RATE) : int(t["end"] * RATE)] for t in own[:half]][:6])
    soundfile.write(tmp_path / "clip.wav", clip, RATE)
    assert main(["enrol", "Dr Lee", str(tmp_path / "clip.wav"), "--store", str(tmp_path)]) == 0
    assert main(["enrol", "--list", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Dr Lee"
    enrolled = load_enrolled(tmp_path / FILE)
    later = [Speech(t["start"], t["end"], "a") for t in own[half : half + 5]] + [
        Speech(t["start"], t["end"], "b") for t in others[:5]
    ]
    (match,) = match_voices(embed_speakers(audio, later), enrolled)
    assert (match.speaker, match.name) == ("a", "Dr Lee")
    assert main(["enrol", "--delete", "Dr Lee", "--store", str(tmp_path)]) == 0
    assert not (tmp_path / FILE).exists()


@pytest.mark.models
def test_a_sample_of_two_people_is_refused(root):
    audio, own = one_person(root, "acted_session_1", "therapist")
    _, others = one_person(root, "acted_session_1", "client")
    stretches = [Span(t["start"], t["end"]) for t in [*own[:5], *others[:5]]]
    with pytest.raises(AttuneError, match="two voices"):
        enrol_voice(audio, stretches)
