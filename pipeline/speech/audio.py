"""From a media file to sound: 16 kHz float32, on the player's clock, both channels kept.

Decoding is PyAV's (the FFmpeg libraries inside a wheel): no ffmpeg program is needed. A file is opened as bytes and
only as one of `CONTAINERS`, so neither a name (`a:b.mp4`) nor a playlist inside a file can lead anywhere else.

Times are those a browser shows, so that a link `#t=` lands on the word: what a file leaves out (sound that starts after
the picture, packets that a recorder dropped) is silence of the same length.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.records import AttuneError, Audio

if TYPE_CHECKING:
    import numpy as np

RATE_HZ = 16000  # what every model of the pipeline was trained on
KNOWN = "mp4, mov, mkv, webm, m4a, mp3, wav, flac, ogg"
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mp3,wav,w64,flac,ogg,aac,asf,avi,mpeg,mpegts,aiff,amr,caf"
FROM_ZERO = ("mov", "matroska")  # their clock starts at 0 in every browser, however late the first sound
TOLERANCE_S = 0.03  # timestamps of live recorders jitter by less; one missing video-call packet (20 ms) may pass
BACK_S = 1.0  # a clock that goes back further than this was set anew
SAME = 1e-4  # channels never further apart than this (-80 dB of full scale) are one channel stored twice
SAME_POWER = (
    1e-4  # or whose difference is 40 dB weaker than they are: a codec's noise (AAC leaves -64 dB), nobody's voice
)
GUESS_S = 3600.0  # the buffer's first length where the file does not say how long it is
MOST_S = 6 * 3600.0  # a longer claim is not believed in advance; the buffer grows if it was true


@dataclass(frozen=True)
class AudioOptions:
    least_s: float = 3.0  # shorter recordings are refused, seconds: nothing in them can be measured
    longest_gap_s: float = 600.0  # a longer jump between timestamps is a broken clock, not a silence, seconds


def decode_recording(recording: Path, options: AudioOptions) -> Audio:
    """All the sound of a recording's default audio track.

    returns  Audio at 16 kHz. Two channels stay two, unless they are the same throughout: then one. More than two (a
             surround camera, a table microphone) become one, their mean, so that nobody's microphone is lost.
             A file that breaks off gives what it holds; damaged packets become silence.
    raises   AttuneError: see `check_recording`, and "too-short", "nothing-decoded"

    Held in memory: one buffer, 64 kB a second for each channel that differs.
    """
    with _opened(recording) as (container, stream):
        tape = _Tape(min(_told_duration_s(container, stream) or GUESS_S, MOST_S))
        _lay_down(_frames(container, stream), tape, _zero_s(container), options)
        samples = tape.samples()
    if not samples.shape[1]:
        raise AttuneError(
            "the audio track holds no sound that can be decoded",
            mend="play the file to check it; if it plays, export it again, for instance as mp4 or wav",
            code="nothing-decoded",
        )
    _check_length(samples.shape[1] / RATE_HZ, options)
    return Audio(samples=samples, rate_hz=RATE_HZ)


def check_recording(recording: Path, options: AudioOptions = AudioOptions()) -> float:
    """Duration of a recording in seconds, as its container tells it, without decoding.

    Where the container does not say (a browser's live recording), the packets' times are read instead.

    raises   AttuneError: "no-such-file", "not-a-file", "unreadable", "empty-file", "cut-off", "not-media",
             "no-audio-track", "codec-unknown", "too-short"
    """
    with _opened(recording) as (container, stream):
        duration_s = _told_duration_s(container, stream) or _last_packet_s(container, stream)
    _check_length(duration_s, options)
    return duration_s


def _check_length(duration_s: float, options: AudioOptions) -> None:
    if duration_s < options.least_s:
        raise AttuneError(
            f"the recording is {duration_s:.1f} s long; at least {options.least_s:g} s are needed",
            mend="check that this is the whole recording",
            code="too-short",
        )


# ---------------------------------------------------------------- opening


@contextmanager
def _opened(recording: Path) -> Iterator[tuple[Any, Any]]:
    """The open container and the audio stream that players choose."""
    import av

    _check_file(recording)
    with recording.open("rb") as file:
        try:
            container = av.open(file, options={"format_whitelist": CONTAINERS, "protocol_whitelist": "file"})
        except (av.error.FFmpegError, ValueError, OSError):
            raise _unopened(file) from None  # the original names the file
        with container:
            yield container, _audio_stream(container)


def _check_file(recording: Path) -> None:
    if not recording.exists():
        raise AttuneError("there is no such file", mend="check the name and the folder", code="no-such-file")
    if not recording.is_file():
        raise AttuneError("this is not a file", mend="give an audio or video file", code="not-a-file")
    if not os.access(recording, os.R_OK):
        raise AttuneError(
            "the file may not be read by this user",
            mend="give this user the right to read it, or copy it",
            code="unreadable",
        )
    if recording.stat().st_size == 0:
        raise AttuneError(
            "the file is empty (0 bytes)",
            mend="copy it again from the recorder: the copy or the recording did not finish",
            code="empty-file",
        )


def _unopened(file: Any) -> AttuneError:
    file.seek(4)
    if file.read(4) in (b"ftyp", b"mdat", b"moov", b"wide"):  # an mp4 or mov without its index
        return AttuneError(
            "the file is cut off: its index (moov), written last, is missing",
            mend="copy it again from the recorder; if it is cut off there too, a repair tool such as untrunc may help",
            code="cut-off",
        )
    return _not_media()


def _not_media() -> AttuneError:
    return AttuneError("this is not an audio or video file", mend=f"give one of these: {KNOWN}", code="not-media")


def _audio_stream(container: Any) -> Any:
    stream = container.streams.best("audio")
    if stream is not None and stream.codec_context is not None:
        return stream
    if any(track.codec_context is None for track in container.streams.audio):
        raise AttuneError(
            "the sound is in a codec that cannot be decoded, or is protected",
            mend="export the recording without protection, for instance as mp4 (AAC) or wav",
            code="codec-unknown",
        )
    if container.streams.audio or not container.streams:
        raise _not_media()  # text or noise that passed for a track
    raise AttuneError(
        "the file has no audio track",
        mend="check that the recorder's microphone was on, or give the file that holds the sound",
        code="no-audio-track",
    )


# ---------------------------------------------------------------- the clock


def _zero_s(container: Any) -> float:
    """The timestamp at which a player shows 0:00, in seconds."""
    if container.format.name.split(",")[0] in FROM_ZERO or container.start_time is None:
        return 0.0
    return container.start_time / 1e6


def _told_duration_s(container: Any, stream: Any) -> float | None:
    """Duration by the container or, failing that, by the stream; None where neither says."""
    if container.duration and container.duration > 0:
        late = container.format.name.startswith("mov")  # whose duration leaves out what comes before the first sound
        return (container.duration + (max(0, container.start_time or 0) if late else 0)) / 1e6
    if stream.duration and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return None


def _last_packet_s(container: Any, stream: Any) -> float:
    end_s = 0.0
    for packet in _packets(container, stream):
        if packet.pts is not None:
            end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return end_s - _zero_s(container)


# ---------------------------------------------------------------- decoding


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets up to where the file ends or breaks off."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        yield packet


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames; damaged packets are passed over, and the clock makes silence of them."""
    import av

    for packet in _packets(container, stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue


def _lay_down(frames: Iterator[Any], tape: _Tape, zero_s: float, options: AudioOptions) -> None:
    """Resample the frames and put each where its timestamp says.

    As long as times follow on, frames run through one resampler; where they jump, or the format changes, it is emptied
    and a new one starts at the new place.
    """
    from av import AudioResampler

    clock = _Clock(zero_s, options.longest_gap_s)
    resampler, form = None, None
    for frame in frames:
        jumped = clock.advance(frame)
        now = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if jumped or now != form:
            _pour(resampler, None, tape)
            resampler, form = AudioResampler(format="fltp", rate=RATE_HZ), now
            tape.wind_to(clock.start_s)
        frame.pts = None  # the clock has read it; the resampler would only round it
        _pour(resampler, frame, tape)
    _pour(resampler, None, tape)


def _pour(resampler: Any, frame: Any, tape: _Tape) -> None:
    if resampler is not None:
        for block in resampler.resample(frame):
            tape.add(block.to_ndarray())


class _Clock:
    """Where the next frame belongs, in seconds of player time."""

    def __init__(self, zero_s: float, longest_gap_s: float) -> None:
        self.start_s = 0.0  # of the frame last advanced to
        self._end_s = 0.0
        self._shift_s = -zero_s
        self._longest_gap_s = longest_gap_s
        self._last_pts: int | None = None

    def advance(self, frame: Any) -> bool:
        """Move on to `frame`; True where it does not follow on from the one before."""
        jump_s = self._jump_s(frame)
        jumped = abs(jump_s) > TOLERANCE_S
        self.start_s = self._end_s + (jump_s if jumped or self._last_pts is None else 0.0)
        self._end_s = self.start_s + frame.samples / frame.sample_rate
        self._last_pts = frame.pts if frame.pts is not None else self._last_pts
        return jumped

    def _jump_s(self, frame: Any) -> float:
        if frame.pts is None or (self._last_pts is not None and frame.pts <= self._last_pts):
            return 0.0  # no timestamp, or one that stands still: the sound itself is the better clock
        jump_s = float(frame.pts * frame.time_base) + self._shift_s - self._end_s
        if jump_s > self._longest_gap_s or jump_s < -BACK_S:
            self._shift_s -= jump_s
            return 0.0
        return jump_s


class _Tape:
    """One buffer for the whole sound. The second channel is memory only once it differs from the first."""

    def __init__(self, expected_s: float) -> None:
        import numpy as np

        self._np = np
        self._buffer = np.zeros((2, int(expected_s * RATE_HZ) + RATE_HZ), dtype=np.float32)
        self._at = 0  # next sample; below 0 in what precedes the player's 0:00 (an encoder's run-in)
        self._length = 0
        self._stereo = False
        self._difference = self._power = 0.0  # sums of squares, of left minus right and of both

    def wind_to(self, start_s: float) -> None:
        self._at = round(start_s * RATE_HZ)

    def add(self, block: np.ndarray) -> None:
        """Put down a block of shape (channels, n); what lies before 0:00 is cut off."""
        if block.shape[0] > 2:
            block = block.mean(axis=0, keepdims=True)
        start, self._at = self._at, self._at + block.shape[1]
        block = block[:, max(0, -start) :].clip(-1.0, 1.0)
        start = max(0, start)
        end = start + block.shape[1]
        self._make_room(end)
        self._compare(block)
        self._buffer[: self._channels, start:end] = block[: self._channels]
        self._length = max(self._length, end)

    def samples(self) -> np.ndarray:
        """float32, shape (1 or 2, n): a view, so that the sound is held once. Ends the recording."""
        if self._stereo and self._difference <= SAME_POWER * self._power:
            self._stereo = False
            self._buffer.resize((1, self._buffer.shape[1]), refcheck=False)  # gives the second channel's memory back
        return self._buffer[: self._channels, : self._length]

    @property
    def _channels(self) -> int:
        return 2 if self._stereo else 1

    def _compare(self, block: np.ndarray) -> None:
        difference = block[0] - block[-1]
        self._difference += float(difference @ difference)
        self._power += float(block[0] @ block[0] + block[-1] @ block[-1])
        if not self._stereo and self._np.abs(difference).max(initial=0.0) > SAME:
            self._stereo = True
            self._buffer[1, : self._length] = self._buffer[0, : self._length]

    def _make_room(self, length: int) -> None:
        if length > self._buffer.shape[1]:
            longer = self._np.zeros((2, length + length // 4), dtype=self._np.float32)
            longer[: self._channels, : self._length] = self._buffer[: self._channels, : self._length]
            self._buffer = longer
