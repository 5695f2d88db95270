"""Repair attempts: the therapist's moves that may answer a rupture, and the client's engagement afterwards.

Never "resolved": only whether an attempt was seen, of which type, and whether the client's engagement moved back
towards this client's usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pipeline.alliance.catalogue import Catalogue
from pipeline.alliance.timing import Course
from pipeline.records import Marker, Repair, Turn

JOIN_S = 25.0  # strategies within this time are one attempt
STRATEGY_SHARE = 0.2  # a strategy is named when it holds this share of the attempt's strength
AFTER_S = 120.0  # engagement is read from the client's turns in this time after the attempt
BEFORE_TURNS = 3  # the client's turns before the attempt that it is compared with
NEAR = -0.3  # as close to the client's usual as ordinary turns are, in robust z
LEAST_TURNS = 3  # fewer client turns afterwards: cannot tell
BACK, PARTLY = 0.7, 0.3  # shares of the way back to the client's usual


def find_repairs(
    markers: Sequence[Marker],
    turns: Sequence[Turn],
    course: Sequence[Course],
    catalogue: Catalogue,
    least: float,
    peak: float,
) -> list[Repair]:
    """Every repair attempt, in order of time: strategy markers of at least `least` strength, joined.

    peak   the strength that an attempt must reach: it goes from the first to the last turn that does
    """
    strategies = [m for m in markers if m.family == "resolution" and m.strength * m.reliability >= least]
    groups: list[list[Marker]] = []
    for marker in strategies:
        if groups and marker.start - groups[-1][-1].end <= JOIN_S:
            groups[-1].append(marker)
        else:
            groups.append([marker])
    reached = [_between_peaks(group, peak) for group in groups if max(m.strength for m in group) >= peak]
    return [_attempt(group, turns, course, catalogue) for group in reached]


def _between_peaks(group: list[Marker], peak: float) -> list[Marker]:
    """Without the faint turns at both ends, which would let an attempt seem to begin before what it answers."""
    clear = [k for k, marker in enumerate(group) if marker.strength >= peak]
    return group[clear[0] : clear[-1] + 1]


def _attempt(group: list[Marker], turns: Sequence[Turn], course: Sequence[Course], catalogue: Catalogue) -> Repair:
    weight: dict[str, float] = {}
    for marker in group:
        weight[marker.marker] = weight.get(marker.marker, 0.0) + marker.strength
    total = sum(weight.values())
    ids = tuple(n for n in sorted(weight, key=lambda n: (-weight[n], n))[:4] if weight[n] >= STRATEGY_SHARE * total)
    ids = ids or (max(weight, key=lambda name: (weight[name], name)),)
    kinds = {catalogue.entries[name].strategy_class for name in ids}
    kind = "both" if len(kinds) > 1 else next(iter(kinds))
    start, end = group[0].start, max(m.end for m in group)
    engagement, note = engagement_after(turns, course, start, end)
    strongest = max(group, key=lambda m: (m.strength, -m.start))
    return Repair(start, end, ids, kind, engagement, turns[strongest.turn].text, note)


def engagement_after(turns: Sequence[Turn], course: Sequence[Course], start: float, end: float) -> tuple[str, str]:
    """("back near usual" | "partly" | "not seen" | "cannot tell", note) for the client after an attempt."""
    client = [i for i, turn in enumerate(turns) if turn.role == "client" and not turn.backchannel]
    after = [i for i in client if end - 1.0 <= turns[i].start < end + AFTER_S]
    during = [i for i in client if turns[i].start < start][-BEFORE_TURNS:]
    if len(after) < LEAST_TURNS or not during:
        return "cannot tell", ""
    level = median(_engagement(course[i]) for i in after)
    low = median(_engagement(course[i]) for i in during)
    share = (level - low) / max(0.5, -low)
    agreed = sum(course[i].minimal for i in after) > len(after) / 2
    note = "agreement without elaboration: may be compliance" if agreed else ""
    if level >= NEAR or share >= BACK:
        return ("partly" if agreed else "back near usual"), note
    return ("partly" if share >= PARTLY else "not seen"), note


def _engagement(row: Course) -> float:
    """How far one client turn stands from this client's usual: 0 is usual, below is less."""
    return (row.log_words_z - max(0.0, row.latency_z) * row.invited) / 2 - (1.0 if row.minimal and row.invited else 0.0)
