"""A session in the formats of `pipeline.exports`, with the verdicts that stand on tiers of their own.

What an annotation file held when it was written is kept in the session's own folder, `exported/<hash>.json`, so that
what a person changed in it can be told, whatever has happened to the session since.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from pipeline.exports import ExportOptions, Material, write_formats
from pipeline.exports.material import Judged
from pipeline.exports.tiers import Tier, build_content, hash_of
from pipeline.formats import write_atomic
from pipeline.records import AttuneError
from pipeline.review import verdict_store
from pipeline.review.verdict_text import say_verdict, tier_name
from pipeline.review.verdicts import current_verdicts
from pipeline.session import Session, storing
from pipeline.steps import AUDIO, FRAMES, MARKERS, MOMENTS, SPEECH, TURN_TABLE, TURNS, VOICES, WINDOWS, Step

FOR_TABLES = ("csv", "parquet")  # the formats that write every table
WITH_MARKERS = (*FOR_TABLES, "bins")  # those that list every marker
WITH_TIERS = ("eaf", "textgrid")  # those that can be read back
KEPT = "exported"


def export_session(
    session: Session, formats: Iterable[str], options: ExportOptions, folder: Path | None = None
) -> dict[str, bytes]:
    """The files of the formats asked for, by name. What those with tiers hold is kept in the session's folder.

    folder   where they are going to lie, so that the recording is linked from there; None where nobody knows
    raises   AttuneError for a format that is unknown, and for an artefact that is missing or cannot be read
    """
    chosen = tuple(formats)
    material = load_material(session, chosen, folder)
    files = write_formats(material, chosen, options)
    if set(chosen) & set(WITH_TIERS):
        _keep_tiers(session, build_content(material))
    return files


def _keep_tiers(session: Session, tiers: list[Tier]) -> None:
    path = session.folder / KEPT / f"{hash_of(tiers)}.json"
    with storing():
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, msgspec.json.encode(tiers))


def load_exported(session: Session, key: str) -> list[Tier]:
    """The tiers as they were exported under this hash.

    raises   AttuneError (code "export-unknown") where they are not kept
    """
    try:
        return msgspec.json.decode((session.folder / KEPT / f"{key}.json").read_bytes(), type=list[Tier])
    except (OSError, msgspec.DecodeError) as error:
        raise AttuneError(
            "what the file held when it was exported is not kept in this session",
            mend="export the session again, and make the changes in that file",
            code="export-unknown",
        ) from error


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
        markers=tuple(session.load(MARKERS)) if set(formats) & set(WITH_MARKERS) else (),
        speech=tuple(table(SPEECH) or ()),
        windows=table(WINDOWS),
        frames=table(FRAMES),
        judged=_judged(session) if set(formats) & set(WITH_TIERS) else (),
        joined=str((session.folder / AUDIO.makes[0]).resolve()),
    )


def _judged(session: Session) -> tuple[Judged, ...]:
    """The verdicts that stand, but those about the clip drawn at random: they would tell it from the rest."""
    store = session.folder.parent.parent
    return tuple(
        Judged(verdict.start, verdict.end, tier_name(verdict.rater, verdict.rater_role), say_verdict(verdict))
        for verdict in current_verdicts(verdict_store.load_events(store, session.id))
        if verdict.subject != "audit"
    )


def _if_there(session: Session, step: Step):
    return session.load(step) if (session.folder / step.makes[0]).is_file() else None
