"""Tables as Parquet: typed columns, text as it is. An empty table has its columns and types too."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.tables import Table

if TYPE_CHECKING:
    import pandas as pd

DTYPES = {float: "float64", int: "int64", bool: "bool", str: "string"}


def parquet_writer(build: Callable[[Material], Table]) -> Callable[[Material, ExportOptions], bytes]:
    """The writer of one table."""

    def write(material: Material, options: ExportOptions) -> bytes:
        out = io.BytesIO()
        _frame(build(material)).to_parquet(out, index=False, compression="zstd")
        return out.getvalue()

    return write


def _frame(table: Table) -> pd.DataFrame:
    import pandas as pd

    if not table.columns:
        return table.measures
    own = pd.DataFrame(table.rows, columns=list(table.columns))
    own = own.astype({name: DTYPES[kind] for name, kind in table.columns.items()})
    return own if table.measures is None else pd.concat([own, table.measures], axis=1)
