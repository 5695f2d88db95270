"""A session in the formats of `pipeline.exports`, with the verdicts that stand on tiers of their own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.exports import ExportOptions, Material, write_formats
from pipeline.session import Session
from pipeline.steps import FRAMES, MARKERS, MOMENTS, SPEECH, TURN_TABLE, TURNS, VOICES, WINDOWS, Step

FOR_TABLES = ("csv", "parquet")  # the formats that write every table


def export_session(
    session: Session, formats: Iterable[str], options: ExportOptions, folder: Path | None = None
) -> dict[str, bytes]:
    """The files of the formats asked for, by name.

    folder   where they are going to lie, so that the recording is linked from there; None where nobody knows
    raises   AttuneError for a format that is unknown, and for an artefact that is missing or cannot be read
    """
    chosen = tuple(formats)
    return write_formats(load_material(session, chosen, folder), chosen, options)


def load_material(session: Session, formats: Iterable[str], folder: Path | None = None) -> Material:
    """What the formats are written from; the large tables only where a format writes them."""
    every_table = bool(set(formats) & set(FOR_TABLES))

    def table(step: Step):
        return session.load(step) if every_table else None

    return Material(
        session.about,
        tuple(session.load(TURNS)),
        session.load(MOMENTS),
        tuple(session.load(VOICES)),
        _if_there(session, TURN_TABLE),
        str(folder.resolve()) if folder else "",
        markers=tuple(table(MARKERS) or ()),
        speech=tuple(table(SPEECH) or ()),
        windows=table(WINDOWS),
        frames=table(FRAMES),
    )


def _if_there(session: Session, step: Step):
    return session.load(step) if (session.folder / step.makes[0]).is_file() else None
