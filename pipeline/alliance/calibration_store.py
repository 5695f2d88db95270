"""Where a store keeps its calibrations: one file each, never changed, and a log that only grows.

    <store>/calibration/3.json         one calibration, with the counts and checks it was made from
    <store>/calibration/changes.jsonl  a line for each time one was put in force or taken back, with its hash

Version 0 is the program as it comes: it has no file. No client, rater or word of a session is in any of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.alliance.calibration import Calibration
from pipeline.formats import write_atomic
from pipeline.records import AttuneError

FOLDER = "calibration"
LOG = "changes.jsonl"


@dataclass(frozen=True)
class Such:
    """How often people agreed with the flags of one kind and band: `agreed` of `n`, with the 95 % interval."""

    kind: str
    band: str
    agreed: int
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class Kept:
    """One calibration as it was made.

    follows    the version that was in force until then, to which a rollback returns
    attune     version of the program
    verdicts   flagged moments with a decided verdict that it was made from
    sessions   sessions with such a verdict; clients: those, or sessions without a named client
    slope, intercept
               the clinic's agreement as log-odds: intercept + slope * a flag's log-odds
    precision  share of flags that people should agree with, as the clinic asked for; 0 where the weights stay
    """

    version: int
    follows: int
    at: str
    attune: str
    verdicts: int
    agreed: int
    sessions: int
    clients: int
    slope: float
    intercept: float
    such: tuple[Such, ...]
    precision: float
    calibration: Calibration


@dataclass(frozen=True)
class Change:
    """A line of the log. `sha256` is that of the version now in force, "" for version 0."""

    at: str
    does: Literal["apply", "rollback"]
    version: int
    follows: int
    sha256: str
    attune: str


def load_changes(store: Path) -> list[Change]:
    """The log, oldest first. A last line cut off by a power failure is left out: its change never came into force.

    raises   AttuneError where any other line cannot be read
    """
    path = store / FOLDER / LOG
    if not path.is_file():
        return []
    content = path.read_bytes()
    lines = content.split(b"\n")[:-1]
    try:
        return [msgspec.json.decode(line, type=Change) for line in lines if line]
    except msgspec.DecodeError as error:
        raise _edited() from error


def _edited() -> AttuneError:
    return AttuneError(
        "the store's calibration is not as it was made: it was edited or damaged",
        mend=f"put {FOLDER}/ of the store back from a copy, or take the calibration back: attune calibrate --rollback",
        code="calibration-edited",
    )


def load_kept(store: Path) -> Kept | None:
    """The calibration in force; None where it is the program as it comes.

    raises   AttuneError (code "calibration-edited") where the file is not the one that the log names
    """
    changes = load_changes(store)
    if not changes or changes[-1].version == 0:
        return None
    try:
        content = _path(store, changes[-1].version).read_bytes()
        if sha256(content).hexdigest() != changes[-1].sha256:
            raise _edited()
        return msgspec.json.decode(content, type=Kept)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        raise _edited() from error


def load_calibration(store: Path) -> Calibration | None:
    """What the moments step reads; None where nothing is moved."""
    kept = load_kept(store)
    return None if kept is None or kept.calibration.moves_nothing else kept.calibration


def _path(store: Path, version: int) -> Path:
    return store / FOLDER / f"{version}.json"


def next_version(store: Path) -> tuple[int, int]:
    """(number of a new calibration, number of the one in force)."""
    changes = load_changes(store)
    return max((c.version for c in changes), default=0) + 1, changes[-1].version if changes else 0


def put_in_force(store: Path, kept: Kept) -> None:
    """Keep a calibration and put it in force. The log's line comes last: until then nothing has changed."""
    content = msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"
    (store / FOLDER).mkdir(exist_ok=True)
    write_atomic(_path(store, kept.version), content)
    digest = sha256(content).hexdigest()
    _append(store, Change(kept.at, "apply", kept.version, kept.follows, digest, kept.attune))


def roll_back(store: Path, at: str, attune: str) -> int:
    """Put the version in force that was so before the present one. Returns its number.

    raises   AttuneError where the program is as it comes
    """
    changes = load_changes(store)
    if not changes or changes[-1].version == 0:
        raise AttuneError(
            "no calibration is in force", mend="nothing: the program's own weights are in use", code="no-calibration"
        )
    made = {c.version: c for c in changes if c.does == "apply"}
    back = made.get(made[changes[-1].version].follows)
    _append(
        store,
        Change(at, "rollback", back.version, back.follows, back.sha256, attune)
        if back
        else Change(at, "rollback", 0, 0, "", attune),
    )
    return back.version if back else 0


def _append(store: Path, change: Change) -> None:
    path = store / FOLDER / LOG
    torn = path.is_file() and not path.read_bytes().endswith(b"\n")
    if torn:  # cut off by a power failure: that change never came into force, and its piece of a line goes
        content = path.read_bytes()
        write_atomic(path, content[: content.rfind(b"\n") + 1])
    with path.open("ab") as file:
        file.write(msgspec.json.encode(change) + b"\n")
        file.flush()
        os.fsync(file.fileno())
