"""Speech to text by faster-whisper (CTranslate2), an optional extra: the same weights, the same words out.

8-bit whole numbers on a CPU unless told otherwise. Chunks go through its batched pipeline as clips of one sound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pipeline import models
from pipeline.cores import usual_threads
from pipeline.records import AttuneError
from pipeline.speech.engines.whisper_align import HeardWord
from pipeline.speech.engines.whisper_options import (
    FILLER_PROMPT,
    NO_REPEAT_TOKENS,
    RATE_HZ,
    EngineOptions,
    check_language,
    is_loop,
    is_silence,
)

CHUNK_S = 30  # Whisper always hears 30 s
SEEK_PER_S = 100  # faster-whisper counts `seek` in hundredths of a second

if TYPE_CHECKING:
    import numpy as np


def transcribe_chunks(chunks: Sequence[np.ndarray], options: EngineOptions) -> list[list[HeardWord]]:
    """The words of every chunk, in the chunks' order.

    chunks   float32, 16 kHz mono, each no longer than 30 s
    raises   AttuneError where faster-whisper is not installed, the weights are in another form, or the language is
             unknown
    """
    pipeline = _load_pipeline(options.model, options.precision)
    check_language(options.language, pipeline.model.model.is_multilingual)
    found = _decode(pipeline, chunks, options, options.verbatim)
    for no_repeat in (0, NO_REPEAT_TOKENS):
        again = [i for i, segments in enumerate(found) if is_loop(" ".join(s.text for s, _ in segments))]
        retried = _decode(pipeline, [chunks[i] for i in again], options, False, no_repeat) if again else []
        for i, segments in zip(again, retried, strict=True):
            found[i] = segments
    return [[word for segment, start in segments for word in _words(segment, start)] for segments in found]


def find_language(chunks: Sequence[np.ndarray], options: EngineOptions) -> str:
    """The likeliest language over all these chunks together; "en" for weights that know nothing else."""
    model = _load_pipeline(options.model, options.precision).model
    if not model.model.is_multilingual or not chunks:
        return "en"
    likely: Counter[str] = Counter()
    for chunk in chunks:
        likely.update(dict(model.detect_language(chunk)[2]))
    return max(likely, key=lambda code: likely[code])


@cache
def _load_pipeline(name: str, precision: str):
    try:
        from faster_whisper import BatchedInferencePipeline, WhisperModel
    except ImportError as error:
        raise AttuneError(
            "faster-whisper is not installed",
            mend='install it with: python -m pip install "attune[faster-whisper]"; or set engine = "openai_whisper"',
            code="extra-missing",
        ) from error
    folder = models.weights(name)
    if not (folder / "model.bin").is_file():
        raise AttuneError(
            f"the weights {name!r} are not in the form that faster-whisper reads",
            mend='choose weights with a model.bin, such as whisper-base; or set engine = "openai_whisper"',
            code="weights-no-whisper",
        )
    import torch

    on_gpu = torch.cuda.is_available()
    model = WhisperModel(
        str(folder),
        device="cuda" if on_gpu else "cpu",
        compute_type=precision or ("float16" if on_gpu else "int8"),
        cpu_threads=usual_threads(),
        local_files_only=True,
    )
    return BatchedInferencePipeline(model)


def _decode(
    pipeline, chunks: Sequence[np.ndarray], options: EngineOptions, verbatim: bool, no_repeat: int = 0
) -> list[list[tuple]]:
    """Per chunk, its segments, each with the chunk's start in the joined sound; seconds.

    Every chunk is padded with silence to 30 s here: left to itself, the batched pipeline pads the spectrogram with a
    value that no sound has, and writes other words than openai-whisper.
    """
    import numpy as np

    sound = np.zeros((len(chunks), CHUNK_S * RATE_HZ), dtype=np.float32)
    for row, chunk in zip(sound, chunks, strict=True):
        row[: len(chunk)] = chunk
    segments, _ = pipeline.transcribe(
        sound.ravel(),
        language=options.language,
        beam_size=options.beams,
        batch_size=options.batch_size,
        clip_timestamps=[{"start": i * CHUNK_S, "end": (i + 1) * CHUNK_S} for i in range(len(chunks))],
        hotwords=FILLER_PROMPT if verbatim else None,
        no_repeat_ngram_size=no_repeat,
        temperature=0.0,
        word_timestamps=True,
        without_timestamps=True,
    )
    found: list[list[tuple]] = [[] for _ in chunks]
    for segment in segments:
        chunk = segment.seek // (CHUNK_S * SEEK_PER_S)
        found[chunk].append((segment, float(chunk * CHUNK_S)))
    return found


def _words(segment, start: float) -> list[HeardWord]:
    if is_silence(segment.no_speech_prob, segment.avg_logprob):
        return []
    return [
        HeardWord(word.start - start, word.end - start, word.word.strip(), word.probability)
        for word in segment.words
        if any(letter.isalnum() for letter in word.word)
    ]
