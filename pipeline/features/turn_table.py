"""The turn table: one row a turn, with its timing, words and voice, each beside the speaker's own usual.

Seconds from the recording's start; every other unit is in the name. Without sound the voice columns are there, empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.features import baseline, language, latency, usual, voice
from pipeline.features.pitch import FRAME_S, find_range
from pipeline.features.prosody import is_measured
from pipeline.records import Audio, Turn, spoken_language

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TurnTableOptions:
    """What is measured of a turn, and what it takes to have a usual."""

    language: str = "en"  # code of the word lists; a language without lists leaves the language columns empty
    roughness: bool = True  # jitter, shimmer and CPP, in turns with 1 s of voiced sound
    therapist_voice: bool = False  # measure the therapist's voice too, where the frames hold it
    baseline_turns: int = 30  # own turns of 1 s or more that a usual of the voice needs
    baseline_min: float = 4.0  # minutes of own speech in them
    timing_turns: int = 10  # own turns that a usual of words and latency needs
    away_s: float = 60.0  # turns nearer than this are not part of a turn's own usual


def measure_turns(
    turns: list[Turn], frames: pd.DataFrame | None, audio: Audio | None, options: TurnTableOptions
) -> pd.DataFrame:
    """One row a turn, in the order of `turns`. `attune features --describe` says what each column means.

    turns    in order of start
    frames   from `measure_frames`, or None without sound
    audio    the sound under the frames, or None; only jitter, shimmer and CPP need it
    raises   ValueError, naming the two turns, when `turns` is not in order
    """
    import pandas as pd

    if not turns:  # the same columns of the same types, without a row
        return measure_turns([Turn(0.0, 1.0, "", "other", ())], None, None, options).iloc[:0]
    spoken = spoken_language(options.language, (word for turn in turns for word in turn.words))
    words = language.measure_language(turns, spoken)
    replies = latency.measure_replies(turns, words["asks"])
    columns = _basic(turns)
    columns |= {name: [asdict(reply)[name] for reply in replies] for name in _names(latency.Reply)}
    columns |= _pauses(turns, frames, options)
    columns |= _voices(turns, frames, audio, options)
    columns |= words
    table = pd.DataFrame(columns)
    table["log_words"] = np.log1p(table["words"].astype(float))
    table["log_latency"] = np.log1p(table["latency_s"].clip(lower=0.0))
    table["answers_turn"] = table["answers_turn"].astype("int32")
    voice_needs = baseline.Needs(options.baseline_turns, options.baseline_min * 60.0, options.away_s)
    timing_needs = baseline.Needs(options.timing_turns, 0.0, options.away_s, detrend=False)
    return pd.concat([table, usual.compare_turns(table, voice_needs, timing_needs)], axis=1)


def _names(record: type) -> list[str]:
    return list(record.__dataclass_fields__)


def _basic(turns: Sequence[Turn]) -> dict[str, list]:
    length = [float(turn.end - turn.start) for turn in turns]
    words = [len(turn.words) for turn in turns]
    return {
        "start": [float(turn.start) for turn in turns],
        "end": [float(turn.end) for turn in turns],
        "turn": list(range(len(turns))),
        "speaker": [turn.speaker for turn in turns],
        "role": [turn.role for turn in turns],
        "backchannel": [turn.backchannel for turn in turns],
        "duration_s": length,
        "words": words,
        "word_confidence": [float(np.mean([w.confidence for w in t.words])) if t.words else np.nan for t in turns],
        "words_per_min": [60.0 * n / s if n >= 3 and s >= 1.0 else np.nan for n, s in zip(words, length, strict=True)],
    }


def _pauses(turns: Sequence[Turn], frames: pd.DataFrame | None, options: TurnTableOptions) -> dict[str, list]:
    """Silences of 0.25 s or more inside each turn: from the frames, or between the words without sound."""
    spans = [_word_pauses(turn) for turn in turns] if frames is None else _frame_pauses(turns, frames, options)
    length = [turn.end - turn.start for turn in turns]
    total = [sum(pauses) for pauses in spans]
    return {
        "pauses": [len(pauses) for pauses in spans],
        "pause_s": [float(seconds) for seconds in total],
        "longest_pause_s": [float(max(pauses, default=0.0)) for pauses in spans],
        "pause_share": [p / s if s >= 1.0 else np.nan for p, s in zip(total, length, strict=True)],
    }


def _word_pauses(turn: Turn) -> list[float]:
    gaps = [b.start - a.end for a, b in zip(turn.words, turn.words[1:], strict=False)]
    return [gap for gap in gaps if gap >= voice.PAUSE_S]


def _frame_pauses(turns: Sequence[Turn], frames: pd.DataFrame, options: TurnTableOptions) -> list[list[float]]:
    """Where the voice is measured, by its level; elsewhere only by who speaks when."""
    speaker, overlap = frames["speaker"].astype(str).to_numpy(), frames["overlap"].to_numpy()
    f0, level, measured = (frames[name].to_numpy() for name in ("f0_hz", "intensity_db", "measured"))
    noise = noise_level_db(frames)
    found = []
    for turn in turns:
        here = _frames_of(turn, len(frames))
        talks = (speaker[here] == turn.speaker) | overlap[here]
        if is_measured(turn.role, options.therapist_voice):
            alone = talks & ~overlap[here] & measured[here]
            voiced = alone & np.isfinite(f0[here])
            talks = voice.find_speaking(alone, voiced, level[here], noise) | (talks & ~alone)
        found.append([(last - first) * FRAME_S for first, last in voice.find_pauses(talks)])
    return found


def noise_level_db(frames: pd.DataFrame) -> float:
    """Median level where nobody speaks, dB re full scale; NaN with less than a second of that."""
    quiet = frames["intensity_db"].to_numpy()[(frames["speaker"].astype(str) == "").to_numpy()]
    quiet = quiet[np.isfinite(quiet)]
    return float(np.median(quiet)) if quiet.size >= 100 else float("nan")


def _frames_of(turn: Turn, n: int) -> slice:
    first, last = round(turn.start / FRAME_S), round(turn.end / FRAME_S)
    return slice(min(max(first, 0), n), min(max(last, 0), n))


def _voices(
    turns: Sequence[Turn], frames: pd.DataFrame | None, audio: Audio | None, options: TurnTableOptions
) -> dict[str, list]:
    rows = [dict.fromkeys(voice.COLUMNS, float("nan")) for _ in turns]
    if frames is not None:
        for speaker in sorted({t.speaker for t in turns if is_measured(t.role, options.therapist_voice)}):
            own = _own(frames, speaker)
            if own is not None:
                _measure_speaker(turns, speaker, own, audio, options, rows)
    return {name: [row[name] for row in rows] for name in voice.COLUMNS}


def _own(frames: pd.DataFrame, speaker: str) -> voice.Own | None:
    """The person's frames; None where the person is never heard alone and voiced."""
    alone = (frames["speaker"].astype(str) == speaker).to_numpy() & ~frames["overlap"].to_numpy()
    alone &= frames["measured"].to_numpy()
    f0 = frames["f0_hz"].to_numpy().astype(float)
    voiced = alone & np.isfinite(f0)
    if not voiced.any():
        return None
    return voice.Own(
        alone=alone,
        f0_hz=f0,
        intensity_db=frames["intensity_db"].to_numpy().astype(float),
        hnr_db=frames["hnr_db"].to_numpy().astype(float),
        centroid_hz=frames["spectral_centroid_hz"].to_numpy().astype(float),
        reference_hz=float(np.median(f0[voiced])),
        noise_db=noise_level_db(frames),
    )


def _measure_speaker(
    turns: Sequence[Turn],
    speaker: str,
    own: voice.Own,
    audio: Audio | None,
    options: TurnTableOptions,
    rows: list[dict[str, float]],
) -> None:
    """Fill the rows of one person's turns."""
    limits = find_range(own.f0_hz[own.alone])
    for i, turn in enumerate(turns):
        if turn.speaker != speaker:
            continue
        here = _frames_of(turn, own.alone.size)
        rows[i] = voice.measure_voice(own, here.start, here.stop)
        if options.roughness and audio is not None:
            rows[i] |= _roughness(own, here, audio, limits)


def _roughness(own: voice.Own, here: slice, audio: Audio, limits: tuple[float, float]) -> dict[str, float]:
    first, last = voice.longest_alone(own.alone[here])
    first, last = here.start + first, here.start + last
    if np.isfinite(own.f0_hz[first:last]).sum() * FRAME_S < voice.ROUGHNESS_S:
        return {}
    per_frame = audio.rate_hz * FRAME_S
    sound = audio.mono[round(first * per_frame) : round(last * per_frame)]
    return voice.measure_roughness(sound, audio.rate_hz, *limits)
