"""The moments as the page shows them to somebody who has not judged them yet: a file must not tell what the page keeps
back. The clip drawn at random is a moment like any other; closest marker and strength of evidence come later."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.alliance.moments import UNSEEN
from pipeline.records import Findings, Moment
from pipeline.review.view import NOTHING, against_of, clips, reasons_of

if TYPE_CHECKING:
    import pandas as pd

UNTOLD = "marker and strength of evidence told once judged"  # stands where the strength of evidence is printed


def is_veiled(findings: Findings, told: Collection[int]) -> bool:
    """Whether there is a clip that the person has not judged; `told` holds the indexes of those in `clips`."""
    return not set(range(len(findings.moments))) <= set(told)


def veil(findings: Findings, told: Collection[int], turn_table: pd.DataFrame | None) -> Findings:
    """The findings without what would tell the clip drawn at random from the rest, or lead a judgement; in order of
    time, for the rank leads as well. As they are where every clip is told.

    told        indexes in `clips` of those of which the person may be told everything
    turn_table  one row a turn, for plain reasons where no rule gives any; or None
    """
    if not is_veiled(findings, told):
        return findings
    shown = clips(findings)
    moments = tuple(moment if k in told else _veiled(moment, turn_table) for k, moment in enumerate(shown))
    hidden = any(moment.audit for k, moment in enumerate(shown) if k not in told)
    notes = tuple(note for note in findings.notes if not (hidden and note.startswith(NOTHING)))
    return replace(findings, moments=moments, notes=notes)


def _veiled(moment: Moment, turn_table: pd.DataFrame | None) -> Moment:
    why, against = tuple(reasons_of(moment, turn_table)), (*against_of(moment), UNSEEN)
    return replace(moment, marker="", score=0.0, band=UNTOLD, why=why, against=against, audit=False)
