"""The map: every step, in order, with what it reads, what it makes and which options are its own.

A step is a pure function `(*reads, options) -> artefact` and one row of `STEPS`. Order exists only here: the flow,
the progress display, the README's table and the tests walk this table. This is the only module that knows every stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.alliance.calibration import find_clinic_moments
from pipeline.alliance.markers import MarkersOptions, find_markers, markers_models
from pipeline.alliance.moments import MomentsOptions
from pipeline.exports import ExportOptions, build_exports
from pipeline.features.prosody import FramesOptions, measure_frames
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.features.windows import WindowsOptions, measure_windows
from pipeline.records import Given
from pipeline.speech.activity import ActivityOptions, activity_models, find_activity
from pipeline.speech.audio import AudioOptions
from pipeline.speech.corrections import lay_out_turns
from pipeline.speech.diarize import DiarizeOptions, diarize, diarize_models
from pipeline.speech.transcribe import TranscribeOptions, transcribe, transcribe_models
from pipeline.speech.turns import TurnsOptions
from pipeline.speech.two_files import decode_session
from pipeline.speech.voices import VoicesOptions, name_voices


@dataclass(frozen=True)
class Source:
    """What a session starts from. It may be absent, and then reads as None."""

    name: str


def _no_models(options: Any, given: list[Given] | None) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Step:
    """One row of the table.

    name             also the name of its table in attune.toml
    does             for people, in the progress display and the README
    makes            the artefacts in the session's folder: one name for one value, or a folder's worth of bytes by name
    reads            sources and steps, in the order of the function's arguments
    make             the pure function `(*reads, options)`
    options          its defaults
    version          raised when the same inputs would now give other bytes
    models           names of the weights it needs for these options and this given transcript
    needs_sound      skipped, and read as None, where a session has no recording
    cpu_per_audio_s  CPU seconds for one second of sound on one core, for the time-left display only
    """

    name: str
    does: str
    makes: tuple[str, ...]
    reads: tuple[Source | Step, ...]
    make: Callable[..., Any]
    options: Any
    version: int = 1
    models: Callable[[Any, list[Given] | None], tuple[str, ...]] = _no_models
    needs_sound: bool = False
    cpu_per_audio_s: float = 0.0005


RECORDING = Source("recording")  # a Path to the media file, or two_files.TwoFiles where each person has one
GIVEN = Source("given")  # list[Given], read from a transcript or speaker file that somebody already has
ENROLLED = Source("enrolled")  # dict[str, Enrolled], the store's enrolled voices by name
CORRECTIONS = Source("corrections")  # list[Correction], what a person put right in the transcript
CALIBRATION = Source("calibration")  # Calibration, what the clinic's own verdicts changed
ABOUT = Source("about")  # records.About: the session's id and where its recording lies

AUDIO = Step(
    name="audio",
    does="read the sound",
    makes=("audio.flac",),
    reads=(RECORDING,),
    make=decode_session,
    options=AudioOptions(),
    needs_sound=True,
    cpu_per_audio_s=0.001,
)
ACTIVITY = Step(
    name="activity",
    does="find where somebody speaks",
    makes=("activity.jsonl",),
    reads=(AUDIO, GIVEN),
    make=find_activity,
    options=ActivityOptions(),
    models=activity_models,
    cpu_per_audio_s=0.02,
)
WORDS = Step(
    name="words",
    does="write down the words",
    makes=("words.jsonl",),
    reads=(AUDIO, ACTIVITY, GIVEN),
    make=transcribe,
    options=TranscribeOptions(),
    version=6,
    models=transcribe_models,
    cpu_per_audio_s=0.09,
)
SPEECH = Step(
    name="speech",
    does="tell the speakers apart",
    makes=("speech.jsonl",),
    reads=(AUDIO, ACTIVITY, GIVEN),
    make=diarize,
    options=DiarizeOptions(),
    version=3,
    models=diarize_models,
    cpu_per_audio_s=0.014,
)
VOICES = Step(
    name="voices",
    does="tell therapist from client",
    makes=("voices.jsonl",),
    reads=(WORDS, SPEECH, GIVEN, AUDIO, ENROLLED),
    make=name_voices,
    options=VoicesOptions(),
    version=3,
)
TURNS = Step(
    name="turns",
    does="lay out the turns",
    makes=("turns.jsonl",),
    reads=(WORDS, SPEECH, VOICES, CORRECTIONS),
    make=lay_out_turns,
    options=TurnsOptions(),
    version=3,
)
FRAMES = Step(
    name="frames",
    does="measure pitch and level",
    makes=("frames.parquet",),
    reads=(AUDIO, SPEECH, VOICES),
    make=measure_frames,
    options=FramesOptions(),
    needs_sound=True,
    cpu_per_audio_s=0.004,
)
TURN_TABLE = Step(
    name="turn_table",
    does="measure every turn",
    makes=("turns.parquet",),
    reads=(TURNS, FRAMES, AUDIO),
    make=measure_turns,
    options=TurnTableOptions(),
    cpu_per_audio_s=0.004,
)
WINDOWS = Step(
    name="windows",
    does="measure the course of the session",
    makes=("windows.parquet",),
    reads=(TURNS, TURN_TABLE, FRAMES),
    make=measure_windows,
    options=WindowsOptions(),
)
MARKERS = Step(
    name="markers",
    does="look for markers",
    makes=("markers.jsonl",),
    reads=(TURNS, TURN_TABLE, WINDOWS),
    make=find_markers,
    options=MarkersOptions(),
    version=6,
    models=markers_models,
)
MOMENTS = Step(
    name="moments",
    does="choose the moments worth a look",
    makes=("findings.json",),
    reads=(MARKERS, TURNS, TURN_TABLE, VOICES, CALIBRATION),
    make=find_clinic_moments,
    options=MomentsOptions(),
    version=3,
)
EXPORTS = Step(
    name="exports",
    does="write the tables and the page",
    makes=("moments.json", "transcript.vtt", "moments.vtt", "turns.csv", "moments.csv", "summary.html"),
    reads=(ABOUT, TURNS, MOMENTS, VOICES, TURN_TABLE),
    make=build_exports,
    options=ExportOptions(),
)

STEPS: tuple[Step, ...] = (
    AUDIO,
    ACTIVITY,
    WORDS,
    SPEECH,
    VOICES,
    TURNS,
    FRAMES,
    TURN_TABLE,
    WINDOWS,
    MARKERS,
    MOMENTS,
    EXPORTS,
)
BY_NAME = {step.name: step for step in STEPS}
