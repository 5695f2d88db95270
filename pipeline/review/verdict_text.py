"""A verdict as one line of text, for annotation programs: written here, changed there, and read back.

agree; withdrawal; clarity plus; significance 4; useful; repair attempt; moves rs_apology; resolved 3; own part 2
disagree; because third party
"""

from __future__ import annotations

import re
from typing import Any, get_args

from pipeline.review.verdicts import Answer, Clarity, RaterRole, Reason, Seen, Verdict

RATINGS = {"significance": "significance", "resolved": "resolution", "own part": "therapist_contribution"}
REPAIRS = {"repair attempt": "attempt", "no repair": "none"}
USEFUL = {"useful": True, "not useful": False}
FORM = 'write for instance "agree; withdrawal; significance 4" or "disagree; because third party"'
TIER = re.compile(r"verdicts (?P<rater>.+?)(?: \((?P<role>trainee|consensus)\))?")


def tier_name(rater: str, role: RaterRole) -> str:
    """The tier of a person's verdicts."""
    return f"verdicts {rater}" + (f" ({role})" if role != "supervisor" else "")


def say_verdict(verdict: Verdict) -> str:
    """What the person decided, without their note."""
    parts = [verdict.answer, verdict.kind.replace("_", " ")]
    parts.append(f"clarity {verdict.clarity}" if verdict.clarity else "")
    parts += [name for name, useful in USEFUL.items() if verdict.useful is useful]
    parts.append(f"because {verdict.reject_reason.replace('_', ' ')}" if verdict.reject_reason else "")
    parts += [name for name, repair in REPAIRS.items() if verdict.repair == repair]
    parts.append(f"moves {' + '.join(verdict.strategies)}" if verdict.strategies else "")
    parts += [f"{name} {getattr(verdict, field)}" for name, field in RATINGS.items() if getattr(verdict, field)]
    return "; ".join(filter(None, parts))


def read_verdict(text: str) -> dict[str, Any]:
    """The fields of a verdict that the text states, by name; always `answer`.

    raises   ValueError naming the part that says nothing, or that the answer is missing
    """
    found: dict[str, Any] = {}
    for part in re.split(r"[;,]", text):
        said = " ".join(part.split()).lower()
        if said:
            found |= _read(said)
    if "answer" not in found:
        raise ValueError(f"{text!r} holds no {', '.join(get_args(Answer)[:-1])} or {get_args(Answer)[-1]}")
    return found


def _read(said: str) -> dict[str, Any]:
    word = said.replace(" ", "_")
    first, _, rest = said.partition(" ")
    if said in get_args(Answer):
        return {"answer": said}
    if word in get_args(Seen):
        return {"kind": word}
    if said in USEFUL:
        return {"useful": USEFUL[said]}
    if said in REPAIRS:
        return {"repair": REPAIRS[said]}
    if first == "clarity" and rest and rest in get_args(Clarity):
        return {"clarity": rest}
    if first == "because" and rest and rest.replace(" ", "_") in get_args(Reason):
        return {"reject_reason": rest.replace(" ", "_")}
    if first == "moves" and rest:
        return {"strategies": tuple(name.strip() for name in rest.split("+"))}
    name, _, number = said.rpartition(" ")
    if name in RATINGS and number in ("1", "2", "3", "4", "5"):
        return {RATINGS[name]: int(number)}
    raise ValueError(f"{said!r} is no part of a verdict")
