"""The review copy: what the page plays. It seeks exactly, and its clock is that of the words.

Browsers guess where a moment lies in files without an index of their packets (MP3 of varying bit rate, what a browser
records live) and cannot play many others. So a recording is played as it is only where it is an MP4 with an index and
codecs that browsers know. Otherwise, once, beside the session: the sound of `audio.flac` as AAC in an indexed MP4;
and for a video its picture with that same sound, copied where browsers can play it, or written anew as H.264.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pipeline.records import AttuneError

Plan = Literal["sound", "as it is", "copy picture", "write picture"]
Tell = Callable[[float], None]
Draw = Callable[[Any, float], Any]

VERSION = 2  # raised when a copy would now be made otherwise: the copies of before are made again
SOUND = "sound.m4a"
PICTURE = "picture.mp4"
SOUND_BIT_RATE = 96_000  # AAC at 16 kHz: well above what speech needs
PICTURES_COPIED = ("h264", "av1", "vp9")  # in MP4 and 8-bit 4:2:0, what Chromium, Firefox and Safari all play
SOUNDS_PLAYED = ("aac", "mp3", "opus", "flac")
PIXELS_PLAYED = ("yuv420p", "yuvj420p")
MOST_LINES = 720  # height of a picture written anew, pixels
KEY_EVERY_S = 2.0  # a whole picture at least this often, so that a seek decodes little
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,mpeg,mpegts,mpegps,flv"
CLOCK_FROM_ZERO = ("mov", "matroska")


@dataclass(frozen=True)
class Facts:
    """What decides how a recording is played. `picture` and `sound` are names of codecs, "" where there is none.

    indexed   an MP4 whose index lists every packet: any time is found without guessing
    """

    container: str
    picture: str
    pixels: str
    sound: str
    indexed: bool


def plan_copy(facts: Facts) -> Plan:
    """How a recording with these facts is played: "sound" without a picture, otherwise with the least work."""
    if not facts.picture:
        return "sound"
    playable = facts.picture in PICTURES_COPIED and facts.pixels in PIXELS_PLAYED
    if playable and facts.indexed and facts.sound in SOUNDS_PLAYED:
        return "as it is"
    return "copy picture" if playable else "write picture"


def load_facts(recording: Path) -> Facts:
    """Look into a recording.

    raises   AttuneError (code "not-media") for anything that is no video or sound file
    """
    with _opened(recording) as container:
        picture = _picture_stream(container)
        sound = next(iter(container.streams.audio), None)
        name = container.format.name.split(",")[0]
        return Facts(
            name,
            picture.codec_context.name if picture else "",
            (picture.codec_context.pix_fmt or "") if picture else "",
            sound.codec_context.name if sound else "",
            name == "mov" and "moof" not in _boxes(recording),
        )


def _opened(recording: Path) -> Any:
    import av

    try:
        file = recording.open("rb")
        return av.open(
            file, options={"format_whitelist": f"{CONTAINERS},mp3,wav,flac,ogg,aac,aiff", "protocol_whitelist": "file"}
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise AttuneError(
            "the recording cannot be opened as a video or sound file",
            mend="put the recording back where it was when it was processed",
            code="not-media",
        ) from error


def _picture_stream(container: Any) -> Any:
    """The first moving picture: a cover image is none."""
    import av

    covers = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & covers), None)


def _boxes(path: Path) -> list[str]:
    """Names of an MP4's outermost boxes, in order; stops quietly where the file is none."""
    found, at, size = [], 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 8 <= size and len(found) < 1000:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4])
            if length == 1:
                length = int.from_bytes(head[8:16])
            found.append(head[4:8].decode("latin-1"))
            if length < 8:
                break
            at += length
    return found


# ------------------------------------------------------------------------------------------------ making


def write_sound(flac: Path, copy: Path, tell: Tell = lambda done: None) -> None:
    """The session's sound as AAC in an MP4 whose index comes first. Written beside, then renamed."""
    with _written(copy) as out:
        track = _SoundTrack(out, flac, tell)
        for packet in track.packets():
            out.mux(packet)


def write_picture(recording: Path, flac: Path, plan: Plan, copy: Path, tell: Tell = lambda done: None) -> None:
    """The recording's picture with the session's sound, on the session's clock."""
    with _opened(recording) as source, _written(copy) as out:
        stream = _picture_stream(source)
        length_s = (source.duration or 0) / 1e6
        make = _copied if plan == "copy picture" else _written_anew
        pictures = make(source, stream, out, _zero_s(source))
        sounds = _SoundTrack(out, flac)
        for packet in _in_order(pictures, sounds.packets()):
            out.mux(packet)
            if length_s and packet.stream.type == "video" and packet.pts is not None:
                tell(min(1.0, float(packet.pts * packet.time_base) / length_s))


def write_clip(
    picture: Path | None, flac: Path, start: float, end: float, copy: Path, draw: Draw | None = None
) -> None:
    """A stretch of the session as an MP4 of its own that begins at 0, cut exactly: written anew, not copied.

    picture  what the page plays for a session with a picture, or the recording, or None
    draw     changes each picture, given with its time in the clip: captions are burnt in so
    """
    with ExitStack() as stack:
        out = stack.enter_context(_written(copy))
        tracks: list[Iterable[Any]] = []
        if picture:
            source = stack.enter_context(_opened(picture))
            zero_s = _zero_s(source)
            source.seek(round(max(0.0, start + zero_s) * 1e6))  # to a whole picture at or before it
            pictures = _written_anew(source, _picture_stream(source), out, zero_s + start, end - start, draw)
            tracks.append(pictures)
        tracks.append(_SoundTrack(out, flac, start=start, end=end).packets())
        for packet in _in_order(*tracks):
            out.mux(packet)


def _zero_s(source: Any) -> float:
    """The timestamp at which a player shows 0:00, in seconds."""
    return 0.0 if source.format.name.split(",")[0] in CLOCK_FROM_ZERO else (source.start_time or 0) / 1e6


class _written:
    """An MP4 open for writing under a passing name, renamed once it is whole; nothing is left where it breaks off."""

    def __init__(self, copy: Path) -> None:
        self.copy, self.part = copy, copy.with_name(f"{copy.name}.part")

    def __enter__(self) -> Any:
        import av

        self.copy.parent.mkdir(exist_ok=True)
        self.out = av.open(str(self.part), "w", format="mp4", options={"movflags": "faststart"})
        return self.out

    def __exit__(self, kind: Any, *rest: Any) -> None:
        self.out.close()
        if kind is None:
            os.replace(self.part, self.copy)
        else:
            self.part.unlink(missing_ok=True)


class _SoundTrack:
    """`audio.flac`, or a stretch of it, encoded as AAC, packet by packet."""

    def __init__(
        self, out: Any, flac: Path, tell: Tell = lambda done: None, start: float = 0.0, end: float | None = None
    ) -> None:
        import soundfile

        self.file, self.tell = soundfile.SoundFile(flac), tell
        rate_hz, whole = self.file.samplerate, self.file.frames
        self.first = min(whole, round(start * rate_hz))
        self.frames = (whole if end is None else min(whole, round(end * rate_hz))) - self.first
        self.layout = "mono" if self.file.channels == 1 else "stereo"
        # the coder "fast" takes half the time of the default, and speech at this rate sounds the same
        self.stream = out.add_stream(
            "aac", rate=self.file.samplerate, layout=self.layout, options={"aac_coder": "fast"}
        )
        self.stream.bit_rate = SOUND_BIT_RATE

    def packets(self) -> Iterator[Any]:
        import av
        import numpy as np

        at, rate_hz = 0, self.file.samplerate
        with self.file:
            self.file.seek(self.first)
            for block in self.file.blocks(rate_hz, frames=self.frames, dtype="float32", always_2d=True):
                planes = np.ascontiguousarray(block.T[:2])
                frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self.layout)
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
                yield from self.stream.encode(frame)
                at += len(block)
                self.tell(at / max(1, self.frames))
        yield from self.stream.encode(None)


def _copied(source: Any, stream: Any, out: Any, zero_s: float) -> Iterator[Any]:
    """The picture's packets as they are, moved to a clock that starts at `zero_s`."""
    target = out.add_stream_from_template(stream)
    late = round(zero_s / stream.time_base)

    def packets() -> Iterator[Any]:
        step = round(1 / (stream.average_rate or Fraction(25)) / stream.time_base)
        for packet in _with_decoding_times(source.demux(stream), step):
            packet.pts, packet.dts, packet.stream = packet.pts - late, packet.dts - late, target
            yield packet

    return packets()


def _with_decoding_times(packets: Iterable[Any], step: int) -> Iterator[Any]:
    """The packets that hold something, each with a time to decode it at: Matroska does not say it for the first ones
    of a picture whose frames are stored out of order. They lie `step` apart, before the first that is known."""
    waiting: list[Any] = []
    for packet in packets:
        if not packet.size or packet.pts is None:
            continue
        if packet.dts is None:
            waiting.append(packet)
            continue
        for k, early in enumerate(waiting):
            early.dts = packet.dts - step * (len(waiting) - k)
            yield early
        waiting = []
        yield packet
    for packet in waiting:
        packet.dts = packet.pts
        yield packet


def _written_anew(
    source: Any, stream: Any, out: Any, zero_s: float, until_s: float = float("inf"), draw: Draw | None = None
) -> Iterator[Any]:
    """The picture as H.264, no higher than `MOST_LINES`, every frame at its own time after `zero_s`."""
    context = stream.codec_context
    rate = stream.average_rate or Fraction(25)
    height = min(MOST_LINES, context.height) // 2 * 2
    width = round(context.width * height / context.height) // 2 * 2
    target = out.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "24"})
    target.width, target.height, target.pix_fmt = width, height, "yuv420p"
    target.codec_context.gop_size = max(1, round(KEY_EVERY_S * float(rate)))
    base = Fraction(1, 90_000)
    target.codec_context.time_base = base
    stream.thread_type = "AUTO"

    def packets() -> Iterator[Any]:
        last = -1
        for frame in source.decode(stream):
            if frame.pts is None:
                continue
            at = round((float(frame.pts * frame.time_base) - zero_s) / base)
            if at <= last:
                continue
            if at * base >= until_s:
                break
            picture = _drawn(frame, width, height, draw, float(at * base)) if draw else frame
            picture = picture.reformat(width, height, "yuv420p")
            picture.pts, picture.time_base, last = at, base, at
            picture.pict_type = 0
            yield from target.encode(picture)
        yield from target.encode(None)

    return packets()


def _drawn(frame: Any, width: int, height: int, draw: Draw, at_s: float) -> Any:
    import av

    return av.VideoFrame.from_image(draw(frame.reformat(width, height, "rgb24").to_image(), at_s))


def _in_order(*tracks: Iterable[Any]) -> Iterator[Any]:
    """The packets of all tracks by time, so that a player finds sound and picture near each other."""
    import heapq

    yield from heapq.merge(*tracks, key=lambda packet: float(packet.dts * packet.time_base))
