"""`attune markers`: the catalogue, as it is used."""

from __future__ import annotations

import argparse

from pipeline.alliance.catalogue import describe, load_catalogue
from pipeline.commands import common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    rows = describe(load_catalogue())
    if args.json:
        common.print_json({"markers": rows})
        return 0
    family = ""
    for row in rows:
        if row["family"] != family:
            family = row["family"]
            print(f"\n{family.replace('_', ' ').upper()}")
        gates = ["about this therapist or therapy"] if row["needs_target"] else []
        gates += [row["needs_context"].replace("_", " ")] if row["needs_context"] != "none" else []
        print(f"  {row['id']}: {row['name']} (weight {row['weight']:g})")
        print(f"      {row['definition']}")
        print(
            f"      shown as: possible: {row['label']}" + (f"; counts only with: {', '.join(gates)}" if gates else "")
        )
    print("\nNames and families follow the 3RS; the weights are an expert's guess. No 3RS score is given.")
    return 0
