"""CAM++ speaker embeddings (Wang et al. 2023, "CAM++: A Fast and Efficient Network for Speaker Verification").

The network as published: a small 2-D convolutional head over log-mel energies, a densely connected time-delay
network whose layers are masked by their context, and pooling of mean and standard deviation over time. It is written
as functions over the weights, with every batch normalisation folded into a scale and a shift. Where the processor
multiplies bfloat16 in hardware the convolutions run in it: 0.6 of the time, embeddings within a cosine of 0.9995 of
those in float32 (one core, an interview).

Shapes: filter bank (frames, 80), 100 frames a second; network frames 50 a second; embeddings (n, 192), float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import models
from pipeline.cores import spread
from pipeline.intervals import HasTimes
from pipeline.speech.engines.precision import cpu_precision

if TYPE_CHECKING:
    import torch

RATE_HZ = 16000
FRAME, HOP, FFT = 400, 160, 512  # samples: 25 ms every 10 ms, Kaldi's defaults
MEL_BINS = 80
EMBEDDING = 192
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of each dense block
CONTEXT_FRAMES = 100  # a context layer looks at the mean of 2 s besides the mean of all
NORM_EPS = 1e-5
CHUNK_S = 20.0  # heard as one piece, plus a margin each side
MARGIN_S = 1.0
CHUNKS_AT_ONCE = 2  # about 150 MB each
FEATURES_HZ = 50  # network frames a second
LEAST_FRAMES = 4  # a window is stretched to this, so that a standard deviation means something

Affine = tuple["torch.Tensor", "torch.Tensor"]


@dataclass(frozen=True)
class Network:
    """The weights, ready to use.

    parts  layer name -> (weight, bias) or (scale, shift), or a weight alone; in `dtype`, but for "dense", which pools
           in float32
    """

    parts: dict[str, Any]
    dtype: torch.dtype


@cache
def load_network() -> Network:
    """The verified weights from disk. Raises AttuneError when they are missing, ValueError when they do not fit."""
    import torch

    path = models.weights("campplus") / "campplus_cn_en_common.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)
    return build_network(state, getattr(torch, cpu_precision()))


def build_network(state: dict[str, Any], dtype: torch.dtype) -> Network:
    """Fold the checkpoint; every tensor must be used and none may lack (ValueError otherwise)."""
    left = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    try:
        parts = dict(_fold(left))
    except KeyError as error:
        raise ValueError(f"the CAM++ weights lack {error.args[0]}") from error
    if left:
        raise ValueError(f"the CAM++ weights hold {len(left)} unknown tensors, the first {min(left)}")
    return Network({name: part if name == "dense" else _cast(part, dtype) for name, part in parts.items()}, dtype)


def _cast(part: Any, dtype: torch.dtype) -> Any:
    return tuple(one.to(dtype) for one in part) if isinstance(part, tuple) else part.to(dtype)


def _fold(left: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    def norm(name: str) -> Affine:
        mean, variance = left.pop(f"{name}.running_mean"), left.pop(f"{name}.running_var")
        scale = (variance + NORM_EPS).rsqrt()
        if f"{name}.weight" in left:  # the last normalisation has no weights of its own
            scale = scale * left.pop(f"{name}.weight")
        return scale, left.pop(f"{name}.bias", 0.0) - mean * scale

    def conv(name: str, norm_name: str) -> Affine:
        weight, (scale, shift) = left.pop(f"{name}.weight"), norm(norm_name)
        return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), shift

    yield "head.conv1", conv("head.conv1", "head.bn1")
    for layer in ("head.layer1", "head.layer2"):
        yield f"{layer}.shortcut", conv(f"{layer}.0.shortcut.0", f"{layer}.0.shortcut.1")
        for i in (0, 1):
            for j in (1, 2):
                yield f"{layer}.{i}.conv{j}", conv(f"{layer}.{i}.conv{j}", f"{layer}.{i}.bn{j}")
    yield "head.conv2", conv("head.conv2", "head.bn2")
    yield "tdnn", conv("xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
    for block, (layers, _) in enumerate(BLOCKS, start=1):
        for i in range(1, layers + 1):
            yield from _fold_dense(left, norm, conv, f"xvector.block{block}.tdnnd{i}", f"block{block}.{i}")
        yield f"transit{block}.norm", _column(norm(f"xvector.transit{block}.nonlinear.batchnorm"))
        yield f"transit{block}", left.pop(f"xvector.transit{block}.linear.weight")
    yield "out", _column(norm("xvector.out_nonlinear.batchnorm"))
    yield "dense", conv("xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")


def _fold_dense(left: dict[str, Any], norm: Any, conv: Any, source: str, name: str) -> Iterator[tuple[str, Any]]:
    yield f"{name}.norm", _column(norm(f"{source}.nonlinear1.batchnorm"))
    yield f"{name}.squeeze", conv(f"{source}.linear1", f"{source}.nonlinear2.batchnorm")
    yield f"{name}.local", left.pop(f"{source}.cam_layer.linear_local.weight")
    for i in (1, 2):
        layer = f"{source}.cam_layer.linear{i}"
        yield f"{name}.context{i}", (left.pop(f"{layer}.weight"), left.pop(f"{layer}.bias"))


def _column(affine: Affine) -> Affine:
    return affine[0][:, None], affine[1][:, None]


def frame_map(network: Network, bank: torch.Tensor) -> torch.Tensor:
    """The head: (batch, frames, 80) filter banks, mean removed -> (batch, 320, frames)."""
    from torch.nn.functional import conv2d, relu

    p = network.parts
    x = relu(conv2d(bank.transpose(1, 2)[:, None], *p["head.conv1"], padding=1))
    for layer in ("head.layer1", "head.layer2"):
        for i in (0, 1):
            stride = (2 if i == 0 else 1, 1)
            y = relu(conv2d(x, *p[f"{layer}.{i}.conv1"], stride=stride, padding=1))
            y = conv2d(y, *p[f"{layer}.{i}.conv2"], padding=1)
            x = relu(y + (conv2d(x, *p[f"{layer}.shortcut"], stride=stride) if i == 0 else x))
    x = relu(conv2d(x, *p["head.conv2"], stride=(2, 1), padding=1))
    return x.flatten(1, 2)


def frame_features(network: Network, mapped: torch.Tensor) -> torch.Tensor:
    """The time-delay network: (batch, 320, frames) -> (batch, 512, frames / 2), before pooling."""
    from torch.nn.functional import conv1d, relu

    p = network.parts
    x = relu(conv1d(mapped, *p["tdnn"], stride=2, padding=2))
    for block, (layers, dilation) in enumerate(BLOCKS, start=1):
        x = _dense_block(p, f"block{block}", x, layers, dilation)
        scale, shift = p[f"transit{block}.norm"]
        x = conv1d(relu(x * scale + shift), p[f"transit{block}"])
    scale, shift = p["out"]
    return relu(x * scale + shift)


def _dense_block(p: dict[str, Any], block: str, x: torch.Tensor, layers: int, dilation: int) -> torch.Tensor:
    """Each layer reads everything before it and adds 32 channels."""
    from torch.nn.functional import conv1d, relu

    batch, channels, frames = x.shape
    growth = p[f"{block}.1.local"].shape[0]
    everything = x.new_empty(batch, channels + layers * growth, frames)
    everything[:, :channels] = x
    for i in range(1, layers + 1):
        name = f"{block}.{i}"
        scale, shift = p[f"{name}.norm"]
        y = relu(conv1d(relu(everything[:, :channels] * scale + shift), *p[f"{name}.squeeze"]))
        context = relu(conv1d(_context(y), *p[f"{name}.context1"]))
        mask = conv1d(context, *p[f"{name}.context2"]).sigmoid()
        mask = mask.repeat_interleave(CONTEXT_FRAMES, -1)[..., :frames]
        local = conv1d(y, p[f"{name}.local"], padding=dilation, dilation=dilation)
        everything[:, channels : channels + growth] = local * mask
        channels += growth
    return everything


def _context(y: torch.Tensor) -> torch.Tensor:
    """Mean over all time plus mean over each 2 s: (batch, channels, stretches of 2 s)."""
    from torch.nn.functional import avg_pool1d

    return y.mean(-1, keepdim=True) + avg_pool1d(y, CONTEXT_FRAMES, CONTEXT_FRAMES, ceil_mode=True)


def embed_windows(samples: np.ndarray, windows: Sequence[HasTimes]) -> np.ndarray:
    """One embedding for each window of the sound: float32, (windows, 192), not normalised.

    samples  float32, shape (n,), 16 kHz
    windows  in any order; what of a window reaches over `MARGIN_S` beyond its chunk is not heard

    The network hears the sound once, in chunks, and its frames are pooled per window: eleven times less work than one
    pass for every window, and as good at telling two people apart. Memory does not grow with the length of the sound.
    """
    embeddings = np.zeros((len(windows), EMBEDDING), dtype=np.float32)
    chunk_of = [int((w.start + w.end) / 2 / CHUNK_S) for w in windows]

    def embed_chunk(chunk: int) -> None:
        first_s, last_s = max(0.0, chunk * CHUNK_S - MARGIN_S), (chunk + 1) * CHUNK_S + MARGIN_S
        frames = hear(samples[int(first_s * RATE_HZ) : int(last_s * RATE_HZ)])
        for i in (i for i, c in enumerate(chunk_of) if c == chunk):
            embeddings[i] = embed_frames(_stretch(frames, windows[i].start - first_s, windows[i].end - first_s))

    spread(embed_chunk, sorted(set(chunk_of)), CHUNKS_AT_ONCE)
    return embeddings


def hear(samples: np.ndarray) -> torch.Tensor:
    """Network frames of one piece of sound: (512, frames). Sound below 0.12 s is repeated to that length."""
    import torch

    network = load_network()
    least = FRAME + (2 * LEAST_FRAMES + 1) * HOP
    if len(samples) < least:
        samples = np.resize(samples, least) if len(samples) else np.zeros(least, dtype=np.float32)
    with torch.inference_mode():
        bank = filter_bank(samples)
        bank = bank - bank.mean(0)
        return frame_features(network, frame_map(network, bank[None].to(network.dtype)))[0].float()


def embed_frames(frames: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation over time, projected: (512, frames), at least two frames -> (192,)."""
    import torch

    weight, shift = load_network().parts["dense"]
    with torch.inference_mode():
        return weight[:, :, 0] @ torch.cat([frames.mean(-1), frames.std(-1)]) + shift


def _stretch(frames: torch.Tensor, start_s: float, end_s: float) -> torch.Tensor:
    """The network frames between two times of a chunk, at least `LEAST_FRAMES` of them."""
    count = frames.shape[-1]
    start = min(max(round(start_s * FEATURES_HZ), 0), count - LEAST_FRAMES)
    return frames[:, start : min(max(round(end_s * FEATURES_HZ), start + LEAST_FRAMES), count)]


def filter_bank(samples: np.ndarray) -> torch.Tensor:
    """Kaldi's log-mel energies without dither: float32, (frames, 80); whole frames only.

    samples  float32, shape (n,), 16 kHz
    """
    import torch

    x = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    if len(x) < FRAME:
        return torch.zeros(0, MEL_BINS)
    frames = x.unfold(0, FRAME, HOP)
    frames = frames - frames.mean(1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    frames = (frames - 0.97 * before) * _povey_window()
    power = torch.fft.rfft(frames, n=FFT).abs().square()
    return (power @ _mel_filters()).clamp_min(torch.finfo(torch.float32).eps).log()


@cache
def _povey_window() -> torch.Tensor:
    import torch

    return torch.hann_window(FRAME, periodic=False, dtype=torch.float64).pow(0.85).float()


@cache
def _mel_filters() -> torch.Tensor:
    """Triangles equally spaced in mel (1127 ln(1 + f / 700)) from 20 Hz to 8 kHz: (257, 80)."""
    import torch

    def mel(hz: np.ndarray) -> np.ndarray:
        return 1127.0 * np.log1p(np.asarray(hz) / 700.0)

    edges = np.linspace(mel(20.0), mel(RATE_HZ / 2), MEL_BINS + 2)
    left, centre, right = (edges[i : i + MEL_BINS] for i in range(3))
    at = mel(np.arange(FFT // 2 + 1) * RATE_HZ / FFT)[:, None]
    weights = np.minimum((at - left) / (centre - left), (right - at) / (right - centre)).clip(0.0)
    weights[-1] = 0.0  # Kaldi leaves the bin at half the sampling rate out
    return torch.from_numpy(weights.astype(np.float32))
