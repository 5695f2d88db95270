"""A transcript or speaker file that somebody already has: WebVTT, SRT, Praat TextGrid, STM, JSON or RTTM.

Each reader turns text into `Given` lines; `load_given` picks the reader by the file's suffix. Text is UTF-8, UTF-16
with a byte order mark, or Windows-1252. Errors name the line and the value, but never a spoken word or a speaker.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.intervals import gap_s, overlap_s
from pipeline.records import AttuneError, Given, Role, Word

LONGEST_S = 86400.0  # a line later than a day is a line in milliseconds
SHORTEST_S = 0.01  # what a line with words but without length (Zoom writes them) is given
NEAR_S = 2.0  # a line in nobody's speech belongs to whoever speaks within this time of it

THERAPIST_NAMES = frozenset(
    [
        "therapist",
        "psychotherapist",
        "counsellor",
        "counselor",
        "clinician",
        "psychologist",
        "psychiatrist",
        "doctor",
        "practitioner",
        "trainee",
        "interviewer",
        "coach",
    ]
)
CLIENT_NAMES = frozenset(["client", "patient", "interviewee", "coachee"])
OTHER_NAMES = frozenset(["other", "observer", "interpreter", "supervisor"])
SHORT_NAMES: dict[str, Role] = {
    "t": "therapist",
    "th": "therapist",
    "c": "client",
    "cl": "client",
    "p": "client",
    "pt": "client",
}


def load_given(path: Path) -> list[Given]:
    """The lines of a transcript or speaker file, in order of start; lines may overlap. Empty lines are left out.

    raises   AttuneError: "transcript-missing", "transcript-unknown" (suffix), "transcript-unreadable" (encoding),
             "transcript-form" (not what the suffix says), "transcript-time" (a time that cannot be), "transcript-empty"
    """
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise AttuneError(
            f"a transcript cannot have the suffix {path.suffix[:12]!r}; known: {', '.join(READERS)}",
            mend="export it in one of these forms",
            code="transcript-unknown",
        )
    lines = [line for line in read(_load_text(path)) if line.text != ""]
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


def role_of(speaker: str | None) -> Role | None:
    """The role that a speaker's name says, as in "Therapist", "Anna (client)", "T", "C1"; None where it says none."""
    names = re.findall(r"[^\W\d_]+", (speaker or "").casefold())
    if len(names) == 1 and names[0] in SHORT_NAMES:
        return SHORT_NAMES[names[0]]
    found: set[Role] = set()
    for role, known in (("therapist", THERAPIST_NAMES), ("client", CLIENT_NAMES), ("other", OTHER_NAMES)):
        if not known.isdisjoint(names):
            found.add(role)
    return found.pop() if len(found) == 1 else None


# ---------------------------------------------------------------- text and times


def _load_text(path: Path) -> str:
    """The file's text with plain line ends."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AttuneError(
            f"the transcript cannot be read ({error.strerror})",
            mend="check the name and who may read the file",
            code="transcript-missing",
        ) from None
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise AttuneError("the transcript is not text", mend="export it as UTF-8 text", code="transcript-unreadable")


def _fail(where: str, what: str, code: str = "transcript-form") -> AttuneError:
    return AttuneError(f"{where}: {what}", mend="correct this place in the transcript, or export it again", code=code)


def _interval(start: Any, end: Any, where: str) -> tuple[float, float]:
    """Start and end in seconds, checked; strings are read as numbers.

    raises   AttuneError (code "transcript-time") naming the place and the value
    """
    start_s, end_s = _seconds(start, where, "start"), _seconds(end, where, "end")
    if end_s < start_s:
        raise _fail(where, f"the end, {end_s:g} s, lies before the start, {start_s:g} s", "transcript-time")
    return start_s, max(end_s, start_s + SHORTEST_S)


def _seconds(value: Any, where: str, name: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _fail(where, f"the {name} is not a number of seconds", "transcript-time") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise _fail(where, f"the {name}, {seconds:g}, is not a time in seconds from the beginning", "transcript-time")
    if seconds > LONGEST_S:
        raise _fail(where, f"the {name}, {seconds:g} s, is more than a day; are these milliseconds?", "transcript-time")
    return seconds


def _plain(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- WebVTT and SRT

CUE_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
CUE_TIMES = re.compile(rf"\s*{CUE_TIME}\s*-->\s*{CUE_TIME}(?:\s.*)?")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?(?:\s+([^>]*))?>")
TAG = re.compile(r"</?(?:c|i|b|u|v|lang|ruby|rt|font)(?:[.\s][^>]*)?>|<[\d:.]+>|\{\\[^}]*\}", re.IGNORECASE)
# "Anna Smith: ", "T: ", "Client 2: ": at most four words of a name, then a colon and a space or the line's end
LABEL = re.compile(r"\s*\[?([^\W\d_][\w.'’()-]*(?: [\w.'’()-]+){0,3})\]?:(?:\s+|$)")


class _Cue(NamedTuple):
    start: float
    end: float
    lines: list[str]


class _Piece(NamedTuple):
    speaker: str | None
    text: str


def _read_vtt(text: str) -> list[Given]:
    """Voices (`<v Name>`) name the speaker; otherwise a "Name: " before the words does, as Zoom writes it."""
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        raise _fail("line 1", "a WebVTT file starts with WEBVTT")
    return _lines_of(list(_cues(text, header=True)))


def _read_srt(text: str) -> list[Given]:
    """A "Name: " before the words names the speaker of this cue and of the unnamed ones after it."""
    return _lines_of(list(_cues(text, header=False)))


def _cues(text: str, header: bool) -> Iterator[_Cue]:
    """The cues in order of the file. Text after an empty line inside a cue still belongs to it."""
    cue: _Cue | None = None
    for number, block in _blocks(text):
        if header and (number == 1 or re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", block[0])):
            continue
        at = next((i for i, line in enumerate(block[:2]) if "-->" in line), None)
        if at is None:
            if cue is not None and not block[0].strip().isdigit():
                cue.lines.extend(block)
            continue
        if cue is not None:
            yield cue
        cue = _Cue(*_cue_times(block[at], f"line {number + at}"), block[at + 1 :])
    if cue is not None:
        yield cue


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
        raise _fail(where, "this is not a pair of times like 00:01:02.500 --> 00:01:04.000", "transcript-time")
    start, end = _cue_seconds(found.groups()[:4], where), _cue_seconds(found.groups()[4:], where)
    return _interval(start, end, where)


def _cue_seconds(parts: tuple[str | None, ...], where: str) -> float:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    if minutes > 59 or seconds > 59:
        raise _fail(where, f"{minutes} minutes {seconds} seconds is not a time of a clock", "transcript-time")
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
        yield _Piece(label[1], _plain(_untagged(before)[label.end() :]))
    elif before.strip() or not voices:
        yield _Piece(None, _plain(_untagged(before)))
    for name, text in zip(voices[::2], voices[1::2], strict=True):
        yield _Piece(_plain(html.unescape(name or "")) or None, _plain(_untagged(text)))


def _untagged(text: str) -> str:
    return html.unescape(TAG.sub("", text))


def _names_in_use(cues: list[_Cue]) -> frozenset[str]:
    """The labels that are names, not the beginning of a sentence ("I thought: no").

    A label is a name where it says a role or comes back; and all are where every cue starts with one.
    """
    filled = [cue.lines for cue in cues if any(line.strip() for line in cue.lines)]
    heads = [[LABEL.match(_untagged(line)) for line in lines] for lines in filled]
    labels = Counter(head[1] for line_heads in heads for head in line_heads if head)
    if all(line_heads[0] for line_heads in heads):
        return frozenset(labels)
    return frozenset(label for label, count in labels.items() if count > 1 or role_of(label))


def _shared_out(cue: _Cue, pieces: list[_Piece]) -> Iterator[Given]:
    length, at = sum(len(piece.text) for piece in pieces), 0
    for piece in pieces:
        start = cue.start + (cue.end - cue.start) * at / length
        at += len(piece.text)
        end = cue.start + (cue.end - cue.start) * at / length if at < length else cue.end
        yield Given(start, end, piece.speaker, role_of(piece.speaker), piece.text)


# ---------------------------------------------------------------- Praat TextGrid

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
            raise _fail(self.where, "quoted text should stand here")
        return match[1].replace('""', '"')

    def number(self) -> str:
        match = self._next()
        if match[2] is None:
            raise _fail(self.where, "a number should stand here")
        return match[2]

    def flag(self) -> str:
        match = self._next()
        if match[3] is None:
            raise _fail(self.where, "a flag like <exists> should stand here")
        return match[3]

    def count(self) -> int:
        number = self.number()
        if not number.isascii() or not number.isdigit() or len(number) > 7:
            raise _fail(self.where, "a count should stand here")
        return int(number)

    def _next(self) -> re.Match[str]:
        match = next(self._found, None)
        if match is None:
            raise _fail(self.where, "the TextGrid ends too early")
        self._line += self._text.count("\n", self._seen, match.start())
        self._seen = match.start()
        self.where = f"line {self._line}"
        return match


def _read_textgrid(text: str) -> list[Given]:
    """Interval tiers are speakers. Tiers of phones and points are passed over; "Anna - words" is Anna's tier."""
    tokens = _Tokens(text)
    if not tokens.text().startswith("ooTextFile") or tokens.text() != "TextGrid":
        raise _fail("line 1", 'a TextGrid in text form starts with "ooTextFile" and "TextGrid"')
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
        raise _fail(tokens.where, "a tier is an IntervalTier or a TextTier")
    lines = [_read_textgrid_interval(tokens, _tier_speaker(name)) for _ in range(count)]
    return [] if name.casefold().endswith(("phones", "phonemes")) else lines


def _read_textgrid_interval(tokens: _Tokens, speaker: str | None) -> Given:
    start, end = tokens.number(), tokens.number()
    times = _interval(start, end, tokens.where)
    return Given(*times, speaker, role_of(speaker), _plain(tokens.text()))


def _tier_speaker(name: str) -> str | None:
    if name.casefold() in NO_SPEAKER:
        return None
    return re.sub(r"\s*[-_:]\s*(?:words|utterances)$", "", name, flags=re.IGNORECASE)


# ---------------------------------------------------------------- STM, RTTM


def _read_stm(text: str) -> list[Given]:
    """`recording channel speaker start end [<labels>] words`; what is marked as not to be scored is left out."""
    lines, recordings = [], set()
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split(maxsplit=5)
        if not fields or line.startswith(";;"):
            continue
        if len(fields) < 5:
            raise _fail(f"line {number}", f"{len(fields)} fields, where an STM line has at least 5")
        recordings.add(fields[0])
        times = _interval(fields[3], fields[4], f"line {number}")
        words = _plain(re.sub(r"^<[^>]*>", "", fields[5])) if len(fields) > 5 else ""
        if words.casefold() != "ignore_time_segment_in_scoring" and fields[2] != "inter_segment_gap":
            lines.append(Given(*times, fields[2], role_of(fields[2]), words))
    _check_one_recording(recordings)
    return lines


def _read_rttm(text: str) -> list[Given]:
    """`SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>`; other types of line are passed over."""
    lines, recordings = [], set()
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            _check_rttm_type(fields, f"line {number}")
            continue
        if len(fields) < 8:
            raise _fail(f"line {number}", f"{len(fields)} fields, where an RTTM line has at least 8")
        recordings.add(fields[1])
        where = f"line {number}"
        start, duration = _seconds(fields[3], where, "start"), _seconds(fields[4], where, "duration")
        lines.append(Given(*_interval(start, start + duration, where), fields[7], role_of(fields[7])))
    _check_one_recording(recordings)
    return lines


def _check_rttm_type(fields: list[str], where: str) -> None:
    if fields and not fields[0].startswith(";") and not re.fullmatch(r"[A-Z/-]+", fields[0]):
        raise _fail(where, "an RTTM line starts with its type, for instance SPEAKER")


def _check_one_recording(recordings: set[str]) -> None:
    if len(recordings) > 1:
        raise AttuneError(
            f"the file describes {len(recordings)} recordings",
            mend="give a file with the lines of this recording only",
            code="transcript-form",
        )


# ---------------------------------------------------------------- JSON


def _read_json(text: str) -> list[Given]:
    """`{"turns": [{"start", "end", "speaker", "role"?, "text", "words"?}]}`, or the same list bare or as "segments"."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "the file"
        raise _fail(place, "this is not JSON") from None
    if isinstance(content, dict):
        content = content.get("turns", content.get("segments"))
    if not isinstance(content, list):
        raise _fail("the file", 'it should hold {"turns": [{"start", "end", "speaker", "text"}, ...]}')
    return [_read_json_turn(turn, f"turn {i}") for i, turn in enumerate(content, start=1)]


def _read_json_turn(turn: Any, where: str) -> Given:
    if not isinstance(turn, dict):
        raise _fail(where, "this is not an object with start, end, speaker and text")
    for key in ("start", "end"):
        if not isinstance(turn.get(key), int | float):
            raise _fail(where, f"{key!r} should be a number of seconds", "transcript-time")
    speaker = _json_string(turn, "speaker", where)
    text = _json_string(turn, "text" if "text" in turn else "word", where)
    return Given(
        *_interval(turn["start"], turn["end"], where),
        speaker,
        _json_role(turn, where) or role_of(speaker),
        None if text is None else _plain(text),
        _json_words(turn.get("words"), speaker, where),
    )


def _json_string(turn: dict[str, Any], key: str, where: str) -> str | None:
    value = turn.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and key == "speaker":
        return str(value)
    if value is not None and not isinstance(value, str):
        raise _fail(where, f"{key!r} should be text")
    return value


def _json_role(turn: dict[str, Any], where: str) -> Role | None:
    said = _json_string(turn, "role", where)
    if said is None:
        return None
    role = role_of(said)
    if role is None:
        raise _fail(where, "the role is none of: therapist, client, other")
    return role


def _json_words(words: Any, speaker: str | None, where: str) -> tuple[Word, ...]:
    """Word times, only where every word of the turn has them: a recogniser leaves some out."""
    if not isinstance(words, list):
        return ()
    made = []
    for i, word in enumerate(words, start=1):
        text = (word.get("text") or word.get("word")) if isinstance(word, dict) else None
        if not isinstance(text, str) or word.get("start") is None or word.get("end") is None:
            return ()
        times = _interval(word["start"], word["end"], f"{where}, word {i}")
        made.append(Word(*times, _plain(text), 1.0, speaker))
    return tuple(made)


READERS: dict[str, Callable[[str], list[Given]]] = {
    ".vtt": _read_vtt,
    ".srt": _read_srt,
    ".textgrid": _read_textgrid,
    ".stm": _read_stm,
    ".json": _read_json,
    ".rttm": _read_rttm,
}
