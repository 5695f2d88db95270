"""`attune init`: a settings file with every default, ready to be changed."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.commands import common
from pipeline.records import AttuneError
from pipeline.session import storing
from pipeline.settings_table import default_toml


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where to write it (default: in the store)")
    common.add_store(parser)


def run(args: argparse.Namespace) -> int:
    path = args.file or args.store / common.SETTINGS
    if path.exists():
        raise AttuneError(f"{str(path)!r} is there already", mend="change it, or give another name", code="file-exists")
    with storing():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(default_toml(), encoding="utf-8")
    print(path)
    return 0
