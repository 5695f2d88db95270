"""The store as a whole: which form it has, and which program works in it.

    <store>/store.json      the form of the store and the newest program that worked in it
    <store>/sessions/       one folder per session (`pipeline.session`)
    <store>/night/          what `attune watch` keeps: pause, order, summaries; ids and codes only
    <store>/prefect/        Prefect's home

A store of an older form is brought to this one, step by step, each step safe to repeat. A store of a newer form, or one
in which a newer program works, is refused: two versions side by side would remake each other's artefacts for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline import formats
from pipeline.lock import hold
from pipeline.records import AttuneError
from pipeline.session import program_version, storing

FORMAT = 1
MARK = "store.json"


@dataclass(frozen=True)
class Mark:
    """format: form of the store. attune: newest program that has worked in it."""

    format: int
    attune: str


def _from_0(store: Path) -> None:
    """Stores before 0.2 had no mark, and Prefect's server noted itself in a file that nothing reads any more."""
    (store / "prefect" / "server.json").unlink(missing_ok=True)


# form -> what brings a store of that form to the next one; may be cut off anywhere and repeated
UPGRADES: dict[int, Callable[[Path], None]] = {0: _from_0}


def load_mark(store: Path) -> Mark:
    """The mark of a store; form 0 where a store has none.

    raises   AttuneError when it cannot be read
    """
    path = store / MARK
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except FileNotFoundError:
        return Mark(0, "unknown")
    except msgspec.DecodeError as error:
        raise AttuneError(
            f"{MARK} of the store cannot be read",
            mend=f"delete {MARK}: it is written anew, no session is touched",
            code="store-mark-unreadable",
        ) from error


def open_store(store: Path) -> Mark:
    """Make the store, or bring it to this program's form. Returns its mark.

    raises   AttuneError: "store-newer" for a form this program does not know, "program-older" where a newer program
             works in the store, and what the disk refuses
    """
    with storing():
        store.mkdir(parents=True, exist_ok=True)
        mark = load_mark(store)
    _check(mark)
    wanted = Mark(FORMAT, newer(mark.attune, program_version()))
    if mark == wanted:
        return mark
    with hold(store / f"{MARK}.lock"), storing():
        mark = load_mark(store)
        _check(mark)
        for form in range(mark.format, FORMAT):
            UPGRADES[form](store)
            formats.write_atomic(store / MARK, formats.dump(MARK, Mark(form + 1, mark.attune)))
        formats.write_atomic(store / MARK, formats.dump(MARK, wanted))
    return wanted


def is_there(store: Path) -> bool:
    """Whether a store that was opened can be seen now."""
    return (store / MARK).is_file()


def check_present(store: Path) -> None:
    """Raises AttuneError where a store that was opened is not there now, its share gone, or a newer program has it."""
    if not is_there(store):
        raise AttuneError(
            "the store is not there",
            mend="check the disk or the network share, then process again; what is finished is kept",
            code="store-unreachable",
        )
    _check(load_mark(store))


def check_form(store: Path) -> None:
    """Raises AttuneError where this program must not work in the store, because a newer one does."""
    _check(load_mark(store))


def _check(mark: Mark) -> None:
    if mark.format > FORMAT:
        raise AttuneError(
            f"the store has form {mark.format}, and this program ({program_version()}) knows forms up to {FORMAT}",
            mend="update attune on this machine",
            code="store-newer",
        )
    if program_version() != "unknown" and newer(mark.attune, program_version()) != program_version():
        raise AttuneError(
            f"attune {mark.attune} works in this store, and this machine has {program_version()}",
            mend="update attune on this machine: all machines of one store need the same version",
            code="program-older",
        )


def newer(a: str, b: str) -> str:
    """The newer of two versions; one that is not known gives way to the other."""
    from packaging.version import InvalidVersion, Version

    def rank(version: str) -> Version:
        try:
            return Version(version)
        except InvalidVersion:
            return Version("0.dev0")

    return b if rank(b) >= rank(a) else a
