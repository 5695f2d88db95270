"""Gates: whether a cue may count where it was found.

Each gate is a pure function of text or turns. Text is expected as `plain` returns it: one case kept, curly
apostrophes made straight. A gate never adds evidence; it only lets it through or holds it back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.records import Turn

CONFIDENCE_FLOOR = 0.5  # words the recogniser was less sure of never feed a marker; the page shows them as doubtful

_REPORTING = re.compile(
    r"\b(sa(?:y|ys|id|ying)|tell(?:s|ing)?|told|asks?|asked|goes|went"
    r"|(?<!i )(?<!don't )(?<!do )(?<!really )(?<!just )think(?:s|ing)?|thought"
    r"|(?:was|were|is|am|be|being|'s|'m|'re) like|shout(?:s|ed|ing)?|yell(?:s|ed|ing)?|text(?:s|ed)?|wrote|repl(?:y"
    r"|ied)"
    r"|in my head|to myself)\b",
    re.IGNORECASE,
)
_REPORTED_TO_OTHERS = re.compile(
    r"\b(?:i|he|she|they|we|who|mum|mom|dad|boss|wife|husband) (?:just |then |always |also )?"
    r"(?:said|says|goes|went|told|was like|were like|'s like|is like|shouted|yelled|texted|wrote)"
    r"(?: to)?(?! (?:you|to you)\b)(?: (?:him|her|them|me|us|my \w+))?\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”')
_GENERIC_YOU = re.compile(
    r"\byou know\b|\b(?:when|if|once|unless) you\b|\byou(?:'ve| have) got (?:people|to laugh)\b|\bthank you\b"
    r"|\byou(?:'d| would) think\b|\bdo you know what\b|\bas you get older\b|\byou see\b|\bmind you\b|\bsee you\b",
    re.IGNORECASE,
)
_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|yourself|ya|yous|y'all|you(?:'re|'ve|'d|'ll))\b", re.IGNORECASE)
_THERAPY = re.compile(
    r"\b(?:sessions?|therapy|therapist|counsell?ing|counsell?or|homework|worksheets?|diary|thought records?|this form"
    r"|coming (?:here|in)|in here|this room|between us|this sheet|this stuff|these (?:forms|exercises|questions|sheets)"
    r"|the recording|the camera|on (?:film|camera)|what we do|talking about it|this (?:is|isn't|ain't) (?:working"
    r"|helping)"
    r"|treatment|program(?:me)?|this course|that chair|your (?:job|notes|training|clipboard))\b",
    re.IGNORECASE,
)
_THIRD_PARTY = re.compile(
    r"\b(?:he|she|they|him|her|them|(?:my|our|the) (?:mum|mom|mam|mother|dad|father|husband|wife|partner|boss|manager"
    r"|supervisor|sister|brother|son|daughter|ex|friend|teacher|doctor|gp|landlord|neighbou?rs?|boyfriend|girlfriend"
    r"|sponsor|nurse|probation officer|social worker))(?:'s|'d|'ll|'ve|'re)?\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\bwhat(?:'s| is| was|'d| do| did| does| would| comes| happens| about| are| were| made| got| have|'ve)\b"
    r"|\bhow(?:'s| is| was| do| did| does| are| have| would|'d| about| come)\b|\bhow\b(?! (?:many|much|old|long"
    r"|often|far|big))"
    r"|\btell me\b|\bsay (?:a bit |some |a little )?more\b|\bi wonder\b|\bi'm (?:wondering|curious)\b"
    r"|\bwhat (?:else|if|might|could)\b"
    r"|\bhelp me understand\b|\bcan you (?:describe|say|tell|help)\b|\bcould you (?:describe|say|tell|help)\b"
    r"|\b(?:does|did) that (?:fit|make sense|feel|sound|land|sit)\b|\bwhy do you think\b|\band underneath\b"
    r"|\bwould you (?:like|want|be willing) to\b|\bsomething you'd want\b|\bwhere (?:do|does|would|did) (?:you|that)\b",
    re.IGNORECASE,
)
_REFLECTION = re.compile(
    r"\b(?:it )?sounds (?:like|as if|as though)\b|\bseems? (?:like|as if|as though|to me)\b|\bi(?:'m)? (?:hear"
    r"|hearing|sense|sensing)\b"
    r"|\byou(?:'re| are|'ve| have|'d| were| seem| look| went| feel| felt)\b|\bso (?:it|you|that|there)\b"
    r"|\bmust (?:have|be)\b"
    r"|\bi imagine\b|\bi notice\b|\bthat's (?:hard|a lot|painful|tough|huge)\b",
    re.IGNORECASE,
)
_FACT = re.compile(
    r"\b(?:how (?:many|much|old|long|often|far)|what (?:time|day|date|year|month|dose|age|number|colou?r|name)"
    r"|what(?:'s| is| was) (?:the|your|his|her|their) (?:name|date|address|number|dose)|which (?:day|one|week)"
    r"|where (?:is|was|are)"
    r"|when (?:is|was|did|are)|who (?:is|was|'s))\b",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"(?:^|[.!,;] )(?:so |and |but |okay |well )*(?:do|does|did|are|is|was|were|have|has|can|could|would|will|shall"
    r"|should|don't|didn't|isn't|aren't|wasn't) (?:you|that|it|he|she|they|there|we|i|this|your)\b",
    re.IGNORECASE,
)
_LOGISTICS = re.compile(
    r"\b(?:next (?:week|session|time)|same time|appointment|reschedul\w*|book(?:ed|ing)?|calendar|o'clock"
    r"|half (?:past|one|two|"
    r"three|four|five|six)|quarter (?:to|past)|parking|receptionist|front desk|reception|the bus|the train|invoice"
    r"|fee|receipt"
    r"|the (?:\w+teenth|\w+th|first|second|third)\b|(?:mon|tues|wednes|thurs|fri)day at|window|can you hear me"
    r"|frozen|wifi"
    r"|the link|on mute|tissues?|glass of water|toilet|bathroom)\b",
    re.IGNORECASE,
)
_INTERVENTION = re.compile(
    r"\b(?:what if you|how about|maybe (?:you|we|try|it)|you could|you might|could you|i(?:'d| would) (?:like"
    r"|suggest|want) (?:you|us)"
    r"|i'm wondering (?:if|whether)|i wonder (?:if|whether)|let's|try (?:to|and|this|it)|for (?:next week|homework)"
    r"|the idea is"
    r"|the reason|so what happens is|what (?:we|i) (?:often|sometimes|usually)? ?see|it's called|evidence|research"
    r"|another way of"
    r"|have you (?:tried|thought|considered)|would you (?:be willing|try|consider)|i think (?:you|that|it|what|part"
    r"|maybe)|perhaps"
    r"|part of you|it(?:'s| is) (?:almost )?as if|the (?:worksheet|exercise|diary|log|form|sheet|plan|step)"
    r"|why (?:don't|didn't) you"
    r"|isn't it possible|is it possible|are you sure|but (?:you|is|isn't|don't|didn't))\b",
    re.IGNORECASE,
)
_FEELING_PROBE = re.compile(
    r"\b(?:feel|feels|feeling|felt|hurt|sad|angry|upset|scared|like for you|stay with|come up|comes up|inside"
    r"|underneath|between us"
    r"|with me|land|sit with|notice|sense|hard to|lonely|ashamed|missed|miss)\b",
    re.IGNORECASE,
)
_LAUGH = re.compile(r"[\[(](?:[^\])]*\blaugh\w*[^\])]*)[\])]|\b(?:ha){2,}h?\b", re.IGNORECASE)
_MINIMAL = re.compile(
    r"^(?:(?:um+|uh+|erm?|oh|well|i mean|like|mm+|mhm|hm+|uh-huh|yeah|yes|yep|aye|no|nope|nah|sure|okay|ok|fine"
    r"|maybe|right|good"
    r"|alright|all right|i guess|i suppose|i dunno|dunno|i don'?t know|don'?t know|not sure|i'm not sure|not really"
    r"|nothing|probably"
    r"|whatever|suppose so|guess so|so|it'?s (?:fine|okay|ok|good|all right)|that'?s (?:fine|right|true|okay)"
    r"|kind of|sort of|sir"
    r"|ma'?am|miss|of course|exactly|totally|definitely|not much|no idea|if you (?:say so|like|want)|i see|thanks?"
    r"|thank you)[\s,.!?…-]*)+$",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """Text with straight apostrophes and single spaces, as every pattern expects it."""
    return re.sub(r"\s+", " ", text.replace("’", "'").replace("‘", "'")).strip()


def sure_text(turn: Turn) -> str:
    """The turn's words that the recogniser was sure enough of; doubtful words never feed a marker."""
    return plain(" ".join(word.text for word in turn.words if word.confidence >= CONFIDENCE_FLOOR))


def word_reliability(turn: Turn) -> float:
    """Share of the turn's words that are above the floor and likely right; 1.0 for a turn without words.

    Of Whisper's words in six interviews (6,815) 49, 68, 71, 79 and 96 % are right where the confidence is below 0.3,
    from 0.3, 0.5, 0.7 and 0.9: about a third and two thirds of the confidence.
    """
    if not turn.words:
        return 1.0
    sure = [(1 + 2 * word.confidence) / 3 for word in turn.words if word.confidence >= CONFIDENCE_FLOOR]
    return sum(sure) / len(turn.words)


def without_quotes(text: str) -> str:
    """The text with everything inside quotation marks taken out."""
    return plain(_QUOTED.sub(" ", text))


def without_generic_you(text: str) -> str:
    """The text without the "you" of people in general ("you know", "when you", "thank you")."""
    return plain(_GENERIC_YOU.sub(" ", text))


def spoken_by_self(text: str) -> str:
    """The text without quotations and without what follows a reporting verb in its sentence ("I said to him ...").

    A sentence that addresses the listener before the verb ("I told you", "you said") is the speaker's own and stays.
    """
    kept = []
    for sentence in re.findall(r"[^.!?;]+[.!?;]*", without_quotes(text)):
        verb = _REPORTED_TO_OTHERS.search(sentence)
        kept.append(sentence[: verb.end()] if verb else sentence)
    return plain(" ".join(kept))


def is_reported(text: str, at: int) -> bool:
    """Whether the words at character `at` are somebody's reported speech.

    True inside quotation marks, and where a reporting verb stands among the six tokens before in the same sentence.
    """
    if any(match.start() <= at < match.end() for match in _QUOTED.finditer(text)):
        return True
    sentence = re.split(r"[.!?;]", text[:at])[-1]
    tokens = sentence.split()[-6:]
    return bool(_REPORTING.search(" ".join(tokens)))


def speaks_to_other(text: str) -> bool:
    """Whether any "you" is meant for the listener: outside quotes and not the "you" of people in general."""
    bare = _GENERIC_YOU.sub(" ", without_quotes(text))
    return any(not is_reported(bare, match.start()) for match in _SECOND_PERSON.finditer(bare))


def speaks_of_therapy(text: str) -> bool:
    """Whether the turn, outside quotes, names the therapy, its tasks or its frame."""
    return bool(_THERAPY.search(without_quotes(text)))


def about_third_party(text: str) -> bool:
    """Whether the clause's people are others: a third person outside quotes."""
    return bool(_THIRD_PARTY.search(without_quotes(text)))


def is_addressed(text: str, at: int | None = None) -> bool:
    """The target gate: about this therapist or this therapy, neither quoted nor about somebody else.

    at   character where the cue stands; only its own sentence and the one before are read then
    """
    if at is not None:
        if is_reported(text, at):
            return False
        text = _around(text, at)
    if speaks_of_therapy(text):
        return True
    return speaks_to_other(text) and not _third_party_subject(text)


def _around(text: str, at: int) -> str:
    sentences = list(re.finditer(r"[^.!?;]+[.!?;]*", text))
    here = next((i for i, s in enumerate(sentences) if s.start() <= at < s.end()), 0)
    return "".join(s.group() for s in sentences[max(0, here - 1) : here + 1]) if sentences else text


def _third_party_subject(text: str) -> bool:
    bare = without_quotes(text)
    other, you = _THIRD_PARTY.search(bare), _SECOND_PERSON.search(bare)
    return bool(other and you and other.start() < you.start())


def is_factual_question(text: str) -> bool:
    """A question whose ordinary answer is short: a number, a date, a name, yes or no."""
    return bool(_FACT.search(text)) and not _FEELING_PROBE.search(text)


def is_question(text: str) -> bool:
    """A question, by its mark or by its words: recognised speech may lack the mark."""
    return "?" in text or bool(_OPEN.search(text) or _FACT.search(text) or _CLOSED.search(text))


def is_open_invitation(text: str) -> bool:
    """An open question, a reflection or a probe for feeling: after it a very short reply says something."""
    if is_factual_question(text) or (is_logistics(text) and not _FEELING_PROBE.search(text)):
        return False
    if len(text.split()) < 2:
        return False
    return bool(_OPEN.search(text) or _REFLECTION.search(text) or _FEELING_PROBE.search(text))


def is_intervention(text: str) -> bool:
    """A suggestion, interpretation, challenge, task or explanation by the therapist."""
    return bool(_INTERVENTION.search(text)) and len(text.split()) >= 5


def is_feeling_probe(text: str) -> bool:
    """The therapist asks after or names a feeling, or speaks of what is between the two."""
    return bool(_FEELING_PROBE.search(text))


def is_logistics(text: str) -> bool:
    """Times, bookings, rooms, connections: the ordinary business around a session."""
    return bool(_LOGISTICS.search(text))


def has_laughter(text: str) -> bool:
    """Laughter written in the text, "[laughs]" or "haha"."""
    return bool(_LAUGH.search(text))


def is_shared_laughter(turns: Sequence[Turn], index: int, reach_s: float = 2.0) -> bool:
    """Whether the turn laughs and the other person laughs within `reach_s` seconds of it."""
    turn = turns[index]
    if not has_laughter(turn.text):
        return False
    near = [t for t in turns[max(0, index - 3) : index + 4] if t.role != turn.role]
    return any(has_laughter(t.text) and t.start - turn.end <= reach_s and turn.start - t.end <= reach_s for t in near)


def is_minimal(text: str, words: int = 3) -> bool:
    """A reply that gives nothing to work with: at most `words` words, or nothing but tokens such as "I guess, yeah"."""
    bare = plain(re.sub(r"[\[(][^\])]*[\])]", " ", text))
    return len(bare.split()) <= words or bool(_MINIMAL.match(bare))


def speaks_against(turns: Sequence[Turn], before: int | None, index: int) -> list[str]:
    """What a supervisor should weigh against a turn: reports, other people, arrangements, shared laughter, doubt.

    before   index of the other's turn before, or None
    """
    text = sure_text(turns[index])
    asked = sure_text(turns[before]) if before is not None else ""
    reasons = []
    if spoken_by_self(text) != text:
        reasons.append("part of it is a report of what somebody said")
    if about_third_party(text) and not speaks_to_other(text):
        reasons.append("it is about other people, not about the therapist")
    if is_logistics(text):
        reasons.append("it is partly about times or arrangements")
    if is_factual_question(asked):
        reasons.append("the question before asked for a fact, so a short answer is ordinary")
    if is_shared_laughter(turns, index):
        reasons.append("both laugh")
    if word_reliability(turns[index]) < 0.8:
        reasons.append("some of the words were hard to hear")
    return reasons
