"""What a recogniser hears at once: voice activity packed into chunks, the silences between left out.

Whisper always hears 30 s and works as long on 10 s of speech as on 29, so few, full chunks are the cheapest; but a
sentence cut in two is heard worse. Both are weighed here. Times in seconds from the recording's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.intervals import HasTimes, Span, gap_s, merge, within
from pipeline.records import Activity

if TYPE_CHECKING:
    import numpy as np

RATE_HZ = 16000
LEAST_CUT_S = 0.25  # a shorter silence is a stop consonant or a breath inside a phrase
# In chunks: what a cut without any silence costs, and how much more than a full chunk an empty one does.
CUT, UNEVEN = 0.5, 0.25


@dataclass(frozen=True)
class Packing:
    """How activity is packed.

    max_s     length of a chunk at most
    bridge_s  a silence up to this long stays inside the sound
    pad_s     silence kept around each stretch of speech
    """

    max_s: float
    bridge_s: float
    pad_s: float


@dataclass(frozen=True)
class Chunk:
    """Stretches of the recording that are heard one after another, as one sound."""

    pieces: tuple[Span, ...]

    @property
    def duration_s(self) -> float:
        return sum(piece.end - piece.start for piece in self.pieces)


def pack_chunks(activity: Sequence[Activity], samples: np.ndarray, packing: Packing) -> list[Chunk]:
    """Voice activity as chunks of at most `packing.max_s`, in order of time, together covering all of it.

    Where chunks end is chosen over the whole recording: as few as possible, and cut in silences that are left out
    anyway, else in long ones. Speech without a silence that is too long for a chunk is cut where it is quietest.
    """
    end_s = len(samples) / RATE_HZ
    runs = _find_runs(activity, samples, packing.max_s - 2 * packing.pad_s)
    silences = [after.start - before.end for before, after in pairwise(runs)]
    pieces = padded(runs, packing.pad_s, end_s)
    starts = _choose_starts(pieces, silences, packing)
    return [
        Chunk(tuple(_joined(pieces[first:last], silences[first:last], packing.bridge_s)))
        for first, last in pairwise([*starts, len(pieces)])
    ]


def _choose_starts(pieces: Sequence[Span], silences: Sequence[float], packing: Packing) -> list[int]:
    """Index of each chunk's first piece, by dynamic programming over where chunks end.

    A chunk costs 1, and up to `UNEVEN` more the emptier it is, for a few words alone are heard worse; a cut costs
    nothing in a silence longer than `bridge_s`, which is left out anyway, and `CUT` where there is none.
    """
    best = [(0.0, 0)]  # for the first n pieces: the cost, and where their last chunk starts
    for end in range(1, len(pieces) + 1):
        length, found = 0.0, []
        for start in range(end - 1, -1, -1):
            length += pieces[start].end - pieces[start].start
            if start < end - 1 and silences[start] <= packing.bridge_s:
                length += pieces[start + 1].start - pieces[start].end
            if length > packing.max_s and found:
                break
            empty = max(0.0, 1.0 - length / packing.max_s)
            cut = CUT * max(0.0, 1.0 - silences[start - 1] / packing.bridge_s) if start and packing.bridge_s else 0.0
            found.append((best[start][0] + 1.0 + UNEVEN * empty**2 + cut, start))
        best.append(min(found))
    starts, at = [], len(pieces)
    while at:
        at = best[at][1]
        starts.append(at)
    return starts[::-1]


def _joined(pieces: Sequence[Span], silences: Sequence[float], bridge_s: float) -> list[Span]:
    """The pieces with the silences up to `bridge_s` between them kept."""
    joined: list[Span] = []
    for i, piece in enumerate(pieces):
        if i and silences[i - 1] <= bridge_s:
            joined[-1] = Span(joined[-1].start, piece.end)
        else:
            joined.append(piece)
    return joined


def padded(stretches: Sequence[Span], pad_s: float, end_s: float) -> list[Span]:
    """Each stretch with silence on both sides; neighbours share what lies between them."""
    wider = []
    for before, stretch, after in zip([None, *stretches], stretches, [*stretches[1:], None], strict=False):
        left = pad_s if before is None else min(pad_s, gap_s(before, stretch) / 2)
        right = pad_s if after is None else min(pad_s, gap_s(stretch, after) / 2)
        start, end = max(0.0, stretch.start - left), min(end_s, stretch.end + right)
        if end > start:
            wider.append(Span(start, end))
    return wider


def _find_runs(activity: Sequence[Activity], samples: np.ndarray, longest_s: float) -> list[Span]:
    """Speech that is not cut further: between silences of at least `LEAST_CUT_S`; between any silences, where that is
    too long; and between quiet places, where that is too long still."""
    end_s = len(samples) / RATE_HZ
    heard = [replace(a, end=min(a.end, end_s)) for a in activity if a.start < end_s]
    runs = []
    for run in merge(heard, LEAST_CUT_S):
        parts = [run] if run.end - run.start <= longest_s else merge(within(heard, run))
        runs += [piece for part in parts for piece in _split(part, samples, longest_s)]
    return runs


def _split(run: Span, samples: np.ndarray, longest_s: float) -> list[Span]:
    """Cut a run where it is quietest, each time in the later half of what fits: a cut there leaves no crumbs."""
    pieces = []
    while run.end - run.start > longest_s:
        cut = _quietest(samples, Span(run.start + longest_s / 2, run.start + longest_s))
        pieces.append(Span(run.start, cut))
        run = Span(cut, run.end)
    return [*pieces, run]


def _quietest(samples: np.ndarray, reach: Span, window_s: float = 0.1) -> float:
    """The middle of the window with the least energy."""
    import numpy as np

    first, width = round(reach.start * RATE_HZ), round(window_s * RATE_HZ)
    power = np.square(samples[first : round(reach.end * RATE_HZ)], dtype=np.float64)
    level = np.convolve(power, np.ones(width), mode="valid")
    return reach.start + (int(level.argmin()) + width / 2) / RATE_HZ


@dataclass(frozen=True)
class Cuts(Sequence):
    """The sound of each chunk, cut out when it is asked for: all of them together would hold the recording twice."""

    samples: np.ndarray
    chunks: Sequence[Chunk]

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, at):
        if isinstance(at, slice):
            return [cut_out(self.samples, chunk) for chunk in self.chunks[at]]
        return cut_out(self.samples, self.chunks[at])


def cut_out(samples: np.ndarray, chunk: Chunk) -> np.ndarray:
    """The sound of a chunk, its pieces joined."""
    import numpy as np

    return np.concatenate([samples[round(p.start * RATE_HZ) : round(p.end * RATE_HZ)] for p in chunk.pieces])


def place_span(span: HasTimes, chunk: Chunk) -> Span:
    """A stretch of a chunk's sound at its place in the recording: inside the piece that holds most of it."""
    at, best = 0.0, None
    for piece in chunk.pieces:
        length = piece.end - piece.start
        inside = Span(max(span.start, at) - at, min(span.end, at + length) - at)
        if best is None or inside.end - inside.start > best[0]:
            best = (inside.end - inside.start, piece.start + inside.start, piece.start + max(inside.start, inside.end))
        at += length
    _, start, end = best
    return Span(start, end)
