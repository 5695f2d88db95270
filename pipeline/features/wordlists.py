"""The word lists of a language: `words_<code>.toml` beside this file, each list with its source."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NEEDED = (
    "first_person", "second_person", "third_person", "generic_you", "negation", "hedges", "certainty", "agreement",
    "feeling", "past", "present", "here_and_now", "therapy", "reported_speech", "fillers", "content_stop",
)  # fmt: skip


@dataclass(frozen=True)
class WordList:
    """Words and phrases in lower case, and where they come from."""

    name: str
    source: str
    words: frozenset[str]

    def find(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in characters of every match in plain text, longest phrase first, without overlaps."""
        return [match.span() for match in self.pattern.finditer(text)]

    @property
    def pattern(self) -> re.Pattern[str]:
        return _pattern(self.words)


@cache
def _pattern(words: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(r"(?<![\w'])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w'])")


@cache
def load_lists(language: str) -> dict[str, WordList] | None:
    """The lists of a language by name; None where there are none for it ("not available")."""
    if language not in languages():
        return None
    path = Path(__file__).with_name(f"words_{language}.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: WordList(name, table[name]["source"], frozenset(table[name]["words"])) for name in NEEDED}


def languages() -> list[str]:
    """Codes of the languages with lists, in order."""
    return sorted(path.stem.removeprefix("words_") for path in Path(__file__).parent.glob("words_*.toml"))
