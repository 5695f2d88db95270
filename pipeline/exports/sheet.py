"""What a supervision sheet says: the moments with their times and markers, and boxes for people to fill in.

The tool never fills in a box. By default no word of the session is on the sheet: a reason may quote one, so reasons are
left out as well. `sheet_docx.py` and `sheet_pdf.py` lay it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.exports.clock import short
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import one_line
from pipeline.exports.wording import BANDS, KINDS, NOT_A_RISK_TOOL, marker_label, strategies
from pipeline.records import Moment, Repair

TITLE = "Supervision sheet"
FIELDS = ("Supervisor", "Trainee", "Date")
HOW_TO = (
    "The tool chose these moments because they may be worth a look; what happened is for you to say. Watch each from a "
    "few seconds before it. Tick your view, then 1 to 5: 1 = no effect on the alliance, 5 = a strong effect."
)
ANSWERS = ("agree", "disagree", "unsure")
IMPACT = "Effect on the alliance"
RESOLVED = "How far repaired"
NOTE = "Note"
MISSED = "Moments that the tool did not choose"
MISSED_ROWS = 2
OVERALL_TITLE = "The session as a whole, 1 to 5"
OVERALL = ("Withdrawal", "Confrontation", "How far resolved", "Therapist's part")
NONE_CHOSEN = "No moment crossed the line. This does not mean that there was no rupture."
NO_WORDS = "No words of the session are on this sheet."
WITH_WORDS = "This sheet holds words of the session: keep it as you keep the recording."


@dataclass(frozen=True)
class Entry:
    """One moment on the sheet.

    repairs  a line each, or one that says that none was seen
    reasons  why it was chosen, and words what was said; both empty unless words are asked for
    """

    rank: int
    time: str
    kind: str
    title: str
    marker: str
    band: str
    repairs: tuple[str, ...]
    reasons: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """All that is printed, in order. `notes` are what a person should know first; `foot` the lines at the end."""

    subtitle: str
    notes: tuple[str, ...]
    entries: tuple[Entry, ...]
    foot: tuple[str, ...]


def build_sheet(material: Material, options: ExportOptions) -> Sheet:
    """The sheet of a session, moments in order of time as they are watched; `rank` is the number everywhere else."""
    ranked = sorted(enumerate(material.shown, start=1), key=lambda pair: (pair[1].start, pair[1].end))
    return Sheet(
        f"Session {one_line(material.about.session)}, {short(material.end_s)} long",
        tuple(one_line(f"{note[:1].upper()}{note[1:]}.") for note in material.findings.notes),
        tuple(_entry(rank, moment, options) for rank, moment in ranked),
        (WITH_WORDS if options.sheet_words else NO_WORDS, NOT_A_RISK_TOOL),
    )


def _entry(rank: int, moment: Moment, options: ExportOptions) -> Entry:
    words = options.sheet_words
    return Entry(
        rank,
        f"{short(moment.start)} – {short(moment.end)}",
        moment.kind,
        KINDS[moment.kind],
        marker_label(moment.marker),
        BANDS.get(moment.band, one_line(moment.band)),
        tuple(_repair(repair) for repair in moment.repairs) or ("Repair attempt: not seen",),
        tuple(one_line(reason) for reason in moment.why) if words else (),
        tuple(one_line(line) for line in moment.words.split("\n") if one_line(line)) if words else (),
    )


def _repair(repair: Repair) -> str:
    return (
        f"Possible repair attempt at {short(repair.start)}: {strategies(repair)}; "
        f"engagement afterwards: {one_line(repair.engagement)}"
    )
