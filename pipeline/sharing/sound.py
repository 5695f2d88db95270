"""Stretches of sound replaced by a tone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.intervals import Span, merge
from pipeline.sharing.identify import Found

PAD_S = 0.25  # before and after a word: half of the recogniser's word starts are within 0.05 s, 19 of 20 within 0.41 s
TONE_HZ = 1000.0
TONE_LEVEL = 0.08  # of full scale: heard, and not louder than speech
BLOCK_S = 30


def find_spans(found: Iterable[Found], turns: Sequence, pad_s: float = PAD_S) -> list[Span]:
    """The stretches to replace, in order, none overlapping another; seconds."""
    words = (turns[hit.turn].words[hit.word] for hit in found)
    return merge(Span(max(0.0, word.start - pad_s), word.end + pad_s) for word in words)


def write_bleeped(flac: Path, spans: Sequence[Span], copy: Path) -> None:
    """The sound of `flac` with a tone in every span, all channels, as 16-bit FLAC."""
    import numpy as np
    import soundfile

    with soundfile.SoundFile(flac) as source:
        rate_hz = source.samplerate
        with soundfile.SoundFile(copy, "w", rate_hz, source.channels, "PCM_16", format="FLAC") as target:
            at = 0
            for block in source.blocks(BLOCK_S * rate_hz, dtype="float32", always_2d=True):
                for span in spans:
                    first = max(0, round(span.start * rate_hz) - at)
                    last = min(len(block), round(span.end * rate_hz) - at)
                    if last > first:
                        time_s = np.arange(at + first, at + last) / rate_hz
                        block[first:last] = (TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ * time_s))[:, None]
                target.write(block)
                at += len(block)
