"""pyannote.audio, imported without surprises, and its segmentation model.

Segmentation-3.0 hears 10 s at a time and says, for every frame of 16.875 ms, which of seven states holds: nobody,
one of up to three people, or two of the three at once (a "powerset"). People are numbered anew in every chunk; *how
many* speak does not depend on the numbering, so chunks can be averaged without matching people across them.

Times in seconds from the start of the waveform. Frame `i` is the stretch `[i * FRAME_S, (i + 1) * FRAME_S)` shifted
by `FRAME_OFFSET_S`: a frame stands for the middle of what it hears.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from pipeline import models

if TYPE_CHECKING:
    import numpy as np

RATE_HZ = 16000
CHUNK_SAMPLES = 10 * RATE_HZ  # what segmentation-3.0 was trained on
FRAME_SAMPLES = 270  # SincNet's total stride, 10 * 3 * 3 * 3
FRAME_HEARS_SAMPLES = 991  # receptive field of one frame
CHUNK_FRAMES = (CHUNK_SAMPLES - FRAME_HEARS_SAMPLES) // FRAME_SAMPLES + 1  # 589
FRAME_S = FRAME_SAMPLES / RATE_HZ  # 0.016875
FRAME_OFFSET_S = (FRAME_HEARS_SAMPLES - FRAME_SAMPLES) / 2 / RATE_HZ  # 0.02253
HOP_FRAMES = 296  # chunks start every 4.995 s: each frame is heard twice; a shorter hop costs more and gains little
BATCH_CHUNKS = 8  # chunks in one call: about 150 MB of activations
# The seven states of the powerset as people: rows nobody, 1, 2, 3, 1+2, 1+3, 2+3.
POWERSET = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))


@dataclass(frozen=True)
class Chunk:
    """What the model heard in 10 s.

    start_frame  index of its first frame in the whole waveform
    states       float32, (CHUNK_FRAMES, 7): probability of each state of `POWERSET`; people are numbered for this
                 chunk only. Frames past the end of the waveform heard padding: the caller cuts them off.
    """

    start_frame: int
    states: np.ndarray


def import_pyannote() -> ModuleType:
    """`pyannote.audio`, with its telemetry and every hub look-up off.

    Where torchaudio's compiled part does not load (the package index serves a CUDA build of it also to machines with
    a CPU torch), a stand-in takes its place: pyannote needs only torchaudio's Python parts.
    """
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    _make_torchaudio_importable()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "torchcodec is not installed correctly": sound is always given decoded
        import pyannote.audio
    return pyannote.audio


def _make_torchaudio_importable() -> None:
    try:
        import torchaudio
    except OSError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        extension = ModuleType("torchaudio._extension")
        extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
        extension._IS_ALIGN_AVAILABLE = False
        extension.fail_if_no_align = lambda function: function
        sys.modules["torchaudio._extension"] = extension
        import torchaudio  # noqa: F401


@cache
def load_segmentation():
    """The segmentation model in evaluation mode, on CUDA where there is one; once per process.

    raises   AttuneError when its weights are missing or altered
    """
    folder = models.weights("segmentation-3.0")
    pyannote_audio = import_pyannote()
    import warnings

    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a checkpoint from pyannote 3 under pyannote 4
        model = pyannote_audio.Model.from_pretrained(folder / "pytorch_model.bin", map_location=device)
    return model.eval()


def segment_chunks(waveform: np.ndarray, hop_frames: int = HOP_FRAMES) -> Iterator[Chunk]:
    """The model's view of the waveform, chunk by chunk in order of time.

    waveform    float32, (n,), 16 kHz mono; the last chunk is padded with silence
    hop_frames  frames from the start of one chunk to the next
    """
    import numpy as np
    import torch

    model = load_segmentation()
    hop = hop_frames * FRAME_SAMPLES
    starts = list(range(0, max(1, len(waveform) - (CHUNK_SAMPLES - hop)), hop))
    for first in range(0, len(starts), BATCH_CHUNKS):
        batch = np.zeros((len(starts[first : first + BATCH_CHUNKS]), 1, CHUNK_SAMPLES), dtype=np.float32)
        for row, start in zip(batch, starts[first : first + BATCH_CHUNKS], strict=True):
            piece = waveform[start : start + CHUNK_SAMPLES]
            row[0, : len(piece)] = piece
        with torch.inference_mode():
            states = model(torch.from_numpy(batch).to(model.device)).exp().float().cpu().numpy()
        for start, chunk in zip(starts[first : first + BATCH_CHUNKS], states, strict=True):
            yield Chunk(start // FRAME_SAMPLES, chunk)


def segment(waveform: np.ndarray, hop_frames: int = HOP_FRAMES) -> tuple[np.ndarray, float]:
    """How many people speak, frame by frame, averaged over the chunks that heard the frame.

    waveform   float32, (n,), 16 kHz mono
    returns    float32 (frames, 3): probability that nobody, one person, two people speak, each row summing to 1;
               and the seconds from one frame to the next. Frame i is centred `FRAME_OFFSET_S + (i + 0.5) * FRAME_S`.
               A waveform shorter than one frame gives no rows.

    A chunk counts most in its middle: at its edges it has heard only one side of a frame.
    """
    import numpy as np

    frames = max(0, (len(waveform) - FRAME_HEARS_SAMPLES) // FRAME_SAMPLES + 1)
    if not frames:
        return np.zeros((0, 3), dtype=np.float32), FRAME_S
    total = np.zeros((frames, 3), dtype=np.float32)
    weight = np.zeros((frames, 1), dtype=np.float32)
    window = np.hamming(CHUNK_FRAMES).astype(np.float32)[:, None]
    for chunk in segment_chunks(waveform, hop_frames):
        n = min(CHUNK_FRAMES, frames - chunk.start_frame)
        if n <= 0:
            continue
        people = np.stack([chunk.states[:, 0], chunk.states[:, 1:4].sum(1), chunk.states[:, 4:].sum(1)], axis=1)
        at = slice(chunk.start_frame, chunk.start_frame + n)
        total[at] += people[:n] * window[:n]
        weight[at] += window[:n]
    return total / weight, FRAME_S
