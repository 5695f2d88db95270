"""How well latencies, pauses and talk shares fit reference turns: what the timing cues rest on.

The folder is that of `attune evaluate interviews`. Every recording runs through the steps up to the turn table.

    reply           a reference turn after one of another speaker; it is found where a turn of the same person begins
                    within 1 s of it
    latency error   |latency measured - latency in the reference| of the replies found, seconds
    pause error     |pauses measured - pauses in the reference| inside a turn, summed over the turn, seconds; turns that
                    share at least half of their union
    talk share      largest difference between a person's part of all turns' seconds, points of 100

Reference times from a forced alignment are off by some hundredths of a second themselves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluate.interviews import Reference, find_recordings, load_reference
from pipeline.evaluate.speakers import match_people, talk_share_error
from pipeline.features.latency import BREAK_S
from pipeline.features.voice import PAUSE_S
from pipeline.intervals import overlap_s
from pipeline.records import Speech
from pipeline.session import open_session, run_one
from pipeline.settings import Tables
from pipeline.steps import STEPS, TURN_TABLE

if TYPE_CHECKING:
    import pandas as pd

START_S = 1.0  # a measured reply begins within this of the true one
SAME_TURN = 0.5  # of the union of two turns that are taken for one
TALK_SHARE_POINTS = 2.0  # the target
Make = Callable[[Path], "pd.DataFrame"]


@dataclass(frozen=True)
class Talk:
    """A reference turn: who speaks from when to when, and the pauses between its words."""

    start: float
    end: float
    speaker: str
    pause_s: float


def evaluate_timing(folder: Path, make: Make | None = None, tell: Callable[[str], None] = lambda line: None) -> dict:
    """{"recordings": [row, ...], "pooled": row}; a row holds counts, medians and 95th percentiles.

    make     recording -> turn table; without it, the steps as they ship, with their defaults
    raises   AttuneError for a folder without references
    """
    folder = Path(folder)
    recordings = find_recordings(folder)
    references = [load_reference(path) for path in recordings]
    rows, errors = [], []
    with tempfile.TemporaryDirectory(prefix="attune-timing-") as store:
        run = make or (lambda path: make_turn_table(path, Path(store), {}))
        for i, (path, reference) in enumerate(zip(recordings, references, strict=True), start=1):
            tell(f"{i} of {len(recordings)}: {path.stem}")
            errors.append(measure_errors(reference, run(path)))
            rows.append({"name": path.stem, **_summarise([errors[-1]])})
    return {"recordings": rows, "pooled": _summarise(errors)}


def render_timing(result: dict) -> str:
    """The table that `attune evaluate timing` prints."""
    head = ("recording", "replies", "found %", "wait p50", "p95", "bias", "pause p50", "p95", "talk points")
    lines = ["".join(f"{name:>11}" for name in head)]
    for row in [*result["recordings"], {"name": "pooled", **result["pooled"]}]:
        values = (100 * row["found_share"], row["latency_median_s"], row["latency_p95_s"], row["latency_bias_s"])
        values += (row["pause_median_s"], row["pause_p95_s"], row["talk_share_points"])
        lines.append(f"{row['name']:>11}{row['replies']:>11}" + "".join(f"{value:>11.2f}" for value in values))
    worst = result["pooled"]["talk_share_points"]
    verdict = "kept" if worst <= TALK_SHARE_POINTS else "not kept"
    lines.append(f"target: talk share within {TALK_SHARE_POINTS:g} points in every recording: {verdict}")
    lines.append(
        "wait: error of the latency of replies found, s; bias: measured minus true, median; pause: error of the"
    )
    lines.append("pauses inside a turn, s; talk: largest error of a person's part of the talk; pooled: the worst")
    return "\n".join(lines)


def make_turn_table(recording: Path, store: Path, settings: Tables) -> pd.DataFrame:
    """The turn table of one recording, by the steps as they ship."""
    session = open_session(store, recording, [], settings)
    for step in STEPS[: STEPS.index(TURN_TABLE) + 1]:
        run_one(session, step)
    return session.load(TURN_TABLE)


@dataclass(frozen=True)
class Errors:
    """One recording: signed errors, so that a bias shows."""

    replies: int
    latency_s: tuple[float, ...]
    pause_s: tuple[float, ...]
    talk_share: float


def measure_errors(reference: Reference, table: pd.DataFrame) -> Errors:
    """Compare a turn table with the reference. People pair up by the time they have in common."""
    truth = _talks(reference)
    found = [
        Speech(start, end, speaker)
        for start, end, speaker in zip(table["start"], table["end"], table["speaker"], strict=True)
    ]
    shared = [
        (ours.speaker, theirs.speaker)
        for ours in truth
        for theirs in found
        for _ in range(round(100 * overlap_s(ours, theirs)))
    ]
    person = match_people(shared)
    names = [person.get(item.speaker, "") for item in found]
    replies = _replies(truth)
    return Errors(
        replies=len(replies),
        latency_s=tuple(_latency_errors(replies, table, names)),
        pause_s=tuple(_pause_errors(truth, found, names, table["pause_s"].to_numpy())),
        talk_share=talk_share_error([Speech(t.start, t.end, t.speaker) for t in truth], found),
    )


def _talks(reference: Reference) -> list[Talk]:
    talks = []
    for words in reference.turns:
        gaps = [b.start - a.end for a, b in pairwise(words)]
        talks.append(Talk(words[0].start, words[-1].end, words[0].speaker, sum(g for g in gaps if g >= PAUSE_S)))
    return sorted(talks, key=lambda talk: (talk.start, talk.end))


def _replies(truth: Sequence[Talk]) -> list[tuple[Talk, float]]:
    """(turn, latency) of every turn after one of somebody else."""
    pairs = pairwise(truth)
    waits = [(after, after.start - before.end) for before, after in pairs if before.speaker != after.speaker]
    return [(talk, wait) for talk, wait in waits if wait <= BREAK_S]


def _latency_errors(replies: Sequence[tuple[Talk, float]], table: pd.DataFrame, names: Sequence[str]) -> list[float]:
    start, latency = table["start"].to_numpy(), table["latency_s"].to_numpy(dtype=float)
    own = {name: np.flatnonzero((np.array(names) == name) & np.isfinite(latency)) for name in set(names)}
    errors = []
    for talk, wait in replies:
        rows = own.get(talk.speaker, np.array([], dtype=int))
        if rows.size:
            nearest = rows[np.argmin(np.abs(start[rows] - talk.start))]
            if abs(start[nearest] - talk.start) <= START_S:
                errors.append(float(latency[nearest] - wait))
    return errors


def _pause_errors(
    truth: Sequence[Talk], found: Sequence[Speech], names: Sequence[str], pause_s: np.ndarray
) -> list[float]:
    errors = []
    for talk in truth:
        same = [i for i, item in enumerate(found) if names[i] == talk.speaker and overlap_s(item, talk) > 0]
        best = max(same, key=lambda i: overlap_s(found[i], talk), default=None)
        if best is None:
            continue
        union = max(talk.end, found[best].end) - min(talk.start, found[best].start)
        if overlap_s(found[best], talk) >= SAME_TURN * union:
            errors.append(float(pause_s[best] - talk.pause_s))
    return errors


def _summarise(recordings: Sequence[Errors]) -> dict:
    """Medians and 95th percentiles over all replies and turns; NaN without any; the worst talk share."""
    latency = np.array([error for one in recordings for error in one.latency_s])
    pause = np.array([error for one in recordings for error in one.pause_s])
    replies = sum(one.replies for one in recordings)
    return {
        "replies": replies,
        "found_share": latency.size / replies if replies else float("nan"),
        "latency_median_s": _percentile(np.abs(latency), 50),
        "latency_p95_s": _percentile(np.abs(latency), 95),
        "latency_bias_s": _percentile(latency, 50),
        "turns_compared": int(pause.size),
        "pause_median_s": _percentile(np.abs(pause), 50),
        "pause_p95_s": _percentile(np.abs(pause), 95),
        "talk_share_points": 100 * max((one.talk_share for one in recordings), default=float("nan")),
    }


def _percentile(values: np.ndarray, share: float) -> float:
    return float(np.percentile(values, share)) if values.size else float("nan")
