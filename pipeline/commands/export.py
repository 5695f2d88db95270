"""`attune export`: a session in other formats."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.commands import common
from pipeline.commands.show import check_ready
from pipeline.exports import WRITERS, Material, write_formats
from pipeline.formats import write_atomic
from pipeline.session import find_session, storing
from pipeline.steps import EXPORTS, MOMENTS, TURN_TABLE, TURNS, VOICES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="id of a session, or its recording")
    parser.add_argument(
        "--to", required=True, metavar="FORMAT,...", help=f"any of {', '.join(WRITERS)}, with commas between"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write, in a folder named by the session (default: exports/ in the session)",
    )
    common.add_store(parser)
    common.add_settings(parser)


def run(args: argparse.Namespace) -> int:
    settings = common.read_settings(common.settings_path(args.store, args.settings))
    session = find_session(args.store, args.session, settings)
    check_ready(session)
    out = args.out / session.id if args.out else session.folder / "exports"
    turns, found, voices, table = (session.load(step) for step in (TURNS, MOMENTS, VOICES, TURN_TABLE))
    material = Material(session.about, tuple(turns), found, tuple(voices), table, str(out.resolve()))
    files = write_formats(material, [name.strip() for name in args.to.split(",")], session.options(EXPORTS))
    with storing():
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(out / name, content)
            print(out / name)
    return 0
