"""Praat TextGrid, long and short text form."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from pipeline.records import Given, Word
from pipeline.speech.transcripts.names import role_of
from pipeline.speech.transcripts.text import plain, read_interval, unfit

# Praat reads only what stands free: quoted text, numbers and flags; "!" starts a comment
TEXTGRID_TOKEN = re.compile(
    r'!.*|"((?:[^"]|"")*)"|(?<!\S)([-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|inf|nan|--undefined--))(?!\S)|(?<!\S)(<\w+>)(?!\S)',
    re.IGNORECASE,
)
TIER_KINDS = "words|phones|phonemes|turns|lines|text|transcript|transcription|utterances|sentences"


class _Tokens:
    """The free-standing values of a Praat text file, each with its line; the same for the long and the short form."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found = (match for match in TEXTGRID_TOKEN.finditer(text) if not match[0].startswith("!"))
        self._seen, self._line = 0, 1
        self.where = "line 1"

    def text(self) -> str:
        match = self._next()
        if match[1] is None:
            raise unfit(self.where, "quoted text should stand here")
        return match[1].replace('""', '"')

    def number(self) -> str:
        match = self._next()
        if match[2] is None:
            raise unfit(self.where, "a number should stand here")
        return match[2]

    def flag(self) -> str:
        match = self._next()
        if match[3] is None:
            raise unfit(self.where, "a flag like <exists> should stand here")
        return match[3]

    def count(self) -> int:
        number = self.number()
        if not number.isascii() or not number.isdigit() or len(number) > 7:
            raise unfit(self.where, "a count should stand here")
        return int(number)

    def _next(self) -> re.Match[str]:
        match = next(self._found, None)
        if match is None:
            raise unfit(self.where, "the TextGrid ends too early")
        self._line += self._text.count("\n", self._seen, match.start())
        self._seen = match.start()
        self.where = f"line {self._line}"
        return match


class _Tier(NamedTuple):
    """`what` is "words" for a tier of single words, otherwise "lines"."""

    speaker: str | None
    what: str
    lines: list[Given]


def read_textgrid(text: str) -> list[Given]:
    """Interval tiers are speakers: "Anna", "Anna turns", "Anna - words".

    Where a speaker has lines and words, the words give the lines their word times. Tiers of points and phones are
    passed over; so are, where a tier says therapist or client, those that say no role: they are notes.
    """
    tokens = _Tokens(text)
    if not tokens.text().startswith("ooTextFile") or tokens.text() != "TextGrid":
        raise unfit("line 1", 'a TextGrid in text form starts with "ooTextFile" and "TextGrid"')
    tokens.number(), tokens.number(), tokens.flag()
    tiers = [tier for _ in range(tokens.count()) if (tier := _read_tier(tokens))]
    if any(role_of(tier.speaker) in ("therapist", "client") for tier in tiers):
        tiers = [tier for tier in tiers if role_of(tier.speaker)]
    return [line for tier in tiers for line in _with_words(tier, tiers)]


def _with_words(tier: _Tier, tiers: list[_Tier]) -> list[Given]:
    """The tier's lines with the word times of the same speaker's tier of words; none where the lines hold its words."""
    beside = [other for other in tiers if other.speaker == tier.speaker and other.what != tier.what]
    if not beside:
        return tier.lines
    if tier.what == "words":
        return []
    words = [Word(w.start, w.end, w.text or "", 1.0, tier.speaker) for other in beside for w in other.lines if w.text]
    return [
        replace(line, words=tuple(word for word in words if line.start <= word.start < line.end)) for line in tier.lines
    ]


def _read_tier(tokens: _Tokens) -> _Tier | None:
    kind, name = tokens.text(), tokens.text().strip()
    tokens.number(), tokens.number()
    count = tokens.count()
    if kind == "TextTier":
        for _ in range(count):
            tokens.number(), tokens.text()
        return None
    if kind != "IntervalTier":
        raise unfit(tokens.where, "a tier is an IntervalTier or a TextTier")
    speaker, what = _speaker_of(name)
    lines = [_read_interval(tokens, speaker) for _ in range(count)]
    return None if what in ("phones", "phonemes") else _Tier(speaker, what, lines)


def _read_interval(tokens: _Tokens, speaker: str | None) -> Given:
    start, end = tokens.number(), tokens.number()
    times = read_interval(start, end, tokens.where)
    return Given(*times, speaker, role_of(speaker), plain(tokens.text()))


def _speaker_of(tier: str) -> tuple[str | None, str]:
    """Whose tier, and of what: "words", "phones", "phonemes" or "lines"."""
    named = re.fullmatch(rf"(?:(.*?)[\s_:-]+)?({TIER_KINDS})", tier, re.IGNORECASE)
    speaker, what = (named[1], named[2].casefold()) if named else (tier, "lines")
    return speaker or None, what if what in ("words", "phones", "phonemes") else "lines"
