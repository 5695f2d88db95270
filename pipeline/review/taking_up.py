"""An edited annotation file taken up: corrections into the session's `session.toml`, verdicts into the store.

Everything is checked before anything is written, and what is there already is not written twice, so that one file may
be taken up again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.exports.clock import short
from pipeline.exports.tiers import CANDIDATES, STAMP_TIER
from pipeline.records import AttuneError, Turn
from pipeline.review import decisions, verdict_store
from pipeline.review.edited_files import Tiers, load_tiers, read_stamp
from pipeline.review.judging import check_rater
from pipeline.review.mark_edits import (
    find_candidate_edits,
    find_candidates,
    find_repair_edits,
    find_verdict_edits,
)
from pipeline.review.mark_verdicts import Judged, Rater, judge_edits
from pipeline.review.session_exports import load_exported
from pipeline.review.transcript_edits import find_corrections
from pipeline.review.verdict_text import TIER, tier_name
from pipeline.review.verdicts import RaterRole
from pipeline.session import Session
from pipeline.speech.corrections import Correction, find_unmet
from pipeline.steps import TURNS


@dataclass(frozen=True)
class Changes:
    """What a file brings that the session does not have yet.

    left   what was changed in it and cannot be taken up, in words for the person
    """

    corrections: tuple[Correction, ...]
    judged: Judged
    left: tuple[str, ...]

    @property
    def none(self) -> bool:
        return not (self.corrections or self.judged.verdicts or self.judged.withdrawals)


def find_changes(session: Session, path: Path, rater: str, role: RaterRole) -> Changes:
    """What a person changed in an annotation file since it was exported.

    rater    who changed it; may be "" where no candidate and no verdict was changed
    raises   AttuneError for a file of another session, a tier that nobody knows, a label that says no verdict, a tier
             of another person's verdicts that was changed, and verdicts of nobody
    """
    edited = load_tiers(path)
    key, exported, blind = read_stamp(edited)
    if key != session.id:
        raise AttuneError(
            f"the file is of session {key}, not of {session.id}", mend=f"name session {key}", code="other-session"
        )
    base: Tiers = {tier.name: tier.labels for tier in load_exported(session, exported)}
    who = Rater(check_rater(rater), role, saw_flags=not blind)
    own = tier_name(who.name, who.role)
    _check_tiers(base, edited, own)
    found, left = find_corrections(base, edited)
    corrections, unmet = _new_corrections(session, found)
    candidates, verdicts = find_candidate_edits(base, edited), find_verdict_edits(base, edited, own)
    repairs = find_repair_edits(base, edited)
    if (candidates or verdicts or repairs) and not who.name:
        raise AttuneError(
            "candidates, repair attempts or verdicts were changed, and nobody is named who judged",
            mend="say who, with --rater INITIALS",
            code="no-rater",
        )
    judged = judge_edits(session, candidates, verdicts, who, repairs, find_candidates(base))
    gone = [
        f"tier {name!r} is not in the file: nothing on it is taken as changed" for name in base if name not in edited
    ]
    return Changes(tuple(corrections), judged, (*left, *unmet, *judged.left, *gone))


def take_up(session: Session, store: Path, changes: Changes) -> None:
    """Write what was found: each correction and each verdict is on the disk when this returns."""
    for correction in changes.corrections:
        decisions.add_correction(session.folder, correction)
    for verdict, note in changes.judged.verdicts:
        if note:
            verdict_store.add_note(session.folder, verdict.note, note)
        verdict_store.append(store, verdict)
    for _, withdrawal in changes.judged.withdrawals:
        verdict_store.append(store, withdrawal)


def _check_tiers(base: Tiers, edited: Tiers, own: str) -> None:
    for name, labels in edited.items():
        person = TIER.fullmatch(name)
        if name not in base and name not in (*CANDIDATES, STAMP_TIER) and not person:
            raise AttuneError(
                f"the tier {name!r} is none of those that attune export writes",
                mend="remove it; verdicts go on a tier named 'verdicts' and the rater's initials",
                code="unknown-tier",
            )
        if person and name != own and labels != base.get(name, ()):
            role = f" --role {person['role']}" if person["role"] else ""
            raise AttuneError(
                f"the tier {name!r} was changed, and it holds the verdicts of another person than the rater",
                mend=f"say whose they are, with --rater {person['rater']!r}{role}",
                code="other-rater",
            )


def _new_corrections(session: Session, found: Sequence[Correction]) -> tuple[list[Correction], list[str]]:
    """(those that are not made yet, in words those that meet nothing any more)."""
    turns: list[Turn] = session.load(TURNS)
    known = decisions.load_decisions(session.folder)[1]
    new = [correction for correction in found if correction not in known]
    unmet = find_unmet(turns, new)
    return [c for c in new if c not in unmet], [f"{short(c.start)}: no word lies there any more" for c in unmet]
