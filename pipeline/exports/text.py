"""Text made safe for a format. A transcript may hold anything: control characters, markup, a spreadsheet formula."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

# what XML 1.0 forbids, what breaks UTF-8, the C1 controls, and what is no character in any plane
_NO_CHARACTERS = "".join(chr(0x10000 * plane + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_UNWRITABLE = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef{_NO_CHARACTERS}]")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def one_line(text: str) -> str:
    """The text on one line: every run of white space is one blank; unwritable characters become U+FFFD."""
    return " ".join(_UNWRITABLE.sub("\ufffd", text).split())


def lines(text: str) -> str:
    """As `one_line`, but line by line: line feeds stay, empty lines go."""
    return "\n".join(filter(None, (one_line(line) for line in text.split("\n"))))


def token(text: str) -> str:
    """The text as one field of a format whose fields are separated by blanks; "<NA>" where nothing is left."""
    return "_".join(one_line(text).split(" ")) or "<NA>"


def cell(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: a leading = + - or @ gets an apostrophe before it."""
    text = lines(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def file_name(path: str) -> str:
    """The last part of a path written on any system."""
    return one_line(PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name)
