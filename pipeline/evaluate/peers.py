"""Other programs on the same sound, as their own users run them: the same weights, their own way of working.

Each peer is a function `(mono sound, speakers) -> what it found`. Imports are the peers' own and wait until called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import models
from pipeline.records import AttuneError, Audio, Speech, Word
from pipeline.speech.engines.whisper_options import FILLER_PROMPT

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = "whisper-base"


@dataclass(frozen=True)
class Peer:
    """A program to compare with.

    steps   the names of our own steps that do the same work
    run     (sound, speakers) -> list[Word] or list[Speech]
    """

    steps: tuple[str, ...]
    run: Callable[[Audio, int], list[Any]]


def _faster_whisper(audio: Audio, speakers: int) -> list[Word]:
    """Batched over its own voice activity, int8, beam 5: what whisperX runs."""
    try:
        import faster_whisper
    except ImportError as error:
        raise AttuneError(
            "faster-whisper is not installed",
            mend='install it with: python -m pip install ".[faster-whisper]"',
            code="engine-missing",
        ) from error
    model = faster_whisper.WhisperModel(str(models.weights(WEIGHTS)), device="cpu", compute_type="int8")
    segments, _ = faster_whisper.BatchedInferencePipeline(model).transcribe(
        audio.mono, language="en", batch_size=8, beam_size=5, word_timestamps=True, hotwords=FILLER_PROMPT
    )
    return [Word(w.start, w.end, w.word.strip(), w.probability) for segment in segments for w in segment.words]


def _openai_whisper(audio: Audio, speakers: int) -> list[Word]:
    """Its own `transcribe`, beam 5, word by word."""
    from pipeline.speech.engines.whisper_weights import load_whisper

    found = load_whisper(WEIGHTS).transcribe(
        _writable(audio.mono), language="en", beam_size=5, word_timestamps=True, fp16=False, verbose=None
    )
    words = (word for segment in found["segments"] for word in segment["words"])
    return [Word(float(w["start"]), float(w["end"]), w["word"].strip(), float(w["probability"])) for w in words]


def _pyannote(audio: Audio, speakers: int) -> list[Speech]:
    """`SpeakerDiarization` from the shipped weights, told how many people speak."""
    from pipeline.speech.engines import pyannote

    return pyannote.diarize(audio, speakers)


def _writable(samples: np.ndarray) -> np.ndarray:
    return samples.copy()


PEERS: dict[str, Peer] = {
    "faster-whisper": Peer(("activity", "words"), _faster_whisper),
    "openai-whisper": Peer(("activity", "words"), _openai_whisper),
    "pyannote": Peer(("activity", "speech"), _pyannote),
}


def check_peers(names: tuple[str, ...]) -> None:
    """Raises AttuneError naming the known peers where one is not known."""
    for name in names:
        if name not in PEERS:
            raise AttuneError(
                f"there is no peer {name!r}; known: {', '.join(PEERS)}",
                mend="name one or more of these after --against, with commas between",
                code="peer-unknown",
            )
