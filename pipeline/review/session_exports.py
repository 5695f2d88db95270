"""A session in the formats of `pipeline.exports`, with the verdicts that stand on tiers of their own.

What an annotation file held when it was written is kept in the session's own folder, `exported/<hash>.json`, so that
what a person changed in it can be told, whatever has happened to the session since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.exports import (
    WRITERS,
    ExportOptions,
    Material,
    check_formats,
    unmarked_files,
    veiled_files,
    write_formats,
)
from pipeline.exports.material import Judged
from pipeline.exports.tiers import BLIND, STAMP_TIER, Tier, build_content, hash_of
from pipeline.formats import write_atomic
from pipeline.records import AttuneError, Findings
from pipeline.review import verdict_store
from pipeline.review.edited_files import SUFFIXES, load_tiers, read_stamp
from pipeline.review.folders import check_times
from pipeline.review.veil import is_veiled, veil
from pipeline.review.verdict_text import say_verdict, tier_name
from pipeline.review.verdicts import current_verdicts
from pipeline.review.view import find_told
from pipeline.session import Session, storing
from pipeline.steps import AUDIO, FRAMES, MARKERS, MOMENTS, SPEECH, TURN_TABLE, TURNS, VOICES, WINDOWS, Step

FOR_TABLES = ("csv", "parquet")  # the formats that write every table
WITH_MARKERS = (*FOR_TABLES, "bins")  # those that list every marker
WITH_TIERS = ("eaf", "textgrid")  # those that can be read back
KEPT = "exported"


@dataclass(frozen=True)
class Reader:
    """Whom an export is for, where that is a rater: other people's verdicts must not lead them, and a moment that they
    have not judged is in it as the page shows it, see `veil.py`.

    rater     whose own verdicts it may hold; "" for nobody's
    everyone  other people's too, as in consensus
    blind     in a blind first pass: nothing of what the tool marked, nobody else's verdicts, whatever `everyone` says
    """

    rater: str
    everyone: bool = False
    blind: bool = False

    @property
    def left_out(self) -> str:
        """What their files do not hold, in words for people; "" where they hold everything."""
        if self.blind:
            return BLIND
        return "" if self.everyone else "without other people's verdicts"


def export_session(
    session: Session,
    formats: Iterable[str],
    options: ExportOptions,
    folder: Path | None = None,
    reader: Reader | None = None,
) -> dict[str, bytes]:
    """The files of the formats asked for, by name. What those with tiers hold is kept in the session's folder.

    folder   where they are going to lie, so that the recording is linked from there; None where nobody knows
    reader   None where they are for nobody who still has to judge: they hold everything
    raises   AttuneError for a format that is unknown, for one that the reader must not see yet, and for an artefact
             that is missing or cannot be read
    """
    chosen = tuple(formats)
    check_formats(chosen)
    names = [name for format in chosen for name in _allowed(session, format, reader)]
    material = load_material(session, chosen, folder, reader)
    written = write_formats(material, chosen, options)
    files = {name: written[name] for name in names}
    if set(chosen) & set(WITH_TIERS):
        _keep_tiers(session, build_content(material))
    return files


def _allowed(session: Session, format: str, reader: Reader | None) -> tuple[str, ...]:
    """Which of a format's files the reader may have."""
    if reader is None:
        return tuple(WRITERS[format])
    if reader.blind:
        names, why = unmarked_files(format), "what the tool marked, and that is hidden in a blind first pass"
        mend, code = "press B to see what is marked, and export then", "export-blind"
    elif is_veiled(session.load(MOMENTS), _told(session, reader)):
        names, why = (
            veiled_files(format),
            "how firmly each moment stands, and that is told once you have judged them all",
        )
        mend, code = (
            "judge every moment, and export then; attune export writes everything at any time",
            "export-unjudged",
        )
    else:
        return tuple(WRITERS[format])
    if not names:
        raise AttuneError(f"{format} shows {why}", mend=mend, code=code)
    return names


def _told(session: Session, reader: Reader) -> set[int]:
    events = verdict_store.load_events(session.folder.parent.parent, session.id)
    return find_told(session.load(MOMENTS), current_verdicts(events), reader.rater, everyone=reader.everyone)


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


def is_as_exported(session: Session, path: Path) -> bool:
    """Whether nobody worked on a file that was exported; True for one that is never read back."""
    if path.suffix.lower() not in SUFFIXES:
        return True
    try:
        tiers = load_tiers(path)
        key, exported, _ = read_stamp(tiers)
        kept = {tier.name: tier.labels for tier in load_exported(session, exported) if tier.labels}
    except AttuneError:
        return False
    found = {name: labels for name, labels in tiers.items() if labels and name != STAMP_TIER}
    return key == session.id and found == kept


def load_material(
    session: Session, formats: Iterable[str], folder: Path | None = None, reader: Reader | None = None
) -> Material:
    """What the formats are written from, as far as `reader` may see it; the large tables only where a format writes
    them."""
    every_table = bool(set(formats) & set(FOR_TABLES))

    def table(step: Step):
        return session.load(step) if every_table else None

    turns, findings, turn_table = session.load(TURNS), session.load(MOMENTS), _if_there(session, TURN_TABLE)
    check_times(session.about, turns, findings)
    blind = reader is not None and reader.blind
    left_out = [reader.left_out] if reader and reader.left_out else []
    if blind:
        findings = Findings((), (), ())
    elif reader and is_veiled(findings, told := _told(session, reader)):
        findings = veil(findings, told, turn_table)
        left_out.append("moments not judged yet have no marker")
    return Material(
        session.about,
        tuple(turns),
        findings,
        tuple(session.load(VOICES)),
        turn_table,
        str(folder.resolve()) if folder else "",
        markers=tuple(session.load(MARKERS)) if set(formats) & set(WITH_MARKERS) and not blind else (),
        speech=tuple(table(SPEECH) or ()),
        windows=table(WINDOWS),
        frames=table(FRAMES),
        judged=_judged(session, reader) if set(formats) & set(WITH_TIERS) else (),
        joined=str((session.folder / AUDIO.makes[0]).resolve()),
        left_out=", ".join(left_out),
    )


def _judged(session: Session, reader: Reader | None) -> tuple[Judged, ...]:
    """The verdicts that stand and that the reader may see, but those about the clip drawn at random: they would tell it
    from the rest."""
    store = session.folder.parent.parent
    own = reader.rater if reader and (reader.blind or not reader.everyone) else None
    return tuple(
        Judged(verdict.start, verdict.end, tier_name(verdict.rater, verdict.rater_role), say_verdict(verdict))
        for verdict in current_verdicts(verdict_store.load_events(store, session.id))
        if verdict.subject != "audit" and own in (None, verdict.rater)
    )


def _if_there(session: Session, step: Step):
    return session.load(step) if (session.folder / step.makes[0]).is_file() else None
