"""Where somebody speaks, and where two do at once: everything after it looks only there.

Heard by pyannote's segmentation-3.0. A frame counts as speech by hysteresis: a stretch begins where speech is likelier
than `onset` and lasts until it is less likely than `offset`. Times in seconds, half-open.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.intervals import merge, within
from pipeline.records import Activity, Audio, Given

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ActivityOptions:
    onset: float = 0.5  # probability at which speech, or overlap, begins
    offset: float = 0.5  # probability below which it ends; at most `onset`
    min_speech_s: float = 0.06  # shorter stretches are clicks, not speech; seconds
    min_silence_s: float = 0.1  # shorter silences belong to the speech around them; seconds
    min_overlap_s: float = 0.1  # shorter overlaps are uncertain frames at a change of speaker; seconds


def activity_models(options: ActivityOptions, given: list[Given] | None) -> tuple[str, ...]:
    """The weights it needs: none where every line of the given file has a speaker."""
    return () if _tells_speakers(given) else ("segmentation-3.0",)


def find_activity(audio: Audio | None, given: list[Given] | None, options: ActivityOptions) -> list[Activity]:
    """The stretches in which somebody speaks.

    audio    None for a session from a transcript alone
    given    lines of a transcript or speaker file; where every line has a speaker, or there is no sound, the stretches
             come from the lines, and no model is asked
    returns  in order, none overlapping; stretches of one person and of two may touch
    """
    if audio is None or _tells_speakers(given):
        return activity_of_lines(given or [])
    from pipeline.speech.engines.segmentation import FRAME_OFFSET_S, segment

    people, step_s = segment(audio.mono)
    return activity_of_frames(people, step_s, FRAME_OFFSET_S, options)


def _tells_speakers(given: list[Given] | None) -> bool:
    return bool(given) and all(line.speaker is not None for line in given)


def activity_of_lines(lines: list[Given]) -> list[Activity]:
    """The stretches that lines cover; two people where lines of different speakers overlap."""
    spoken = [line for line in lines if line.end > line.start]
    edges = sorted({edge for line in spoken for edge in (line.start, line.end)})
    pieces = []
    for start, end in pairwise(edges):
        speakers = {line.speaker for line in within(spoken, Activity(start, end))}
        if speakers:
            pieces.append(Activity(start, end, min(2, len(speakers))))
    return _join_touching(pieces)


def activity_of_frames(people: np.ndarray, step_s: float, offset_s: float, options: ActivityOptions) -> list[Activity]:
    """The stretches that frames describe.

    people    (frames, 3): probability that nobody, one person, two people speak
    step_s    seconds from one frame to the next; frame i covers `offset_s + [i, i + 1) * step_s`
    """
    speech = _stretches(1 - people[:, 0], step_s, offset_s, options)
    speech = [s for s in merge(speech, options.min_silence_s) if s.end - s.start >= options.min_speech_s]
    crossed = _stretches(people[:, 2], step_s, offset_s, options)
    crossed = [s for s in merge(crossed, options.min_silence_s) if s.end - s.start >= options.min_overlap_s]
    return _mark_overlap(speech, crossed)


def _stretches(likely: np.ndarray, step_s: float, offset_s: float, options: ActivityOptions) -> list[Activity]:
    """Runs of frames above `offset` that reach `onset` somewhere."""
    import numpy as np

    above = np.concatenate([[False], likely > options.offset, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1]).reshape(-1, 2)
    return [
        Activity(float(offset_s + first * step_s), float(offset_s + last * step_s))
        for first, last in edges
        if likely[first:last].max() > options.onset
    ]


def _mark_overlap(speech: list, crossed: list) -> list[Activity]:
    """Cut the overlaps out of the speech and put them in as stretches of two."""
    pieces = []
    for stretch in speech:
        at = stretch.start
        for both in within(crossed, stretch):
            start, end = max(both.start, stretch.start), min(both.end, stretch.end)
            if start > at:
                pieces.append(Activity(at, start, 1))
            pieces.append(Activity(start, end, 2))
            at = end
        if stretch.end > at:
            pieces.append(Activity(at, stretch.end, 1))
    return pieces


def _join_touching(pieces: list[Activity]) -> list[Activity]:
    joined: list[Activity] = []
    for piece in pieces:
        if joined and joined[-1].end == piece.start and joined[-1].people == piece.people:
            joined[-1] = Activity(joined[-1].start, piece.end, piece.people)
        else:
            joined.append(piece)
    return joined
