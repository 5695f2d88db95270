"""What a turn asks of the other: an open question, a closed one, a reflection, or nothing in particular.

English only, by form: a question mark or an opening that asks, then whether a short answer would do. Whisper writes
question marks from intonation as well as from words; a transcript without any still has its openings.
"""

from __future__ import annotations

import re

KINDS = ("open question", "closed question", "reflection", "statement")

_FLAGS = re.IGNORECASE | re.VERBOSE

_OPEN = re.compile(
    r"""\b(?:
      what(?:'s|'d|[ ](?:is|was|do|did|does|would|comes?|came|happens?|happened|about|are|were|makes?|made|else|if|might
        |could|kinds?|sorts?|goes|went|brings|brought|have|has|had|will|can|should|you))
    | how(?:'s|'d|'re|[ ](?:is|was|do|did|does|are|were|have|has|would|come|might|could|can|will|about))
    | why | in[ ]what[ ]way
    | what[ ]\w+[ ](?:do|does|did|is|are|would|could|might|have|can|will|should)
    | (?:tell|talk[ ]to|take|walk)[ ]me | say[ ](?:a[ ](?:bit|little)[ ]|some[ ])?more | help[ ]me[ ]understand
    | i(?:'m|[ ]am)?[ ](?:wonder|wondering|curious)
    | (?:can|could|would)[ ]you[ ](?:describe|say|tell|help|talk|walk|explain|share|give[ ]me[ ](?:an[ ])?example)
    )\b""",
    _FLAGS,
)
_FACT = re.compile(
    r"""\b(?:
      how[ ](?:many|much|old|long|often|far|big|soon|regularly)
    | what[ ](?:time|day|date|year|month|dose|age|number|name|colou?r)
    | what(?:'s|[ ](?:is|was))[ ](?:the|your|his|her|their)[ ](?:name|date|address|number|dose|age|job)
    | which[ ](?:one|day|week) | wh(?:en|ere)[ ](?:is|was|are|were) | when[ ](?:did|do|does) | who(?:'s|[ ](?:is|was))
    )\b""",
    _FLAGS,
)
_YES_NO = re.compile(
    r"""^(?:(?:and|so|but|okay|ok|right|well|um+|uh|er+m?|oh|yeah|now|then)[\s,.]+)*
    (?:do|does|did|is|are|was|were|have|has|had|can|could|will|would|should|any|anything|anyone
      |(?:do|does|did|is|are|was|were|have|has|had|ca|could|wo|would|should)n't)\b""",
    _FLAGS,
)
_REFLECTION = re.compile(
    r"""\b(?:
      (?:sounds|feels|seems|looks)[ ](?:like|as[ ]if|as[ ]though|to[ ]me) | i(?:'m)?[ ](?:hear|hearing|sense|sensing)
    | so[ ](?:you|your|it|it's|there|there's|that|that's|part[ ]of[ ]you|what[ ]you|what[ ]i|for[ ]you|he|she|they)
    | you(?:'re|'ve|'d|[ ](?:are|have|were|seem|feel|felt|want|wanted|don't|can't|know|like|think|thought|need|really))
    | part[ ]of[ ]you | it[ ]must[ ](?:have|be) | i[ ](?:imagine|notice)
    | that(?:'s|[ ]must[ ]be)[ ](?:hard|a[ ]lot|painful|tough|huge|heavy)
    )\b""",
    _FLAGS,
)
_OPENING_CHARS = 20  # an unmarked question opens within its first few words


def kind_of(text: str) -> str:
    """One of `KINDS`. The last of the turn's last three sentences that asks decides: it is the one that gets answered.

    A question that a number, a name, a date or yes would answer is closed, whatever else it is.
    """
    sentences = [s.strip() for s in re.findall(r"[^.!?]+[.!?]*", plain(text)) if s.strip()]
    for sentence in reversed(sentences[-3:]):
        if (kind := _asks(sentence)) is not None:
            return kind
    return "reflection" if _REFLECTION.search(" ".join(sentences)) else "statement"


def _asks(sentence: str) -> str | None:
    marked = sentence.endswith("?")
    if marked and _FACT.search(sentence):
        return "closed question"
    opening = _OPEN.search(sentence)
    if opening and (marked or (opening.start() < _OPENING_CHARS and not _REFLECTION.search(sentence[: opening.end()]))):
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
