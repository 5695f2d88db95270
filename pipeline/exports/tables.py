"""Tables for spreadsheets and statistics: one row a turn, one row a moment.

Comma-separated UTF-8 with a header. Times in seconds and as h:mm:ss. No cell of text can act as a formula.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.exports.clock import hms
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import cell
from pipeline.exports.wording import marker_label
from pipeline.records import Moment, Repair, Turn

TURN_COLUMNS = (
    "turn",
    "start",
    "end",
    "start_hms",
    "end_hms",
    "speaker",
    "role",
    "backchannel",
    "words",
    "text",
)
MOMENT_COLUMNS = (
    "rank",
    "start",
    "end",
    "peak",
    "start_hms",
    "end_hms",
    "kind",
    "marker",
    "label",
    "band",
    "score",
    "why",
    "against",
    "words",
    "repair_count",
    "repair_start",
    "repair_end",
    "repair_type",
    "repair_strategies",
    "repair_engagement",
    "repair_note",
    "audit",
)


def write_turns(material: Material, options: ExportOptions) -> bytes:
    """One row a turn, in the order of the turns, with every measure of the turn table.

    `turn` counts from 0, as in markers.jsonl. A measure that could not be taken is an empty cell.

    raises   ValueError when the turn table has another number of rows than there are turns
    """
    measures = _measures(material)
    known = [name for name in measures[0] if name not in TURN_COLUMNS] if measures else []
    rows = (
        {**_turn_row(index, turn), **{name: _value(measures[index][name]) for name in known}}
        for index, turn in enumerate(material.turns)
    )
    return _file((*TURN_COLUMNS, *known), rows, options)


def write_moments(material: Material, options: ExportOptions) -> bytes:
    """One row a moment, by rank, the audit clip last. Several reasons or repairs in a cell have a line each."""
    rows = (_moment_row(rank, moment) for rank, moment in enumerate(material.findings.moments, start=1))
    return _file(MOMENT_COLUMNS, rows, options)


def _measures(material: Material) -> list[dict[str, Any]]:
    if material.turn_table is None:
        return []
    rows = material.turn_table.to_dict("records")
    if len(rows) != len(material.turns):
        raise ValueError(f"the turn table has {len(rows)} rows for {len(material.turns)} turns; it needs one a turn")
    return rows


def _turn_row(index: int, turn: Turn) -> dict[str, Any]:
    return {
        "turn": index,
        **_times(turn),
        "speaker": cell(turn.speaker),
        "role": turn.role,
        "backchannel": _value(turn.backchannel),
        "words": len(turn.words),
        "text": cell(turn.text),
    }


def _moment_row(rank: int, moment: Moment) -> dict[str, Any]:
    return {
        "rank": rank,
        **_times(moment),
        "peak": _value(moment.peak),
        "kind": moment.kind,
        "marker": cell(moment.marker),
        "label": cell(marker_label(moment.marker)),
        "band": moment.band,
        "score": _value(moment.score),
        "why": _stacked(moment.why),
        "against": _stacked(moment.against),
        "words": cell(moment.words),
        **_repair_cells(moment.repairs),
        "audit": _value(moment.audit),
    }


def _repair_cells(repairs: tuple[Repair, ...]) -> dict[str, Any]:
    return {
        "repair_count": len(repairs),
        "repair_start": _stacked(f"{repair.start:.3f}" for repair in repairs),
        "repair_end": _stacked(f"{repair.end:.3f}" for repair in repairs),
        "repair_type": _stacked(repair.type for repair in repairs),
        "repair_strategies": _stacked("; ".join(repair.strategies) for repair in repairs),
        "repair_engagement": _stacked(repair.engagement for repair in repairs),
        "repair_note": _stacked(repair.note for repair in repairs),
    }


def _times(item: Turn | Moment) -> dict[str, str]:
    return {
        "start": _value(item.start),
        "end": _value(item.end),
        "start_hms": hms(item.start),
        "end_hms": hms(item.end),
    }


def _stacked(texts: Iterable[str]) -> str:
    return cell("\n".join(texts))


def _value(value: Any) -> Any:
    """Numbers with at most six decimals, true and false in lower case, nothing for NaN and None, the rest as text."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if type(value).__name__ in ("bool", "bool_"):
        return "true" if value else "false"
    return cell(value) if isinstance(value, str) else value


def _file(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]], options: ExportOptions) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig" if options.csv_byte_order_mark else "utf-8")
