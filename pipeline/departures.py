"""Recordings whose session is ready leave the folder in which they arrived, where a clinic wants that.

Cut off anywhere, nothing is lost and no session is left without its recording, by the order in which it is done:

    1  the file gets its new name, or a checked copy of it, and the old name stays
    2  every session that plays the recording notes the new place, and its links to it are made again
    3  the old name goes

So what was cut off is found in the folder again by the next look, and goes on. No file that is there already is ever
written over: the second of two that would have one name is called "name (2)".
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import formats, models
from pipeline.arrivals import Look
from pipeline.lock import hold
from pipeline.records import AttuneError
from pipeline.session import Session, is_ready, run_one, write_if_changed
from pipeline.steps import ABOUT, STEPS

MOST_NAMES = 1000  # "name (1000)"; more of one name are no accident


@dataclass(frozen=True)
class Departure:
    """A file that leaves.

    file          as it was when its session was found to be ready
    to            the folder that takes it, which is there; below it the file lies as it did below `arrived_in`
    with_it       transcripts that lie beside it and go with it
    """

    file: Look
    arrived_in: Path
    to: Path
    with_it: tuple[Path, ...] = ()

    def place_of(self, file: Path) -> Path:
        return self.to / file.relative_to(self.arrived_in)


class Players:
    """Which sessions of a store play a file, besides the one that is named after it: those of two recordings.

    Every session's note is read once, not at every departure: a store may hold thousands on a slow share.
    """

    def __init__(self) -> None:
        self._places: dict[Path, tuple[str, str]] = {}

    def find(self, session: Session, place: str) -> list[Session]:
        """The other sessions that note the file at `place` as a recording of theirs."""
        for folder in session.folder.parent.iterdir():
            if folder not in self._places and (about := _about(Session(folder, session.settings))):
                self._places[folder] = (about.recording, about.second)
        return [
            Session(folder, session.settings)
            for folder, places in sorted(self._places.items())
            if place in places and folder != session.folder
        ]


def _about(session: Session):
    try:
        return session.about
    except (OSError, ValueError):
        return None  # being made, or damaged and made anew when it is opened


def move_away(session: Session, departure: Departure, players: Players) -> bool:
    """Move the recording of a session that is ready. False where there was nothing to move, as after another machine.

    raises   AttuneError: "not-moved" where a folder does not allow it, "recording-changed" for another file of that
             name, "not-ready", "session-held" while another process is at work on a session that plays it
    """
    file = departure.file.file
    with hold(session.folder / "lock", wait_s=0.0), _moving():
        if file.is_symlink() or not file.exists():
            return False
        _check(session, departure)
        old, new = str(file.resolve()), str(_bring(departure, file, session.id).resolve())
        _note(session, old, new, even_where_gone=True)
        for other in players.find(session, old):
            with hold(other.folder / "lock", wait_s=0.0):
                _note(other, old, new)
        for beside in departure.with_it:  # before the recording: alone, they would be taken for sessions of their own
            if beside.exists():
                _bring(departure, beside, session.id)
                beside.unlink()
        _check_same(departure.file)
        file.unlink()
        formats.sync_folder(file.parent)
    return True


def _check(session: Session, departure: Departure) -> None:
    _check_same(departure.file)
    if not is_ready(session):
        raise AttuneError("the session is not ready", mend="process it again", code="not-ready")
    if not departure.to.is_dir():
        raise _not_moved(errno.ENOENT)


def _check_same(look: Look) -> None:
    told = look.file.stat()
    if (told.st_size, told.st_mtime_ns) != (look.size, look.modified_ns):
        raise AttuneError(
            "the recording has changed since it was read", mend="nothing: it is read again", code="recording-changed"
        )


@contextmanager
def _moving() -> Iterator[None]:
    """Turn what a folder refuses into an AttuneError that says what to do."""
    try:
        yield
    except OSError as error:
        raise _not_moved(error.errno) from error


def _not_moved(number: int | None) -> AttuneError:
    return AttuneError(
        f"its recording could not be moved ({errno.errorcode.get(number or 0, 'unknown')})",
        mend="check that the folder of move_ready is there and has room, and that files may be moved out of the "
        "watched one; the session is ready, and its recording lies where it did",
        code="not-moved",
    )


# ------------------------------------------------------------------------------------------------ the file


def _bring(departure: Departure, file: Path, session: str) -> Path:
    """Give the file a name below `to` too, and see to it that a power cut cannot take that away. Returns the name."""
    wanted = departure.place_of(file)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    _check_another_folder(file.parent, wanted.parent)
    part = wanted.with_name(f".{session}{wanted.suffix}.part")  # hidden, and the same when it is tried again
    try:
        place = next(name for name in _names(wanted) if _is_at(file, name, part))
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    for folder in (place.parent, *place.parent.parents):
        formats.sync_folder(folder)
        if folder == departure.to:
            break
    return place


def _names(wanted: Path) -> Iterator[Path]:
    yield wanted
    for n in range(2, MOST_NAMES + 1):
        yield wanted.with_name(f"{wanted.stem} ({n}){wanted.suffix}")
    raise OSError(errno.EEXIST, "no name is free")


def _check_another_folder(a: Path, b: Path) -> None:
    """One folder may be mounted in two places; to take the old name away would then take away the file."""
    probe = b / f".attune-{secrets.token_hex(8)}"
    probe.touch(exist_ok=False)
    try:
        if (a / probe.name).exists():
            raise OSError(errno.ELOOP, "the same folder")
    finally:
        probe.unlink()


def _is_at(file: Path, name: Path, part: Path) -> bool:
    """Whether the file has, or now gets, that name, if need be by a copy made in `part`. False where another has it."""
    try:
        os.link(file, name)
    except FileExistsError:
        return _is_same(file, name)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        return _copy(file, name, part)  # another disk, or one that knows no second names
    return True


def _is_same(file: Path, other: Path) -> bool:
    if not other.is_file() or other.stat().st_size != file.stat().st_size:
        return False
    return os.path.samefile(file, other) or models.sha256_of(file) == models.sha256_of(other)


def _copy(file: Path, name: Path, part: Path) -> bool:
    """Copy, flush, read back, and only then give it its name. False where another file has that name."""
    if name.exists():
        return _is_same(file, name)
    shutil.copyfile(file, part)
    shutil.copystat(file, part)
    with part.open("rb+") as copied:
        os.fsync(copied.fileno())
    if models.sha256_of(part) != models.sha256_of(file):
        raise OSError(errno.EIO, "the copy is not the same")
    return _name(part, name)


def _name(part: Path, name: Path) -> bool:
    """Give `part` its name, unless a file has that now; a rename alone would write over it."""
    with contextlib.suppress(FileExistsError):
        try:
            os.link(part, name)
        except FileExistsError:
            raise
        except OSError:  # a disk that knows no second names: the name is taken first
            os.close(os.open(name, os.O_CREAT | os.O_EXCL))
            os.replace(part, name)
        return True
    return False


# ------------------------------------------------------------------------------------------------ the sessions


def _note(session: Session, old: str, new: str, even_where_gone: bool = False) -> None:
    """Let a session look for its recording in the new place, and make again what links to it.

    even_where_gone   also where what is noted leads nowhere, as a path of another machine
    """
    about = session.about

    def moved(place: str) -> str:
        return new if place == old or (place and even_where_gone and not Path(place).is_file()) else place

    known = replace(about, recording=moved(about.recording), second=moved(about.second))
    if known == about:
        return
    known = replace(known, store=str(session.folder.parent.parent.resolve()))
    ready = is_ready(session)
    write_if_changed(session.folder / "about.json", formats.dump("about.json", known))
    if ready:  # what is not ready makes its links when it is processed again
        again = Session(session.folder, session.settings)
        for step in STEPS:
            if ABOUT in step.reads:
                run_one(again, step)
