"""Verdicts: what a person decided about a stretch of a session, and to which moment it belongs.

A verdict is never changed: a later one about the same place replaces it, and an undo withdraws it. It is attached by
time, so that it stays when a session is made again and its moments lie a little elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.intervals import HasTimes, Span, overlap_s
from pipeline.records import Moment

Answer = Literal["agree", "disagree", "unsure"]
Subject = Literal["flag", "audit", "missed"]
RaterRole = Literal["supervisor", "trainee", "consensus"]
Seen = Literal["", "withdrawal", "confrontation", "mixed", "therapist_only", "repair"]
Clarity = Literal["", "minus", "check", "plus"]
Watched = Literal["video", "audio", "text"]
RepairSeen = Literal["", "none", "attempt"]
Reason = Literal[
    "",
    "third_party",
    "quoted",
    "logistics",
    "humour",
    "reflective_silence",
    "style_or_culture",
    "asr_error",
    "wrong_speaker",
    "other",
]
SAME_PLACE = 0.5  # share of the shorter stretch that two must have in common to be one place


@dataclass(frozen=True)
class Verdict:
    """One judgement of one person.

    at                    when, UTC, ISO 8601 with milliseconds
    subject               "flag" for a moment that the tool chose, "audit" for the clip drawn at random, "missed" for
                          one that a person added
    start, end            the stretch as the person corrected it, seconds
    flag_start, flag_end  the stretch as it was shown, or as it was first marked; seconds
    flag_kind, marker     kind and closest marker as shown; "" for a missed one
    mark                  for a missed one, the id of its first verdict; otherwise ""
    kind                  what the person saw; "" where they did not say
    significance          1 to 5, or 0 where they did not say
    useful                whether it is worth watching in supervision, apart from whether it is right
    repair                "attempt" where the person saw the therapist try to repair it, "none" where not, "" not said
    strategies            the therapist's moves in that attempt, ids in the catalogue, in its order
    resolution            how far it was resolved, 1 to 5, or 0 where they did not say
    therapist_contribution
                          the therapist's own part in it, 1 to 5, or 0 where they did not say
    saw_flag              False for what was marked in a blind first pass
    note                  reference into the session's notes, which are stored apart; or ""
    attune, rules, models version of the program, hash of the rules in force, and the recogniser, as they were then
    """

    id: str
    at: str
    session: str
    subject: Subject
    rater: str
    rater_role: RaterRole
    answer: Answer
    start: float
    end: float
    flag_start: float
    flag_end: float
    flag_kind: str = ""
    marker: str = ""
    mark: str = ""
    kind: Seen = ""
    clarity: Clarity = ""
    significance: int = 0
    useful: bool | None = None
    reject_reason: Reason = ""
    saw_flag: bool = True
    watched: Watched = "audio"
    note: str = ""
    attune: str = ""
    rules: str = ""
    models: str = ""
    repair: RepairSeen = ""
    strategies: tuple[str, ...] = ()
    resolution: int = 0
    therapist_contribution: int = 0

    @property
    def place(self) -> Span:
        """The stretch as shown: what ties the verdict to its moment."""
        return Span(self.flag_start, self.flag_end)


@dataclass(frozen=True)
class Withdrawal:
    """The undoing of one verdict by the person who gave it."""

    id: str
    at: str
    session: str
    rater: str
    withdraws: str


def current_verdicts(events: Iterable[Verdict | Withdrawal]) -> list[Verdict]:
    """What stands: of each person's verdicts about one place the last, without those withdrawn.

    events   in order of time
    returns  in order of time
    """
    events = list(events)
    gone = {event.withdraws for event in events if isinstance(event, Withdrawal)}
    standing: list[Verdict] = []
    for event in reversed(events):
        if isinstance(event, Verdict) and event.id not in gone and not any(same_matter(event, v) for v in standing):
            standing.append(event)
    return standing[::-1]


def last_standing(events: Iterable[Verdict | Withdrawal], rater: str, session: str) -> Verdict | None:
    """The person's latest verdict in a session that is not withdrawn: what an undo takes back."""
    events = list(events)
    gone = {event.withdraws for event in events if isinstance(event, Withdrawal)}
    own = (e for e in reversed(events) if isinstance(e, Verdict) and (e.rater, e.session) == (rater, session))
    return next((event for event in own if event.id not in gone), None)


def same_matter(a: Verdict, b: Verdict) -> bool:
    """Whether the later of two verdicts replaces the other: same person, same session, same moment or mark."""
    if (a.session, a.rater, a.rater_role) != (b.session, b.rater, b.rater_role):
        return False
    if a.mark or b.mark:
        return a.mark == b.mark
    return a.flag_kind == b.flag_kind and same_place(a.place, b.place)


def same_place(a: HasTimes, b: HasTimes) -> bool:
    """Whether two stretches share at least `SAME_PLACE` of the shorter one."""
    shorter = min(a.end - a.start, b.end - b.start)
    return overlap_s(a, b) >= SAME_PLACE * shorter if shorter > 0 else a.start == b.start


def attach(verdicts: Sequence[Verdict], moments: Sequence[Moment]) -> dict[str, int]:
    """Which moment each verdict belongs to: id of the verdict -> index of the moment it shares most time with.

    A verdict about a place where nothing is marked any more is left out, and so is a missed moment.
    """
    found = {}
    for verdict in verdicts:
        if verdict.subject == "missed":
            continue
        near = [
            (overlap_s(moment, verdict.place), -k)
            for k, moment in enumerate(moments)
            if moment.kind == verdict.flag_kind and same_place(moment, verdict.place)
        ]
        if near:
            found[verdict.id] = -max(near)[1]
    return found
