"""Pitch: one fundamental frequency each 10 ms, by one of three trackers, inside the person's own range.

A tracker takes a short piece of sound and gives one value a frame. Frame i covers `[i, i + 1) * 10 ms` of the piece and
is read at its middle. F0 in Hz, NaN where unvoiced. Pieces are short on purpose: no tracker ever sees a whole session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from pipeline.records import AttuneError

FRAME_S = 0.01
WIDE_HZ = (60.0, 500.0)  # the search range before a person's own is known: deep men to children
ENOUGH_FRAMES = 200  # 2 s of voiced sound: fewer do not tell a range
OCTAVE_ST = 9.0  # a step of more semitones than this, away and back again, is a jump of the tracker's


@dataclass(frozen=True)
class Track:
    """One value a frame.

    f0_hz   NaN where unvoiced
    hnr_db  harmonics-to-noise ratio, from the height of the autocorrelation peak; NaN where unvoiced or not known
    """

    f0_hz: np.ndarray
    hnr_db: np.ndarray


Tracker = Callable[[np.ndarray, int, float, float], Track]


def track_praat(samples: np.ndarray, rate_hz: int, floor_hz: float, ceiling_hz: float) -> Track:
    """Praat's autocorrelation method (Boersma 1993), with its standard costs.

    The strength r of the chosen candidate is the normalised autocorrelation, so that 10 log10(r / (1 - r)) is the
    harmonics-to-noise ratio at no further cost.
    """
    import parselmouth

    n = frames_in(samples, rate_hz)
    if samples.size < rate_hz * 3.2 / floor_hz or not np.any(samples):
        return Track(np.full(n, np.nan), np.full(n, np.nan))
    sound = parselmouth.Sound(samples.astype(np.float64), rate_hz)
    pitch = sound.to_pitch_ac(time_step=FRAME_S, pitch_floor=floor_hz, pitch_ceiling=ceiling_hz)
    f0, strength = pitch.selected_array["frequency"], pitch.selected_array["strength"]
    r = np.clip(strength, 1e-4, 1 - 1e-4)
    f0 = np.where(f0 > 0, f0, np.nan)
    return Track(
        _on_grid(pitch.xs(), f0, n), _on_grid(pitch.xs(), np.where(f0 > 0, 10 * np.log10(r / (1 - r)), np.nan), n)
    )


def track_swift(samples: np.ndarray, rate_hz: int, floor_hz: float, ceiling_hz: float) -> Track:
    """SwiftF0, a small convolutional network: steadier than autocorrelation in a noisy room. Gives no HNR.

    raises   AttuneError (code "library-missing") where the optional package is not installed
    """
    try:
        from swift_f0 import SwiftF0
    except ImportError as error:
        raise AttuneError(
            "the pitch tracker 'swift' is not installed",
            mend="pip install 'attune[swift]', or set pitch = 'praat' under [frames]",
            code="library-missing",
        ) from error
    n = frames_in(samples, rate_hz)
    if samples.size == 0 or not np.any(samples):
        return Track(np.full(n, np.nan), np.full(n, np.nan))
    # the network's own limits are 46.875 and 2093.75 Hz, its voicing threshold 0.5
    found = _swift(SwiftF0).detect(samples, rate_hz, fmin=max(floor_hz, 46.875), fmax=min(ceiling_hz, 2093.75))
    f0 = np.where(found.confidence >= 0.5, found.pitch_hz, np.nan)
    return Track(_on_grid(found.timestamps, f0, n), np.full(n, np.nan))


@cache
def _swift(build: Callable):
    """One detector a process: building it takes longer than a turn does."""
    return build(threads=1)


def track_pyin(samples: np.ndarray, rate_hz: int, floor_hz: float, ceiling_hz: float) -> Track:
    """Probabilistic YIN by librosa; 135 MB a minute of sound and slow. Gives no HNR."""
    import librosa

    n = frames_in(samples, rate_hz)
    hop = round(rate_hz * FRAME_S)
    f0, voiced, _ = librosa.pyin(
        samples, fmin=floor_hz, fmax=ceiling_hz, sr=rate_hz, frame_length=1024, hop_length=hop, resolution=0.25
    )
    times = np.arange(f0.size) * hop / rate_hz
    return Track(_on_grid(times, np.where(voiced, f0, np.nan), n), np.full(n, np.nan))


TRACKERS: dict[str, Tracker] = {"praat": track_praat, "swift": track_swift, "pyin": track_pyin}


def tracker(name: str) -> Tracker:
    """The tracker of that name.

    raises   AttuneError (code "setting-value") naming the known ones
    """
    if name not in TRACKERS:
        raise AttuneError(
            f"unknown pitch tracker {name!r}; known: {', '.join(TRACKERS)}",
            mend="choose one of them for pitch under [frames]",
            code="setting-value",
        )
    return TRACKERS[name]


def frames_in(samples: np.ndarray, rate_hz: int) -> int:
    """Whole frames of 10 ms in the piece."""
    return int(samples.size / rate_hz / FRAME_S + 1e-6)


def find_range(f0_hz: np.ndarray) -> tuple[float, float]:
    """A person's floor and ceiling in Hz, from F0 tracked over the wide range.

    The method of De Looze and Hirst (2008), from the quartiles, with wider factors than theirs (0.75 and 1.5): 0.6 and
    2.0, because talk about feelings is livelier than the reading that theirs were fitted on. The wide range where 2 s
    of voiced sound are missing.
    """
    voiced = f0_hz[np.isfinite(f0_hz)]
    if voiced.size < ENOUGH_FRAMES:
        return WIDE_HZ
    low, high = np.percentile(voiced, [25, 75])
    return max(48.0, 0.6 * float(low)), min(600.0, 2.0 * float(high))


def semitones(f0_hz: np.ndarray | float, reference_hz: float) -> np.ndarray:
    """Semitones above `reference_hz`."""
    return 12.0 * np.log2(np.asarray(f0_hz, dtype=float) / reference_hz)


def without_octave_jumps(f0_hz: np.ndarray) -> np.ndarray:
    """F0 with short runs about an octave off their surroundings moved back, or dropped where moving does not fit.

    A run is voiced frames without a step of more than 9 semitones. It is compared with the median of the voiced frames
    within 0.5 s on either side; a run of 0.12 s or more is believed as it is.
    """
    f0 = f0_hz.copy()
    for start, end in _runs(f0):
        around = np.r_[f0[max(0, start - 50) : start], f0[end : end + 50]]
        around = around[np.isfinite(around)]
        if end - start >= 12 or around.size < 5:
            continue
        off = float(semitones(np.median(f0[start:end]), float(np.median(around))))
        if abs(off) > OCTAVE_ST:
            moved = off - 12.0 * round(off / 12.0)
            f0[start:end] = f0[start:end] * 2.0 ** (-round(off / 12.0)) if abs(moved) < 3.0 else np.nan
    return f0


def _runs(f0: np.ndarray) -> list[tuple[int, int]]:
    voiced = np.isfinite(f0)
    step = np.zeros(f0.size, dtype=bool)
    both = voiced[1:] & voiced[:-1]
    step[1:][both] = np.abs(semitones(f0[1:][both], 1.0) - semitones(f0[:-1][both], 1.0)) > OCTAVE_ST
    before = np.r_[False, voiced[:-1]]
    after = np.r_[voiced[1:], False]
    starts = np.flatnonzero(voiced & (~before | step))
    ends = np.flatnonzero(voiced & (~after | np.r_[step[1:], False])) + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _on_grid(times: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Values at the middles of `n` frames: linear between two neighbours with a value, otherwise the nearest one's."""
    if times.size == 0:
        return np.full(n, np.nan)
    if times.size == 1:
        return np.where(np.abs((np.arange(n) + 0.5) * FRAME_S - times[0]) <= FRAME_S, values[0], np.nan)
    step = (times[-1] - times[0]) / (times.size - 1)
    at = ((np.arange(n) + 0.5) * FRAME_S - times[0]) / step
    left = np.floor(at).astype(int)
    share = at - left
    inside = np.clip(left, 0, times.size - 1), np.clip(left + 1, 0, times.size - 1)
    a, b = values[inside[0]], values[inside[1]]
    nearest = np.where(share < 0.5, a, b)
    mixed = a * (1 - share) + b * share
    out = np.where(np.isfinite(mixed) & (np.abs(b - a) < 0.2 * np.abs(a)), mixed, nearest)
    return np.where((at > -1.0) & (at < times.size), out, np.nan)
