"""Level, colour and onsets of the sound: one value each 10 ms, a minute at a time.

Frame i is read around its middle, `(i + 0.5) * 10 ms`, and a value is the same wherever the cuts between the minutes
fall.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RATE_HZ = 16000
HOP = 160  # samples in 10 ms at 16 kHz
WINDOW = 512  # 32 ms
PIECE = 6000  # frames in a minute: the most that is held in spectra at once
EDGE = 12  # frames on each side of a piece, so that windows and differences near its ends are whole
QUIETEST_DB = -120.0
FULL_SCALE_DB = 93.9794  # what Praat calls a sound of RMS 1.0: 20 log10(1 / 2e-5)

COLUMNS = ("intensity_db", "spectral_centroid_hz", "spectral_rolloff_hz", "spectral_flatness", "onset_strength")


def measure_spectrum(mono: np.ndarray, frames: int) -> dict[str, np.ndarray]:
    """The measures named in `COLUMNS`, float32, one value a frame.

    mono     sound at 16 kHz
    frames   whole frames in it
    """
    out = {name: np.empty(frames, dtype=np.float32) for name in COLUMNS}
    for first, last, piece in _pieces(mono, frames):
        keep = slice(EDGE, EDGE + last - first)
        for name, values in _measure_piece(piece).items():
            out[name][first:last] = values[keep]
    return out


def _pieces(mono: np.ndarray, frames: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """(first frame, last frame, their sound with `EDGE` frames more on each side, silence beyond the ends)."""
    for first in range(0, frames, PIECE):
        last = min(frames, first + PIECE)
        start, end = (first - EDGE) * HOP, (last + EDGE) * HOP
        inside = mono[max(0, start) : min(mono.size, end)]
        yield first, last, np.pad(inside, (max(0, -start), max(0, end - mono.size)))


def _measure_piece(sound: np.ndarray) -> dict[str, np.ndarray]:
    import librosa

    reach = (WINDOW - HOP) // 2  # so that window i is centred on the middle of frame i
    spectrum = np.abs(librosa.stft(np.pad(sound, reach), n_fft=WINDOW, hop_length=HOP, window="hann", center=False))
    mel = librosa.feature.melspectrogram(S=spectrum**2, sr=RATE_HZ, n_mels=40)
    onset = librosa.onset.onset_strength(S=librosa.power_to_db(mel, amin=1e-10, top_db=None), center=False)
    shape = {"S": spectrum, "sr": RATE_HZ}
    return {
        "intensity_db": _intensity_db(sound, spectrum.shape[1]),
        "spectral_centroid_hz": librosa.feature.spectral_centroid(**shape)[0],
        "spectral_rolloff_hz": librosa.feature.spectral_rolloff(**shape)[0],
        "spectral_flatness": librosa.feature.spectral_flatness(S=spectrum)[0],
        "onset_strength": onset,
    }


def _intensity_db(sound: np.ndarray, frames: int) -> np.ndarray:
    """Praat's intensity (Gaussian window of 32 ms effective length), in dB re full scale, never under -120."""
    import parselmouth

    found = parselmouth.Sound(sound.astype(np.float64), RATE_HZ).to_intensity(minimum_pitch=100.0, time_step=0.01)
    middles = (np.arange(frames) + 0.5) * HOP / RATE_HZ
    return np.maximum(np.interp(middles, found.xs(), found.values[0]) - FULL_SCALE_DB, QUIETEST_DB)
