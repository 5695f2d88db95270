"""Recordings that arrive in a folder: which are complete, and which are known already.

A network share tells nothing when a copy ends, so the folder is looked at again and again: a file whose size and
modification time have stayed the same for a while is complete. Copying tools may set a time of long ago, or the full
size at once, so only what was seen to stay counts, by a clock that nobody can set. Recordings are only read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import formats


@dataclass(frozen=True)
class Look:
    """One file at one look: size in bytes, modification time in ns."""

    file: Path
    size: int
    modified_ns: int

    def fingerprint(self, folder: Path) -> str:
        """Stands for this file in this state, the same on every machine of a share; no name can be read from it."""
        place = self.file.relative_to(folder).as_posix() if self.file.is_relative_to(folder) else str(self.file)
        return hashlib.sha256(f"{place}\0{self.size}\0{self.modified_ns}".encode()).hexdigest()[:24]


def look_at(folder: Path, is_wanted: Callable[[Path], bool], apart: Iterable[Path] = ()) -> list[Look]:
    """The wanted files in and below the folder, the oldest first; hidden ones left out.

    apart    folders that are not looked into, as they resolve
    raises   OSError when the folder itself cannot be read, as while a share is gone
    """
    list(folder.iterdir())  # `walk` is silent about a folder that is not there
    return sorted(_looks(folder, is_wanted, set(apart)), key=lambda look: (look.modified_ns, look.file))


def _looks(folder: Path, is_wanted: Callable[[Path], bool], apart: set[Path]) -> Iterator[Look]:
    for place, below, names in os.walk(folder):
        here = Path(place)
        below[:] = [name for name in below if not name.startswith(".") and (here / name).resolve() not in apart]
        for file in (here / name for name in names if not name.startswith(".")):
            if is_wanted(file):
                try:
                    told = file.stat()
                    if file.is_file():
                        yield Look(file, told.st_size, told.st_mtime_ns)
                except OSError:
                    continue  # moved away, or its share went, between the two calls; the next look tells


class Arrivals:
    """Tells complete files from those still being copied.

    settle_s   how long size and modification time must have stayed the same, seconds
    """

    def __init__(self, settle_s: float) -> None:
        self.settle_s = settle_s
        self._since: dict[Path, tuple[Look, float]] = {}

    def settled(self, looks: Iterable[Look], now_s: float) -> list[Look]:
        """Those of the looks that have stayed the same for `settle_s`, in the order given.

        now_s   a monotonic clock, seconds
        """
        looks = list(looks)
        self._since = {look.file: self._first_seen(look, now_s) for look in looks}
        return [look for look in looks if now_s - self._since[look.file][1] >= self.settle_s]

    def _first_seen(self, look: Look, now_s: float) -> tuple[Look, float]:
        known = self._since.get(look.file)
        return known if known is not None and known[0] == look else (look, now_s)


class Known:
    """Which session a file is, remembered in the store, so that no recording is read twice to find out.

    One small file per recording, so that several machines can note at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, fingerprint: str) -> str | None:
        try:
            return (self.folder / fingerprint).read_text(encoding="ascii").strip() or None
        except (OSError, ValueError):
            return None

    def note(self, fingerprint: str, session: str) -> None:
        self.folder.parent.mkdir(exist_ok=True)  # but not the store: where it is gone, none must take its place
        self.folder.mkdir(exist_ok=True)
        formats.write_atomic(self.folder / fingerprint, session.encode())
