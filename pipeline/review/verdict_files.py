"""Verdicts as files: JSONL for software, CSV for a spreadsheet. No words of a session and no notes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

import msgspec

from pipeline.exports.text import cell
from pipeline.review.verdicts import Verdict

LEFT_OUT = "note"  # only a reference, and what it leads to stays in the session's folder


def write_jsonl(verdicts: Sequence[Verdict]) -> bytes:
    """One object a line, in order of time."""
    return b"".join(msgspec.json.encode(_row(verdict)) + b"\n" for verdict in verdicts)


def write_csv(verdicts: Sequence[Verdict]) -> bytes:
    """One row a verdict, in order of time; UTF-8, RFC 4180. Text that a spreadsheet might take for a formula is not."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [field.name for field in fields(Verdict) if field.name != LEFT_OUT])
    writer.writeheader()
    for verdict in verdicts:
        row = _row(verdict)
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return out.getvalue().encode()


def _cell(value: object) -> object:
    """Several values in one cell have a blank between: ids hold none."""
    text = " ".join(value) if isinstance(value, tuple) else value
    return cell(text) if isinstance(text, str) else text


def _row(verdict: Verdict) -> dict[str, object]:
    return {key: value for key, value in asdict(verdict).items() if key != LEFT_OUT}


WRITERS = {".jsonl": write_jsonl, ".csv": write_csv}
