"""The tables of a session as plain rows: turns, words, moments, repairs, markers, voices, speech, windows, frames.

A table says its columns and their types once; `spreadsheet.py` writes it as CSV and `parquet.py` as Parquet. Times in
seconds and, where people read the table, as h:mm:ss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.exports.clock import hms
from pipeline.exports.material import Material
from pipeline.exports.text import lines, one_line
from pipeline.exports.wording import marker_label
from pipeline.records import Moment, Repair

if TYPE_CHECKING:
    import pandas as pd

Columns = Mapping[str, type]

_TIMES: Columns = {"start": float, "end": float}
_CLOCK: Columns = {**_TIMES, "start_hms": str, "end_hms": str}
TURN_COLUMNS: Columns = {
    "turn": int,
    **_CLOCK,
    "speaker": str,
    "role": str,
    "backchannel": bool,
    "words": int,
    "text": str,
}
WORD_COLUMNS: Columns = {"turn": int, **_TIMES, "speaker": str, "role": str, "text": str, "confidence": float}
MOMENT_COLUMNS: Columns = {
    "rank": int,
    **_TIMES,
    "peak": float,
    "start_hms": str,
    "end_hms": str,
    "kind": str,
    "marker": str,
    "label": str,
    "band": str,
    "score": float,
    "why": str,
    "against": str,
    "words": str,
    "repair_count": int,
    "repair_start": str,
    "repair_end": str,
    "repair_type": str,
    "repair_strategies": str,
    "repair_engagement": str,
    "repair_note": str,
    "audit": bool,
}
REPAIR_COLUMNS: Columns = {
    **_CLOCK,
    "type": str,
    "strategies": str,
    "labels": str,
    "engagement": str,
    "words": str,
    "note": str,
    "answers": str,
}
MARKER_COLUMNS: Columns = {
    **_TIMES,
    "turn": int,
    "role": str,
    "marker": str,
    "label": str,
    "family": str,
    "modality": str,
    "strength": float,
    "reliability": float,
    "words": str,
    "why": str,
    "against": str,
}
VOICE_COLUMNS: Columns = {**_TIMES, "speaker": str, "role": str, "confidence": float, "why": str}
SPEECH_COLUMNS: Columns = {**_TIMES, "speaker": str, "confidence": float}


@dataclass(frozen=True)
class Table:
    """Rows with typed columns. `measures` are more columns, one row a row, of a table that has its own types."""

    columns: Columns
    rows: list[dict[str, Any]]
    measures: pd.DataFrame | None = None


def turns(material: Material) -> Table:
    """One row a turn, in the order of the turns, with every measure of the turn table. `turn` counts from 0, as in
    markers.jsonl.

    raises   ValueError when the turn table has another number of rows than there are turns
    """
    rows = [
        {
            "turn": index,
            **_clock(turn),
            "speaker": one_line(turn.speaker),
            "role": turn.role,
            "backchannel": turn.backchannel,
            "words": len(turn.words),
            "text": one_line(turn.text),
        }
        for index, turn in enumerate(material.turns)
    ]
    return Table(TURN_COLUMNS, rows, _measures(material))


def _measures(material: Material) -> pd.DataFrame | None:
    table = material.turn_table
    if table is None:
        return None
    if len(table) != len(material.turns):
        raise ValueError(f"the turn table has {len(table)} rows for {len(material.turns)} turns; it needs one a turn")
    return table[[name for name in table.columns if name not in TURN_COLUMNS]].reset_index(drop=True)


def words(material: Material) -> Table:
    """One row a word, turn by turn."""
    rows = [
        {
            "turn": index,
            "start": word.start,
            "end": word.end,
            "speaker": one_line(turn.speaker),
            "role": turn.role,
            "text": one_line(word.text),
            "confidence": word.confidence,
        }
        for index, turn in enumerate(material.turns)
        for word in turn.words
    ]
    return Table(WORD_COLUMNS, rows)


def moments(material: Material) -> Table:
    """One row a moment, by rank, the audit clip last. Several reasons or repairs in a cell have a line each."""
    return Table(
        MOMENT_COLUMNS, [_moment(rank, moment) for rank, moment in enumerate(material.findings.moments, start=1)]
    )


def _moment(rank: int, moment: Moment) -> dict[str, Any]:
    return {
        "rank": rank,
        **_clock(moment),
        "peak": moment.peak,
        "kind": moment.kind,
        "marker": one_line(moment.marker),
        "label": marker_label(moment.marker),
        "band": moment.band,
        "score": float(moment.score),
        "why": _stacked(moment.why),
        "against": _stacked(moment.against),
        "words": lines(moment.words),
        "repair_count": len(moment.repairs),
        "repair_start": _stacked(f"{repair.start:.3f}" for repair in moment.repairs),
        "repair_end": _stacked(f"{repair.end:.3f}" for repair in moment.repairs),
        "repair_type": _stacked(repair.type for repair in moment.repairs),
        "repair_strategies": _stacked("; ".join(repair.strategies) for repair in moment.repairs),
        "repair_engagement": _stacked(repair.engagement for repair in moment.repairs),
        "repair_note": _stacked(repair.note for repair in moment.repairs),
        "audit": moment.audit,
    }


def repairs(material: Material) -> Table:
    """One row a repair attempt, in order of time; `answers` holds the ranks of the moments it is linked to."""
    return Table(REPAIR_COLUMNS, [_repair(repair, material) for repair in material.findings.repairs])


def _repair(repair: Repair, material: Material) -> dict[str, Any]:
    ranks = [rank for rank, moment in enumerate(material.shown, start=1) if repair in moment.repairs]
    return {
        **_clock(repair),
        "type": repair.type,
        "strategies": one_line("; ".join(repair.strategies)),
        "labels": "; ".join(marker_label(name) for name in repair.strategies),
        "engagement": repair.engagement,
        "words": lines(repair.words),
        "note": one_line(repair.note),
        "answers": "; ".join(map(str, ranks)),
    }


def markers(material: Material) -> Table:
    """One row a marker, in the order they were found. `turn` counts from 0."""
    rows = [{**asdict(marker), "label": marker_label(marker.marker)} for marker in material.markers]
    return Table(MARKER_COLUMNS, [_on_one_line(row) for row in rows])


def voices(material: Material) -> Table:
    """One row a speaker with a role."""
    return Table(VOICE_COLUMNS, [_on_one_line(asdict(voice)) for voice in material.voices])


def speech(material: Material) -> Table:
    """One row a stretch of speech, as the speakers were told apart."""
    return Table(SPEECH_COLUMNS, [_on_one_line(asdict(stretch)) for stretch in material.speech])


def windows(material: Material) -> Table:
    """One row a window; `attune features --describe` says what each column means. Empty where there are none."""
    return _measured(material.windows)


def frames(material: Material) -> Table:
    """One row for each 10 ms of sound. Empty for a session without sound."""
    return _measured(material.frames)


def _measured(table: pd.DataFrame | None) -> Table:
    return Table(_TIMES, []) if table is None else Table({}, [], table)


TABLES: Mapping[str, Callable[[Material], Table]] = {
    "turns": turns,
    "moments": moments,
    "repairs": repairs,
    "words": words,
    "markers": markers,
    "voices": voices,
    "speech": speech,
    "windows": windows,
    "frames": frames,
}


def _clock(item: Any) -> dict[str, Any]:
    return {"start": item.start, "end": item.end, "start_hms": hms(item.start), "end_hms": hms(item.end)}


def _stacked(texts: Iterable[str]) -> str:
    return lines("\n".join(texts))


def _on_one_line(row: dict[str, Any]) -> dict[str, Any]:
    return {name: one_line(value) if isinstance(value, str) else value for name, value in row.items()}
