"""What the page shows of one session, as plain lists and numbers ready for JSON. Text is given as it is: the page sets
it as text, never as markup."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.alliance.calibration_store import Such
from pipeline.alliance.moments import UNSEEN
from pipeline.exports.text import one_line
from pipeline.exports.wording import BANDS, KINDS, marker_label, strategies
from pipeline.records import Findings, Moment, Repair, Turn, Voice
from pipeline.review import lanes
from pipeline.review.verdicts import Verdict, attach

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "nothing crossed the line"  # how the note begins that would give the audit clip away
MOST_REASONS = 4


@dataclass(frozen=True)
class Contents:
    """All of a session that the page shows. The tables may be None."""

    end_s: float
    turns: Sequence[Turn]
    voices: Sequence[Voice]
    findings: Findings
    turn_table: pd.DataFrame | None = None
    windows: pd.DataFrame | None = None


def clips(findings: Findings) -> list[Moment]:
    """The moments to review in order of time, the audit clip among the others."""
    return sorted(findings.moments, key=lambda moment: (moment.start, moment.end))


def build_view(contents: Contents) -> dict[str, Any]:
    """The session without anybody's verdicts, and without what would tell the audit clip from the rest."""
    turns, end_s = contents.turns, contents.end_s
    return {
        "turns": [_turn(turn) for turn in turns],
        "clips": [_clip(moment, contents) for moment in clips(contents.findings)],
        "repairs": [_repair(repair) for repair in contents.findings.repairs],
        "voices": [
            {"speaker": v.speaker, "role": v.role, "confidence": v.confidence, "why": v.why} for v in contents.voices
        ],
        "notes": [note for note in contents.findings.notes if not note.startswith(NOTHING)],
        "floor": {"bin_s": lanes.bin_s(end_s), "shares": lanes.floor_share(turns, end_s)},
        "silences": [tuple(span) for span in lanes.find_silences(turns, end_s)],
        "poor": None if contents.windows is None else lanes.find_poor_sound(contents.windows),
    }


def _turn(turn: Turn) -> dict[str, Any]:
    words = [[w.start, w.end, one_line(w.text), round(w.confidence, 2)] for w in turn.words]
    return {
        "start": turn.start,
        "end": turn.end,
        "role": turn.role,
        "speaker": turn.speaker,
        "brief": turn.backchannel,
        "words": words,
    }


def _clip(moment: Moment, contents: Contents) -> dict[str, Any]:
    return {
        "start": moment.start,
        "end": moment.end,
        "peak": moment.peak,
        "kind": moment.kind,
        "title": KINDS[moment.kind],
        "why": [one_line(reason) for reason in reasons_of(moment, contents.turn_table)],
        "against": [one_line(reason) for reason in against_of(moment)],
        "words": moment.words,
        "repairs": [_repair(repair) for repair in moment.repairs],
    }


def _repair(repair: Repair) -> dict[str, Any]:
    return {
        "start": repair.start,
        "end": repair.end,
        "type": "immediate and exploratory" if repair.type == "both" else one_line(repair.type),
        "moves": strategies(repair),
        "engagement": repair.engagement,
        "words": one_line(repair.words),
        "note": one_line(repair.note),
    }


def reasons_of(moment: Moment, table: pd.DataFrame | None) -> Sequence[str]:
    """Why it was chosen; for a clip that no rule chose, measured numbers of the client's turns in it: true, in the
    words of the other reasons, those furthest from this client's usual first. The clip must not look different before
    it is judged.

    table   one row a turn, or None
    """
    if moment.why or table is None:
        return moment.why
    found = []
    for row in table.to_dict("records"):
        if row.get("role") == "client" and row["start"] < moment.end and row["end"] > moment.start:
            found += _row_reasons(row)
    return [said for _, said in sorted(found, key=lambda pair: (-pair[0], pair[1]))[: MOST_REASONS // 2]]


def against_of(moment: Moment) -> list[str]:
    """What counts against this moment in particular. What holds for all that the tool marks is not among it: the page
    says that of every clip, also of one that no rule chose."""
    return [reason for reason in moment.against if reason != UNSEEN]


def _row_reasons(row: dict[str, Any]) -> list[tuple[float, str]]:
    def number(name: str) -> float:
        value = row.get(name)
        return math.nan if value is None else float(value)

    words, usual_words, latency, usual_latency = map(number, ("words", "usual_words", "latency_s", "usual_latency_s"))
    found = []
    if words > 0 and usual_words > 0 and not row.get("backchannel"):
        said = f"{words:.0f} {'word' if words == 1 else 'words'} in reply; usual {usual_words:.0f}"
        found.append((abs(math.log(words / usual_words)), said))
    if latency > 0 and usual_latency > 0:
        found.append(
            (abs(math.log(latency / usual_latency)), f"answers after {latency:.1f} s; usual {usual_latency:.1f} s")
        )
    return found


def build_judged(
    findings: Findings,
    verdicts: Sequence[Verdict],
    notes: dict[str, str],
    rater: str,
    *,
    everyone: bool,
    such: Sequence[Such] = (),
) -> dict[str, Any]:
    """What a person has judged so far, and what may be told because of it.

    verdicts  those that stand, of everybody, in this session
    everyone  consensus: the others' verdicts are shown too
    such      how often people agreed with flags of a kind and band, once the clinic put a calibration in force
    returns   own and others' verdicts with the clip they belong to; for each clip judged, whether it was the one drawn
              at random and how firmly it stands; where a verdict belongs to no clip any more, clip is None
    """
    shown = clips(findings)
    belongs = attach(verdicts, shown)
    own, others = _whose(verdicts, rater, everyone)
    told = find_told(findings, verdicts, rater, everyone=everyone)
    audits = {k for k, moment in enumerate(shown) if moment.audit}
    return {
        "own": [_judged(v, belongs, notes) for v in own],
        "others": [_judged(v, belongs, {}) for v in others],
        "told": {str(k): _told(shown[k], such) for k in told},
        "notes": [n for n in findings.notes if n.startswith(NOTHING) and audits <= told],
    }


def find_told(findings: Findings, verdicts: Sequence[Verdict], rater: str, *, everyone: bool) -> set[int]:
    """Indexes in `clips` of those that the person has judged, or in consensus anybody: nothing of them is kept back."""
    own, others = _whose(verdicts, rater, everyone)
    return set(attach([*own, *others], clips(findings)).values())


def _whose(verdicts: Sequence[Verdict], rater: str, everyone: bool) -> tuple[list[Verdict], list[Verdict]]:
    """(the person's own, those of others that are shown beside them)."""
    own = [v for v in verdicts if v.rater == rater and (v.rater_role == "consensus") == everyone]
    return own, [v for v in verdicts if v not in own and v.rater_role != "consensus"] if everyone else []


def _told(moment: Moment, such: Sequence[Such]) -> dict[str, Any]:
    """What would tell the audit clip from the others, or lead a person's judgement, and so comes after it."""
    if moment.audit:
        return {"audit": True, "closest": "", "band": "", "such": ""}
    found = next((s for s in such if (s.kind, s.band) == (moment.kind, moment.band) and s.n), None)
    return {
        "audit": False,
        "closest": marker_label(moment.marker),
        "band": BANDS.get(moment.band, moment.band),
        "such": f"In this clinic, people agreed with {found.agreed} of {found.n} such flags "
        f"(95 % interval {100 * found.low:.0f} to {100 * found.high:.0f} %)."
        if found
        else "",
    }


def _judged(verdict: Verdict, belongs: dict[str, int], notes: dict[str, str]) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "at": verdict.at,
        "rater": verdict.rater,
        "rater_role": verdict.rater_role,
        "clip": belongs.get(verdict.id),
        "mark": verdict.mark,
        "answer": verdict.answer,
        "start": verdict.start,
        "end": verdict.end,
        "flag": [verdict.flag_start, verdict.flag_end],
        "kind": verdict.kind,
        "clarity": verdict.clarity,
        "significance": verdict.significance,
        "useful": verdict.useful,
        "reject_reason": verdict.reject_reason,
        "repair": verdict.repair,
        "strategies": verdict.strategies,
        "resolution": verdict.resolution,
        "therapist_contribution": verdict.therapist_contribution,
        "saw_flag": verdict.saw_flag,
        "note": notes.get(verdict.note, "") if verdict.note else "",
    }
