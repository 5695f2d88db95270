"""What all readers share: the file's text, checked times, and errors that name the place but never a spoken word."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pipeline.records import AttuneError

LONGEST_S = 86400.0  # a line later than a day is a line in milliseconds
SHORTEST_S = 0.01  # a shorter line (Zoom writes cues without length) is given this, so that its words have a place


def load_text(path: Path) -> str:
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


def unfit(where: str, what: str, code: str = "transcript-form") -> AttuneError:
    return AttuneError(f"{where}: {what}", mend="correct this place in the transcript, or export it again", code=code)


def read_interval(start: Any, end: Any, where: str) -> tuple[float, float]:
    """Start and end in seconds, checked; strings are read as numbers.

    raises   AttuneError (code "transcript-time") naming the place and the value
    """
    start_s, end_s = read_seconds(start, where, "start"), read_seconds(end, where, "end")
    if end_s < start_s:
        raise unfit(where, f"the end, {end_s:g} s, lies before the start, {start_s:g} s", "transcript-time")
    return start_s, max(end_s, start_s + SHORTEST_S)


def read_seconds(value: Any, where: str, name: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        raise unfit(where, f"the {name} is not a number of seconds", "transcript-time") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise unfit(where, f"the {name}, {seconds:g}, is not a time in seconds from the beginning", "transcript-time")
    if seconds > LONGEST_S:
        raise unfit(where, f"the {name}, {seconds:g} s, is more than a day; are these milliseconds?", "transcript-time")
    return seconds


def plain(text: str) -> str:
    return " ".join(text.split())
