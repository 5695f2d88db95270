"""What a turn asks of the other: an open question, a closed one, a reflection, or nothing in particular.

English only, by form: a question mark or an opening that asks, then whether a short answer would do. Whisper writes question
marks from intonation as well as from words; a transcript without any still has its openings.
"""

from __future__ import annotations

import re

KINDS = ("open question", "closed question", "reflection", "statement")

_OPEN = re.compile(
    r"\bwhat(?:'s|'d| is| was| do| did| does| would| comes?| came| happens?| happened| about| are| were| makes?| made| else"
    r"| if| might| could| kind| sort| goes| went)\b|\bhow(?:'s| is| was| do| did| does| are| were| have| has| would| come"
    r"| might| could)\b|\bwhy\b|\btell me\b|\bsay (?:a (?:bit|little) |some )?more\b|\bi(?:'m| am)? (?:wonder|wondering|curious)\b"
    r"|\bhelp me understand\b|\b(?:can|could|would) you (?:describe|say|tell|help|talk|walk)\b|\bin what way\b",
    re.IGNORECASE,
)
_FACT = re.compile(
    r"\bhow (?:many|much|old|long|often|far|big|soon|regularly)\b|\bwhat (?:time|day|date|year|month|dose|age|number|name|colou?r)\b"
    r"|\bwhat(?:'s| is| was) (?:the|your|his|her|their) (?:name|date|address|number|dose|age|job)\b|\bwhich (?:one|day|week)\b"
    r"|\bwhen (?:is|was|did|are|were|do|does)\b|\bwhere (?:is|was|are|were)\b|\bwho(?:'s| is| was)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^(?:(?:and|so|but|okay|ok|right|well|um+|uh|er+m?|oh|yeah|now|then)[\s,.]+)*"
    r"(?:do|does|did|don't|doesn't|didn't|is|isn't|are|aren't|was|wasn't|were|weren't|have|haven't|has|hasn't|had|can|can't"
    r"|could|couldn't|will|won't|would|wouldn't|should|shouldn't|any|anything|anyone)\b",
    re.IGNORECASE,
)
_REFLECTION = re.compile(
    r"\b(?:it |that |this )?(?:sounds|feels|seems|looks) (?:like|as if|as though|to me)\b|\bi(?:'m)? (?:hear|hearing|sense|sensing)\b"
    r"|\bso (?:you|it|there|that|part of you|what you)\b|\byou(?:'re| are|'ve| have|'d| were| seem| feel| felt| want| wanted)\b"
    r"|\bpart of you\b|\bit must (?:have|be)\b|\bi imagine\b|\bi notice\b|\bthat's (?:hard|a lot|painful|tough|huge|heavy)\b",
    re.IGNORECASE,
)


def kind_of(text: str) -> str:
    """One of `KINDS`. The last sentence that asks decides, because it is the one that gets answered.

    A question that a number, a name, a date or yes would answer is closed, whatever else it is.
    """
    sentences = [s.strip() for s in re.findall(r"[^.!?]+[.!?]*", plain(text)) if s.strip()]
    for sentence in reversed(sentences[-3:]):
        if (kind := _asks(sentence)) is not None:
            return kind
    return "reflection" if _REFLECTION.search(" ".join(sentences)) else "statement"


def _asks(sentence: str) -> str | None:
    marked = sentence.endswith("?")
    if _FACT.search(sentence) and marked:
        return "closed question"
    opening = _OPEN.search(sentence)
    if opening and (marked or (opening.start() < 15 and not _REFLECTION.search(sentence[: opening.start() + 1]))):
        return "open question"
    if marked:
        return "reflection" if _REFLECTION.search(sentence) and not _YES_NO.match(sentence) else "closed question"
    return "closed question" if _YES_NO.match(sentence) and len(sentence.split()) > 3 else None


def is_invitation(kind: str) -> bool:
    """Whether a short reply to it says something: an open question or a reflection."""
    return kind in ("open question", "reflection")


def plain(text: str) -> str:
    """Straight apostrophes, single spaces."""
    return re.sub(r"\s+", " ", text.replace("’", "'").replace("‘", "'")).strip()
