"""Moments: markers gathered into possible ruptures, linked to repair attempts, ranked, explained.

Scores are natural-log odds used for ranking only. Explanations are built from measured numbers, never free prose.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.alliance import rank, timing
from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.repair import find_repairs
from pipeline.records import Findings, Marker, Moment, Repair, Turn, Voice

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = ("withdrawal", "confrontation")


@dataclass(frozen=True)
class MomentsOptions:
    """How markers become moments. Natural-log units unless named otherwise."""

    base_withdrawal: float = -3.0  # log-odds before any evidence
    base_confrontation: float = -3.2
    cap_text: float = 3.5  # the most that words can add
    cap_timing: float = 2.0
    cap_voice: float = 0.6  # so that voice alone never suffices
    decay_s: float = 15.0  # evidence fades with distance: exp(-seconds / decay_s)
    threshold: float = -1.2  # a candidate needs this much at its peak
    join_s: float = 20.0  # same-family candidates closer than this are one
    longest_s: float = 180.0  # a moment is cut to this length around its peak
    apart_s: float = 60.0  # least distance between the peaks of two flags
    withdrawal_places: int = 2  # places of the budget kept for withdrawal
    repair_strength: float = 0.4  # a strategy counts from here
    link_s: float = 300.0  # a repair answers a rupture that ended at most this long before
    audit: bool = True  # add one hidden clip from unflagged minutes


def find_moments(
    markers: list[Marker],
    turns: list[Turn],
    turn_table: pd.DataFrame | None,
    voices: list[Voice],
    options: MomentsOptions,
) -> Findings:
    """The moments worth a look, every repair attempt, and what a person should know first.

    markers   from `find_markers` on the same turns
    returns   moments by rank, at most five per 50 minutes; none where nothing passes; the audit clip last
    """
    notes = _notes(turns, voices)
    if not any(turn.role == "client" and turn.words for turn in turns):
        return Findings((), (), tuple(notes))
    course = timing.measure_course(turns)
    repairs = find_repairs(markers, turns, course, load_catalogue(), options.repair_strength)
    candidates = [moment for family in FAMILIES for moment in _candidates(family, markers, turns, options)]
    duration = max(turn.end for turn in turns)
    chosen = rank.choose(candidates, rank.budget(duration), options.apart_s, options.withdrawal_places)
    linked = _link(chosen, repairs, options.link_s)
    if not linked:
        notes.append("nothing crossed the line; this does not mean that there was no rupture")
    audit = [_audit_clip(turns, linked, duration)] if options.audit else []
    return Findings(tuple(linked + [clip for clip in audit if clip]), tuple(repairs), tuple(notes))


def _notes(turns: Sequence[Turn], voices: Sequence[Voice]) -> list[str]:
    notes = []
    if not any(turn.role == "client" for turn in turns):
        notes.append("no client speech was found, so no moment can be marked")
    if any(voice.confidence < 0.75 for voice in voices):
        notes.append("please confirm who is the therapist; the families depend on it")
    return notes


def score_at(family: str, at: float, markers: Sequence[Marker], options: MomentsOptions) -> float:
    """Log-odds of a family at a time, from its markers nearby; each modality is capped."""
    base = options.base_withdrawal if family == "withdrawal" else options.base_confrontation
    catalogue = load_catalogue()
    total = base
    for modality, cap in (("text", options.cap_text), ("timing", options.cap_timing), ("voice", options.cap_voice)):
        pieces: dict[str, list[float]] = {}
        for m in markers:
            if m.family == family and m.modality == modality:
                away = max(0.0, m.start - at, at - m.end)
                weight = catalogue.entries[m.marker].woe * m.strength * m.reliability
                pieces.setdefault(m.marker, []).append(weight * math.exp(-away / options.decay_s))
        total += min(cap, sum(w / 2**k for ws in pieces.values() for k, w in enumerate(sorted(ws, reverse=True))))
    return total


def _candidates(family: str, markers: Sequence[Marker], turns: Sequence[Turn], options: MomentsOptions) -> list[Moment]:
    mine = [m for m in markers if m.family == family]
    scored = [(score_at(family, m.end, mine, options), m) for m in mine]
    groups: list[list[tuple[float, Marker]]] = []
    for score, marker in scored:
        if score < options.threshold:
            continue
        if groups and marker.start - groups[-1][-1][1].end <= options.join_s:
            groups[-1].append((score, marker))
        else:
            groups.append([(score, marker)])
    return [_moment(family, group, turns) for group in groups]


def _moment(family: str, group: list[tuple[float, Marker]], turns: Sequence[Turn]) -> Moment:
    score, top = max(group, key=lambda pair: (pair[0], -pair[1].start))
    members = [marker for _, marker in group]
    first = min(m.turn for m in members)
    lead = max((i for i in range(first) if turns[i].role == "therapist"), default=first)
    last = max(m.turn for m in members)
    why = tuple(dict.fromkeys(m.why for m in sorted(members, key=lambda m: -m.strength)))[:4]
    against = tuple(dict.fromkeys(m.against for m in members if m.against))
    lines = "\n".join(f"{turn.role}: {turn.text}" for turn in turns[lead : last + 2])
    modalities = {m.modality for m in members}
    band = "stronger" if score >= 0.5 and len(modalities) > 1 else "some" if score >= -0.5 else "weak"
    return Moment(
        start=turns[lead].start,
        end=turns[last].end,
        peak=top.end,
        kind=family,
        marker=top.marker,
        score=round(score, 3),
        band=band,
        why=why,
        against=against,
        words=lines,
    )


def _link(moments: Sequence[Moment], repairs: Sequence[Repair], link_s: float) -> list[Moment]:
    """Every repair is linked to the latest rupture that had begun, if that ended at most `link_s` before it."""
    answers: dict[int, list[Repair]] = {}
    for repair in repairs:
        open_ = [(m.start, k) for k, m in enumerate(moments) if m.peak <= repair.end and repair.start - m.end <= link_s]
        if open_:
            answers.setdefault(max(open_)[1], []).append(repair)
    return [replace(m, repairs=tuple(answers.get(k, ()))) for k, m in enumerate(moments)]


def _audit_clip(turns: Sequence[Turn], flagged: Sequence[Moment], duration: float) -> Moment | None:
    """One client turn away from every flag, drawn by a hash of the turns, so that misses can be estimated."""
    far = [
        i
        for i, turn in enumerate(turns)
        if turn.role == "client" and all(turn.end < m.start - 30 or turn.start > m.end + 30 for m in flagged)
    ]
    if not far:
        return None
    seed = hashlib.sha256("\n".join(f"{t.role} {t.text}" for t in turns).encode()).digest()
    pick = far[int.from_bytes(seed[:8], "big") % len(far)]
    lead = max(0, pick - 1)
    lines = "\n".join(f"{turn.role}: {turn.text}" for turn in turns[lead : pick + 2])
    kind = FAMILIES[seed[8] % 2]
    return Moment(turns[lead].start, turns[pick].end, turns[pick].end, kind, "", -9.0, "weak", (), (), lines, (), True)
