"""What a person decides about a session, written into its `session.toml`.

Only the lines concerned change: comments, order and layout that somebody gave the file stay.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import tomlkit
from tomlkit.exceptions import TOMLKitError

from pipeline.formats import write_atomic
from pipeline.records import AttuneError
from pipeline.session import storing
from pipeline.speech.corrections import Correction, check_correction, read_corrections

FILE = "session.toml"
HEAD = "# What a person decided about this session. No step writes here.\n"
OTHER = {"therapist": "client", "client": "therapist"}
_writing = Lock()


def load_decisions(folder: Path) -> tuple[bool, list[Correction]]:
    """(whether therapist and client are swapped, corrections in the order they were made)."""
    document = _read(folder)
    return bool(document.get("voices", {}).get("swap", False)), read_corrections(document.get("corrections", []))


def swap_roles(folder: Path) -> bool:
    """Say that therapist and client are the wrong way round, or take that back. Returns whether they are swapped now.

    Words given to the therapist were given to that voice, so they follow it.
    """

    def change(document: tomlkit.TOMLDocument) -> None:
        if "voices" not in document:
            document.add("voices", tomlkit.table())
        document["voices"]["swap"] = not document["voices"].get("swap", False)
        for row in document.get("corrections", []):
            for key in ("role", "of"):
                if row.get(key) in OTHER:
                    row[key] = OTHER[row[key]]

    _change(folder, change)
    return load_decisions(folder)[0]


def add_correction(folder: Path, correction: Correction) -> None:
    """Keep one more correction.

    raises   ValueError for one that says nothing
    """
    check_correction(correction)

    def change(document: tomlkit.TOMLDocument) -> None:
        row = tomlkit.table()
        row.update({"start": correction.start, "end": correction.end, "kind": correction.kind})
        said = {"role": ("role",), "words": ("text",), "times": ("begins", "ends")}.get(correction.kind, ())
        row.update({name: getattr(correction, name) for name in said})
        if correction.of:
            row.add("of", correction.of)
        if "corrections" not in document:
            document.add("corrections", tomlkit.aot())
        document["corrections"].append(row)

    _change(folder, change)


def remove_last_correction(folder: Path) -> bool:
    """Take the latest correction back; False where there is none."""
    if not load_decisions(folder)[1]:
        return False

    def change(document: tomlkit.TOMLDocument) -> None:
        if len(document["corrections"]) > 1:
            del document["corrections"][-1]
        else:
            document.remove("corrections")

    _change(folder, change)
    return True


def _change(folder: Path, change: Callable[[tomlkit.TOMLDocument], None]) -> None:
    with _writing, storing():
        document = _read(folder)
        change(document)
        write_atomic(folder / FILE, tomlkit.dumps(document).encode())


def _read(folder: Path) -> tomlkit.TOMLDocument:
    path = folder / FILE
    if not path.is_file():
        return tomlkit.parse(HEAD)
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise AttuneError(
            "the session's session.toml is not TOML any more",
            mend="open it in an editor and mend the line, or remove the file",
            code="settings-unreadable",
        ) from error
