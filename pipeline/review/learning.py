"""What a store's verdicts say together: which clips were judged, how often people agreed, and what may be missed.

From here `pipeline.alliance.calibrate` learns. Notes are never read. A client is whoever `session.toml` names under
[about] client; a session that names nobody counts as a client of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from pipeline.alliance.calibrate import Judged
from pipeline.alliance.calibration import measure_terms
from pipeline.alliance.calibration_store import Such
from pipeline.alliance.moments import FAMILIES, MomentsOptions, far_turns
from pipeline.intervals import overlap_s
from pipeline.records import AttuneError, Findings, Marker, Moment, Turn
from pipeline.review import folders, verdict_store
from pipeline.review.agreement import wilson_interval
from pipeline.review.listing import recorded_at
from pipeline.review.verdicts import Verdict, attach, current_verdicts, same_place
from pipeline.settings import Tables
from pipeline.steps import MARKERS, MOMENTS, TURNS

LEAST_AUDITS = 20  # audit clips judged, from which what is missed is estimated
LEAST_OF_GROUP = 10  # flags judged, from which a subgroup's agreement is shown
TURNS_OF_A_MOMENT = 3.0  # client turns that a moment spans, where no flag was agreed with


@dataclass(frozen=True)
class Evidence:
    """What a session holds that verdicts are laid beside."""

    day: str
    about: dict[str, str]
    turns: Sequence[Turn]
    markers: Sequence[Marker]
    findings: Findings
    options: MomentsOptions

    @property
    def flags(self) -> list[Moment]:
        return [moment for moment in self.findings.moments if not moment.audit]


@dataclass(frozen=True)
class Recall:
    """How many of the moments in the judged sessions were flagged, as the audit clips tell.

    audits       audit clips judged, each from one session
    with_moment  those in which people saw one
    found        flags of the same sessions that people agreed with
    missed       moments that were not flagged there, estimated: each audit clip stands for the turns it was drawn from
    share, low, high
                 found of all, with the 95 % interval; share None below `LEAST_AUDITS`
    """

    audits: int
    with_moment: int
    found: float
    missed: float
    share: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Blind:
    """Moments that people marked before they saw any flag, and how many of them were flagged too."""

    marked: int
    flagged: int
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Agreement with the flags of the sessions of which the clinic wrote down the same thing."""

    what: str
    agreed: int
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Evaluated:
    """All of a store's verdicts, as far as they can be laid beside something.

    rows       a clip each, however many people judged it
    unsure     flags of which nobody was sure
    missed     moments that people added, in a blind first pass or not
    named      clients that the clinic named; unnamed: sessions that name none
    gone       sessions with verdicts whose evidence is no longer in the store
    """

    rows: tuple[Judged, ...]
    unsure: int
    missed: int
    named: int
    unnamed: int
    gone: int
    such: tuple[Such, ...]
    recall: Recall
    blind: Blind
    groups: tuple[Group, ...]


def load_evaluated(store: Path, settings: Tables) -> Evaluated:
    """The verdicts of a store with the evidence of the sessions that are still in it."""
    verdicts = current_verdicts(verdict_store.load_events(store))
    sessions = sorted({verdict.session for verdict in verdicts})
    evidence = {key: found for key in sessions if (found := _load_evidence(store, key, settings))}
    return evaluate(verdicts, evidence)


def _load_evidence(store: Path, key: str, settings: Tables) -> Evidence | None:
    """What a session holds; None where it is gone or cannot be read: its verdicts are still counted."""
    try:
        session = folders.open_folder(store, key, settings)
        about = session.decisions.get("about", {})
        return Evidence(
            recorded_at(session),
            {str(name): str(value) for name, value in about.items() if isinstance(value, str | int)},
            session.load(TURNS),
            session.load(MARKERS),
            session.load(MOMENTS),
            session.options(MOMENTS),
        )
    except (AttuneError, OSError):
        return None


def evaluate(verdicts: Sequence[Verdict], evidence: dict[str, Evidence]) -> Evaluated:
    """What verdicts say together.

    verdicts  those that stand, of any sessions
    evidence  by session; without those that are gone
    """
    clips = [clip for clip in group_clips(verdicts) if any(v.answer != "unsure" for v in clip)]
    rows = tuple(_judged(clip, evidence.get(clip[0].session)) for clip in clips)
    judged = {v.session for v in verdicts}
    named = {client for key in judged if key in evidence and (client := evidence[key].about.get("client"))}
    return Evaluated(
        rows,
        unsure=len(group_clips(v for v in verdicts if v.subject == "flag")) - sum(row.flagged for row in rows),
        missed=sum(v.subject == "missed" and v.answer == "agree" for v in verdicts),
        named=len(named),
        unnamed=sum(not (key in evidence and evidence[key].about.get("client")) for key in judged),
        gone=len(judged - set(evidence)),
        such=count_such(rows),
        recall=measure_recall(rows, evidence),
        blind=measure_blind(verdicts, evidence),
        groups=measure_groups(rows, evidence),
    )


def group_clips(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """The verdicts on flags and audit clips, those on one clip together; where a consensus was reached it is alone."""
    clips: list[list[Verdict]] = []
    by_session: dict[str, list[list[Verdict]]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.subject == "missed":
            continue
        mine = by_session[verdict.session]
        same = next((clip for clip in mine if _is_on(verdict, clip[0])), None)
        if same is None:
            mine.append(same := [])
            clips.append(same)
        same.append(verdict)
    return [[v for v in clip if v.rater_role == "consensus"] or clip for clip in clips]


def _is_on(verdict: Verdict, other: Verdict) -> bool:
    return verdict.flag_kind == other.flag_kind and same_place(verdict.place, other.place)


def _judged(clip: Sequence[Verdict], evidence: Evidence | None) -> Judged:
    decided = [v for v in clip if v.answer != "unsure"]
    first, audit = clip[0], clip[0].subject == "audit"
    family = _seen_family(decided) if audit else first.flag_kind
    odds, terms, band = None, {}, ""
    if evidence:
        odds, terms = measure_terms(
            family, first.flag_start, first.flag_end, evidence.markers, evidence.turns, evidence.options
        )
        at = attach([first], evidence.findings.moments).get(first.id)
        band = "" if at is None or audit else evidence.findings.moments[at].band
    return Judged(
        session=first.session,
        client=(evidence.about.get("client") if evidence else None) or first.session,
        day=evidence.day if evidence else first.at,
        family=family,
        audit=audit,
        agreed=mean(v.answer == "agree" for v in decided),
        fits=mean(v.answer == "agree" and (audit or v.kind in ("", family, "mixed")) for v in decided),
        band=band,
        log_odds=odds,
        terms=terms,
    )


def _seen_family(decided: Sequence[Verdict]) -> str:
    """What people saw in a clip that no rule chose; the kind it was shown under where they did not say."""
    seen = [v.kind for v in decided if v.kind in FAMILIES]
    return seen[0] if seen else decided[0].flag_kind


def count_such(rows: Sequence[Judged]) -> tuple[Such, ...]:
    """How often people agreed with the flags of each kind and band that is still known."""
    found = []
    for kind, band in sorted({(row.family, row.band) for row in rows if row.flagged and row.band}):
        mine = [row for row in rows if row.flagged and (row.family, row.band) == (kind, band)]
        agreed, n = count_agreed(mine)
        found.append(Such(kind, band, agreed, n, *wilson_interval(agreed, n)))
    return tuple(found)


def count_agreed(rows: Iterable[Judged]) -> tuple[int, int]:
    """(clips that people agreed with, clips decided); one that people are divided about is not decided."""
    decided = [row.agreed > 0.5 for row in rows if row.agreed != 0.5]
    return sum(decided), len(decided)


def measure_recall(rows: Sequence[Judged], evidence: dict[str, Evidence]) -> Recall:
    """What was flagged of all there is, over the sessions whose audit clip was judged.

    An audit clip is one client turn of the many that it was drawn from, so it counts as many times (Horvitz and
    Thompson 1952); a moment that was missed would have been hit by any of its turns.
    """
    audits = [row for row in rows if row.audit and row.session in evidence]
    stands_for = [max(1, len(far_turns(evidence[a.session].turns, evidence[a.session].flags))) for a in audits]
    there = {row.session for row in audits}
    found = sum(row.agreed for row in rows if row.flagged and row.session in there)
    total, spans = sum(stands_for), _turns_of_a_moment(rows, evidence)
    share = sum(n * row.agreed for n, row in zip(stands_for, audits, strict=True)) / total if total else 0.0
    effective = total**2 / sum(n * n for n in stands_for) if stands_for else 0.0
    low, high = _interval(share, effective)
    recall = [_recall(found, part * total / spans) for part in (share, high, low)]
    enough = len(audits) >= LEAST_AUDITS
    return Recall(
        len(audits),
        sum(row.agreed > 0.5 for row in audits),
        round(found, 3),
        round(share * total / spans, 3),
        round(recall[0], 4) if enough else None,
        round(recall[1], 4) if enough else 0.0,
        round(recall[2], 4) if enough else 1.0,
    )


def _interval(share: float, n: float) -> tuple[float, float]:
    """Wilson's interval for clips that do not all stand for as much: `n` is the number of equal ones worth as much."""
    whole = max(1, round(n))
    low, high = wilson_interval(round(share * whole), whole)
    return min(low, share), max(high, share)


def _recall(found: float, missed: float) -> float:
    return found / (found + missed) if found + missed > 0 else 0.0


def _turns_of_a_moment(rows: Sequence[Judged], evidence: dict[str, Evidence]) -> float:
    """Client turns in a moment, on average over the flags of these sessions."""
    agreed = {row.session for row in rows if row.flagged and row.agreed > 0.5 and row.session in evidence}
    counts = [
        sum(turn.role == "client" and turn.start < m.end and turn.end > m.start for turn in evidence[key].turns)
        for key in sorted(agreed)
        for m in evidence[key].flags
    ]
    return max(1.0, mean(counts)) if counts else TURNS_OF_A_MOMENT


def measure_blind(verdicts: Sequence[Verdict], evidence: dict[str, Evidence]) -> Blind:
    """Of the ruptures that people marked before they saw any flag, how many were flagged: nothing led them there."""
    marks = [
        v
        for v in verdicts
        if v.subject == "missed"
        and not v.saw_flag
        and v.answer == "agree"
        and v.session in evidence
        and v.kind != "repair"
    ]
    flagged = sum(any(overlap_s(mark, flag) > 0 for flag in evidence[mark.session].flags) for mark in marks)
    return Blind(len(marks), flagged, *wilson_interval(flagged, len(marks)))


def measure_groups(rows: Sequence[Judged], evidence: dict[str, Evidence]) -> tuple[Group, ...]:
    """Agreement by what the clinic wrote into session.toml under [about], such as language or level; not by client."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        if row.flagged and row.session in evidence:
            for name, value in evidence[row.session].about.items():
                if name != "client":
                    groups[f"{name.replace('_', ' ')} {value}"].append(row)
    counts = {what: count_agreed(mine) for what, mine in groups.items()}
    return tuple(
        Group(what, agreed, n, *wilson_interval(agreed, n))
        for what, (agreed, n) in sorted(counts.items())
        if n >= LEAST_OF_GROUP
    )
