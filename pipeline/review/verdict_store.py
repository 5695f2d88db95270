"""Where verdicts are kept: `<store>/verdicts.sqlite`, rows that are only ever added.

The database itself refuses to change or delete a row. Every write is on the disk before it is answered (write-ahead
log, synchronous). Notes are free text about people: they lie in the session's own folder, go when it goes, and are
never part of an export or of a calibration.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.records import AttuneError
from pipeline.review.verdicts import Verdict, Withdrawal

FILE = "verdicts.sqlite"
NOTES = "notes.jsonl"
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  session TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('verdict', 'withdrawal')),
  body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS by_session ON events (session);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
KINDS: dict[str, type] = {"verdict": Verdict, "withdrawal": Withdrawal}


@contextmanager
def _opened(store: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(store / FILE, timeout=10.0)
    except sqlite3.OperationalError as error:
        raise _unopened() from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
        with connection:
            yield connection
    except sqlite3.OperationalError as error:
        raise _unopened() from error
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise AttuneError(
            f"the verdicts cannot be read: {FILE} in the store is damaged; nothing was written over it",
            mend=f"put {FILE} back from a backup; what can still be read: sqlite3 {FILE} .recover",
            code="verdicts-damaged",
        ) from error
    finally:
        connection.close()


def _unopened() -> AttuneError:
    return AttuneError(
        "the verdicts cannot be kept: their file in the store cannot be opened or written",
        mend="make room on the disk, or give this user the right to write to the store",
        code="verdicts-unwritable",
    )


def append(store: Path, event: Verdict | Withdrawal) -> None:
    """Add one row; it is on the disk when this returns.

    raises   AttuneError: "verdicts-unwritable", "verdicts-damaged"
    """
    kind = "verdict" if isinstance(event, Verdict) else "withdrawal"
    row = (event.id, event.session, kind, msgspec.json.encode(event).decode())
    with _opened(store) as connection:
        connection.execute("INSERT INTO events (id, session, kind, body) VALUES (?, ?, ?, ?)", row)


def load_events(store: Path, session: str | None = None) -> list[Verdict | Withdrawal]:
    """Every row, or those of one session, in the order they were added; none where nobody has judged yet.

    raises   AttuneError: "verdicts-unwritable", "verdicts-damaged"
    """
    if not (store / FILE).is_file():
        return []
    query = "SELECT kind, body FROM events" + (" WHERE session = ?" if session else "") + " ORDER BY seq"
    with _opened(store) as connection:
        rows = connection.execute(query, (session,) if session else ()).fetchall()
    return [msgspec.json.decode(body, type=KINDS[kind]) for kind, body in rows]


def add_note(folder: Path, ref: str, text: str) -> None:
    """Add a note to the session's own folder; on the disk when this returns."""
    path = folder / NOTES
    torn = path.is_file() and not path.read_bytes().endswith(b"\n")  # cut off by a power failure
    line = b"\n" * torn + msgspec.json.encode({"ref": ref, "text": text}) + b"\n"
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def load_notes(folder: Path) -> dict[str, str]:
    """Notes by reference. A line cut off by a power failure is left out."""
    path = folder / NOTES
    notes = {}
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            row = msgspec.json.decode(line, type=dict[str, str])
        except msgspec.DecodeError:
            continue
        notes[row["ref"]] = row["text"]
    return notes
