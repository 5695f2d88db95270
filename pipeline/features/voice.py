"""The voice in one turn: pitch, level, rate, pauses and roughness, from the frames and the sound under the turn.

Only frames in which the person speaks alone are read. Semitones are relative to the person's own median of the session.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.features.pitch import FRAME_S, semitones

VOICED_SHARE = 0.40  # of the speaking frames: less is whisper, creak or noise, and pitch is not read
VOICED_S = 0.3  # of voiced sound, for pitch and level
ROUGHNESS_S = 1.0  # of voiced sound, for jitter, shimmer and CPP
ROUGHNESS_MAX_S = 10.0  # of a turn read for them
PAUSE_S = 0.25  # a shorter silence belongs to a stop consonant (Goldman-Eisler 1968)
QUIET_DB = 25.0  # below the turn's loud frames is silence (De Jong & Wempe 2009)
RATE_S = 1.0  # of speech without pauses, for the articulation rate: fewer syllables make it unsteady
DIP_DB = 2.0  # between two syllable nuclei (De Jong & Wempe 2009)
RUNNING_S = 300.0  # the running level: automatic gain and chairs move within minutes
RUNNING_LEAST_S = 15.0  # of own voiced sound in it

PITCH = ("voiced_s", "voiced_share", "pitch_hz", "pitch_st", "pitch_range_st", "pitch_slope_st_per_s")
LEVEL = ("level_db", "level_range_db")
COLOUR = ("hnr_db", "spectral_centroid_hz")
RATE = ("articulation_syll_per_s",)
ROUGHNESS = ("jitter_percent", "shimmer_percent", "cpp_db")
COLUMNS = (*PITCH, *LEVEL, *RATE, *COLOUR, *ROUGHNESS)


@dataclass(frozen=True)
class Own:
    """The frames of one person, as arrays over the whole session.

    alone      the person speaks and nobody else
    reference_hz   median F0 of the session
    """

    alone: np.ndarray
    f0_hz: np.ndarray
    intensity_db: np.ndarray
    hnr_db: np.ndarray
    centroid_hz: np.ndarray
    reference_hz: float
    noise_db: float


def measure_voice(own: Own, first: int, last: int) -> dict[str, float]:
    """The columns of `COLUMNS` but roughness, for the frames `[first, last)`; NaN what cannot be told."""
    here = slice(first, last)
    alone, f0, level = own.alone[here], own.f0_hz[here], own.intensity_db[here]
    voiced = alone & np.isfinite(f0)
    row = dict.fromkeys(COLUMNS, float("nan"))
    row["voiced_s"] = float(voiced.sum() * FRAME_S)
    speaking = find_speaking(alone, voiced, level, own.noise_db)
    if not speaking.any() or row["voiced_s"] < VOICED_S:
        return row
    row["voiced_share"] = float(voiced.sum() / speaking.sum())
    row["level_db"] = float(np.median(level[voiced])) - _running_level(own, first, last)
    row["level_range_db"] = float(np.subtract(*np.percentile(level[voiced], [95, 5])))
    row["articulation_syll_per_s"] = _articulation_rate(level, voiced, speaking)
    row["hnr_db"] = _mean(own.hnr_db[here][voiced])
    row["spectral_centroid_hz"] = float(np.median(own.centroid_hz[here][voiced]))
    if row["voiced_share"] >= VOICED_SHARE:
        row |= _pitch(f0, voiced, own.reference_hz)
    return row


def _mean(values: np.ndarray) -> float:
    """Of the finite ones; NaN without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def find_speaking(alone: np.ndarray, voiced: np.ndarray, level: np.ndarray, noise_db: float) -> np.ndarray:
    """Frames in which the person is heard: voiced, or within 25 dB of the loud frames and 6 dB above the room."""
    if not voiced.any():
        return alone & (level > noise_db + 6.0) if np.isfinite(noise_db) else alone
    least = float(np.percentile(level[voiced], 95)) - QUIET_DB
    if np.isfinite(noise_db):
        least = max(least, noise_db + 6.0)
    return alone & (voiced | (level >= least))


def find_pauses(speaking: np.ndarray) -> list[tuple[int, int]]:
    """Runs of frames without speech, of at least 0.25 s, between two with: (first, last)."""
    heard = np.flatnonzero(speaking)
    if heard.size == 0:
        return []
    gaps = np.flatnonzero(np.diff(heard) > round(PAUSE_S / FRAME_S))
    return [(int(heard[g]) + 1, int(heard[g + 1])) for g in gaps]


def _pitch(f0: np.ndarray, voiced: np.ndarray, reference_hz: float) -> dict[str, float]:
    st = semitones(f0[voiced], reference_hz)
    low, high = np.percentile(st, [5, 95])
    return {
        "pitch_hz": float(np.median(f0[voiced])),
        "pitch_st": float(np.median(st)),
        "pitch_range_st": float(high - low),
        "pitch_slope_st_per_s": _slope(np.flatnonzero(voiced) * FRAME_S, st),
    }


def _slope(at: np.ndarray, values: np.ndarray) -> float:
    """Least-squares slope; NaN where the voice spans less than a second."""
    if at[-1] - at[0] < 1.0:
        return float("nan")
    return float(np.polyfit(at - at.mean(), values, 1)[0])


def _running_level(own: Own, first: int, last: int) -> float:
    """The person's median level in the five minutes around, or in the session where those hold too little."""
    middle, reach = (first + last) // 2, round(RUNNING_S / 2 / FRAME_S)
    around = slice(max(0, middle - reach), middle + reach)
    voiced = own.alone[around] & np.isfinite(own.f0_hz[around])
    if voiced.sum() * FRAME_S >= RUNNING_LEAST_S:
        return float(np.median(own.intensity_db[around][voiced]))
    return float(np.median(own.intensity_db[own.alone & np.isfinite(own.f0_hz)]))


def _articulation_rate(level: np.ndarray, voiced: np.ndarray, speaking: np.ndarray) -> float:
    """Syllable nuclei for each second of speech, pauses left out.

    A nucleus is a voiced peak of the level, 2 dB above the dips beside it (De Jong and Wempe 2009).
    """
    from scipy.signal import find_peaks

    heard = np.flatnonzero(speaking)
    pauses = sum(last - first for first, last in find_pauses(speaking))
    seconds = (heard[-1] - heard[0] + 1 - pauses) * FRAME_S
    if seconds < RATE_S:
        return float("nan")
    least = float(np.percentile(level[voiced], 95)) - QUIET_DB
    padded = np.r_[-200.0, level, -200.0]  # so that a peak at the edge is one
    peaks = find_peaks(padded, height=least, prominence=DIP_DB)[0] - 1
    return float(voiced[peaks].sum() / seconds)


def measure_roughness(sound: np.ndarray, rate_hz: int, floor_hz: float, ceiling_hz: float) -> dict[str, float]:
    """Jitter and shimmer (local) and smoothed cepstral peak prominence of a piece of one voice, by Praat."""
    import parselmouth
    from parselmouth.praat import call

    piece = parselmouth.Sound(sound.astype(np.float64), rate_hz)
    pulses = call(piece, "To PointProcess (periodic, cc)", floor_hz, ceiling_hz)
    # Praat's standard limits: periods of 0.1 to 20 ms, neighbours within 1.3 in length and 1.6 in amplitude
    jitter = call(pulses, "Get jitter (local)", 0, 0, 0.0001, 0.02, 1.3)
    shimmer = call([piece, pulses], "Get shimmer (local)", 0, 0, 0.0001, 0.02, 1.3, 1.6)
    cepstra = call(piece, "To PowerCepstrogram", 60.0, 0.02, 5000.0, 50.0)
    cpp = call(
        cepstra,
        "Get CPPS",
        "no",
        0.02,
        0.0005,
        floor_hz,
        ceiling_hz,
        0.05,
        "parabolic",
        0.001,
        0.05,
        "Straight",
        "Robust",
    )
    return {"jitter_percent": 100.0 * jitter, "shimmer_percent": 100.0 * shimmer, "cpp_db": cpp}


def longest_alone(alone: np.ndarray) -> tuple[int, int]:
    """The longest run of True, cut to 10 s: (first, last); (0, 0) where there is none."""
    edges = np.flatnonzero(np.diff(np.r_[False, alone, False].astype(np.int8)))
    if edges.size == 0:
        return 0, 0
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(min(ends[best], starts[best] + round(ROUGHNESS_MAX_S / FRAME_S)))
