"""Sessions opened with care: a folder that came from elsewhere must not lead the page to any other file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from pipeline.records import About, AttuneError, Findings, Turn
from pipeline.session import ID_LENGTH, Session
from pipeline.settings import Tables

LONGEST_S = 7 * 24 * 3600.0
ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")


def open_folder(store: Path, key: str, settings: Tables) -> Session:
    """The session of exactly this id.

    raises   AttuneError for an id of another form ("no-such-session"), a folder that is not there or is none of ours,
             and a folder with a link in it ("session-has-links")
    """
    folder = store / "sessions" / key
    if not ID.fullmatch(key) or folder.is_symlink() or not (folder / "about.json").is_file():
        raise AttuneError("there is no such session", mend="go back to the list of sessions", code="no-such-session")
    check_no_links(folder)
    return Session(folder, settings)


def check_no_links(folder: Path) -> None:
    """Raises AttuneError where anything inside is a symbolic link or no plain file: no step ever makes one."""
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            try:
                mode = Path(place, name).lstat().st_mode
            except FileNotFoundError:  # a step renamed what it had written beside
                continue
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise AttuneError(
                    "the session's folder holds a link, which could lead to another file",
                    mend="remove the link from the session's folder, or process the recording again",
                    code="session-has-links",
                )


def check_times(about: About, turns: Sequence[Turn], findings: Findings) -> None:
    """Raises AttuneError (code "session-times") for a time that no session has: whatever is drawn or written second by
    second would never end."""
    items = [*turns, *(word for turn in turns for word in turn.words), *findings.moments, *findings.repairs]
    lies = all(0 <= item.start <= item.end <= LONGEST_S for item in items)  # False for NaN too
    if not (lies and 0 <= about.duration_s <= LONGEST_S):
        raise AttuneError(
            "the session's files hold a time that no session has",
            mend="process the recording again",
            code="session-times",
        )


def list_folders(store: Path) -> list[str]:
    """Ids of all sessions in the store, in order."""
    root = store / "sessions"
    return sorted(p.name for p in root.iterdir() if ID.fullmatch(p.name) and p.is_dir()) if root.is_dir() else []
