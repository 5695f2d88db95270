"""Who is the therapist: roles from the words, because a therapist says "you" where a client says "I".

Each speaker's ratio (you + 1) / (I + 1) is compared with the other's; the share of question words helps where that
is close, and so do the rates of some hundred everyday words (`role_words`). Over 133 demonstrated sessions of
motivational interviewing (AnnoMI) both the ratio with question words and the whole name all 133 rightly, talk share 80
and "speaks first" 116. Where little was said the everyday words matter: of excerpts of 6 turns, from these and 24 coded
sessions, the ratio names 94 % rightly, the whole 97 %. An enrolled therapist's voice wins over the words, roles that a
transcript states win over anything measured, and a person's swap wins over all.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.intervals import gaps, within
from pipeline.records import Audio, Given, Role, Speech, Voice, Word, spoken_language
from pipeline.speech.enrolled import Enrolled, Match, embed_speakers, match_voices
from pipeline.speech.role_words import load_role_words, weigh_words
from pipeline.speech.turns import attribute_words

YOU = re.compile(r"\byou\b")  # also you're, you've, you'll
I_SELF = re.compile(r"\bi\b")  # also I'm, I've, I'd
COUNTED = frozenset({"you", "i", "what", "how", "why", "when", "where", "who", "which"})  # told by themselves
QUESTION = re.compile(r"\b(?:what|how|why|when|where|who|which)\b")
QUESTION_WEIGHT = 0.2  # of the log ratio of question-word rates; 0 to 0.5 gave 132-133 of 133 AnnoMI sessions
QUESTION_PRIOR_WORDS = 20  # words added to each rate, so that a few words decide nothing
# Log-odds of being right for each unit of evidence. Of 2,878 excerpts of 6 to 30 turns (AnnoMI and 24 coded sessions)
# 71, 86, 97 and 100 % are named rightly where confidence is 0.63, 0.82, 0.95 and 1.00 in the mean.
RATIO_WEIGHT, WORDS_WEIGHT = 1.0, 2.0
TELLING = 3  # everyday words named in the reason
ENOUGH_WORDS = 20  # below this a speaker has not said enough to be sure of: confidence is at most UNSURE
UNSURE = 0.6
ALIKE_SHARE = 0.1  # of their speech doubtful makes two voices alike; 0.02 to 0.04 over five interviews and two acted
# sessions, the two interviews with similar voices (cosine 0.62 and 0.49) at 0.04. In an acted session whose client is
# the therapist with formants 12 % higher (cosine 0.59) 0.08, with 8 % (0.77) 0.18, with 5 % one voice is heard
BY_SAMPLE = 0.95  # confidence by a voice sample: 120 of 120 with one from the same session
ONE_VOICE = "Only one voice is heard, or two too alike to tell apart, so there is nobody to compare it with."
READ = "en"  # the language whose words for you and I are known here
NAMES = {"therapist": "the therapist", "client": "the client", "other": "somebody else"}

Stated = tuple[Role, float, str]  # a role, its confidence, and why


@dataclass(frozen=True)
class VoicesOptions:
    """How roles are decided."""

    swap: bool = False  # a person has said that therapist and client are the wrong way round
    language: str = READ  # of the words; roles are told by the words only where this is "en"


@dataclass(frozen=True)
class Style:
    """What one speaker's words say about the role: counts, never shares, so that they add up."""

    words: int
    you: int
    i: int
    questions: int


def assign_roles(
    words: list[Word], speech: list[Speech], given: list[Given] | None, options: VoicesOptions
) -> list[Voice]:
    """Give every speaker a role, in order of first being heard.

    words    in order of start; those without a speaker get the one whose speech covers them
    given    lines that may state roles; a stated role is certain
    returns  one voice a speaker: at most one therapist and one client, the rest "other" where the roles are measured.
             The two who talk longest are measured; where much of their speech may be either's, their roles are unsure.
             A lone speaker is taken for the client, unsure: there is nobody to compare with. No speaker, no voice.
    """
    language = spoken_language(options.language, words)
    said: dict[str, list[Word]] = defaultdict(list)
    for word in attribute_words(words, speech):
        said[word.speaker].append(word)
    heard = _spans(speech, said)
    roles = _stated_roles(given or [], heard)
    if not {"therapist", "client"} <= {role for role, _, _ in roles.values()}:
        roles = {**_measured_roles(heard, said, speech, roles, language), **roles}
    if options.swap:
        roles = {speaker: _swapped(role) for speaker, (role, _, _) in roles.items()}
    rest = ("other", 0.9, "One of the other people in the room: two others talk more.")
    return [Voice(*heard[s], s, *roles.get(s, rest)) for s in sorted(heard, key=lambda s: heard[s])]


def name_voices(
    words: list[Word],
    speech: list[Speech],
    given: list[Given] | None,
    audio: Audio | None,
    enrolled: Mapping[str, Enrolled],
    options: VoicesOptions,
) -> list[Voice]:
    """Give every speaker a role: by an enrolled therapist's voice where one is surely heard, else as `assign_roles`.

    audio      None for a session from a transcript alone
    enrolled   the store's voices by name, all of them therapists'
    raises     AttuneError where an enrolled voice was made with other weights

    Roles that a transcript states, and a person's swap, win over a voice; a session in which two speakers are enrolled
    (a role play, say) is left to the words.
    """
    voices = assign_roles(words, speech, given, options)
    if not enrolled or audio is None or options.swap or any(line.role for line in given or ()):
        return voices
    matches = match_voices(embed_speakers(audio, speech), enrolled)
    return use_match(voices, matches[0]) if len({match.speaker for match in matches}) == 1 else voices


def use_match(voices: Sequence[Voice], match: Match) -> list[Voice]:
    """The voices, with the matched speaker as the therapist; the client is whoever was, or was the therapist before."""
    before = next(voice for voice in voices if voice.speaker == match.speaker)
    beside = "" if match.other is None else f", the closest other voice {match.other:.2f}"
    sample = f"Sounds like the voice sample of {match.name} (cosine {match.cosine:.2f}{beside})."
    turned: dict[Role, Role] = {"therapist": "client" if before.role == "client" else "other"}
    named: list[Voice] = []
    for voice in voices:
        if voice is before:
            named.append(replace(voice, role="therapist", confidence=BY_SAMPLE, why=sample))
        elif voice.role == "other":
            named.append(voice)
        else:
            why = f"Another voice is {match.name}'s by the voice sample."
            named.append(replace(voice, role=turned.get(voice.role, "client"), confidence=BY_SAMPLE, why=why))
    return named


def measure_style(text: str) -> Style:
    """Count what tells a therapist's way of talking from a client's. Curly apostrophes count as straight ones."""
    text = text.lower().replace("’", "'")
    counts = (len(pattern.findall(text)) for pattern in (YOU, I_SELF, QUESTION))
    return Style(len(text.split()), *counts)


def therapist_evidence(a: Style, b: Style) -> float:
    """Natural-log evidence that `a` rather than `b` is the therapist; 0.0 where the words do not say."""
    ratio = math.log((a.you + 1) / (a.i + 1)) - math.log((b.you + 1) / (b.i + 1))
    rate_a, rate_b = ((s.questions + 1) / (s.words + QUESTION_PRIOR_WORDS) for s in (a, b))
    return ratio + QUESTION_WEIGHT * math.log(rate_a / rate_b)


def _spans(speech: Sequence[Speech], said: dict[str, list[Word]]) -> dict[str, tuple[float, float]]:
    """Where each speaker is first and last heard, in speech or in words."""
    spans: dict[str, tuple[float, float]] = {}
    for item in [*speech, *(word for words in said.values() for word in words)]:
        start, end = spans.get(item.speaker, (item.start, item.end))
        spans[item.speaker] = (min(start, item.start), max(end, item.end))
    return spans


def _stated_roles(given: Sequence[Given], heard: dict[str, tuple[float, float]]) -> dict[str, Stated]:
    """The role most lines of a speaker state, where any does."""
    votes: dict[str, Counter] = defaultdict(Counter)
    for line in given:
        if line.speaker in heard and line.role:
            votes[line.speaker][line.role] += 1
    return {
        speaker: (role, 1.0, f"The transcript names this speaker as {NAMES[role]}.")
        for speaker, count in votes.items()
        for role, _ in count.most_common(1)
    }


def _measured_roles(
    heard: dict[str, tuple[float, float]],
    said: dict[str, list[Word]],
    speech: Sequence[Speech],
    stated: dict[str, Stated],
    language: str,
) -> dict[str, Stated]:
    """Therapist and client among the speakers whose role is not stated."""
    known = {role: s for s, (role, _, _) in stated.items() if role != "other"}
    if known:
        missing: Role = "client" if "therapist" in known else "therapist"
        rest = _by_talk([s for s in heard if s not in stated], said, speech)
        why = f"The transcript names {NAMES[next(iter(known))]}; this is the other voice."
        return {s: (missing, 0.9, why) for s in rest[:1]}
    pair = _by_talk([s for s in heard if s not in stated], said, speech)[:2]
    if len(pair) == 1:
        return {pair[0]: ("client", 0.5, ONE_VOICE)}
    if not pair:
        return {}
    if language != READ:
        return _by_talk_alone(*pair, language)
    return _doubted(_compare(*sorted(pair, key=lambda s: heard[s]), said), speech)


def _by_talk(speakers: Sequence[str], said: dict[str, list[Word]], speech: Sequence[Speech]) -> list[str]:
    """Most words first, then most speech."""
    talk = {s: sum(item.end - item.start for item in speech if item.speaker == s) for s in speakers}
    return sorted(speakers, key=lambda s: (-len(said.get(s, ())), -talk[s], s))


def _by_talk_alone(most: str, least: str, language: str) -> dict[str, Stated]:
    """A first guess for a person to confirm: the client talks more, as in 80 of 133 AnnoMI sessions."""
    told = f"in the language {language!r}" if language else "in a language that was not stated"
    why = f"Words {told} are not read for roles; by talk alone, "
    return {
        least: ("therapist", UNSURE, why + "this voice talks less."),
        most: ("client", UNSURE, why + "this voice talks more."),
    }


def _compare(first: str, second: str, said: dict[str, list[Word]]) -> dict[str, Stated]:
    texts = {s: " ".join(word.text for word in said.get(s, ())) for s in (first, second)}
    styles = {s: measure_style(text) for s, text in texts.items()}
    everyday = weigh_words(texts[first], texts[second], load_role_words())
    evidence = RATIO_WEIGHT * therapist_evidence(styles[first], styles[second])
    evidence += WORDS_WEIGHT * sum(everyday.values())
    therapist, client = (first, second) if evidence > 0 else (second, first)
    confidence = 1 / (1 + math.exp(-abs(evidence)))
    few = min(style.words for style in styles.values()) < ENOUGH_WORDS
    if few:
        confidence = min(confidence, UNSURE)
    rest = _why_everyday({word: part if evidence > 0 else -part for word, part in everyday.items()})
    rest += " There are too few words to be sure." if few else ""
    return {
        s: (role, round(confidence, 3), _why(styles[s], styles[other]) + rest)
        for s, other, role in ((therapist, client, "therapist"), (client, therapist, "client"))
    }


def _doubted(roles: dict[str, Stated], speech: Sequence[Speech]) -> dict[str, Stated]:
    """The roles, unsure where the voices are too alike to tell apart: the words of each may be the other's."""
    share = doubtful_share([s for s in speech if s.speaker in roles])
    if share < ALIKE_SHARE:
        return roles
    doubt = f" The two voices sound alike: {share:.0%} of the speech may be either's."
    return {s: (role, min(confidence, UNSURE), why + doubt) for s, (role, confidence, why) in roles.items()}


def doubtful_share(speech: Sequence[Speech]) -> float:
    """Share of the speech, where one person talks alone, that may be another's: 0 to 1; 0.0 where nobody does."""
    seconds = {True: 0.0, False: 0.0}
    for stretch in speech:
        others = [s for s in within(speech, stretch) if s.speaker != stretch.speaker]
        seconds[stretch.doubtful] += sum(part.end - part.start for part in gaps(others, stretch))
    return seconds[True] / max(sum(seconds.values()), 1e-9)


def _why(own: Style, other: Style) -> str:
    return (
        f'Says "you" {own.you} and "I" {own.i} times, the other voice {other.you} and {other.i}; '
        f"question words {own.questions} in {own.words} words against {other.questions} in {other.words}."
    )


def _why_everyday(parts: Mapping[str, float]) -> str:
    """Which everyday words speak most for the roles as named; `parts` are what each adds to that."""
    if sum(parts.values()) <= 0:
        return " How often they say other everyday words does not support it."
    most = sorted((word for word in parts if word not in COUNTED), key=lambda word: (-parts[word], word))[:TELLING]
    return " Other everyday words that support it most: " + ", ".join(f'"{word}"' for word in most) + "."


def _swapped(role: Role) -> Stated:
    turned: dict[str, Role] = {"therapist": "client", "client": "therapist"}
    return turned.get(role, role), 1.0, "A person has decided the roles of this session."
