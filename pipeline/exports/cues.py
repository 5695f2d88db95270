"""Captions: turns cut at word times into cues that can be read as they pass."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.exports.clock import ms
from pipeline.exports.material import ExportOptions
from pipeline.exports.text import one_line
from pipeline.records import Role, Turn, Word

LINES = 2  # of a cue
PAUSE_S = 1.5  # a silence of this length ends a cue


@dataclass(frozen=True)
class Cue:
    """One caption. Times in whole milliseconds, `end_ms` after `start_ms`; `lines` are never empty."""

    start_ms: int
    end_ms: int
    role: Role
    speaker: str
    lines: tuple[str, ...]


def build_cues(turns: Iterable[Turn], options: ExportOptions) -> list[Cue]:
    """Every spoken word in cues of at most two lines, in order of start; those of two people may overlap.

    A single word longer than a line is left whole.
    """
    cues = [
        _cue(turn, piece, options.cue_line_chars)
        for turn in turns
        for piece in _pieces([word for word in turn.words if one_line(word.text)], options)
    ]
    return sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))


def _cue(turn: Turn, words: Sequence[Word], chars: int) -> Cue:
    start = ms(min(word.start for word in words))
    end = max(start + 1, ms(max(word.end for word in words)))
    text = " ".join(one_line(word.text) for word in words)
    wrapped = textwrap.wrap(text, chars, break_long_words=False, break_on_hyphens=False)
    return Cue(start, end, turn.role, turn.speaker, tuple(wrapped))


def _pieces(words: list[Word], options: ExportOptions) -> list[list[Word]]:
    pieces: list[list[Word]] = []
    rest = words
    while rest:
        fits = _how_many_fit(rest, options)
        cut = fits if fits == len(rest) or _pause(rest, fits) else _best_cut(rest[:fits])
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return pieces


def _how_many_fit(words: Sequence[Word], options: ExportOptions) -> int:
    """How many words fit one cue, at least one."""
    text = one_line(words[0].text)
    for count, word in enumerate(words[1:], start=1):
        text = f"{text} {one_line(word.text)}"
        too_long = len(text) > options.cue_line_chars and len(_wrap(text, options.cue_line_chars)) > LINES
        if too_long or word.end - words[0].start > options.cue_s or _pause(words, count):
            return count
    return len(words)


def _wrap(text: str, chars: int) -> list[str]:
    return textwrap.wrap(text, chars, break_long_words=False, break_on_hyphens=False)


def _pause(words: Sequence[Word], at: int) -> bool:
    return at < len(words) and words[at].start - words[at - 1].end >= PAUSE_S


def _best_cut(words: Sequence[Word]) -> int:
    """After the last sentence in the second half; else after the last comma there; else after the last word."""
    for ends in (".?!…", ",;:—"):
        for count in range(len(words), len(words) // 2, -1):
            if one_line(words[count - 1].text).rstrip("\"'”’)")[-1:] in tuple(ends):
                return count
    return len(words)
