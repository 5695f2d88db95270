"""Frames: who speaks, pitch, level and colour of the voice, each 10 ms.

Frame i covers `[i, i + 1) * 10 ms`. What describes a voice is measured for the client; for the therapist only where an
option allows it. What describes the recording (clipping, dropouts) is measured everywhere. The largest thing held
beside the sound is one minute of spectra.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.features import pitch, spectrum
from pipeline.features.pitch import FRAME_S
from pipeline.records import AttuneError, Audio, Speech, Voice

if TYPE_CHECKING:
    import pandas as pd

NOBODY = -1
VOICE_COLUMNS = ("f0_hz", "hnr_db", *spectrum.COLUMNS)  # NaN in frames of a person who is not measured
PIECE_S = 20.0  # a tracker never sees more at once
AROUND_S = 0.1  # sound before and after a stretch, so that its first and last frames are whole
FULL_SCALE = 0.99
RANGE_S = 120.0  # this much speech, spread over the session, tells a person's range


@dataclass(frozen=True)
class FramesOptions:
    """How the sound is measured."""

    pitch: str = "praat"  # "praat", "swift" (noisy rooms; pip install 'attune[swift]') or "pyin" (slow)
    therapist_voice: bool = False  # measure the therapist's voice too; off because it can be used to judge staff


def measure_frames(audio: Audio, speech: list[Speech], voices: list[Voice], options: FramesOptions) -> pd.DataFrame:
    """One row each 10 ms: who speaks, what is heard of the voice, what is wrong with the sound.

    speech    who speaks when; may overlap
    voices    the role of each speaker; a speaker without one has the role "other"
    returns   speaker and role are "" where nobody speaks, and the person's who began first where two do.
              The voice columns are NaN where a person speaks who is not measured; f0_hz and hnr_db also where unvoiced.
    raises    AttuneError for an unknown tracker, or one that is not installed
    """
    import pandas as pd

    track = pitch.tracker(options.pitch)
    mono = _mono_16k(audio)
    n = pitch.frames_in(mono, spectrum.RATE_HZ)
    names, speaker, overlap = who_speaks(speech, n)
    roles = _roles(names, voices)
    heard = {code for code, role in enumerate(roles) if is_measured(role, options.therapist_voice)}
    hidden = _hidden(speech, names, heard, n)
    columns = spectrum.measure_spectrum(mono, n)
    columns["f0_hz"], columns["hnr_db"] = _measure_pitch(mono, speaker, overlap, heard, track)
    for name in VOICE_COLUMNS:
        columns[name][hidden] = np.nan
    clipped, still, rms = _recording(audio, n)
    start = np.arange(n) * FRAME_S
    return pd.DataFrame(
        {
            "start": np.round(start, 2),
            "end": np.round(start + FRAME_S, 2),
            "speaker": pd.Categorical.from_codes(np.where(speaker < 0, len(names), speaker), [*names, ""]),
            "role": pd.Categorical([*roles, ""], categories=["client", "therapist", "other", ""])[
                np.where(speaker < 0, len(names), speaker)
            ],
            "overlap": overlap,
            "measured": (speaker != NOBODY) & ~hidden,
            "voiced": np.isfinite(columns["f0_hz"]),
            "f0_hz": columns["f0_hz"],
            "hnr_db": columns["hnr_db"],
            **{name: columns[name] for name in spectrum.COLUMNS},
            "clipped": clipped,
            "dropout": find_dropouts(still, rms),
        }
    )


def is_measured(role: str, therapist_voice: bool) -> bool:
    """Whether a voice of this role may be measured: the client's, the therapist's by option, never a third person's."""
    return role == "client" or (role == "therapist" and therapist_voice)


def who_speaks(speech: list[Speech], frames: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(names in order, code of each frame's speaker, whether two speak).

    A code is an index of the names; -1 where nobody speaks, the person's who began first where two do.
    """
    names = sorted({item.speaker for item in speech})
    speaker = np.full(frames, NOBODY, dtype=np.int16)
    overlap = np.zeros(frames, dtype=bool)
    for item in sorted(speech, key=lambda s: (s.start, s.end, s.speaker)):
        here = _frames_of(item.start, item.end, frames)
        code = names.index(item.speaker)
        overlap[here] |= (speaker[here] != NOBODY) & (speaker[here] != code)
        speaker[here] = np.where(speaker[here] == NOBODY, code, speaker[here])
    return names, speaker, overlap


def _frames_of(start: float, end: float, frames: int) -> slice:
    """The frames whose middle lies in `[start, end)`."""
    first, last = (int(np.ceil(round(t / FRAME_S, 6) - 0.5)) for t in (start, end))
    return slice(min(max(first, 0), frames), min(max(last, 0), frames))


def _roles(names: list[str], voices: list[Voice]) -> list[str]:
    role = {voice.speaker: voice.role for voice in voices}
    return [role.get(name, "other") for name in names]


def _hidden(speech: list[Speech], names: list[str], heard: set[int], frames: int) -> np.ndarray:
    """Frames in which anybody speaks who is not measured, alone or over somebody who is."""
    hidden = np.zeros(frames, dtype=bool)
    for item in speech:
        if names.index(item.speaker) not in heard:
            hidden[_frames_of(item.start, item.end, frames)] = True
    return hidden


def _measure_pitch(
    mono: np.ndarray, speaker: np.ndarray, overlap: np.ndarray, heard: set[int], track: pitch.Tracker
) -> tuple[np.ndarray, np.ndarray]:
    """F0 and HNR of every frame in which one measured person speaks alone, float32; NaN elsewhere."""
    f0 = np.full(speaker.size, np.nan, dtype=np.float32)
    hnr = f0.copy()
    for code in sorted(heard):
        alone = (speaker == code) & ~overlap
        stretches = list(_stretches(alone))
        if not stretches:
            continue
        floor, ceiling = _own_range(mono, stretches, track)
        for first, last in stretches:
            found = _track_stretch(mono, first, last, track, floor, ceiling)
            f0[first:last], hnr[first:last] = found.f0_hz, found.hnr_db
        f0[alone] = pitch.without_octave_jumps(np.where(alone, f0, np.nan))[alone]
        hnr[alone & ~np.isfinite(f0)] = np.nan
    return f0, hnr


def _stretches(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """Runs of True as (first, last), none longer than `PIECE_S`."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    longest = round(PIECE_S / FRAME_S)
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        for at in range(first, last, longest):
            yield at, min(last, at + longest)


def _own_range(mono: np.ndarray, stretches: list[tuple[int, int]], track: pitch.Tracker) -> tuple[float, float]:
    total = sum(last - first for first, last in stretches)
    every = max(1, round(total * FRAME_S / RANGE_S))
    found = [_track_stretch(mono, *stretch, track, *pitch.WIDE_HZ).f0_hz for stretch in stretches[::every]]
    return pitch.find_range(np.concatenate(found))


def _track_stretch(
    mono: np.ndarray, first: int, last: int, track: pitch.Tracker, floor_hz: float, ceiling_hz: float
) -> pitch.Track:
    around = round(AROUND_S / FRAME_S)
    before = min(first, around)
    piece = mono[(first - before) * spectrum.HOP : (last + around) * spectrum.HOP]
    found = track(piece, spectrum.RATE_HZ, floor_hz, ceiling_hz)
    keep = slice(before, before + last - first)
    return pitch.Track(found.f0_hz[keep], found.hnr_db[keep])


def _mono_16k(audio: Audio) -> np.ndarray:
    """The sound at 16 kHz, where every decoded recording already is.

    raises   AttuneError (code "no-sound") when there is less than one frame of it
    """
    mono = audio.mono
    if audio.rate_hz != spectrum.RATE_HZ:
        import librosa

        mono = librosa.resample(mono, orig_sr=audio.rate_hz, target_sr=spectrum.RATE_HZ)
    if mono.size < spectrum.HOP:
        raise AttuneError(
            f"the recording holds {mono.size / spectrum.RATE_HZ:.3f} s of sound; nothing can be measured",
            mend="check that the file is the whole recording",
            code="no-sound",
        )
    return mono


def _recording(audio: Audio, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every frame: share of samples at full scale in the worst channel, all channels stand still, loudest RMS."""
    clipped = np.zeros(frames, dtype=np.float32)
    rms = np.zeros(frames, dtype=np.float32)
    still = np.ones(frames, dtype=bool)
    edges = np.round(np.arange(frames + 1) * FRAME_S * audio.rate_hz).astype(np.int64)
    for first in range(0, frames, spectrum.PIECE):
        here = slice(first, min(frames, first + spectrum.PIECE))
        at = edges[here.start : here.stop + 1]
        starts, length = at[:-1] - at[0], np.diff(at)
        for channel in audio.samples:
            sound = channel[at[0] : at[-1]]
            full = np.add.reduceat((np.abs(sound) >= FULL_SCALE).astype(np.float32), starts) / length
            clipped[here] = np.maximum(clipped[here], full)
            rms[here] = np.maximum(rms[here], np.sqrt(np.add.reduceat(np.square(sound), starts) / length))
            still[here] &= np.minimum.reduceat(sound, starts) == np.maximum.reduceat(sound, starts)
    return clipped, still, rms


def find_dropouts(still: np.ndarray, rms: np.ndarray) -> np.ndarray:
    """Frames in which sound is missing: 20 ms to 2 s of digital standstill, with sound cut off before and after.

    Cut off: within 30 ms on both sides the level is no more than 20 dB under the loud frames of the second around. A
    noise gate also leaves standstill, but closes on a voice that has died away.
    """
    lost = np.zeros(still.size, dtype=bool)
    edges = np.flatnonzero(np.diff(np.r_[False, still, False].astype(np.int8)))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if not 2 <= last - first <= 200 or first == 0 or last == still.size:
            continue
        before, after = rms[max(0, first - 3) : first].max(), rms[last : last + 3].max()
        around = np.r_[rms[max(0, first - 100) : first], rms[last : last + 100]]
        lost[first:last] = min(before, after) > 0.1 * np.percentile(around, 95)
    return lost
