"""Links from an exported file to the recording, which hold no absolute path: that may name a client, and breaks as
soon as the folder moves."""

from __future__ import annotations

import os
from urllib.parse import quote

from pipeline.exports.text import file_name


def relative_link(recording: str, folder: str) -> str:
    """The recording as seen from the folder, as an address; its bare name where no way leads from one to the other."""
    try:
        path = os.path.relpath(recording, folder) if folder else file_name(recording)
    except ValueError:  # two drives
        path = file_name(recording)
    link = quote(path.replace(os.sep, "/").encode("utf-8", "replace"))
    return link if link.startswith("..") else f"./{link}"
