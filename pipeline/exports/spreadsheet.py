"""Tables as CSV: comma-separated UTF-8 with a header, which spreadsheets and statistics programs read.

No cell of text can act as a formula. A measure that could not be taken is an empty cell.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.tables import Table
from pipeline.exports.text import cell

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6  # a millionth of a second, and finer than any measure is true


def csv_writer(build: Callable[[Material], Table]) -> Callable[[Material, ExportOptions], bytes]:
    """The writer of one table."""

    def write(material: Material, options: ExportOptions) -> bytes:
        table = build(material)
        text = _rows_text(table) if table.columns else _measures_text(table.measures)
        return text.encode("utf-8-sig" if options.csv_byte_order_mark else "utf-8")

    return write


def _rows_text(table: Table) -> str:
    measures = [] if table.measures is None else table.measures.to_dict("records")
    more = list(table.measures.columns) if measures else []
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [*table.columns, *more], lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(table.rows):
        writer.writerow(_cells(row | (measures[number] if measures else {})))
    return out.getvalue()


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    """Numbers with at most six decimals, true and false in lower case, nothing for NaN and None, the rest as text."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, float):
        return _plain(value)
    if type(value).__name__ in ("bool", "bool_"):
        return "true" if value else "false"
    return cell(value) if isinstance(value, str) else value


def _measures_text(table: pd.DataFrame) -> str:
    """As `_rows_text`, column by column: frames are a hundred rows a second."""
    from pandas.api import types

    columns = {}
    for name in table.columns:
        values = table[name]
        if types.is_bool_dtype(values):
            columns[name] = values.map({True: "true", False: "false"})
        elif types.is_numeric_dtype(values):
            columns[name] = values.astype(float).round(DECIMALS) if types.is_float_dtype(values) else values
        else:
            columns[name] = values.astype(object).map(_cell)
    return table.assign(**columns).to_csv(index=False, lineterminator="\n", float_format=_plain)


def _plain(value: float) -> str:
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
