"""Reasons: what made a turn stand out, in sentences built from the measured numbers.

Each sentence sums up one group of the line head's contributions, quotes the words where there are any, and gives the
person's usual beside the number. Templates only; a sentence whose number is not out of the ordinary stays away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from pipeline.alliance import gates, lexicon
from pipeline.alliance.timing import Course
from pipeline.records import Turn

LEAST = 0.15  # natural-log units: a group that adds less is no reason
MEASURED = {"length", "wait"}  # plain numbers, which a supervisor can check by ear ...
SHOWN_FIRST = 1.0  # ... are shown before words that add up to this much more
MOST = 4  # reasons shown
QUOTE_WORDS = 14  # words quoted at most

CLIENT_SAYS = {
    "agreement": "agreement",
    "hedge": "“maybe”, “I guess” and the like",
    "courtesy": "apology or thanks",
    "negation": "“no” and “not”",
    "second_person": "“you” meant for the therapist",
    "force": "strong words",
    "therapy": "the therapy and its tasks",
    "why": "asking what it is for",
    "contrast": "“but” and “well”",
    "people": "people in general",
    "shift": "changing the subject",
    "feeling": "feeling",
}
TELLING = {"second_person", "force", "therapy", "negation", "why", "hedge", "courtesy", "people", "shift"}
THERAPIST_SAYS = {
    "apology": "apology or own part",
    "check_in": "checking in",
    "validation": "giving the client right",
    "change": "changing or explaining the task",
}


@dataclass(frozen=True)
class Place:
    """One turn in its session, as the sentences need it."""

    turns: Sequence[Turn]
    course: Sequence[Course]
    index: int

    @property
    def turn(self) -> Turn:
        return self.turns[self.index]

    @property
    def row(self) -> Course:
        return self.course[self.index]

    def text(self, index: int | None) -> str:
        return gates.sure_text(self.turns[index]) if index is not None else ""


def find_reasons(names: Sequence[str], contributions: np.ndarray, place: Place) -> list[str]:
    """At most four sentences, the group that adds most first.

    names, contributions   of the line head's columns, natural-log units
    """
    sums: dict[str, float] = {}
    for name, value in zip(names, contributions, strict=True):
        group = _group(name)
        sums[group] = sums.get(group, 0.0) + float(value)
    reasons = []
    for group in MEASURED & sums.keys():
        sums[group] += SHOWN_FIRST
    for group in sorted(sums, key=lambda g: (-sums[g], g)):
        if sums[group] >= LEAST and (sentence := _sentence(group, place)):
            reasons.append(sentence)
    return list(dict.fromkeys(reasons))[:MOST]


_LENGTH = re.compile(r"(?:log_words_z|log_words|three_words|minimal|short_run|minimal_invited|short_invited"
                     r"|minimal_near|unanswered_near|own_length_near)$")  # fmt: skip
_WAIT = re.compile(r"(?:latency_z|waited|cut_in|late_invited|own_wait_near)$")


def _group(name: str) -> str:
    """The group that a column belongs to: "length", "wait", "says:agreement", "then:apology", "before", ..."""
    kind, _, column = name.partition(":")
    if kind == "meaning":
        return "meaning"
    for place, group in (("own_before_", "own"), ("own_after_", "own"), ("before_", "before"), ("after_", "then")):
        if column.startswith(place):
            return f"then:{_class_of(column[len(place) :])}" if group == "then" else group
    if _LENGTH.match(column):
        return "length"
    if _WAIT.match(column):
        return "wait"
    return f"says:{_class_of(column)}"


def _class_of(column: str) -> str:
    return re.sub(r"_(?:hits|density)$", "", column)


def _sentence(group: str, place: Place) -> str:
    kind, _, name = group.partition(":")
    return _SENTENCES[kind](place, name) if kind in _SENTENCES else ""


def _length(place: Place, _: str) -> str:
    row = place.row
    invited = " to an open invitation" if row.invited else ""
    if row.short_run >= 2:
        return f"{row.short_run} of the last 3 replies gave little to work with; usual {row.usual_words:.0f} words"
    if row.log_words_z <= -0.5:
        return f"{_count(row.words, 'word')} in reply{invited}; usual {row.usual_words:.0f}"
    if row.log_words_z >= 1.0:
        return f"a long turn, {_count(row.words, 'word')}; usual {row.usual_words:.0f}"
    return ""


def _wait(place: Place, _: str) -> str:
    row = place.row
    if row.latency_s is None:
        return ""
    if row.latency_s < -0.15:
        return f"comes in {-row.latency_s:.1f} s before the other has ended; usual wait {row.usual_latency_s:.1f} s"
    if row.latency_s > row.usual_latency_s + 0.4:
        return f"answers after {row.latency_s:.1f} s; usual {row.usual_latency_s:.1f} s"
    return ""


def _says(place: Place, name: str) -> str:
    return _class_sentence(place, place.index, name, CLIENT_SAYS | THERAPIST_SAYS, "")


def _then(place: Place, name: str) -> str:
    after = place.row.after
    if after is None:
        return ""
    lead = "the therapist then: " if place.turn.role == "client" else "the client then: "
    return _class_sentence(place, after, name, THERAPIST_SAYS if place.turn.role == "client" else {}, lead)


def _class_sentence(place: Place, index: int, name: str, labels: dict[str, str], lead: str) -> str:
    role = place.turns[index].role
    pattern = lexicon.BY_ROLE.get(role, {}).get(name)
    hits = len(pattern.findall(place.text(index))) if pattern and name in labels else 0
    if not hits:
        return ""
    usual = mean(len(pattern.findall(place.text(i))) for i, turn in enumerate(place.turns) if turn.role == role)
    quoted = _quote(place.text(index), pattern)
    return f"{lead}“{quoted}”: {labels[name]}, {hits} in this turn; usual {usual:.1f}"


def _before(place: Place, _: str) -> str:
    before = place.row.before
    if before is None or place.turn.role != "client":
        return ""
    row, text = place.course[before], place.text(before)
    what = "makes a suggestion or explains" if gates.is_intervention(text) else ""
    what = what or ("asks openly" if gates.is_open_invitation(text) else "")
    if not what and row.log_words_z < 1.0:
        return ""
    return f"just before, the therapist {what or 'talks at length'} ({row.words} words; usual {row.usual_words:.0f})"


def likeness_line(place: Place, name: str) -> str:
    """The turn's most telling words, and the marker they are closest to."""
    patterns = [pattern for cue, pattern in lexicon.BY_ROLE.get(place.turn.role, {}).items() if cue in TELLING]
    words = place.text(place.index).split()
    starts = range(max(1, len(words) - QUOTE_WORDS + 1))
    cuts = [" ".join(words[first : first + QUOTE_WORDS]) for first in starts]
    first = max(starts, key=lambda at: (sum(len(pattern.findall(cuts[at])) for pattern in patterns), -at))
    more = first + QUOTE_WORDS < len(words)
    return f"“{'… ' if first else ''}{cuts[first]}{' …' if more else ''}”: closest to the marker “{name.lower()}”"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _quote(text: str, pattern: re.Pattern[str]) -> str:
    """The words around the first hit."""
    words, match = text.split(), pattern.search(text)
    at = len(text[: match.start()].split()) if match else 0
    first = max(0, min(at - QUOTE_WORDS // 2, len(words) - QUOTE_WORDS))
    cut = words[first : first + QUOTE_WORDS]
    return ("… " if first else "") + " ".join(cut) + (" …" if first + QUOTE_WORDS < len(words) else "")


_SENTENCES: dict[str, Callable[[Place, str], str]] = {
    "length": _length,
    "wait": _wait,
    "says": _says,
    "then": _then,
    "before": _before,
}
