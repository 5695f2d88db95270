"""Two channels, one microphone a person: who speaks is who is louder in their own channel.

Every microphone also hears the other person, some decibels lower (crosstalk), so a level alone says nothing. The
difference between the channels does: it has one value while one person speaks and another while the other does. Both
speak where each channel is louder than the other's crosstalk explains. Levels in dB, frames of 20 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.intervals import Span, merge, within
from pipeline.records import Activity, Audio, Speech

FRAME_S = 0.02
SMOOTH_FRAMES = 15  # 0.3 s: shorter dips of one voice under the other's crosstalk are no change of speaker
LEAST_DIFFERENCE_DB = 6.0  # between "left talks" and "right talks"; a stereo microphone in the room stays below
LEAST_RISE_DB = 10.0  # a person's own channel rises this far above its background when they speak
LEAST_SHARE = 0.03  # of the speech that each channel must hold
OVERLAP_DB = 6.0  # above the crosstalk at which a channel counts as speaking as well
LEAST_S = 0.1  # shorter stretches join what is around them


def diarize(audio: Audio, activity: Sequence[Activity], overlap: bool = True) -> list[Speech] | None:
    """Speech by channel, speakers "0" and "1"; None where the sound does not have one person a channel.

    activity  where anybody speaks, in order
    overlap   keep talk of both at once; otherwise the louder one has it
    """
    levels = measure_levels(audio)
    speaking = np.zeros(levels.shape[1], dtype=bool)
    for stretch in activity:
        speaking[round(stretch.start / FRAME_S) : round(stretch.end / FRAME_S)] = True
    split = find_split(levels, speaking)
    if split is None:
        return None
    talks = assign_channels(levels, speaking, split, overlap)
    regions = merge(activity)
    return [
        Speech(span.start, span.end, str(channel)) for channel in (0, 1) for span in _stretches(talks[channel], regions)
    ]


def measure_levels(audio: Audio) -> np.ndarray:
    """RMS level of each channel in dB of full scale, float32, (channels, frames of `FRAME_S`); silence is -120."""
    size = round(FRAME_S * audio.rate_hz)
    frames = audio.samples.shape[1] // size
    blocks = audio.samples[:, : frames * size].reshape(len(audio.samples), frames, size)
    power = np.einsum("cfs,cfs->cf", blocks, blocks) / size
    return 10 * np.log10(np.maximum(power, 1e-12))


def find_split(levels: np.ndarray, speaking: np.ndarray) -> tuple[float, float] | None:
    """The channels' difference while the left and while the right person speaks, in dB; None where there is one person
    in both channels, only one live channel, or not two channels.

    levels    (channels, frames), dB
    speaking  (frames,): somebody speaks
    """
    if len(levels) != 2 or speaking.sum() < 2 / FRAME_S:
        return None
    difference = (levels[0] - levels[1])[speaking]
    low, high = np.percentile(difference, [5, 95])
    for _ in range(50):  # two means in one dimension
        border = (low + high) / 2
        left, right = difference[difference > border], difference[difference <= border]
        if not len(left) or not len(right):
            return None
        low, high = right.mean(), left.mean()
    if high - low < LEAST_DIFFERENCE_DB or min(len(left), len(right)) < LEAST_SHARE * len(difference):
        return None
    background = np.percentile(levels, 10, axis=1)
    own = (levels[0][speaking][difference > border], levels[1][speaking][difference <= border])
    if any(np.median(mine) < floor + LEAST_RISE_DB for mine, floor in zip(own, background, strict=True)):
        return None
    return float(high), float(low)


def assign_channels(levels: np.ndarray, speaking: np.ndarray, split: tuple[float, float], overlap: bool) -> np.ndarray:
    """Whether each of the two persons speaks in each frame: bool, (2, frames).

    split  the channels' difference while the left and while the right person speaks
    """
    from scipy.ndimage import median_filter

    high, low = split
    difference = median_filter(levels[0] - levels[1], SMOOTH_FRAMES, mode="nearest")
    left = difference > (high + low) / 2
    talks = np.stack([left & speaking, ~left & speaking])
    if overlap:
        # Crosstalk of the left person alone would leave the right channel `high` dB below the left, and the reverse.
        both = speaking & (difference < high - OVERLAP_DB) & (difference > low + OVERLAP_DB)
        talks |= both & _loud_in_both(levels, speaking, left)
    return talks


def _loud_in_both(levels: np.ndarray, speaking: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Frames in which each channel reaches the usual level of its own person, less 10 dB."""
    usual = [
        np.median(levels[k][speaking & mine]) if (speaking & mine).any() else 0.0 for k, mine in ((0, left), (1, ~left))
    ]
    return (levels[0] > usual[0] - 10) & (levels[1] > usual[1] - 10)


def _stretches(talks: np.ndarray, regions: Sequence[Span]) -> list[Span]:
    """Runs of frames as spans inside the regions; gaps and blips below `LEAST_S` go."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], talks.astype(np.int8), [0]]))).reshape(-1, 2)
    runs = [Span(first * FRAME_S, last * FRAME_S) for first, last in edges.tolist()]
    whole = [s for s in merge(runs, LEAST_S) if s.end - s.start >= LEAST_S]
    return [
        Span(max(span.start, region.start), min(span.end, region.end))
        for span in whole
        for region in within(regions, span)
    ]
