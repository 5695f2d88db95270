"""`attune plot`: a session on one page, as PNG and SVG."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.commands import common
from pipeline.session import find_session, storing
from pipeline.steps import FRAMES, MOMENTS, TURN_TABLE, TURNS, WINDOWS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help="id of a session, or its recording")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write, in a folder named by the session (default: exports/ in the session)",
    )
    common.add_store(parser)


def run(args: argparse.Namespace) -> int:
    from pipeline.features.plot import plot_session

    session = find_session(args.store, args.session, {})
    common.check_ready(session)
    tables = [session.load(step) for step in (TURNS, FRAMES, TURN_TABLE, WINDOWS, MOMENTS)]
    figure = plot_session(*tables, session.about.duration_s)
    out = args.out / session.id if args.out else session.folder / "exports"
    with storing():
        out.mkdir(parents=True, exist_ok=True)
        for suffix in ("png", "svg"):
            figure.savefig(out / f"session.{suffix}", dpi=150)
            print(out / f"session.{suffix}")
    return 0
