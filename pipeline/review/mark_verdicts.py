"""From labels that were changed in an annotation program to verdicts.

A candidate that was taken away is disagreed with; one that was changed, or drawn over to the tier of another kind, is
agreed with as it lies now; one that was added is a moment that the tool missed. A repair attempt that was added or
changed is a moment of that kind which the person saw; where all those of a moment were taken away, the person's verdict
on the moment says that none was seen. On a person's own tier of verdicts a label says the verdict in words, and one
taken away is withdrawn. A label left alone says nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.exports.clock import short
from pipeline.exports.tiers import CANDIDATES, Label
from pipeline.records import AttuneError, Findings, Moment
from pipeline.review import media, verdict_store
from pipeline.review.judging import Judgement, build_verdict
from pipeline.review.mark_edits import Mark, MarkEdit
from pipeline.review.verdict_text import FORM, read_verdict, say_verdict, tier_name
from pipeline.review.verdicts import (
    RaterRole,
    Verdict,
    Watched,
    Withdrawal,
    current_verdicts,
    same_matter,
    same_place,
)
from pipeline.review.view import clips
from pipeline.session import Session
from pipeline.steps import MOMENTS

JUDGED = (
    "kind",
    "clarity",
    "significance",
    "useful",
    "reject_reason",
    "repair",
    "strategies",
    "resolution",
    "therapist_contribution",
)
CANDIDATE_OF = {kind: tier for tier, kind in CANDIDATES.items()}
SAID = ("answer", "start", "end", *JUDGED)


@dataclass(frozen=True)
class Rater:
    """Who judges. `name` may be "" where nothing is judged; `saw_flags` is False in a blind first pass."""

    name: str
    role: RaterRole
    saw_flags: bool = True


@dataclass
class Judged:
    """Verdicts with the text of a new note, or ""; withdrawals with what they withdraw; and what could not be."""

    verdicts: list[tuple[Verdict, str]] = field(default_factory=list)
    withdrawals: list[tuple[Verdict, Withdrawal]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def judge_edits(
    session: Session,
    candidates: Sequence[MarkEdit],
    own: Sequence[MarkEdit],
    rater: Rater,
    repairs: Sequence[MarkEdit] = (),
    shown: Sequence[Mark] = (),
) -> Judged:
    """What the edits say that the person has not said already.

    candidates  changes on the tiers of candidates
    repairs     changes on the tier of repair attempts
    own         changes on the person's own tier of verdicts; they win where both are about one moment
    shown       every candidate that was in the file: the clip drawn at random is only in some
    raises      AttuneError naming the label that says no verdict, or one that does not fit the session
    """
    judge = _Judge(session, rater, shown)
    found = Judged()
    for edit in candidates:
        judge.candidate(edit, found)
    for edit in own:
        judge.own(edit, found)
    for edit in repairs:
        if edit.after:
            judge.repair(edit.before, edit.after, found)
    judge.no_repair([edit.before for edit in repairs if edit.before and not edit.after], found)
    later = [verdict for verdict, _ in found.verdicts]
    found.verdicts = [
        (verdict, note)
        for k, (verdict, note) in enumerate(found.verdicts)
        if not any(same_matter(verdict, other) for other in later[k + 1 :]) and not _is_known(verdict, judge.standing)
    ]
    return found


class _Judge:
    """One person's view of one session: the moments as they are now, and the verdicts of theirs that stand."""

    def __init__(self, session: Session, rater: Rater, shown: Sequence[Mark]) -> None:
        self.session, self.rater, self.shown = session, rater, shown
        findings: Findings = session.load(MOMENTS)
        self.moments = clips(findings)
        events = verdict_store.load_events(session.folder.parent.parent, session.id)
        self.all_standing = current_verdicts(events)
        self.standing = [v for v in self.all_standing if (v.rater, v.rater_role) == (rater.name, rater.role)]
        self.watched = _watched(session)

    def candidate(self, edit: MarkEdit, found: Judged) -> None:
        clip = self._clip(edit.before, CANDIDATES[edit.before.tier]) if edit.before else None
        if edit.after is None:
            assert edit.before is not None
            if clip is None:
                found.left.append(f"{short(edit.before.start)}: what was marked there is not marked any more")
            else:
                found.verdicts.append((self._verdict(edit.before, {"answer": "disagree"}, clip), ""))
            return
        said: dict[str, Any] = self._said_before(clip) | {"answer": "agree", "kind": CANDIDATES[edit.after.tier]}
        note = ""
        if edit.before is None:
            words = _try(edit.after)
            said, note = said | (words or {}), "" if words else edit.after.label.text
        elif edit.after.label.text != edit.before.label.text:
            said |= _read(edit.after)
        found.verdicts.append((self._verdict(edit.after, said | {"note": note}, clip), note))

    def own(self, edit: MarkEdit, found: Judged) -> None:
        old = self._standing_at(edit.before)
        if edit.after is not None:
            verdict = self._verdict(edit.after, _read(edit.after), None if old else self._clip(edit.after, None))
            found.verdicts.append((_in_place_of(old, verdict) if old else verdict, ""))
        elif old:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            withdrawal = Withdrawal(secrets.token_hex(8), at, self.session.id, old.rater, old.id)
            found.withdrawals.append((old, withdrawal))

    def repair(self, before: Mark | None, after: Mark, found: Judged) -> None:
        """A repair attempt that the person saw, as it lies now."""
        said = _try(after) or {}
        note = "" if said or (before and before.label.text == after.label.text) else after.label.text
        seen = {"answer": "agree", "repair": "attempt", **said, "kind": "repair", "note": note}
        verdict = self._verdict(after, seen, None)
        old = [v for v in self.standing if v.kind == "repair" and v.mark and same_place(v, before or after)]
        found.verdicts.append((_in_place_of(old[-1], verdict) if old else verdict, note))

    def no_repair(self, gone: Sequence[Mark], found: Judged) -> None:
        """Repair attempts taken away: what the person says of the moments that they belong to."""
        for clip, moment in enumerate(self.moments):
            own = [repair for repair in moment.repairs if any(same_place(repair, mark) for mark in gone)]
            if not own or moment.audit:
                continue
            at = short(own[0].start)
            if len(own) < len(moment.repairs):
                found.left.append(
                    f"{at}: the repair attempt taken away is one of several of its moment, and a verdict says only "
                    "whether there was any"
                )
            elif said := self._said_now(clip, found):
                if said.repair and said not in self.standing:
                    continue  # the same file says it in words
                mark = Mark(CANDIDATE_OF[moment.kind], Label(round(said.start * 1000), round(said.end * 1000), ""))
                none = {"answer": said.answer, **_judged(said), "repair": "none", "strategies": (), "resolution": 0}
                found.verdicts.append((replace(self._verdict(mark, none, clip), note=said.note), ""))
            else:
                tier = tier_name(self.rater.name, self.rater.role)
                found.left.append(
                    f"{at}: the repair attempt taken away: the verdict on its moment would say so, and you have given "
                    f"none; judge the moment too, as with 'agree; no repair' over it on the tier {tier!r}"
                )
        linked = [repair for moment in self.moments for repair in moment.repairs]
        for mark in gone:
            if not any(same_place(repair, mark) for repair in linked):
                found.left.append(
                    f"{short(mark.start)}: the repair attempt taken away belongs to no moment, and verdicts are about "
                    "moments"
                )

    def _said_now(self, clip: int, found: Judged) -> Verdict | None:
        """The person's verdict on a moment, with what the same file says of it."""
        said = [*self.standing, *(verdict for verdict, _ in found.verdicts)]
        place = self.moments[clip]
        own = [v for v in said if v.flag_kind == place.kind and same_place(v.place, place)]
        return own[-1] if own else None

    def _clip(self, mark: Mark, kind: str | None) -> int | None:
        """The moment shown there, of that kind if one is given; the clip drawn at random only where the file had it."""
        near = [k for k, moment in enumerate(self.moments) if kind in (None, moment.kind) and same_place(moment, mark)]
        flags = [k for k in near if not self.moments[k].audit]
        return next(iter(flags or (k for k in near if self._was_shown(self.moments[k]))), None)

    def _was_shown(self, moment: Moment) -> bool:
        tier = CANDIDATE_OF[moment.kind]
        return any(mark.tier == tier and same_place(mark, moment) for mark in self.shown)

    def _said_before(self, clip: int | None) -> dict[str, Any]:
        """What the person has said of a moment, so that changing its times does not unsay it."""
        moment: Moment | None = None if clip is None else self.moments[clip]
        for verdict in reversed(self.standing):
            if moment and verdict.flag_kind == moment.kind and same_place(verdict.place, moment):
                return _judged(verdict)
        return {}

    def _standing_at(self, mark: Mark | None) -> Verdict | None:
        """The verdict that a label was written from."""
        if mark is None:
            return None
        same = [v for v in self.standing if say_verdict(v) == mark.label.text and same_place(v, mark)]
        return same[-1] if same else None

    def _verdict(self, mark: Mark, said: dict[str, Any], clip: int | None) -> Verdict:
        name, role = self.rater.name, self.rater.role
        sent = Judgement(
            name,
            role,
            start=mark.start,
            end=mark.end,
            clip=clip,
            watched=self.watched,
            saw_flag=self.rater.saw_flags,
            **said,
        )
        try:
            return build_verdict(self.session, sent, self.all_standing)
        except ValueError as error:
            raise AttuneError(
                f"the label at {short(mark.start)} on tier {mark.tier!r} does not fit: {error}",
                mend=FORM,
                code="no-verdict",
            ) from error


def _judged(verdict: Verdict) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in JUDGED}


def _in_place_of(old: Verdict, new: Verdict) -> Verdict:
    """The new verdict about the same matter, with the note of the old one."""
    kept = ("subject", "flag_start", "flag_end", "flag_kind", "marker", "mark", "note")
    return replace(new, **{name: getattr(old, name) for name in kept})


def _is_known(verdict: Verdict, standing: Sequence[Verdict]) -> bool:
    """Whether the person has said just that already."""
    for old in standing:
        missed = verdict.subject == old.subject == "missed" and same_place(old, verdict)
        if (missed or same_matter(old, verdict)) and all(getattr(old, n) == getattr(verdict, n) for n in SAID):
            return True
    return False


def _watched(session: Session) -> Watched:
    if not media.has_sound(session):
        return "text"
    return "video" if media.find_picture(session)[0] else "audio"


def _try(mark: Mark) -> dict[str, Any] | None:
    try:
        return read_verdict(mark.label.text)
    except ValueError:
        return None


def _read(mark: Mark) -> dict[str, Any]:
    try:
        return read_verdict(mark.label.text)
    except ValueError as error:
        raise AttuneError(
            f"the label at {short(mark.start)} on tier {mark.tier!r} says no verdict: {error}",
            mend=FORM,
            code="no-verdict",
        ) from error
