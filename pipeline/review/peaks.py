"""The waveform in small: the loudest sample of each fiftieth of a second, one byte each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PER_S = 50
BLOCK_S = 60


def load_peaks(flac: Path) -> bytes:
    """`PER_S` bytes a second: 0 is silence, 255 the loudest sample of the whole recording, all channels together.

    Read in blocks, so that an hour needs a few megabytes of memory.
    """
    import numpy as np
    import soundfile

    parts = []
    with soundfile.SoundFile(flac) as file:
        per_peak = file.samplerate // PER_S
        for block in file.blocks(blocksize=per_peak * PER_S * BLOCK_S, dtype="int16", always_2d=True):
            parts.append(find_peaks(np.abs(block.astype(np.int32)).max(axis=1), per_peak))
    peaks = np.concatenate(parts) if parts else np.zeros(0)
    return np.round(255.0 * peaks / max(1.0, peaks.max(initial=0.0))).astype(np.uint8).tobytes()


def find_peaks(level: np.ndarray, per_peak: int) -> np.ndarray:
    """The greatest of every `per_peak` values, shape (n,) to (ceil(n / per_peak),); the last may cover fewer."""
    import numpy as np

    whole = np.pad(level, (0, -len(level) % per_peak))
    return whole.reshape(-1, per_peak).max(axis=1)
