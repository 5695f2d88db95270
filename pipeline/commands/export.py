"""`attune export`: a session in other formats."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.commands import common
from pipeline.commands.show import check_ready
from pipeline.formats import write_atomic
from pipeline.session import find_session, storing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="id of a session, or its recording")
    parser.add_argument(
        "--to", required=True, metavar="FORMAT,...", help="the formats, with commas between; see the README"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: exports/ in the session)")
    common.add_store(parser)


def run(args: argparse.Namespace) -> int:
    from pipeline.exports import export_session

    session = find_session(args.store, args.session, {})
    check_ready(session)
    out = args.out or session.folder / "exports"
    files = export_session(session, [name.strip() for name in args.to.split(",")])
    with storing():
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(out / name, content)
            print(out / name)
    return 0
