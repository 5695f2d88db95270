"""The acted sessions that ship: as long as they should be, and references that fit both the script and the sound."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.intervals import Span, gaps, total_s
from pipeline.speech.audio import AudioOptions, check_recording, decode_recording
from pipeline.speech.engines.given import load_given

FOLDER = Path(__file__).parents[1] / "sample_audio"
RECORDINGS = {"acted_session_1": ".mp4", "acted_session_2": ".m4a"}
named = pytest.mark.parametrize("name", RECORDINGS)


@cache
def reference(name: str, kind: str):
    return json.loads((FOLDER / f"{name}.{kind}.json").read_text(encoding="utf-8"))


def recording(name: str) -> Path:
    return FOLDER / f"{name}{RECORDINGS[name]}"


@named
def test_length(name):
    assert 5 * 60 <= check_recording(recording(name)) <= 8 * 60


def test_size():
    assert sum(recording(name).stat().st_size for name in RECORDINGS) <= 12e6


def test_one_has_a_picture():
    pictures = {}
    for name in RECORDINGS:
        with av.open(str(recording(name))) as container:
            pictures[name] = len(container.streams.video)
    assert pictures == {"acted_session_1": 1, "acted_session_2": 0}


def test_licence_note():
    note = (FOLDER / "README.md").read_text(encoding="utf-8")
    for fact in (
        "CC0",
        "lessac",
        "joe",
        "invented",
        "GPL-3.0-or-later",
        *(recording(name).name for name in RECORDINGS),
    ):
        assert fact in note


@named
def test_turns_are_the_script(name):
    script, turns = reference(name, "script")["turns"], reference(name, "turns")
    assert [(t["text"], t["speaker"], t["role"], t["turn"]) for t in turns] == [
        (t["text"], t["speaker"], t["speaker"], t["i"]) for t in script
    ]


@named
def test_gaps_are_the_script(name):
    end = 0.0
    for written, turn in zip(reference(name, "script")["turns"], reference(name, "turns"), strict=True):
        assert turn["start"] - end == pytest.approx(written["gap"], abs=0.002)
        end = max(end, turn["end"])


@named
def test_nobody_talks_over_themselves(name):
    for speaker in ("therapist", "client"):
        turns = [t for t in reference(name, "turns") if t["speaker"] == speaker]
        assert all(a["end"] <= b["start"] for a, b in pairwise(turns))


@named
def test_words_are_the_turns(name):
    words = reference(name, "words")
    for turn in reference(name, "turns"):
        own = [word for word in words if word["turn"] == turn["turn"]]
        assert [word["word"] for word in own] == [word.strip('.,?!";:').lower() for word in turn["text"].split()]
        assert {word["speaker"] for word in own} == {turn["speaker"]}
        assert all(word["start"] < word["end"] for word in own)
        assert all(a["end"] <= b["start"] + 1e-6 for a, b in pairwise(own))
        assert turn["start"] - 1e-6 <= own[0]["start"]
        assert own[-1]["end"] <= turn["end"] + 1e-6


@named
def test_rttm_covers_the_words(name):
    lines, words = load_given(FOLDER / f"{name}.rttm"), reference(name, "words")
    assert {line.speaker for line in lines} == {"therapist", "client"}
    for word in words:
        holds = [i for i in lines if i.speaker == word["speaker"] and i.start <= word["start"] + 1e-3]
        assert any(word["end"] <= line.end + 1e-3 for line in holds)


@named
def test_references_serve_as_given_transcripts(name):
    turns = sorted(reference(name, "turns"), key=lambda turn: (turn["start"], turn["end"]))
    lines = load_given(FOLDER / f"{name}.turns.json")
    assert [(line.start, line.end, line.role, line.text) for line in lines] == [
        (turn["start"], turn["end"], turn["role"], turn["text"]) for turn in turns
    ]


@named
def test_moments_are_the_coded_events_at_their_times(name):
    script, turns, moments = reference(name, "script"), reference(name, "turns"), reference(name, "moments")["moments"]
    assert [moment["id"] for moment in moments] == [event["id"] for event in script["events"]]
    ruptures = {moment["id"] for moment in moments if moment["kind"] != "repair"}
    for moment, event in zip(moments, script["events"], strict=True):
        assert moment["kind"] == event.get("type", "repair")
        assert moment["start"] == turns[event["first_turn"]]["start"]
        assert moment["end"] == turns[event["last_turn"]]["end"]
        assert (moment.get("of") in ruptures) == (moment["kind"] == "repair")
    assert {"withdrawal", "confrontation"} & {moment["kind"] for moment in moments}


@named
def test_sound_is_where_the_references_say(name):
    """Loud inside the .rttm's lines, faint where nobody speaks, and faint just before a word that follows a pause."""
    audio = decode_recording(recording(name), AudioOptions())
    spoken = load_given(FOLDER / f"{name}.rttm")
    silent = [
        Span(s.start + 0.35, s.end - 0.05) for s in gaps(spoken, Span(0, audio.duration_s)) if s.end - s.start > 1
    ]
    assert level_db(audio, spoken) - level_db(audio, silent) > 20
    assert total_s(silent) > 10
    after_pause = [b for a, b in pairwise(spoken) if b.start - a.end > 0.4]
    before = [Span(line.start - 0.1, line.start - 0.02) for line in after_pause]
    inside = [Span(line.start + 0.02, line.start + 0.1) for line in after_pause]
    assert level_db(audio, inside) - level_db(audio, before) > 12


def level_db(audio, spans) -> float:
    rate = audio.rate_hz
    power = [np.mean(np.square(audio.mono[int(s.start * rate) : int(s.end * rate)])) for s in spans]
    return 10 * np.log10(np.mean(power))
