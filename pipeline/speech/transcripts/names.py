"""The role that a speaker's name says."""

from __future__ import annotations

import re

from pipeline.records import Role

THERAPIST_NAMES = frozenset(
    [
        "therapist",
        "psychotherapist",
        "counsellor",
        "counselor",
        "clinician",
        "psychologist",
        "psychiatrist",
        "doctor",
        "practitioner",
        "trainee",
        "interviewer",
        "coach",
    ]
)
CLIENT_NAMES = frozenset(["client", "patient", "interviewee", "coachee"])
OTHER_NAMES = frozenset(["other", "observer", "interpreter", "supervisor"])
SHORT_NAMES: dict[str, Role] = {
    "t": "therapist",
    "th": "therapist",
    "c": "client",
    "cl": "client",
    "p": "client",
    "pt": "client",
}


def role_of(speaker: str | None) -> Role | None:
    """The role that a speaker's name says, as in "Therapist", "Anna (client)", "T", "C1"; None where it says none."""
    names = re.findall(r"[^\W\d_]+", (speaker or "").casefold())
    if len(names) == 1 and names[0] in SHORT_NAMES:
        return SHORT_NAMES[names[0]]
    found: set[Role] = set()
    for role, known in (("therapist", THERAPIST_NAMES), ("client", CLIENT_NAMES), ("other", OTHER_NAMES)):
        if not known.isdisjoint(names):
            found.add(role)
    return found.pop() if len(found) == 1 else None
