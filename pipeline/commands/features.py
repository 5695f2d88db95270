"""`attune features --describe`: every measured column."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from pipeline.commands import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--describe", action="store_true", required=True, help="list every column of every table")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    from pipeline.features.describe import describe_columns

    rows = [asdict(row) for row in describe_columns()]
    if args.json:
        common.print_json({"columns": rows})
        return 0
    table = ""
    for row in rows:
        if row["table"] != table:
            table = row["table"]
            print(f"\n{table.upper()}")
        print(f"  {row['name']} [{row['unit']}]: {row['definition']}")
        print(f"      source: {row['source']}; cannot tell: {row['cannot_tell']}")
    return 0
