"""From what the page sends to a verdict: what was shown at that place is looked up here, never believed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import msgspec

from pipeline.alliance.catalogue import load_catalogue
from pipeline.records import AttuneError, Findings, Moment
from pipeline.review import verdict_store
from pipeline.review.verdicts import (
    Answer,
    Clarity,
    RaterRole,
    Reason,
    RepairSeen,
    Seen,
    Verdict,
    Watched,
    Withdrawal,
    current_verdicts,
    last_standing,
)
from pipeline.review.view import clips
from pipeline.session import Receipt, Session, load_receipt, program_version
from pipeline.steps import CALIBRATION, MARKERS, MOMENTS, WORDS

LONGEST_NAME = 60  # letters of a rater's name or initials
LONGEST_NOTE = 20_000


class Judgement(msgspec.Struct, forbid_unknown_fields=True):
    """What the page sends. `clip` is the index of a clip, or None for a missed moment; `mark` that moment's id, once
    it has one."""

    rater: str
    rater_role: RaterRole
    answer: Answer
    start: float
    end: float
    clip: int | None = None
    mark: str = ""
    kind: Seen = ""
    clarity: Clarity = ""
    significance: int = 0
    useful: bool | None = None
    reject_reason: Reason = ""
    saw_flag: bool = True
    watched: Watched = "audio"
    note: str = ""
    repair: RepairSeen = ""
    strategies: tuple[str, ...] = ()
    resolution: int = 0
    therapist_contribution: int = 0


def give_verdict(store: Path, session: Session, judgement: Judgement) -> Verdict:
    """Keep a judgement; its note goes to the session's own folder.

    raises   ValueError for one that does not fit the session
    """
    verdict = build_verdict(session, judgement, current_verdicts(verdict_store.load_events(store, session.id)))
    if verdict.note:
        verdict_store.add_note(session.folder, verdict.note, judgement.note)
    verdict_store.append(store, verdict)
    return verdict


def build_verdict(session: Session, sent: Judgement, standing: list[Verdict]) -> Verdict:
    """The verdict that a judgement makes.

    standing  this session's verdicts so far, by which a mark keeps the place where it was first set
    """
    check_judgement(sent, session.about.duration_s)
    key, shown = secrets.token_hex(8), _shown(session.load(MOMENTS), sent.clip)
    mark = "" if shown else sent.mark or key
    place = (shown.start, shown.end) if shown else _first_place(mark, standing) or (sent.start, sent.end)
    return Verdict(
        id=key,
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        session=session.id,
        subject="missed" if shown is None else "audit" if shown.audit else "flag",
        rater=sent.rater.strip(),
        rater_role=sent.rater_role,
        answer=sent.answer,
        start=round(sent.start, 3),
        end=round(sent.end, 3),
        flag_start=place[0],
        flag_end=place[1],
        flag_kind=shown.kind if shown else "",
        marker=shown.marker if shown else "",
        mark=mark,
        kind=sent.kind,
        clarity=sent.clarity,
        significance=sent.significance,
        useful=sent.useful,
        reject_reason=sent.reject_reason,
        saw_flag=sent.saw_flag,
        watched=sent.watched,
        note=secrets.token_hex(8) if sent.note.strip() else "",
        attune=program_version(),
        rules=_rules(session),
        models=_models(session),
        repair=sent.repair,
        strategies=tuple(name for name in strategy_ids() if name in sent.strategies),
        resolution=sent.resolution,
        therapist_contribution=sent.therapist_contribution,
    )


def strategy_ids() -> list[str]:
    """The therapist's moves that a person may name, in the catalogue's order."""
    return [entry.id for entry in load_catalogue().of_family("resolution")]


def check_judgement(sent: Judgement, duration_s: float) -> None:
    """Raises ValueError for a stretch outside the session, a rating that is no 0 to 5, moves of no repair attempt or
    that the catalogue does not know, and too long a text."""
    if not 0 <= sent.start < sent.end <= duration_s + 60:
        raise ValueError("the stretch does not lie in the session")
    for name in ("significance", "resolution", "therapist_contribution"):
        if not 0 <= getattr(sent, name) <= 5:
            raise ValueError(f"{name.replace('_', ' ')} goes from 1 to 5")
    if sent.strategies and (sent.repair != "attempt" or not set(sent.strategies) <= set(strategy_ids())):
        raise ValueError("moves are those of the catalogue, and belong to a repair attempt")
    if not 0 < len(sent.rater.strip()) <= LONGEST_NAME or not sent.rater.isprintable():
        raise ValueError("say who judges: initials or a short name")
    if len(sent.note) > LONGEST_NOTE:
        raise ValueError("the note is too long")


def _shown(findings: Findings, clip: int | None) -> Moment | None:
    if clip is None:
        return None
    shown = clips(findings)
    if not 0 <= clip < len(shown):
        raise ValueError("there is no such clip")
    return shown[clip]


def _first_place(mark: str, standing: list[Verdict]) -> tuple[float, float] | None:
    return next(((v.flag_start, v.flag_end) for v in standing if v.mark == mark), None)


def _rules(session: Session) -> str:
    """A hash of the versions, options and calibration under which the moments were found."""
    receipts = [load_receipt(session, step) for step in (MARKERS, MOMENTS)]
    under = [(r.version, r.options, r.models, *_calibrated(r)) if r else None for r in receipts]
    return sha256(msgspec.json.encode(under)).hexdigest()[:12]


def _calibrated(receipt: Receipt) -> list[str]:
    return [digest for name, digest in receipt.inputs.items() if name == CALIBRATION.name]


def _models(session: Session) -> str:
    receipt = load_receipt(session, WORDS)
    return ", ".join(sorted(receipt.models)) if receipt else ""


def withdraw_last(store: Path, session: Session, rater: str) -> Verdict | None:
    """Undo the person's latest verdict in this session; None where there is none left."""
    last = last_standing(verdict_store.load_events(store, session.id), rater, session.id)
    if last:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        verdict_store.append(store, Withdrawal(secrets.token_hex(8), at, session.id, rater, last.id))
    return last


def check_rater(rater: str) -> str:
    """Raises AttuneError for a name that is empty, too long or not printable."""
    if len(rater) > LONGEST_NAME or not rater.isprintable():
        raise AttuneError("that name cannot be used", mend="use initials or a short name", code="rater-name")
    return rater.strip()
