"""A transcript or speaker file that somebody already has: WebVTT, SRT, Praat TextGrid, STM, JSON or RTTM.

`READERS` picks the reader by the file's suffix. Text is UTF-8, UTF-16 with a byte order mark, or Windows-1252. Errors
name the line and the value, but never a spoken word or a speaker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.intervals import gap_s, overlap_s
from pipeline.records import AttuneError, Given
from pipeline.speech.transcripts.cues import read_srt, read_vtt
from pipeline.speech.transcripts.names import role_of
from pipeline.speech.transcripts.nist import read_rttm, read_stm
from pipeline.speech.transcripts.text import load_text
from pipeline.speech.transcripts.textgrid import read_textgrid
from pipeline.speech.transcripts.turns_json import read_json

NEAR_S = 2.0  # a line in nobody's speech belongs to whoever speaks within this time of it

READERS: dict[str, Callable[[str], list[Given]]] = {
    ".vtt": read_vtt,
    ".srt": read_srt,
    ".textgrid": read_textgrid,
    ".stm": read_stm,
    ".json": read_json,
    ".rttm": read_rttm,
}


def load_given(path: Path) -> list[Given]:
    """The lines of a transcript or speaker file, in order of start; lines may overlap. Empty lines are left out.

    raises   AttuneError: "transcript-missing", "transcript-unknown" (suffix), "transcript-unreadable" (encoding),
             "transcript-form" (not what the suffix says), "transcript-time" (a time that cannot be), "transcript-empty"
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise AttuneError(
            f"a transcript has one of the suffixes {', '.join(READERS)}; this file has another",
            mend="export it in one of these forms",
            code="transcript-unknown",
        )
    lines = [line for line in read(load_text(path)) if line.text != ""]
    if not lines:
        raise AttuneError(
            "the transcript holds no lines",
            mend="check that the export holds text and times",
            code="transcript-empty",
        )
    return sorted(lines, key=lambda line: (line.start, line.end))


def combine_given(transcript: list[Given], speakers: list[Given]) -> list[Given]:
    """A transcript whose lines have no speaker, with the speakers of another file (an RTTM).

    A line goes to whoever speaks most of it, or else nearest to it within `NEAR_S`; otherwise to None. A line with
    word times is split where the speaker changes. Lines that name a speaker keep it.
    """
    combined: list[Given] = []
    for line in transcript:
        combined += [line] if line.speaker is not None else _split_by_speaker(line, speakers)
    return sorted(combined, key=lambda line: (line.start, line.end))


def _split_by_speaker(line: Given, speakers: list[Given]) -> list[Given]:
    if not line.words:
        return [_named(line, _who(line, speakers))]
    runs = [(speaker, tuple(words)) for speaker, words in groupby(line.words, key=lambda word: _who(word, speakers))]
    return [
        _named(
            Given(words[0].start, words[-1].end, None, line.role, " ".join(word.text for word in words), words), speaker
        )
        for speaker, words in runs
    ]


def _named(line: Given, speaker: str | None) -> Given:
    return replace(line, speaker=speaker, role=line.role or role_of(speaker))


def _who(interval: Any, speakers: list[Given]) -> str | None:
    shares: Counter[str] = Counter()
    for other in speakers:
        if other.speaker is not None and (shared := overlap_s(interval, other)):
            shares[other.speaker] += shared
    if shares:
        return max(shares, key=lambda name: shares[name])
    near = [other for other in speakers if other.speaker is not None and gap_s(interval, other) <= NEAR_S]
    return min(near, key=lambda other: gap_s(interval, other)).speaker if near else None
