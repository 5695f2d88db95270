"""moments.json: the moments for other software. `moments.schema.json` beside this file is its published form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import lines, one_line
from pipeline.exports.wording import marker_label
from pipeline.records import Moment, Repair

SCHEMA = Path(__file__).with_name("moments.schema.json")


def write_json(material: Material, options: ExportOptions) -> bytes:
    """Every moment by rank, the audit clip last and marked; every repair attempt, linked or not; the notes."""
    content = {
        "session": one_line(material.about.session),
        "duration_s": _seconds(material.about.duration_s),
        "notes": [one_line(note) for note in material.findings.notes],
        "moments": [_moment(moment) for moment in material.findings.moments],
        "repairs": [_repair(repair) for repair in material.findings.repairs],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "start": _seconds(moment.start),
        "end": _seconds(moment.end),
        "peak": _seconds(moment.peak),
        "kind": moment.kind,
        "marker": one_line(moment.marker),
        "label": marker_label(moment.marker),
        "score": round(float(moment.score), 3),
        "band": moment.band,
        "why": [one_line(reason) for reason in moment.why],
        "against": [one_line(reason) for reason in moment.against],
        "words": lines(moment.words),
        "repairs": [_repair(repair) for repair in moment.repairs],
        "audit": moment.audit,
    }


def _repair(repair: Repair) -> dict[str, Any]:
    return {
        "start": _seconds(repair.start),
        "end": _seconds(repair.end),
        "strategies": [one_line(name) for name in repair.strategies],
        "labels": [marker_label(name) for name in repair.strategies],
        "type": repair.type,
        "engagement": repair.engagement,
        "words": lines(repair.words),
        "note": one_line(repair.note),
    }


def _seconds(value: float) -> float:
    return round(float(value), 3)
