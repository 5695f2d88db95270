"""What every writer writes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.records import About, Findings, Marker, Moment, Repair, Speech, Turn, Voice

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ExportOptions:
    """How the outputs are laid out."""

    cue_line_chars: int = 42  # longest caption line; the usual limit of broadcasters
    cue_s: float = 7.0  # longest caption, seconds; the same source
    pre_roll_s: float = 5.0  # playing a moment starts this long before it, seconds
    doubt_below: float = 0.5  # words of lower confidence are marked as doubtful, 0 to 1
    edl_frames_per_s: int = 25  # whole frames per second of the edit list's time code
    csv_byte_order_mark: bool = False  # start the tables with U+FEFF, by which Excel knows UTF-8
    sheet_words: bool = False  # print what was said, and the reasons that quote it, on the supervision sheet


@dataclass(frozen=True)
class Judged:
    """A person's verdict as a label on a time line: `tier` names whose it is, `text` what they decided."""

    start: float
    end: float
    tier: str
    text: str


@dataclass(frozen=True)
class Material:
    """One session, ready to be written in any format.

    turn_table       one row a turn, in the order of `turns`, or None
    folder           where the files are going to lie, or "" where that is not known: links to the recording are made
                     relative to it
    markers, speech, windows, frames
                     for the tables alone; empty or None where they are not known
    judged           verdicts that stand, for the tiers alone
    joined           where the session's own sound lies, which holds both people; as seen from the session's folder
    left_out         what a file for this reader does not hold, in words for its stamp; or ""
    """

    about: About
    turns: tuple[Turn, ...]
    findings: Findings
    voices: tuple[Voice, ...]
    turn_table: pd.DataFrame | None = None
    folder: str = ""
    markers: tuple[Marker, ...] = ()
    speech: tuple[Speech, ...] = ()
    windows: pd.DataFrame | None = None
    frames: pd.DataFrame | None = None
    judged: tuple[Judged, ...] = ()
    joined: str = "audio.flac"
    left_out: str = ""

    @property
    def plays(self) -> str:
        """What is played and linked: the recording, or the joined sound where each person has a recording; or ""."""
        return self.joined if self.about.second else self.about.recording

    @property
    def shown(self) -> tuple[Moment, ...]:
        """The moments to watch, by rank, without the audit clip.

        The audit clip estimates what the rules miss, and only works while nobody can tell it from the rest. It has no
        reasons to print, so any list that prints reasons would give it away: only moments.json and moments.csv, which
        software and researchers read, carry it. The review page draws it in among the others.
        """
        return tuple(moment for moment in self.findings.moments if not moment.audit)

    @property
    def unlinked(self) -> tuple[Repair, ...]:
        """Repair attempts that answer none of the moments shown, in order of time."""
        linked = {repair for moment in self.shown for repair in moment.repairs}
        return tuple(repair for repair in self.findings.repairs if repair not in linked)

    @property
    def end_s(self) -> float:
        """Where the session ends: the recording's length, or the last turn's or moment's end if that is later."""
        ends = [item.end for group in (self.turns, self.findings.moments, self.findings.repairs) for item in group]
        return max([self.about.duration_s, *ends])
