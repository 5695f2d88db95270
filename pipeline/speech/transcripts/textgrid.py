"""Praat TextGrid, long and short text form."""

from __future__ import annotations

import re

from pipeline.records import Given
from pipeline.speech.transcripts.names import role_of
from pipeline.speech.transcripts.text import plain, read_interval, unfit

# Praat reads only what stands free: quoted text, numbers and flags; "!" starts a comment
TEXTGRID_TOKEN = re.compile(
    r'!.*|"((?:[^"]|"")*)"|(?<!\S)([-+]?(?:\d[\d.]*(?:[eE][-+]?\d+)?|inf|nan|--undefined--))(?!\S)|(?<!\S)(<\w+>)(?!\S)',
    re.IGNORECASE,
)
NO_SPEAKER = frozenset(("", "words", "word", "text", "transcript", "transcription", "utterances", "sentences"))


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


def read_textgrid(text: str) -> list[Given]:
    """Interval tiers are speakers. Tiers of phones and points are passed over; "Anna - words" is Anna's tier."""
    tokens = _Tokens(text)
    if not tokens.text().startswith("ooTextFile") or tokens.text() != "TextGrid":
        raise unfit("line 1", 'a TextGrid in text form starts with "ooTextFile" and "TextGrid"')
    tokens.number(), tokens.number(), tokens.flag()
    lines: list[Given] = []
    for _ in range(tokens.count()):
        lines += _read_tier(tokens)
    return lines


def _read_tier(tokens: _Tokens) -> list[Given]:
    kind, name = tokens.text(), tokens.text().strip()
    tokens.number(), tokens.number()
    count = tokens.count()
    if kind == "TextTier":
        for _ in range(count):
            tokens.number(), tokens.text()
        return []
    if kind != "IntervalTier":
        raise unfit(tokens.where, "a tier is an IntervalTier or a TextTier")
    lines = [_read_textgrid_interval(tokens, _tier_speaker(name)) for _ in range(count)]
    return [] if name.casefold().endswith(("phones", "phonemes")) else lines


def _read_textgrid_interval(tokens: _Tokens, speaker: str | None) -> Given:
    start, end = tokens.number(), tokens.number()
    times = read_interval(start, end, tokens.where)
    return Given(*times, speaker, role_of(speaker), plain(tokens.text()))


def _tier_speaker(name: str) -> str | None:
    if name.casefold() in NO_SPEAKER:
        return None
    return re.sub(r"\s*[-_:]\s*(?:words|utterances)$", "", name, flags=re.IGNORECASE)
