"""Cues from words: the catalogue's patterns, behind the gates. They quote what was said.

Strength 0 to 1. A cue never rests on doubtful words, quoted speech or somebody else's "you".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.alliance import gates
from pipeline.alliance.catalogue import Catalogue, Entry
from pipeline.alliance.timing import Course
from pipeline.records import Turn

REPORTED = 0.15  # what is left of a cue inside reported speech
COMPLAINTS = {"cf_complaint_therapist", "cf_complaint_activities", "cf_complaint_parameters", "cf_complaint_progress"}


@dataclass(frozen=True)
class Cue:
    """A pattern that passed the gates: which marker and family, how clearly, on which words, what speaks against."""

    marker: str
    family: str
    strength: float
    words: str
    against: str


def find_cues(turns: Sequence[Turn], course: Sequence[Course], index: int, catalogue: Catalogue) -> list[Cue]:
    """Every marker of the catalogue whose pattern is in this turn, gates applied, in the catalogue's order."""
    turn = turns[index]
    text = gates.sure_text(turn)
    before = course[index].before
    asked = gates.sure_text(turns[before]) if before is not None else ""
    cues = []
    for entry in catalogue.entries.values():
        if entry.speaker == turn.role and (match := _first_match(entry, text)):
            cue = _gated(entry, match, text, asked, course[index])
            if cue is not None:
                cues.append(cue)
    return cues


def _first_match(entry: Entry, text: str) -> re.Match | None:
    """The first match outside reported speech, otherwise the first match, otherwise None."""
    matches = [match for pattern in entry.patterns for match in pattern.finditer(text)]
    return min(matches, key=lambda match: (gates.is_reported(text, match.start()), match.start()), default=None)


def _gated(entry: Entry, match: re.Match, text: str, asked: str, course: Course) -> Cue | None:
    strength, against = 0.7, []
    if gates.is_reported(text, match.start()):
        strength *= REPORTED
        against.append("the words may be a report of what somebody said")
    if entry.needs_target and not gates.is_addressed(text, match.start()):
        return None
    if entry.needs_context == "open_invitation" and not course.invited:
        return None
    if entry.needs_context == "prior_intervention" and not (course.challenged or gates.is_feeling_probe(asked)):
        return None
    if gates.is_logistics(text) and entry.id not in COMPLAINTS:
        strength *= 0.5
        against.append("the turn is partly about times or arrangements")
    if entry.family == "confrontation" and entry.id not in COMPLAINTS and not course.challenged:
        strength *= 0.7
    return Cue(entry.id, entry.family, round(strength, 3), match.group().strip(" ,.;"), "; ".join(against))
