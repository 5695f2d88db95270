"""Which words of a session may tell who somebody is: by rules and by lists, never by anything that was trained.

A word is named once, by the first of these that finds it:

1. "your list"     a word or phrase that the person who shares gave
2. "number"        e-mail and web addresses, post codes, houses in streets, telephone numbers in digits or spoken
3. "date"          a day with its month, in any order, or a date in digits
4. "phrase"        what follows "my name is", "called", a title such as Mrs, ...
5. "capital"       a capital letter inside a sentence
6. "place list", "name list"  in lists, and no ordinary word of therapy talk
7. "no known word" in a session that is written without capitals: no word of English or of therapy talk
8. "again"         the same word as one that 1, 4, 5, 6 or 7 found elsewhere in the session
9. "sounds like a name"  a word that the recogniser doubts and that sounds like a name found in the session, or given

Days of the week, months alone, years alone and feasts stay. Rather too much is taken out than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from rapidfuzz.distance import Levenshtein

from pipeline.records import Turn
from pipeline.sharing.vocabulary import Vocabulary, load_words

Kind = Literal["name", "place", "number", "date", "other"]

WORDS = load_words()
STAYS = WORDS["stay"] | WORDS["months"]
SMALL_SHARE = 0.01  # fewer capitals than this, and a session is written without them: a sentence brings one in ten
SOUNDS_BELOW = 0.7  # confidence of words that may be misheard names: 5 of 6 such in the acted sessions were below
SOUNDS_ALIKE = 0.4  # of the letters that must be the same, where the sound is not quite
LEAST_DIGITS = 6  # in a row, before they are a telephone number or the like
EMAIL = re.compile(r"\S+@\S+\.\w+|(?:https?://|www\.)\S+", re.IGNORECASE)
POSTCODE = re.compile(r"[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|\d{5}(?:-\d{4})?", re.IGNORECASE)
NUMERIC_DATE = re.compile(r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}")
DAY = re.compile(r"(?:[0-2]?\d|3[01])(?:st|nd|rd|th)?")
YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class Found:
    """A word that may tell who somebody is.

    turn, word  its place: index of the turn, and of the word in the turn
    kind        what it seems to be; "other" where only its capital letter speaks
    by          with what it was found
    key         the same for every mention of the same word
    """

    turn: int
    word: int
    kind: Kind
    by: str
    key: str


@dataclass(frozen=True)
class _Token:
    """A word without its punctuation. `low` is without a possessive 's and in small letters; `doubted` by the
    recogniser."""

    core: str
    low: str
    first: bool
    after_comma: bool
    doubted: bool

    @property
    def capital(self) -> bool:
        return self.core[:1].isupper() and not re.fullmatch(r"I(?:['’]\w+)?", self.core)


def find_identifying(
    turns: Sequence[Turn],
    vocabulary: Vocabulary,
    also: Iterable[str] = (),
    names: Iterable[str] = (),
    small: bool | None = None,
) -> list[Found]:
    """The words to take out, in the order they were said.

    also    words and phrases that are to go in any case
    names   the same, and words that sound like one of them where the recogniser doubts what it heard
    small   whether the words are written without capitals; None to tell by the turns
    """
    names = tuple(names)
    small = is_small(turns) if small is None else small
    known = _Known.of(vocabulary, also, names, small)
    talks = [_tokens(turn, small) for turn in turns]
    found = [hit for number, tokens in enumerate(talks) for hit in _Search(number, tokens, vocabulary, known).find()]
    found += list(_again(talks, found, vocabulary))
    found += list(_alike(talks, found, vocabulary, names))
    return sorted(found, key=lambda hit: (hit.turn, hit.word))


def is_small(turns: Iterable[Turn]) -> bool:
    """Whether a session is written without capitals, or in nothing but capitals: then they tell nothing."""
    words = [_core(word.text) for turn in turns for word in turn.words[1:]]
    spelled = [word for word in words if word[:1].isalpha() and not re.fullmatch(r"I(?:['’]\w+)?", word)]
    shouted = sum(word.isupper() for word in spelled if len(word) > 1)
    return shouted > len(spelled) / 2 or sum(word[0].isupper() for word in spelled) < SMALL_SHARE * len(spelled)


def _core(word: str) -> str:
    return re.sub(r"^[^\w@]+|[^\w@]+$", "", word)


def _low(core: str) -> str:
    return re.sub(r"['’]s$", "", core.lower())


def _tokens(turn: Turn, small: bool) -> list[_Token]:
    tokens, before = [], "."
    for word in turn.words:
        core = _core(word.text)
        core = core.lower() if small and core.isupper() else core
        first = bool(re.search(r"[.?!…:]['\"”’)]*$", before))
        comma = bool(re.search(r"[^\w]$", before))
        tokens.append(_Token(core, _low(core), first, comma, word.confidence < SOUNDS_BELOW))
        before = word.text if core else before
    return tokens


def _again(talks: Sequence[Sequence[_Token]], found: Sequence[Found], vocabulary: Vocabulary) -> Iterator[Found]:
    taken = {(hit.turn, hit.word) for hit in found}
    kinds: dict[str, Kind] = {hit.key: hit.kind for hit in found if hit.by not in ("number", "date")}
    for number, tokens in enumerate(talks):
        for k, token in enumerate(tokens):
            known = kinds.get(token.low)
            if known and (number, k) not in taken and (token.capital or token.low not in vocabulary.ordinary):
                yield Found(number, k, known, "again", token.low)


def _alike(
    talks: Sequence[Sequence[_Token]], found: Sequence[Found], vocabulary: Vocabulary, names: Iterable[str]
) -> Iterator[Found]:
    """Doubted words that sound like a name: what the recogniser made of one that it did not know."""
    sound_of = vocabulary.sound_of
    if sound_of is None:
        return
    given = {_low(_core(part)) for line in names for part in line.split()}
    wanted = sorted({hit.key for hit in found if hit.kind == "name" and hit.by != "again"} | given - {""})
    codes = {name: sound_of(name) for name in wanted}
    taken = {(hit.turn, hit.word) for hit in found}
    for number, tokens in enumerate(talks):
        for k, token in enumerate(tokens):
            if not token.doubted or (number, k) in taken or not token.low.isalpha() or token.low in STAYS:
                continue
            code = sound_of(token.low)
            name = next((name for name in wanted if code and _sounds(token.low, code, name, codes[name])), None)
            if name is not None:
                yield Found(number, k, "name", "sounds like a name", name)


def _sounds(low: str, code: str, name: str, name_code: str) -> bool:
    if code == name_code:
        return True
    close = Levenshtein.distance(code, name_code, score_cutoff=1) <= 1
    return close and Levenshtein.normalized_similarity(low, name) >= SOUNDS_ALIKE


Phrases = Mapping[str, Sequence[tuple[str, ...]]]  # by their first word, the longest first


@dataclass(frozen=True)
class _Known:
    """What is looked up for every turn, made once. Names and places here are no ordinary words.

    also    what the person gave, names among it
    called  those of `also` that are names
    small   whether the session is written without capitals
    """

    also: Phrases
    called: frozenset[tuple[str, ...]]
    names: frozenset[str]
    places: Phrases
    small: bool

    @classmethod
    def of(cls, vocabulary: Vocabulary, also: Iterable[str], names: Iterable[str], small: bool) -> _Known:
        phrases, called = (
            frozenset(tuple(_low(_core(part)) for part in line.split()) for line in lines if line.strip())
            for lines in (also, names)
        )
        return cls(_by_first(phrases | called), called, *_unusual(vocabulary), small)


@cache
def _unusual(vocabulary: Vocabulary) -> tuple[frozenset[str], Phrases]:
    """The names and the places of the lists that are no ordinary words."""
    usual = vocabulary.ordinary | STAYS
    places = {place for place in vocabulary.places if len(place) > 1 or place[0] not in usual}
    return vocabulary.names - usual, _by_first(places)


def _by_first(phrases: Iterable[tuple[str, ...]]) -> Phrases:
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(phrases, key=lambda phrase: (-len(phrase), phrase)):
        found.setdefault(phrase[0], []).append(phrase)
    return found


PHRASES = _by_first(
    (
        ("my", "name", "is"),
        ("my", "name's"),
        ("his", "name", "is"),
        ("her", "name", "is"),
        ("name", "was"),
        ("called",),
        ("named",),
        ("call", "me"),
        ("calls", "me"),
        ("i'm", "called"),
    )
)


@dataclass
class _Search:
    """The search through one turn. The first rule that finds a word keeps it."""

    turn: int
    tokens: Sequence[_Token]
    vocabulary: Vocabulary
    known: _Known
    found: dict[int, Found] = field(default_factory=dict)

    def find(self) -> list[Found]:
        for rule in (
            self._listed,
            self._addresses,
            self._dates,
            self._numbers,
            self._phrases,
            self._capitals,
            self._places,
            self._names,
            self._unknown,
        ):
            rule()
        return list(self.found.values())

    def _take(self, words: Iterable[int], kind: Kind, by: str) -> None:
        for k in words:
            if k not in self.found and self.tokens[k].core:
                self.found[k] = Found(self.turn, k, kind, by, self.tokens[k].low)

    def _spans(self, phrases: Phrases) -> Iterator[range]:
        """Where one of the phrases stands, the longest first."""
        lows = [token.low for token in self.tokens]
        for k, low in enumerate(lows):
            for phrase in phrases.get(low, ()):
                if tuple(lows[k : k + len(phrase)]) == phrase:
                    yield range(k, k + len(phrase))
                    break

    def _listed(self) -> None:
        for span in self._spans(self.known.also):
            is_name = tuple(token.low for token in self.tokens[span.start : span.stop]) in self.known.called
            self._take(span, "name" if is_name else "other", "your list")

    def _addresses(self) -> None:
        cores = [token.core for token in self.tokens]
        for k, core in enumerate(cores):
            pair = " ".join(cores[k : k + 2])
            if EMAIL.fullmatch(core) or POSTCODE.fullmatch(core):
                self._take([k], "number", "number")
            elif POSTCODE.fullmatch(pair) and k + 1 < len(cores):
                self._take([k, k + 1], "number", "number")
            elif re.fullmatch(r"\d{1,4}[a-z]?", core, re.IGNORECASE):
                self._take(self._house(k), "number", "number")

    def _house(self, k: int) -> range:
        """From a house's number to the street, where one or two words that may be its name stand between."""
        for end in (k + 2, k + 3):
            between = self.tokens[k + 1 : end]
            named = all(token.capital or token.low not in self.vocabulary.ordinary for token in between)
            if named and end < len(self.tokens) and self.tokens[end].low in WORDS["streets"]:
                return range(k, end + 1)
        return range(0)

    def _numbers(self) -> None:
        k = 0
        while k < len(self.tokens):
            end, digits = k, 0
            while end < len(self.tokens) and (count := _digits(self.tokens[end])):
                digits, end = digits + count, end + 1
            if digits >= LEAST_DIGITS:
                self._take(range(k, end), "number", "number")
            k = max(end, k + 1)

    def _dates(self) -> None:
        for k, token in enumerate(self.tokens):
            if NUMERIC_DATE.fullmatch(token.core):
                self._take([k], "date", "date")
            if token.low in WORDS["months"]:
                before = self._day_before(k)
                after = self._day_after(k)
                if len(before) + len(after):
                    self._take([*before, k, *after], "date", "date")

    def _day_before(self, k: int) -> range:
        for length in (1, 2):
            start = k - length
            joined = length == 1 or self.tokens[k - 1].low == "of"
            if start >= 0 and joined and _is_day(self.tokens[start]):
                return range(start, k)
        return range(0)

    def _day_after(self, k: int) -> range:
        end = k + 1
        if end < len(self.tokens) and self.tokens[end].low == "the":
            end += 1
        if end >= len(self.tokens) or not _is_day(self.tokens[end]):
            return range(0)
        has_year = end + 1 < len(self.tokens) and YEAR.fullmatch(self.tokens[end + 1].core)
        return range(k + 1, end + (2 if has_year else 1))

    def _phrases(self) -> None:
        for span in self._spans(PHRASES):
            self._take(self._named_from(span.stop), "name", "phrase")
        for k, token in enumerate(self.tokens):
            if token.low in WORDS["titles"]:
                self._take(self._named_from(k + 1), "name", "phrase")

    def _named_from(self, k: int) -> range:
        """The one or two words from `k` on that are no ordinary ones."""
        end = k
        while end < min(k + 2, len(self.tokens)) and self._unusual(self.tokens[end]):
            end += 1
        return range(k, end)

    def _unusual(self, token: _Token) -> bool:
        named = token.capital and token.low in self.vocabulary.names
        return bool(token.low) and token.low not in STAYS and (named or token.low not in self.vocabulary.ordinary)

    def _capitals(self) -> None:
        for k, token in enumerate(self.tokens):
            if not token.capital or token.low in STAYS:
                continue
            listed = token.low in self.vocabulary.names or (token.low,) in self.vocabulary.places
            ordinary = token.low in self.vocabulary.ordinary
            if (not token.first and (listed or not ordinary or not token.after_comma)) or (
                token.first and not ordinary
            ):
                self._take([k], self._kind(token), "capital" if not token.first or not listed else "name list")

    def _kind(self, token: _Token) -> Kind:
        if token.low in self.vocabulary.names:
            return "name"
        return "place" if (token.low,) in self.vocabulary.places else "other"

    def _names(self) -> None:
        named = (k for k, token in enumerate(self.tokens) if token.low in self.known.names)
        self._take(named, "name", "name list")

    def _unknown(self) -> None:
        """In a session without capitals: what no list of ordinary words has is more often a name than not."""
        if self.known.small and self.vocabulary.is_english:
            self._take((k for k, token in enumerate(self.tokens) if self._no_word(token.low)), "other", "no known word")

    def _no_word(self, low: str) -> bool:
        if low in STAYS or low in self.vocabulary.ordinary or any(letter.isdigit() for letter in low):
            return False
        parts = [part for part in re.split(r"[-'’]", low) if len(part) > 1]
        return any(part not in self.vocabulary.ordinary and not self.vocabulary.is_english(part) for part in parts)

    def _places(self) -> None:
        for span in self._spans(self.known.places):
            self._take(span, "place", "place list")


def _digits(token: _Token) -> int:
    """How many digits a word stands for; 0 where it is no number."""
    if re.fullmatch(r"\+?[\d()./-]+", token.core):
        return sum(letter.isdigit() for letter in token.core)
    return 1 if token.low in WORDS["digits"] else 0


def _is_day(token: _Token) -> bool:
    return bool(DAY.fullmatch(token.core)) or token.low in WORDS["ordinals"]
