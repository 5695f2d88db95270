"""One file per export format, and a visible table of them.

A writer is a pure function `(material, options) -> bytes`. Times in every format are those of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from pipeline.exports.bins import write_bins_page, write_coarse_csv, write_fine_csv
from pipeline.exports.eaf import write_eaf
from pipeline.exports.marks import write_audacity, write_edl
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.moments_json import write_json
from pipeline.exports.nist import write_ctm, write_rttm
from pipeline.exports.page import write_page
from pipeline.exports.parquet import parquet_writer
from pipeline.exports.sheet_docx import write_sheet_docx
from pipeline.exports.sheet_pdf import write_sheet_pdf
from pipeline.exports.spreadsheet import csv_writer
from pipeline.exports.srt import write_srt
from pipeline.exports.tables import TABLES
from pipeline.exports.textgrid import write_textgrid
from pipeline.exports.vlc import write_vlc
from pipeline.exports.webvtt import write_moments as write_moments_vtt
from pipeline.exports.webvtt import write_transcript
from pipeline.records import About, AttuneError, Findings, Turn, Voice

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "WRITERS",
    "ExportOptions",
    "Material",
    "build_exports",
    "check_formats",
    "unmarked_files",
    "veiled_files",
    "write_formats",
]

Writer = Callable[[Material, ExportOptions], bytes]

# format -> the files it is made of -> their writers
WRITERS: Mapping[str, Mapping[str, Writer]] = {
    "json": {"moments.json": write_json},
    "vtt": {"transcript.vtt": write_transcript, "moments.vtt": write_moments_vtt},
    "csv": {f"{name}.csv": csv_writer(build) for name, build in TABLES.items()},
    "parquet": {f"{name}.parquet": parquet_writer(build) for name, build in TABLES.items()},
    "html": {"summary.html": write_page},
    "srt": {"transcript.srt": write_srt},
    "rttm": {"speech.rttm": write_rttm},
    "ctm": {"words.ctm": write_ctm},
    "textgrid": {"session.TextGrid": write_textgrid},
    "eaf": {"session.eaf": write_eaf},
    "audacity": {"moments.labels.txt": write_audacity},
    "edl": {"moments.edl": write_edl},
    "vlc": {"moments.xspf": write_vlc},
    "docx": {"supervision_sheet.docx": write_sheet_docx},
    "pdf": {"supervision_sheet.pdf": write_sheet_pdf},
    "bins": {"bins_5min.csv": write_coarse_csv, "bins_60s.csv": write_fine_csv, "bins.html": write_bins_page},
}
# what every processed session gets: the files that people open, not those for statistics
ALWAYS = ("moments.json", "transcript.vtt", "moments.vtt", "turns.csv", "moments.csv", "summary.html")
# what holds nothing of what the tool marked, once the material is without it: for somebody who must not see it yet
UNMARKED = ("transcript.vtt", "transcript.srt", "speech.rttm", "words.ctm", "session.TextGrid", "session.eaf")
UNMARKED_TABLES = ("turns", "words", "voices", "speech", "windows", "frames")
# what lists scores and markers of its own: it would tell a moment from the clip drawn at random
FOR_SOFTWARE = ("json", "csv", "parquet", "bins")


def veiled_files(format: str) -> tuple[str, ...]:
    """Those of a format's files that may be given to somebody who has not judged every moment yet."""
    return unmarked_files(format) if format in FOR_SOFTWARE else tuple(WRITERS[format])


def unmarked_files(format: str) -> tuple[str, ...]:
    """Those of a format's files that may be given to somebody who has not seen yet what the tool marked."""
    names = [name for name in WRITERS[format] if name.rpartition(".")[0] in UNMARKED_TABLES or name in UNMARKED]
    return tuple(names)


def build_exports(
    about: About,
    turns: list[Turn],
    findings: Findings,
    voices: list[Voice],
    turn_table: pd.DataFrame | None,
    options: ExportOptions,
) -> dict[str, bytes]:
    """The files every session gets, by name: those in `ALWAYS`.

    turns       in order of start
    turn_table  one row a turn, in the same order, or None
    raises      ValueError when the turn table has another number of rows
    """
    material = Material(about, tuple(turns), findings, tuple(voices), turn_table)
    writers = {name: write for files in WRITERS.values() for name, write in files.items()}
    return {name: writers[name](material, options) for name in ALWAYS}


def write_formats(material: Material, formats: Iterable[str], options: ExportOptions) -> dict[str, bytes]:
    """The files of the formats asked for, by name.

    raises   AttuneError (code "format-unknown") for a format that is not in `WRITERS`
    """
    chosen = tuple(formats)
    check_formats(chosen)
    return {name: write(material, options) for format in chosen for name, write in WRITERS[format].items()}


def check_formats(formats: Iterable[str]) -> None:
    """Raises AttuneError naming the first format that is not in `WRITERS`, and those that are."""
    for format in formats:
        if format not in WRITERS:
            raise AttuneError(
                f"unknown format {format!r}",
                mend=f"choose from {', '.join(WRITERS)}",
                code="format-unknown",
            )
