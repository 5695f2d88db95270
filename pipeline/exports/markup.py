"""HTML written so that no text can become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import PureWindowsPath
from urllib.parse import quote

from pipeline.exports.clock import short
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import one_line
from pipeline.records import Word


def escape(text: str) -> str:
    """The text on one line, safe between tags and inside a quoted attribute."""
    return html.escape(one_line(text), quote=True)


def recording_url(path: str) -> str:
    """The address of a file on this machine, from a path written on any system; "" for no path."""
    if not path:
        return ""
    windows = not path.startswith("/") and ("\\" in path or re.match(r"[A-Za-z]:", path))
    path = PureWindowsPath(path).as_posix() if windows else path
    address = quote(path.encode("utf-8", "replace" if _unpaired(path) else "surrogateescape"), safe="/:")
    if path.startswith("/"):
        return f"file:{address}" if path.startswith("//") else f"file://{address}"
    return f"file:///{address}" if windows else f"./{address}"


def _unpaired(path: str) -> bool:
    """Whether the path holds a surrogate that stands for no byte of a file name."""
    return bool(re.search("[\ud800-\udc7f\udd00-\udfff]", path))


def time_link(at: float, material: Material, *, lead_s: float = 0.0, label: str = "") -> str:
    """A time that plays from there, `lead_s` earlier; plain text where there is no recording."""
    said = escape(label) if label else short(at)
    if not material.plays:
        return f"<span class=time>{said}</span>"
    start = max(0.0, at - lead_s)
    address = escape(f"{recording_url(material.plays)}#t={start:.3f}".rstrip("0").rstrip("."))
    return f'<a class=time href="{address}" data-at="{start:.3f}">{said}</a>'


def words_html(words: Iterable[Word], options: ExportOptions) -> str:
    """The words, the doubtful ones marked."""
    return " ".join(
        f'<i class=doubt title="the recogniser was unsure of this word">{escape(word.text)}</i>'
        if word.confidence < options.doubt_below
        else escape(word.text)
        for word in words
        if one_line(word.text)
    )
