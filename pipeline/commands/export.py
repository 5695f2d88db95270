"""`attune export`: a session in other formats."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from pipeline.commands import common
from pipeline.exports import WRITERS, check_formats
from pipeline.formats import write_atomic
from pipeline.records import AttuneError
from pipeline.session import Session, storing
from pipeline.steps import EXPORTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_session(parser)
    parser.add_argument(
        "--to", required=True, metavar="FORMAT,...", help=f"any of {', '.join(WRITERS)}, with commas between"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where to write, in a folder named by the session (default: exports/ in the session)",
    )
    parser.add_argument(
        "--words", action="store_true", help="print what was said on the supervision sheets (docx, pdf) too"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="even where an .eaf or .TextGrid was changed since it was exported"
    )


def run(args: argparse.Namespace) -> int:
    from pipeline.review.session_exports import export_session

    chosen = [name.strip() for name in args.to.split(",") if name.strip()] or [args.to]
    check_formats(chosen)
    session = common.ready_session(args)
    out = args.out / session.id if args.out else session.folder / "exports"
    options = session.options(EXPORTS)
    options = replace(options, sheet_words=options.sheet_words or args.words)
    files = export_session(session, chosen, options, out)
    if not args.overwrite:
        check_unchanged(session, [out / name for name in files])
    with common.writing(out) if args.out else storing():
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(out / name, content)
            print(out / name)
    return 0


def check_unchanged(session: Session, paths: list[Path]) -> None:
    """Raises AttuneError for an annotation file in the way that somebody worked on: it would be lost."""
    from pipeline.review.session_exports import is_as_exported

    for path in paths:
        if path.is_file() and not is_as_exported(session, path):
            raise AttuneError(
                f"{str(path)!r} was changed since it was exported, and would be lost",
                mend="take it up with attune import and name another --out, or say --overwrite",
                code="export-changed",
            )
