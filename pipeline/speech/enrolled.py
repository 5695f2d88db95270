"""Voices the clinic has enrolled: a therapist's voice sample, kept as numbers, names the therapist in a session.

A sample's mean CAM++ embedding is kept in the store, never its sound. In a session each speaker's own embedding is
compared with it: a voice that is close enough, and clearly closer than every other voice, is that person's. Where none
is, or more than one, the words decide.

    <store>/voices.json     {name: {"embedding": [192 numbers], "weights": identity of the network}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline import models
from pipeline.intervals import HasTimes, gaps, total_s
from pipeline.records import AttuneError, Audio, Speech
from pipeline.speech.diarize import cluster_windows, cut_windows

if TYPE_CHECKING:
    import numpy as np

FILE = "voices.json"
WEIGHTS = "campplus"
SAME_PERSON = 0.85  # cosine from which a voice may be the sample's: one person in two recordings reaches 0.86-0.95,
# other people up to 0.82; two halves of one interview 0.86-0.95, the other person in it 0.20-0.63 (five interviews)
MARGIN = 0.10  # and as much closer than any other voice of the session
WINDOW_S = 3.0  # heard at once; 1.5 gives 0.84-0.95 for one person
MOST_S = 60.0  # of a person's speech that are heard, the longest stretches first
LEAST_S = 1.0  # a shorter stretch holds too little of a voice
LEAST_SAMPLE_S = 10.0  # of speech in a sample
OTHER_SHARE = 0.2  # of a sample's windows in a second voice from which it is no sample of one person


@dataclass(frozen=True)
class Enrolled:
    """One person's voice: the unit-length embedding, 192 numbers, and which network made it."""

    embedding: tuple[float, ...]
    weights: str


@dataclass(frozen=True)
class Match:
    """A speaker whose voice is an enrolled person's. `other` is the cosine of the next closest voice, None alone."""

    speaker: str
    name: str
    cosine: float
    other: float | None


def load_enrolled(path: Path) -> dict[str, Enrolled]:
    """The voices of a store by name; none where there is no file.

    raises   AttuneError where the file cannot be read
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Enrolled])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise AttuneError(
            f"{FILE} of the store cannot be read",
            mend=f"delete {FILE} and enrol the voices again",
            code="voices-unreadable",
        ) from error


def enrol_voice(audio: Audio, activity: Sequence[HasTimes]) -> Enrolled:
    """The voice of a sample.

    activity   where somebody speaks
    raises     AttuneError where there is too little speech, or more than one voice
    """
    speech_s = total_s(activity)
    if speech_s < LEAST_SAMPLE_S:
        raise AttuneError(
            f"the sample holds {speech_s:.0f} s of speech; at least {LEAST_SAMPLE_S:.0f} s are needed",
            mend="give a clip in which only this person talks, half a minute or so",
            code="sample-short",
        )
    _check_one_voice(audio, activity)
    voice = embed_voice(audio, activity)
    return Enrolled(tuple(round(float(x), 5) for x in voice), models.weight_set(WEIGHTS).identity)


def _check_one_voice(audio: Audio, activity: Sequence[HasTimes]) -> None:
    from pipeline.speech.engines import campplus

    windows = [window for stretch in activity for window in cut_windows(stretch, WINDOW_S / 2, WINDOW_S / 4)]
    heard = campplus.embed_windows(audio.mono, windows)
    labels = cluster_windows(heard, [w.end - w.start for w in windows], 2)
    if OTHER_SHARE <= sum(labels) / len(labels) <= 1 - OTHER_SHARE:
        raise AttuneError(
            "the sample holds two voices", mend="give a clip in which only this person talks", code="sample-two-voices"
        )


def embed_voice(audio: Audio, speech: Sequence[HasTimes]) -> np.ndarray:
    """One person's mean embedding over up to `MOST_S` of their speech: unit length, (192,).

    speech   the stretches of one person, at least one
    """
    import numpy as np

    from pipeline.speech.engines import campplus

    chosen: list[HasTimes] = []
    for stretch in sorted(speech, key=lambda s: (s.start - s.end, s.start)):
        if total_s(chosen) < MOST_S:
            chosen.append(stretch)
    windows = [window for stretch in chosen for window in cut_windows(stretch, WINDOW_S, WINDOW_S)]
    heard = campplus.embed_windows(audio.mono, windows)
    heard /= np.maximum(np.linalg.norm(heard, axis=1, keepdims=True), 1e-9)
    mean = np.average(heard, axis=0, weights=[w.end - w.start for w in windows])
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def embed_speakers(audio: Audio, speech: Sequence[Speech]) -> dict[str, np.ndarray]:
    """Each speaker's voice where they talk alone and clearly; speakers who never do for `LEAST_S` are left out."""
    alone: dict[str, list[HasTimes]] = {}
    for stretch in (s for s in speech if not s.doubtful):
        others = [s for s in speech if s.speaker != stretch.speaker and s.start < stretch.end and s.end > stretch.start]
        parts = [part for part in gaps(others, stretch) if part.end - part.start >= LEAST_S]
        alone.setdefault(stretch.speaker, []).extend(parts)
    return {speaker: embed_voice(audio, parts) for speaker, parts in sorted(alone.items()) if parts}


def match_voices(voices: Mapping[str, np.ndarray], enrolled: Mapping[str, Enrolled]) -> list[Match]:
    """The speakers who are surely an enrolled person, the closest first.

    raises   AttuneError where a sample was made with other weights
    """
    import numpy as np

    matches = []
    for name, sample in enrolled.items():
        _check_weights(sample)
        near = {speaker: float(voice @ np.array(sample.embedding)) for speaker, voice in voices.items()}
        for speaker, cosine in near.items():
            other = max((c for s, c in near.items() if s != speaker), default=None)
            if cosine >= SAME_PERSON and (other is None or cosine >= other + MARGIN):
                matches.append(Match(speaker, name, cosine, other))
    return sorted(matches, key=lambda m: (-m.cosine, m.name))


def _check_weights(sample: Enrolled) -> None:
    if sample.weights != models.weight_set(WEIGHTS).identity:
        raise AttuneError(
            "an enrolled voice was made with other weights than these",
            mend="enrol it again, or delete it: attune enrol --list",
            code="voices-other-weights",
        )
