"""Language: what kind of words a turn holds, counted from short lists, and how near it stays to what was said before.

Shares are of the turn's words, 0 to 1. Counts of list words in everyday speech are rough: they say that words are
there, not what is meant. A language without lists gives missing values throughout and "not available".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.features import questions, similarity
from pipeline.features.wordlists import WordList, load_lists
from pipeline.records import Turn

SHARES = (
    "first_person", "second_person", "third_person", "negation", "hedges", "certainty", "feeling", "past", "present",
    "here_and_now", "therapy",
)  # fmt: skip
SURE = 0.6  # words that the recogniser was less sure of are not counted
RECENT = 2  # how many of the other's turns before "the other's last turns" are

_QUOTED = re.compile(r'"[^"]*"|“[^”]*”')
_LAUGH = re.compile(r"[\[(][^\])]*\b(?:laugh|chuckl|giggl)\w*[^\])]*[\])]|\b(?:ha){2,}h?\b", re.IGNORECASE)
_NOTE = re.compile(r"[\[(][^\])]*[\])]")
_TOKEN = re.compile(r"[\w'-]+")


def measure_language(turns: Sequence[Turn], language: str) -> dict[str, list]:
    """The language columns, one value a turn, in the order of `turns`.

    language   "en", or another code with lists
    """
    lists = load_lists(language)
    if lists is None:
        return {name: [missing] * len(turns) for name, missing in missing_columns().items()}
    rows = [_measure(turn, lists) for turn in turns]
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {n: [] for n in missing_columns()}
    tokens = [content_words(sure_text(turn), lists) for turn in turns]
    columns["similarity_other"] = similarity.to_other(turns, tokens, RECENT)
    columns["similarity_topic"] = similarity.to_topic(turns, tokens)
    return columns


def missing_columns() -> dict[str, object]:
    """Every language column and the value that stands for "not available"."""
    nan = float("nan")
    names = [f"{name}_share" for name in SHARES]
    names += ["you_therapist", "you_generic", "you_quoted", "reported_speech", "fillers", "repetitions", "false_starts"]
    names += ["laughter_read", "lexical_variety", "similarity_other", "similarity_topic"]
    return {"language_lists": "not available", "asks": "", **dict.fromkeys(names, nan), "agreement_only": nan}


def _measure(turn: Turn, lists: dict[str, WordList]) -> dict[str, object]:
    text = sure_text(turn)
    bare = _NOTE.sub(" ", text)
    tokens = _TOKEN.findall(bare)
    count = {name: _count(name, bare, lists) for name in SHARES}
    row: dict[str, object] = {"language_lists": "available", "asks": questions.kind_of(turn.text) if tokens else ""}
    row |= {f"{name}_share": count[name] / len(tokens) if tokens else float("nan") for name in SHARES}
    row |= _who_is_you(text, lists)
    row["reported_speech"] = float(len(lists["reported_speech"].find(bare)) + len(_QUOTED.findall(bare)))
    row["fillers"] = float(len(lists["fillers"].find(bare)))
    row["repetitions"] = float(_repetitions(bare, lists))
    row["false_starts"] = float(_false_starts(bare))
    row["laughter_read"] = float(len(_LAUGH.findall(turn.text)))
    row["lexical_variety"] = _variety(tokens)
    row["similarity_other"] = row["similarity_topic"] = float("nan")  # filled for all turns together
    row["agreement_only"] = float(is_agreement_only(bare, lists)) if tokens else float("nan")
    return row


def sure_text(turn: Turn) -> str:
    """The turn's surer words in lower case, with straight apostrophes."""
    return questions.plain(" ".join(w.text for w in turn.words if w.confidence >= SURE)).lower()


def content_words(text: str, lists: dict[str, WordList]) -> list[str]:
    """Words that carry a topic, without a plural s: no function words, pronouns, fillers or tokens of agreement."""
    skip = frozenset().union(
        *(lists[n].words for n in ("content_stop", "first_person", "second_person", "third_person", "fillers")),
        lists["agreement"].words,
        lists["negation"].words,
    )
    tokens = (w.removesuffix("'s") for w in _TOKEN.findall(_NOTE.sub(" ", text)) if w not in skip)
    words = [w for w in tokens if w not in skip and len(w) > 2]
    return [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in words]


def is_agreement_only(text: str, lists: dict[str, WordList]) -> bool:
    """Whether a turn says nothing but tokens of agreement and fillers."""
    rest = lists["agreement"].pattern.sub(" ", text)
    rest = lists["fillers"].pattern.sub(" ", rest)
    return bool(lists["agreement"].find(text)) and not _TOKEN.search(rest)


def _count(name: str, text: str, lists: dict[str, WordList]) -> int:
    found = len(lists[name].find(text))
    return found + len(re.findall(r"\w+n't\b", text)) if name == "negation" else found


def _who_is_you(text: str, lists: dict[str, WordList]) -> dict[str, float]:
    """Every "you" once: quoted or reported, of people in general, or meant for the listener."""
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    generic = lists["generic_you"].find(text)
    kinds = {"you_therapist": 0.0, "you_generic": 0.0, "you_quoted": 0.0}
    for start, _ in lists["second_person"].find(text):
        if any(a <= start < b for a, b in quoted) or _is_reported(text, start, lists):
            kinds["you_quoted"] += 1
        elif any(a <= start < b for a, b in generic):
            kinds["you_generic"] += 1
        else:
            kinds["you_therapist"] += 1
    return kinds


def _is_reported(text: str, at: int, lists: dict[str, WordList]) -> bool:
    """A reporting verb among the six words before, in the same sentence."""
    sentence = re.split(r"[.!?;]", text[:at])[-1]
    return bool(lists["reported_speech"].find(" ".join(sentence.split()[-6:])))


def _repetitions(text: str, lists: dict[str, WordList]) -> int:
    """A word or a pair of words said twice running ("I've I've", "a, a different"); agreement is not a repetition."""
    tokens = [t for t in _TOKEN.findall(text) if t not in lists["fillers"].words]
    often = lists["agreement"].words | {"very", "no", "really"}
    again, i = 0, 0
    while i < len(tokens) - 1:
        if tokens[i] == tokens[i + 1] and tokens[i] not in often:
            again, i = again + 1, i + 1
        elif i + 3 < len(tokens) and tokens[i : i + 2] == tokens[i + 2 : i + 4]:
            again, i = again + 1, i + 2
        i += 1
    return again


def _false_starts(text: str) -> int:
    """Words broken off, where the transcript shows them: a dash at the end of a word, or of the turn."""
    return len(re.findall(r"\w+(?:-|—|–|\.\.\.|…)(?=\s|$)", text))


def _variety(tokens: Sequence[str], window: int = 20) -> float:
    """Mean share of different words over every 20 words running (MATTR); NaN for a turn of fewer."""
    if len(tokens) < window:
        return float("nan")
    parts = [len(set(tokens[i : i + window])) / window for i in range(len(tokens) - window + 1)]
    return sum(parts) / len(parts)
