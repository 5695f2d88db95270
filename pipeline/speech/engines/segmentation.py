"""pyannote.audio's segmentation-3.0: how many people speak, frame by frame.

It hears 10 s at a time and says, for every frame of 16.875 ms, which of seven states holds: nobody, one of up to three
people, or two of the three at once (a "powerset"). People are numbered anew in every chunk; *how many* speak does not
depend on the numbering, so chunks can be averaged without matching people across them.

The network (PyanNet: Bredin, "pyannote.audio 2.1", 2023; SincNet: Ravanelli and Bengio, 2018) is written as functions
over its weights, held to pyannote.audio's own in a test: to import that package takes 5 CPU seconds a process, more
than this network takes for 5 minutes of sound. Its pipeline can be chosen all the same: `engines.pyannote`.

Times in seconds from the start of the waveform. Frame `i` is the stretch `[i * FRAME_S, (i + 1) * FRAME_S)` shifted
by `FRAME_OFFSET_S`: a frame stands for the middle of what it hears.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipeline import models
from pipeline.cores import spread

if TYPE_CHECKING:
    import numpy as np
    import torch

RATE_HZ = 16000
CHUNK_SAMPLES = 10 * RATE_HZ  # what segmentation-3.0 was trained on
FRAME_SAMPLES = 270  # SincNet's total stride, 10 * 3 * 3 * 3
FRAME_HEARS_SAMPLES = 991  # receptive field of one frame
CHUNK_FRAMES = (CHUNK_SAMPLES - FRAME_HEARS_SAMPLES) // FRAME_SAMPLES + 1  # 589
FRAME_S = FRAME_SAMPLES / RATE_HZ  # 0.016875
FRAME_OFFSET_S = (FRAME_HEARS_SAMPLES - FRAME_SAMPLES) / 2 / RATE_HZ  # 0.02253
HOP_FRAMES = 296  # chunks start every 4.995 s: each frame is heard twice; a shorter hop costs more and gains little
BATCH_CHUNKS = 8  # chunks in one call of the recurrent layers
BATCHES_AT_ONCE = 8  # one thread each up to eight cores: more threads for one batch cost more than they bring
SINC_CHUNKS = 2  # and of the layers before: more at once do not fit the processor's cache, and take half as long again
# The seven states of the powerset as people: rows nobody, 1, 2, 3, 1+2, 1+3, 2+3.
POWERSET = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1))
SINC_STRIDE = 10  # samples
LEAST_HZ = 50.0  # the lowest edge of a sinc filter, and its least width
SINC_PARTS = ("low_hz_", "band_hz_", "window_", "n_")
POOL = 3  # frames that each of the three pools joins
LSTM_INPUT, LSTM_WIDTH, LSTM_LAYERS = 60, 128, 4
# What a checkpoint of pyannote.audio holds besides tensors; nothing of it is needed.
FOREIGN = tuple(f"pyannote.audio.core.task.{name}" for name in ("Specifications", "Problem", "Resolution"))


@dataclass(frozen=True)
class Chunk:
    """What the model heard in 10 s.

    start_frame  index of its first frame in the whole waveform
    states       float32, (CHUNK_FRAMES, 7): probability of each state of `POWERSET`; people are numbered for this
                 chunk only. Frames past the end of the waveform heard padding: the caller cuts them off.
    """

    start_frame: int
    states: np.ndarray


@dataclass(frozen=True)
class Network:
    """The weights on their device, by their names in the checkpoint; the sinc filters made ready, (80, 1, 251)."""

    parts: Mapping[str, torch.Tensor]
    filters: torch.Tensor
    lstm: torch.nn.LSTM

    @property
    def device(self) -> torch.device:
        return self.filters.device


@cache
def load_network() -> Network:
    """The verified weights, on CUDA where there is one; once per process.

    raises   AttuneError when they are missing or altered, ValueError when they do not fit
    """
    import torch

    path = models.weights("segmentation-3.0") / "pytorch_model.bin"
    stand_ins = [(_Untold, name) for name in FOREIGN]
    with torch.serialization.safe_globals([*stand_ins, torch.torch_version.TorchVersion]):
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    return build_network(checkpoint["state_dict"], torch.device("cuda" if torch.cuda.is_available() else "cpu"))


class _Untold:
    """Stands for an object of the checkpoint whose class is not imported."""

    def __init__(self, *_: object) -> None: ...


def build_network(state: Mapping[str, torch.Tensor], device: torch.device) -> Network:
    """Raises ValueError for weights of another shape or another network."""
    import torch

    lstm = torch.nn.LSTM(LSTM_INPUT, LSTM_WIDTH, LSTM_LAYERS, batch_first=True, bidirectional=True)
    own = {name.removeprefix("lstm."): tensor for name, tensor in state.items() if name.startswith("lstm.")}
    try:
        lstm.load_state_dict(own)
        filters = _sinc_filters({name: state[f"sincnet.conv1d.0.filterbank.{name}"] for name in SINC_PARTS})
    except (KeyError, RuntimeError) as error:
        raise ValueError("the segmentation weights are those of another network") from error
    return Network({name: part.to(device) for name, part in state.items()}, filters.to(device), lstm.eval().to(device))


def _sinc_filters(parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """80 band-pass filters of 251 samples, (80, 1, 251): 40 even ones, then the same bands odd.

    parts   `low_hz_` and `band_hz_` (40, 1); `window_` (125,) and `n_` (1, 125), the half before the middle: a Hamming
            window, and 2 pi times the time in seconds
    """
    import torch

    low = LEAST_HZ + parts["low_hz_"].abs()
    high = (low + LEAST_HZ + parts["band_hz_"].abs()).clamp(LEAST_HZ, RATE_HZ / 2)
    band = high - low
    at_low, at_high, weight = low @ parts["n_"], high @ parts["n_"], parts["window_"] / (parts["n_"] / 2)
    even, odd = (at_high.sin() - at_low.sin()) * weight, (at_low.cos() - at_high.cos()) * weight
    halves = [(even, 2 * band, even.flip(1)), (odd, torch.zeros_like(band), -odd.flip(1))]
    return torch.cat([torch.cat(half, dim=1) / (2 * band) for half in halves])[:, None]


def hear(network: Network, waveforms: torch.Tensor) -> torch.Tensor:
    """Probability of each state, float32 (B, frames, 7), from float32 (B, samples) at 16 kHz."""
    import torch
    from torch.nn.functional import leaky_relu, linear

    p = network.parts
    with torch.inference_mode():
        x = torch.cat([_sincnet(network, few[:, None]) for few in waveforms.split(SINC_CHUNKS)])
        x, _ = network.lstm(x.transpose(1, 2))
        for i in (0, 1):
            x = leaky_relu(linear(x, p[f"linear.{i}.weight"], p[f"linear.{i}.bias"]))
        return linear(x, p["classifier.weight"], p["classifier.bias"]).softmax(-1)


def _sincnet(network: Network, x: torch.Tensor) -> torch.Tensor:
    """(B, 1, samples) -> (B, 60, frames)."""
    from torch.nn.functional import conv1d, instance_norm, leaky_relu, max_pool1d

    p = network.parts

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return instance_norm(x, weight=p[f"sincnet.{name}.weight"], bias=p[f"sincnet.{name}.bias"])

    x = conv1d(norm(x, "wav_norm1d"), network.filters, stride=SINC_STRIDE).abs()
    for i in (0, 1, 2):
        if i:
            x = conv1d(x, p[f"sincnet.conv1d.{i}.weight"], p[f"sincnet.conv1d.{i}.bias"])
        x = leaky_relu(norm(max_pool1d(x, POOL), f"norm1d.{i}"))
    return x


def segment_chunks(waveform: np.ndarray, hop_frames: int = HOP_FRAMES) -> list[Chunk]:
    """The model's view of the waveform, chunk by chunk in order of time.

    waveform    float32, (n,), 16 kHz mono; the last chunk is padded with silence
    hop_frames  frames from the start of one chunk to the next
    """
    import numpy as np
    import torch

    network = load_network()
    hop = hop_frames * FRAME_SAMPLES
    starts = range(0, max(1, len(waveform) - (CHUNK_SAMPLES - hop)), hop)

    def hear_batch(starts: Sequence[int]) -> list[Chunk]:
        batch = np.zeros((len(starts), CHUNK_SAMPLES), dtype=np.float32)
        for row, start in zip(batch, starts, strict=True):
            piece = waveform[start : start + CHUNK_SAMPLES]
            row[: len(piece)] = piece
        states = hear(network, torch.from_numpy(batch).to(network.device)).cpu().numpy()
        return [Chunk(start // FRAME_SAMPLES, chunk) for start, chunk in zip(starts, states, strict=True)]

    batches = [starts[first : first + BATCH_CHUNKS] for first in range(0, len(starts), BATCH_CHUNKS)]
    return [chunk for chunks in spread(hear_batch, batches, BATCHES_AT_ONCE) for chunk in chunks]


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
