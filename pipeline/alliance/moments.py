"""Moments: markers gathered into possible ruptures, linked to repair attempts, ranked, explained.

Scores are natural-log odds used for ranking only. Explanations are built from measured numbers, never free prose.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.alliance import gates, rank, stability, timing
from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.evidence import Evidence, Span, find_spans, gather
from pipeline.alliance.repair import find_repairs
from pipeline.records import Findings, Marker, Moment, Repair, Turn, Voice

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = ("withdrawal", "confrontation")
REASONS = 4
UNSEEN = "not seen: faces, nods and gestures"


@dataclass(frozen=True)
class MomentsOptions:
    """How markers become moments. Natural-log units unless named otherwise."""

    threshold_withdrawal: float = -1.4  # least log-odds at its peak; chosen with each author in turn left out
    threshold_confrontation: float = -1.1  # the same for confrontation
    usual_turns: int = 60  # turns of the client that a usual takes; with fewer, thresholds rise
    scarce: float = 2.0  # how far thresholds rise in a session with hardly a turn
    base: float = -3.5  # log-odds of an ordinary turn: doubtful words pull the evidence back to it
    voice_weight: float = 0.3  # what a turn with an unusual voice adds at full strength
    cap_voice: float = 0.6  # the most that voice can add, so that it never suffices
    silence_weight: float = 0.9  # what a silence after an open invitation adds
    cap_silence: float = 1.7  # the most that fewer than three such silences can add
    drop: float = 3.0  # a moment goes on over turns no further than this below its peak
    floor: float = 0.4  # and no further than this below the threshold
    longest_s: float = 180.0  # a moment is no longer than this
    apart_s: float = 75.0  # least distance between the peaks of two flags
    withdrawal_places: int = 2  # places of the budget kept for withdrawal
    repair_least: float = 0.07  # a line belongs to a repair attempt from this share of the odds
    repair_peak: float = 0.14  # an attempt reaches this somewhere
    link_s: float = 300.0  # a repair answers a rupture that ended at most this long before
    stability_runs: int = 200  # perturbed repeats behind the band
    audit: bool = True  # add one hidden clip from unflagged minutes

    def threshold(self, family: str) -> float:
        return self.threshold_withdrawal if family == "withdrawal" else self.threshold_confrontation


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
    notes = _notes(turns, voices, markers, turn_table)
    if not any(turn.role == "client" and turn.words for turn in turns):
        return Findings((), (), tuple(notes))
    options = _for_length(turns, options)
    course = timing.measure_course(turns)
    repairs = find_repairs(markers, turns, course, load_catalogue(), options.repair_least, options.repair_peak)
    evidence = {family: gather(family, markers, turns, options) for family in FAMILIES}
    duration = max(turn.end for turn in turns)
    spans = choose_spans(evidence, turns, options, duration)
    bands = stability.find_bands(evidence, spans, turns, options, duration, choose_spans)
    chosen = [_moment(span, band, markers, turns) for span, band in zip(spans, bands, strict=True)]
    linked = link_repairs(chosen, repairs, options.link_s)
    if not linked:
        notes.append("nothing crossed the line; this does not mean that there was no rupture")
    audit = [_audit_clip(turns, linked)] if options.audit else []
    return Findings(tuple(linked + [clip for clip in audit if clip]), tuple(repairs), tuple(notes))


def _for_length(turns: Sequence[Turn], options: MomentsOptions) -> MomentsOptions:
    """The options with thresholds raised where the client has said too little to know what is usual."""
    said = sum(turn.role == "client" and not turn.backchannel for turn in turns)
    rise = options.scarce * max(0.0, 1.0 - said / options.usual_turns)
    return replace(
        options,
        threshold_withdrawal=options.threshold_withdrawal + rise,
        threshold_confrontation=options.threshold_confrontation + rise,
    )


def choose_spans(
    evidence: dict[str, Evidence], turns: Sequence[Turn], options: MomentsOptions, duration: float
) -> list[Span]:
    """The spans to flag, strongest first, within the budget."""
    found = [span for family in FAMILIES for span in find_spans(family, evidence[family], turns, options)]
    return rank.choose(found, rank.budget(duration), options.apart_s, options.withdrawal_places)


def _notes(
    turns: Sequence[Turn], voices: Sequence[Voice], markers: Sequence[Marker], turn_table: pd.DataFrame | None
) -> list[str]:
    notes = []
    if not any(turn.role == "client" for turn in turns):
        notes.append("no client speech was found, so no moment can be marked")
    if any(voice.confidence < 0.75 for voice in voices):
        notes.append("please confirm who is the therapist: withdrawal and confrontation depend on it")
    words = [word for turn in turns for word in turn.words]
    doubtful = sum(word.confidence < gates.CONFIDENCE_FLOOR for word in words)
    if words and doubtful / len(words) > 0.2:
        notes.append(f"{100 * doubtful / len(words):.0f} % of the words were hard to hear; moments may be missed there")
    marked = any(marker.modality == "text" for marker in markers)
    if words and not marked and (_is_long(turns) or not _can_be_read(turn_table)):
        notes.append("the words were not read; only timing was looked at")
    return notes


def _is_long(turns: Sequence[Turn]) -> bool:
    """Whether words that are read leave some mark, if a weak one: so many turns of a client always do."""
    return sum(turn.role == "client" and not turn.backchannel for turn in turns) >= MomentsOptions().usual_turns


def _can_be_read(turn_table: pd.DataFrame | None) -> bool:
    """Whether the words are in the language that the markers read: there are word lists for that one only."""
    lists = () if turn_table is None else turn_table.get("language_lists", ())
    return any(value == "available" for value in lists)


def _moment(span: Span, band: str, markers: Sequence[Marker], turns: Sequence[Turn]) -> Moment:
    inside = [m for m in markers if m.family == span.family and span.first <= m.turn <= span.last]
    ordered = sorted(inside, key=lambda m: (m.turn != span.peak, m.modality == "voice", -m.strength, m.turn))
    lead = _lead(span.first, turns)
    last = turns[span.last]
    return Moment(
        start=turns[lead].start,
        end=max(last.end, turns[lead].start),
        peak=turns[span.peak].end,
        kind=span.family,
        marker=_closest(inside),
        score=round(span.log_odds, 3),
        band=band,
        why=_reasons(ordered),
        against=(*dict.fromkeys(m.against for m in ordered if m.against and m.strength >= 0.1), UNSEEN),
        words="\n".join(f"{turn.role}: {turn.text}" for turn in turns[lead : span.last + 2]),
    )


def _lead(first: int, turns: Sequence[Turn]) -> int:
    """The therapist's turn before, so that what set it off can be seen."""
    return max((i for i in range(first) if turns[i].role == "therapist" and not turns[i].backchannel), default=first)


def _closest(markers: Sequence[Marker]) -> str:
    votes: Counter[str] = Counter()
    for marker in markers:
        votes[marker.marker] += marker.strength
    return max(votes, key=lambda name: (votes[name], name)) if votes else ""


BEFORE = "just before"
ONCE = (BEFORE, "a long turn")  # sentences that say nothing new the second time


def _reasons(ordered: Sequence[Marker]) -> tuple[str, ...]:
    """At most four sentences: half from the peak, the rest from the strongest other turns, none twice."""
    first = [line for marker in ordered[:1] for line in marker.why.split("\n")][: REASONS - 1]
    rest = [line for marker in ordered[1:] for line in marker.why.split("\n")[:2]]
    kept: dict[str, str] = {}
    for line in first + rest:
        once = next((start for start in ONCE if line.startswith(start)), line)
        kept.setdefault(once, line)
    before = kept.pop(BEFORE, "")  # what led to it is no reason by itself, so it comes last
    return tuple(line for line in [*kept.values(), before] if line)[:REASONS]


def link_repairs(moments: Sequence[Moment], repairs: Sequence[Repair], link_s: float) -> list[Moment]:
    """The moments with the repair attempts that answer them: each answers one moment or none.

    link_s   an attempt answers a moment that ended at most this many seconds before it
    """
    answers: dict[int, list[Repair]] = {}
    for repair in repairs:
        answered = _answered(moments, repair, link_s)
        if answered is not None:
            answers.setdefault(answered, []).append(repair)
    return [replace(m, repairs=tuple(answers.get(k, ()))) for k, m in enumerate(moments)]


def _answered(moments: Sequence[Moment], repair: Repair, link_s: float) -> int | None:
    """Index of the moment that a repair attempt answers: the latest that had peaked by the middle of the attempt, or
    else had begun by its end; None where every such moment ended more than `link_s` before it.

    The peak decides, because the moment after begins with the therapist's turn before it, which may be the attempt.
    """
    near = [k for k, m in enumerate(moments) if m.start <= repair.end and repair.start - m.end <= link_s]
    peaked = [k for k in near if moments[k].peak <= (repair.start + repair.end) / 2]
    return max(peaked or near, key=lambda k: moments[k].peak, default=None)


def far_turns(turns: Sequence[Turn], flagged: Sequence[Moment]) -> list[int]:
    """Indices of the client's turns away from every flag: those that the audit clip is drawn from, each as likely."""
    return [
        i
        for i, turn in enumerate(turns)
        if turn.role == "client" and all(turn.end < m.start - 30 or turn.start > m.end + 30 for m in flagged)
    ]


def _audit_clip(turns: Sequence[Turn], flagged: Sequence[Moment]) -> Moment | None:
    """One client turn away from every flag, drawn by a hash of the turns, so that misses can be estimated."""
    far = far_turns(turns, flagged)
    if not far:
        return None
    seed = hashlib.sha256("\n".join(f"{t.role} {t.text}" for t in turns).encode()).digest()
    pick = far[int.from_bytes(seed[:8], "big") % len(far)]
    lead = max(0, pick - 1)
    lines = "\n".join(f"{turn.role}: {turn.text}" for turn in turns[lead : pick + 2])
    kind = FAMILIES[seed[8] % 2]
    return Moment(turns[lead].start, turns[pick].end, turns[pick].end, kind, "", -9.0, "weak", (), (), lines, (), True)
