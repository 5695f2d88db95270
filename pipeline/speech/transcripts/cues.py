"""WebVTT and SRT: cues with times, and who speaks in them."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from pipeline.records import Given
from pipeline.speech.transcripts.names import role_of
from pipeline.speech.transcripts.text import plain, read_interval, unfit

CUE_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
CUE_TIMES = re.compile(rf"\s*{CUE_TIME}\s*-->\s*{CUE_TIME}(?:\s.*)?")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?(?:\s+([^>]*))?>")
TAG = re.compile(r"</?(?:c|i|b|u|v|lang|ruby|rt|font)(?:[.\s][^>]*)?>|<[\d:.]+>|\{\\[^}]*\}", re.IGNORECASE)
# "Anna Smith: ", "T: ", "Client 2: ": at most four words of a name, then a colon and a space or the line's end
LABEL = re.compile(r"\s*\[?([^\W\d_][\w.'’()-]*(?: [\w.'’()-]+){0,3})\]?:(?:\s+|$)")

LABELLED = 0.2  # captions that name a speaker only when the speaker changes still name one this often


class _Cue(NamedTuple):
    start: float
    end: float
    lines: list[str]


class _Piece(NamedTuple):
    speaker: str | None
    text: str


def read_vtt(text: str) -> list[Given]:
    """Voices (`<v Name>`) name the speaker; otherwise a "Name: " before the words does, as Zoom writes it."""
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        raise unfit("line 1", "a WebVTT file starts with WEBVTT")
    return _lines_of(_cues(text, header=True))


def read_srt(text: str) -> list[Given]:
    """A "Name: " before the words names the speaker of this cue and of the unnamed ones after it."""
    return _lines_of(_cues(text, header=False))


def _cues(text: str, header: bool) -> list[_Cue]:
    """The cues in order of the file. Text after an empty line inside a cue still belongs to it."""
    cues: list[_Cue] = []
    for number, block in _blocks(text):
        if header and re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", block[0]):
            continue
        starts = _starts(block)
        if not starts and cues and not block[0].strip().isdigit():
            cues[-1].lines.extend(block)
        for at, after in pairwise([*starts, len(block)] if starts else []):
            said = block[at + 1 : after]
            if after < len(block) and said and said[-1].strip().isdigit():
                said.pop()  # the number of the cue after it
            cues.append(_Cue(*_cue_times(block[at], f"line {number + at}"), said))
    return cues


def _starts(block: list[str]) -> list[int]:
    """Which lines are times: several where the empty lines between cues are missing."""
    return [
        i
        for i, line in enumerate(block)
        if CUE_TIMES.fullmatch(line) or ("-->" in line and (i == 0 or (i == 1 and "-->" not in block[0])))
    ]


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not empty, with the number of their first line."""
    numbered = enumerate(text.split("\n"), start=1)
    for filled, run in groupby(numbered, key=lambda pair: bool(pair[1].strip())):
        if filled:
            lines = list(run)
            yield lines[0][0], [line for _, line in lines]


def _cue_times(line: str, where: str) -> tuple[float, float]:
    found = CUE_TIMES.fullmatch(line)
    if found is None:
        raise unfit(where, "this is not a pair of times like 00:01:02.500 --> 00:01:04.000", "transcript-time")
    start, end = _cue_seconds(found.groups()[:4], where), _cue_seconds(found.groups()[4:], where)
    return read_interval(start, end, where)


def _cue_seconds(parts: tuple[str | None, ...], where: str) -> float:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    if minutes > 59 or seconds > 59:
        raise unfit(where, f"{minutes} minutes {seconds} seconds is not a time of a clock", "transcript-time")
    return hours * 3600 + minutes * 60 + seconds + float(f"0.{parts[3] or 0}")


def _lines_of(cues: list[_Cue]) -> list[Given]:
    """Lines with their speakers. A cue in which several people speak is shared out by the length of what they say."""
    names = _names_in_use(cues)
    lines: list[Given] = []
    speaker: str | None = None
    for cue in cues:
        speaker = speaker if names else None  # a label holds until the next one, a voice until the end of its cue
        joined: list[_Piece] = []
        for piece in (piece for line in cue.lines for piece in _pieces(line, names)):
            speaker = piece.speaker or speaker
            if joined and joined[-1].speaker == speaker:
                joined[-1] = _Piece(speaker, f"{joined[-1].text} {piece.text}")
            else:
                joined.append(_Piece(speaker, piece.text))
        lines += _shared_out(cue, [piece for piece in joined if piece.text])
    return lines


def _pieces(line: str, names: frozenset[str]) -> Iterator[_Piece]:
    before, *voices = VOICE.split(line)
    label = LABEL.match(_untagged(before))
    if label and label[1] in names:
        yield _Piece(label[1], plain(_untagged(before)[label.end() :]))
    elif before.strip() or not voices:
        yield _Piece(None, plain(_untagged(before)))
    for name, text in zip(voices[::2], voices[1::2], strict=True):
        yield _Piece(plain(html.unescape(name or "")) or None, plain(_untagged(text)))


def _untagged(text: str) -> str:
    return html.unescape(TAG.sub("", text))


def _names_in_use(cues: list[_Cue]) -> frozenset[str]:
    """The labels that are names, not the beginning of a sentence ("I thought: no").

    All are where every cue starts with one. Otherwise a label is a name where it says a role, or where those that come
    back head at least `LABELLED` of the cues.
    """
    filled = [cue.lines for cue in cues if any(line.strip() for line in cue.lines)]
    heads = [[LABEL.match(_untagged(line)) for line in lines] for lines in filled]
    labels = Counter(head[1] for line_heads in heads for head in line_heads if head)
    if all(line_heads[0] for line_heads in heads):
        return frozenset(labels)
    often = {label: count for label, count in labels.items() if count > 1}
    usual = sum(often.values()) >= LABELLED * len(filled)
    return frozenset(label for label in labels if role_of(label) or (usual and label in often))


def _shared_out(cue: _Cue, pieces: list[_Piece]) -> Iterator[Given]:
    length, at = sum(len(piece.text) for piece in pieces), 0
    for piece in pieces:
        start = cue.start + (cue.end - cue.start) * at / length
        at += len(piece.text)
        end = cue.start + (cue.end - cue.start) * at / length if at < length else cue.end
        yield Given(start, end, piece.speaker, role_of(piece.speaker), piece.text)
