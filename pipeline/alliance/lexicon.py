"""Word classes: small sets of everyday words whose share in a turn says how it is meant.

Counted after the gates: a client's "you" counts only where it is meant for the therapist, and quoted speech is left
out. Classes are read with and without punctuation and capitals, so that recognised speech loses little.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from pipeline.alliance import gates

MOST = 3  # more hits of one class add nothing
STRETCH = 30  # words within which hits are counted: in a long story they add up without meaning more
IN_LONG = 0.5  # what a hit in the densest stretch of a longer turn counts: of many stretches one is dense by chance
DENSE = 3.0  # a class that fills a third of the turn is as dense as it gets


def _classes(**words: str) -> dict[str, re.Pattern[str]]:
    return {name: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for name, pattern in words.items()}


_FEELING = (
    r"feel\w*|felt|hurt\w*|sad|angry|anger|upset|scared|afraid|lonely|ashamed|cry\w*|guilty|worried|mad|pissed|annoyed"
    r"|frustrat\w*|hate"
)
_NEGATION = r"no|not|never|nothing|nobody|nah|nope|\w+n't|cannot|ain't|none"

CLIENT = _classes(
    first_person=r"i|me|my|mine|myself|i'm|i've|i'd|i'll",
    second_person=r"you|your|yours|you're|you've|you'd|you'll",
    we=r"we|us|our|we're",
    negation=_NEGATION,
    hedge=r"i guess|i suppose|maybe|kind of|sort of|probably|i dunno|don't know|not sure|whatever|perhaps",
    agreement=r"yeah|yes|yep|yup|sure|okay|ok|right|fine|of course|exactly|definitely|absolutely|makes sense|good idea"
    r"|you're right|true|alright|all right|no problem|sounds good|fair enough",
    courtesy=r"sorry|apologi[sz]e|my fault|my bad|i didn't mean|thank you|thanks",
    feeling=_FEELING,
    others=r"he|she|they|him|her|them|his|their",
    people=r"people|everybody|everyone|anybody|anyone|one has|you have to|you got to|you just|that's life"
    r"|it is what it is|some people|society|these days",
    shift=r"anyway|by the way|speaking of|oh i meant|before i forget|that reminds me|actually i wanted|can i ask"
    r"|what time|did i tell you|guess what|funny thing",
    therapy=r"session\w*|therapy|therapist|counsel\w*|homework|worksheet\w*|sheet|form|forms|exercise\w*|diary|log|here"
    r"|this stuff|record\w*|camera|supervisor|student|program|group|class|plan|goal\w*|breathing|practice|script|chart",
    contrast=r"but|actually|well",
    why=r"why|what's the point|what for|how come|how is that|how's that|so what",
    force=r"never|always|ridiculous|stupid|pointless|useless|waste|crap|bullshit|joke|seriously|come on|excuse me"
    r"|fed up|enough|stop|told you|already",
)
THERAPIST = _classes(
    apology=r"sorry|apologi[sz]e|my fault|my bad|that's on me|i got that wrong|i missed|i pushed|i jumped|i rushed"
    r"|i was going|got ahead|too fast|my mistake|i shouldn't have|i should have|didn't listen|wasn't listening"
    r"|i kind of|i got carried",
    check_in=r"how (?:was|is|are|did) (?:that|it|this|you) .{0,30}(?:hear|me|us|land|feel)|did i|am i"
    r"|was (?:that|it) (?:me|too)|with me|between us|how are we|what (?:was|is) it like|did that|went quiet"
    r"|you got quiet|seem\w*|i notice\w*|i wonder|wondering|something (?:just )?(?:happened|shifted|changed)"
    r"|tell me if|be honest|really think",
    validation=r"makes sense|i don't blame|fair enough|that's fair|you're right|i hear you|understandable|of course you"
    r"|no wonder|i get (?:it|that|why)|thank you for (?:saying|telling)|thanks for (?:saying|telling)"
    r"|glad you (?:said|told)|good that you",
    first_person=r"i|me|my|i'm|i've|i'd",
    second_person=r"you|your|you're|you've",
    we=r"we|us|our|let's",
    change=r"instead|different|put (?:it|this|that) away|leave (?:it|that)|drop (?:it|that)|skip|change|rather"
    r"|slow down|go back|back up|start over|the reason|the idea|let me explain|what i meant|i meant",
    feeling=_FEELING,
    negation=_NEGATION,
)
BY_ROLE = {"client": CLIENT, "therapist": THERAPIST}


def count_classes(text: str, role: str) -> list[float]:
    """Two numbers a class, in the order of the role's table: hits in the densest stretch (0 to 1, full at three,
    half of that in a turn longer than a stretch), and density over the turn (0 to 1).

    text   as `gates.plain` gives it
    """
    bare = gates.spoken_by_self(text) if role == "client" else text
    words = max(1, len(bare.split()))
    numbers = []
    for name, pattern in BY_ROLE[role].items():
        counted = gates.without_generic_you(bare) if role == "client" and name == "second_person" else bare
        found = list(pattern.finditer(counted))
        hits = len(found) if words <= STRETCH else IN_LONG * _most_near(counted, found)
        numbers += [min(hits, MOST) / MOST, min(1.0, DENSE * len(found) / words)]
    return numbers


def _most_near(text: str, found: Sequence[re.Match]) -> int:
    """The most hits within any STRETCH words."""
    at = [text.count(" ", 0, match.start()) for match in found]
    return max((bisect_left(at, first + STRETCH) - k for k, first in enumerate(at)), default=0)


def class_names(role: str) -> list[str]:
    """Names of the numbers of `count_classes`."""
    return [f"{name}_{what}" for name in BY_ROLE[role] for what in ("hits", "density")]
