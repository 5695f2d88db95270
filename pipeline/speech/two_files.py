"""Two recordings of one session, one microphone a person each: lined up and made the two channels of one sound.

Recorders start at different moments, so the second recording has an offset. It is found by what both microphones hear:
each also hears the other person a little (crosstalk). The course of the level in several bands, with everything slower
than a second taken out, is compared at every shift; the shift at which the two agree far better than anywhere else is
the offset. Where nothing stands out, the microphones hear nothing in common, and a person has to give the offset.

Times are those of the first recording's player. Clocks of two recorders drift apart by some hundredths of a second in
an hour, which is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.records import AttuneError, Audio
from pipeline.speech.audio import RATE_HZ, AudioOptions, decode_recording

if TYPE_CHECKING:
    import numpy as np

HOP = 160  # samples between two levels: 10 ms, the exactness of the offset
FRAME = 400  # samples heard for one level
BAND_EDGES_HZ = (200, 300, 450, 650, 900, 1250, 1700, 2300, 3100, 4200, 5600)  # about as wide as an ear's
SLOW_FRAMES = 101  # 1 s: slower changes of level say who has the floor, not what is heard
MOST_OFFSET_S = 900.0  # looked for this far to both sides
LEAST_SHARED_S = 20.0  # of both recordings at an offset, for it to count
STANDS_OUT = (
    2.0  # times as good as the best shift elsewhere. One interview split in two with crosstalk of -10 to -40 dB:
)
# 4.6 to 15, without any 1.0 to 1.2
LEAST_SCORE = 8.0  # standard deviations above the middle of all shifts; chance reaches 3 to 7
NEAR_S = 1.0  # shifts this close to the best are the same one
BLOCK = 10_000  # levels measured at once: 100 s


@dataclass(frozen=True)
class TwoFiles:
    """Where the two recordings lie. `offset_s`: how much later the second began, seconds; None to find it."""

    first: Path
    second: Path
    offset_s: float | None = None


def decode_session(recording: Path | TwoFiles, options: AudioOptions) -> Audio:
    """The sound of a session: of its one recording, or of two as the two channels of one.

    returns  as `decode_recording`; from two recordings always two channels, the first recording's person first, as long
             as the longer of them, silence where one of them does not reach
    raises   AttuneError as `decode_recording`, and "not-lined-up" where the offset cannot be found
    """
    if isinstance(recording, Path):
        return decode_recording(recording, options)
    first, second = (decode_recording(path, options).mono for path in (recording.first, recording.second))
    offset_s = find_offset(first, second) if recording.offset_s is None else recording.offset_s
    if offset_s is None:
        raise AttuneError(
            "the two recordings hear nothing in common by which they could be lined up",
            mend="say how many seconds later the second one begins: --offset SECONDS (below 0 where it begins earlier)",
            code="not-lined-up",
        )
    return Audio(join_channels(first, second, offset_s), RATE_HZ)


def join_channels(first: np.ndarray, second: np.ndarray, offset_s: float) -> np.ndarray:
    """Two mono sounds as channels, float32 (2, n), on the first one's clock.

    What the second holds from before the first began is cut off.
    raises   AttuneError where they have no time in common
    """
    import numpy as np

    shift = round(offset_s * RATE_HZ)
    if shift >= len(first) or -shift >= len(second):
        raise AttuneError(
            f"with an offset of {offset_s:g} s the two recordings have no time in common",
            mend="give the seconds by which the second one begins later, below 0 where it begins earlier",
            code="offset-too-far",
        )
    later = second[max(0, -shift) :]
    start = max(0, shift)
    both = np.zeros((2, max(len(first), start + len(later))), dtype=np.float32)
    both[0, : len(first)] = first
    both[1, start : start + len(later)] = later
    return both


def find_offset(first: np.ndarray, second: np.ndarray) -> float | None:
    """Seconds by which the second sound begins later, to 10 ms; None where nothing stands out.

    first, second   float32, (n,), 16 kHz
    """
    import numpy as np

    a, b = (measure_course(sound) for sound in (first, second))
    score = compare_shifts(a, b)
    if not len(score):
        return None
    best = int(score.argmax())
    score = score - np.median(score)
    near, spread = _frames(NEAR_S), 1.4826 * np.median(np.abs(score))  # the standard deviation of a normal distribution
    elsewhere = max(score[: max(0, best - near)].max(initial=0.0), score[best + near + 1 :].max(initial=0.0))
    if score[best] <= max(LEAST_SCORE * spread, STANDS_OUT * elsewhere):
        return None
    return (best + _first_shift(len(a), len(b))) * HOP / RATE_HZ


def measure_course(sound: np.ndarray) -> np.ndarray:
    """Level in each band, every 10 ms, without its slow changes: float32, (frames, bands), each of unit variance."""
    import numpy as np
    from scipy.ndimage import uniform_filter1d

    if len(sound) < FRAME:
        return np.zeros((0, len(BAND_EDGES_HZ) - 1), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP]
    bins = np.round(np.array(BAND_EDGES_HZ) * FRAME / RATE_HZ).astype(int)
    window = np.hanning(FRAME).astype(np.float32)
    levels = [
        np.add.reduceat(np.abs(np.fft.rfft(frames[at : at + BLOCK] * window)) ** 2, bins, axis=1)[:, :-1]
        for at in range(0, len(frames), BLOCK)
    ]
    power = np.concatenate(levels).astype(np.float32)
    course = np.log(power + 1e-9)
    course -= uniform_filter1d(course, SLOW_FRAMES, axis=0)
    return course / np.maximum(course.std(axis=0), 1e-6)


def compare_shifts(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How well two courses agree when the second is moved later by each number of frames from `_first_shift` on.

    Sums of products over the frames that both have, divided by the root of their number, so that chance gives every
    shift the same spread. Empty where no shift leaves both enough in common.
    """
    import numpy as np
    from scipy.signal import correlate

    first, last = _first_shift(len(a), len(b)), _last_shift(len(a), len(b))
    if last < first:
        return np.zeros(0)
    sums = sum(correlate(a[:, k], b[:, k], mode="full", method="fft") for k in range(a.shape[1]))
    shifts = np.arange(first, last + 1)
    shared = np.minimum(len(a), len(b) + shifts) - np.maximum(0, shifts)
    return sums[shifts + len(b) - 1] / np.sqrt(shared)


def _first_shift(a: int, b: int) -> int:
    return -min(_frames(MOST_OFFSET_S), b - _frames(LEAST_SHARED_S))


def _last_shift(a: int, b: int) -> int:
    return min(_frames(MOST_OFFSET_S), a - _frames(LEAST_SHARED_S))


def _frames(seconds: float) -> int:
    return round(seconds * RATE_HZ / HOP)
