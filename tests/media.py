"""Small media files with a known content, written by PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CODECS = {
    ".mp4": "aac",
    ".mov": "aac",
    ".mkv": "aac",
    ".m4a": "aac",
    ".webm": "libopus",
    ".ogg": "libopus",
    ".mp3": "libmp3lame",
    ".wav": "pcm_s16le",
    ".flac": "flac",
}
LAYOUTS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1"}


def tone(seconds: float, f_hz: float = 440.0, rate_hz: int = 48000, level: float = 0.3) -> np.ndarray:
    """A sine, float32, shape (n,)."""
    return (level * np.sin(2 * np.pi * f_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def silence(seconds: float, rate_hz: int = 48000) -> np.ndarray:
    return np.zeros(round(seconds * rate_hz), dtype=np.float32)


def pips(seconds: float, at_s: list[float], rate_hz: int = 48000, length_s: float = 0.05) -> np.ndarray:
    """Silence with a short 1 kHz tone starting at each of the times."""
    sound = silence(seconds, rate_hz)
    for start in at_s:
        pip = tone(length_s, 1000.0, rate_hz, level=0.8)
        sound[round(start * rate_hz) :][: len(pip)] = pip
    return sound


def onsets_s(samples: np.ndarray, rate_hz: int, apart_s: float = 0.2, level: float = 0.2) -> list[float]:
    """Where the sound rises above `level` after at least `apart_s` below it."""
    loud = np.flatnonzero(np.abs(samples) > level)
    first = np.diff(loud, prepend=-(10**9)) > apart_s * rate_hz
    return [float(i / rate_hz) for i in loud[first]]


def write_media(
    path: Path,
    samples: np.ndarray,
    rate_hz: int = 48000,
    *,
    codec: str | None = None,
    container: str | None = None,
    picture_s: float = 0.0,
    sound_from_s: float = 0.0,
    left_out_s: tuple[float, float] | None = None,
    fast_start: bool = False,
    live: bool = False,
) -> Path:
    """Write `samples`, shape (n,) or (channels, n), as the container that the suffix names.

    picture_s      seconds of a grey picture beside the sound; 0 for none
    sound_from_s   timestamp of the first sample
    left_out_s     packets that start in this stretch are never written, as when a recorder drops them
    fast_start     mp4: the index comes first
    live           webm, mkv: as a browser records, with no duration in the header
    """
    samples = np.atleast_2d(samples).astype(np.float32)
    options = ({"movflags": "faststart"} if fast_start else {}) | ({"live": "1"} if live else {})
    with av.open(str(path), "w", format=container, options=options) as out:
        sound = out.add_stream(codec or CODECS[path.suffix], rate=rate_hz, layout=LAYOUTS[samples.shape[0]])
        picture = _add_picture(out) if picture_s else None
        packets = [*_sound_packets(sound, samples, rate_hz, sound_from_s)]
        if picture:
            packets += _picture_packets(picture, picture_s)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            start = float(packet.pts * packet.time_base)
            if packet.stream is sound and left_out_s and left_out_s[0] <= start < left_out_s[1]:
                continue
            out.mux(packet)
    return path


def write_picture_only(path: Path, seconds: float = 4.0) -> Path:
    with av.open(str(path), "w") as out:
        for packet in _picture_packets(_add_picture(out), seconds):
            out.mux(packet)
    return path


def _sound_packets(stream, samples: np.ndarray, rate_hz: int, from_s: float) -> list:
    planar = np.ascontiguousarray(samples)
    packets = []
    for at in range(0, planar.shape[1], 4800):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(planar[:, at : at + 4800]), format="fltp", layout=LAYOUTS[planar.shape[0]]
        )
        frame.sample_rate = rate_hz
        frame.time_base = Fraction(1, rate_hz)
        frame.pts = at + round(from_s * rate_hz)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _add_picture(out):
    stream = out.add_stream("mpeg4" if "webm" not in out.format.name else "libvpx", rate=5)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _picture_packets(stream, seconds: float) -> list:
    packets = []
    for i in range(round(seconds * 5)):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, dtype=np.uint8), format="rgb24")
        frame.pts, frame.time_base = i, Fraction(1, 5)
        packets += stream.encode(frame)
    return packets + stream.encode(None)
