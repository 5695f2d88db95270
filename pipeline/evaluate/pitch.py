"""How well pitch fits a laryngograph reference: gross, fine and voicing errors, of several trackers in one run.

Format of the folder: for each clip `name.wav` and `name.f0ref`, one F0 in Hz a line each 15 ms from t = 0, 0 for
unvoiced (as in Bagshaw's FDA evaluation set). An estimate is read at the times of the reference: voiced or not from its
nearest frame, F0 linear between two voiced frames.

    gross error     of the frames voiced in both, more than 20 % off
    fine error      mean absolute deviation of the others, percent of the reference
    voicing error   of all frames, voiced called unvoiced or the reverse

Clips add up as counts, so that a long clip weighs more than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.features.pitch import FRAME_S, WIDE_HZ
from pipeline.features.prosody import FramesOptions, measure_frames
from pipeline.records import AttuneError, Audio, Speech, Voice

REFERENCE_STEP_S = 0.015
GROSS = 0.20
TARGETS = {"gross_percent": 1.0, "fine_percent": 1.5, "voicing_percent": 6.0}
SHIPPED = "attune (praat, own range)"

Estimate = tuple[np.ndarray, np.ndarray]  # times in s, F0 in Hz with NaN for unvoiced


@dataclass(frozen=True)
class PitchCounts:
    """Frames of one tracker on some clips; `a + b` adds them up.

    voiced, unvoiced   frames of the reference
    missed             voiced called unvoiced
    invented           unvoiced called voiced
    gross              voiced in both and more than 20 % off
    fine_sum           sum of the absolute relative deviations of the others
    """

    voiced: int = 0
    unvoiced: int = 0
    missed: int = 0
    invented: int = 0
    gross: int = 0
    fine_sum: float = 0.0

    def __add__(self, other: PitchCounts) -> PitchCounts:
        return PitchCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def rates(self) -> dict[str, float]:
        """Percent; NaN where there is nothing to divide by."""
        both = self.voiced - self.missed
        return {
            "gross_percent": _percent(self.gross, both),
            "fine_percent": _percent(self.fine_sum, both - self.gross),
            "voicing_percent": _percent(self.missed + self.invented, self.voiced + self.unvoiced),
            "missed_percent": _percent(self.missed, self.voiced),
            "invented_percent": _percent(self.invented, self.unvoiced),
        }


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else float("nan")


def evaluate_pitch(folder: Path) -> dict:
    """{"clips", "frames", "trackers": {name: counts and rates, or {"missing": why}}, "targets", "met"}

    "met" tells for each target whether the tracker as it ships keeps it.
    raises   AttuneError (code "no-reference") where the folder holds no pair of .wav and .f0ref
    """
    folder = Path(folder)
    clips = sorted(path for path in folder.glob("*.wav") if path.with_suffix(".f0ref").is_file())
    if not clips:
        raise AttuneError(
            "the folder holds no pair of name.wav and name.f0ref",
            mend="give a folder with pitch references: one F0 in Hz a line each 15 ms, 0 for unvoiced",
            code="no-reference",
        )
    rows = {name: _score(clips, estimate) for name, estimate in ESTIMATES.items()}
    met = {name: rows[SHIPPED][name] <= bound for name, bound in TARGETS.items()}
    frames = rows[SHIPPED]["voiced"] + rows[SHIPPED]["unvoiced"]
    return {"clips": len(clips), "frames": frames, "trackers": rows, "targets": dict(TARGETS), "met": met}


def render_pitch(result: dict) -> str:
    """The table that `attune evaluate pitch` prints."""
    names = ("gross_percent", "fine_percent", "voicing_percent", "missed_percent", "invented_percent")
    lines = [f"{result['clips']} clips, {result['frames']} reference frames of 15 ms"]
    lines.append(f"{'tracker':<28}" + "".join(f"{name.removesuffix('_percent') + ' %':>12}" for name in names))
    for name, row in result["trackers"].items():
        shown = row["missing"] if "missing" in row else "".join(f"{row[column]:>12.2f}" for column in names)
        lines.append(f"{name:<28}{shown}")
    for name, bound in result["targets"].items():
        verdict = "kept" if result["met"][name] else "not kept"
        lines.append(f"target: {name.removesuffix('_percent')} error {bound:g} % or less: {verdict}")
    lines.append("gross: voiced in both, over 20 % off; fine: mean deviation of the rest; voicing: of all frames")
    return "\n".join(lines)


def _score(clips: list[Path], estimate: Callable[[np.ndarray, int], Estimate]) -> dict:
    total = PitchCounts()
    try:
        for samples, rate_hz, reference in _load(clips):
            times, f0 = estimate(samples, rate_hz)
            total += count_errors(reference, read_at(times, f0, np.arange(reference.size) * REFERENCE_STEP_S))
    except (ImportError, AttuneError) as error:
        if isinstance(error, AttuneError) and error.code != "library-missing":
            raise
        return {"missing": "not installed"}
    return asdict(total) | total.rates


def _load(clips: list[Path]) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Sound at 16 kHz, as every recording is after decoding, and the reference."""
    import librosa
    import soundfile

    for path in clips:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        sound = librosa.resample(samples.mean(axis=1), orig_sr=rate_hz, target_sr=16000)
        yield sound, 16000, np.loadtxt(path.with_suffix(".f0ref"), dtype=float, ndmin=1)


def read_at(times: np.ndarray, f0_hz: np.ndarray, at: np.ndarray) -> np.ndarray:
    """F0 at other times: NaN where the nearest frame is unvoiced or more than two frames away."""
    if times.size < 2:
        return np.full(at.size, np.nan)
    right = np.clip(np.searchsorted(times, at), 1, times.size - 1)
    left = right - 1
    share = (at - times[left]) / (times[right] - times[left])
    nearest = np.where(share < 0.5, f0_hz[left], f0_hz[right])
    between = f0_hz[left] * (1 - share) + f0_hz[right] * share
    out = np.where(np.isfinite(between) & (share >= 0) & (share <= 1), between, nearest)
    return np.where((share > -2) & (share < 3), out, np.nan)


def count_errors(reference_hz: np.ndarray, estimate_hz: np.ndarray) -> PitchCounts:
    """Compare two tracks of the same length: 0 is unvoiced in the reference, NaN in the estimate."""
    voiced, found = reference_hz > 0, np.isfinite(estimate_hz)
    both = voiced & found
    off = np.abs(estimate_hz[both] / reference_hz[both] - 1.0)
    return PitchCounts(
        voiced=int(voiced.sum()),
        unvoiced=int((~voiced).sum()),
        missed=int((voiced & ~found).sum()),
        invented=int((~voiced & found).sum()),
        gross=int((off > GROSS).sum()),
        fine_sum=float(off[off <= GROSS].sum()),
    )


def _as_shipped(tracker: str) -> Callable[[np.ndarray, int], Estimate]:
    """The frames step itself, told that one client speaks throughout."""

    def estimate(samples: np.ndarray, rate_hz: int) -> Estimate:
        end = samples.size / rate_hz
        voices = [Voice(0.0, end, "A", "client", 1.0, "")]
        options = FramesOptions(pitch=tracker)
        frames = measure_frames(Audio(samples[None], rate_hz), [Speech(0.0, end, "A")], voices, options)
        return frames["start"].to_numpy() + FRAME_S / 2, frames["f0_hz"].to_numpy(dtype=float)

    return estimate


def _bare_praat(samples: np.ndarray, rate_hz: int) -> Estimate:
    """Parselmouth with Praat's own settings: 75 to 600 Hz."""
    import parselmouth

    pitch = parselmouth.Sound(samples.astype(np.float64), rate_hz).to_pitch(time_step=FRAME_S)
    f0 = pitch.selected_array["frequency"]
    return pitch.xs(), np.where(f0 > 0, f0, np.nan)


def _bare_swift(samples: np.ndarray, rate_hz: int) -> Estimate:
    from swift_f0 import SwiftF0

    found = SwiftF0(threads=1).detect(samples, rate_hz, fmin=WIDE_HZ[0], fmax=WIDE_HZ[1])
    return found.timestamps, np.where(found.confidence >= 0.5, found.pitch_hz, np.nan)


def _bare_pyin(samples: np.ndarray, rate_hz: int) -> Estimate:
    import librosa

    f0, voiced, _ = librosa.pyin(samples, fmin=WIDE_HZ[0], fmax=WIDE_HZ[1], sr=rate_hz, hop_length=160, resolution=0.25)
    return np.arange(f0.size) * 160 / rate_hz, np.where(voiced, f0, np.nan)


ESTIMATES: dict[str, Callable[[np.ndarray, int], Estimate]] = {
    SHIPPED: _as_shipped("praat"),
    "attune (swift)": _as_shipped("swift"),
    "attune (pyin)": _as_shipped("pyin"),
    "parselmouth, its defaults": _bare_praat,
    "swift-f0": _bare_swift,
    "librosa.pyin": _bare_pyin,
}
