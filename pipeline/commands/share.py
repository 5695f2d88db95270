"""`attune share`: a de-identified copy of a session."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.commands import common
from pipeline.records import AttuneError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_session(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new or empty folder for the copy")
    parser.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="names of people and places, one on each line: these go, and doubtful words that sound like one",
    )
    parser.add_argument(
        "--also", type=Path, metavar="FILE", help="words and phrases to take out in any case, one on each line"
    )
    parser.add_argument(
        "--picture",
        choices=("drop", "blur"),
        default="drop",
        help="leave the picture out, or make it so coarse that a face is a few squares (default: drop)",
    )


def run(args: argparse.Namespace) -> int:
    from pipeline.sharing.share import check_empty, share_session
    from pipeline.sharing.vocabulary import load_vocabulary

    session = common.ready_session(args)
    check_empty(args.out)
    names, also = (load_list(path) if path else [] for path in (args.names, args.also))
    if args.picture == "blur":
        print("making the picture coarse: this takes minutes", flush=True)
    with common.writing(args.out):
        shared = share_session(session, args.out, load_vocabulary(), also, args.picture, names)
    for path in shared.files:
        print(path)
    print(f"\n{shared.report}\nWhat was taken out, for you to check, stays in the store: {shared.words}")
    return 0


def load_list(path: Path) -> list[str]:
    """The lines of the person's own list.

    raises   AttuneError where it cannot be read as text
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise AttuneError(
            f"the list {str(path)!r} cannot be read",
            mend="give a text file (UTF-8), one word or phrase a line",
            code="no-such-file",
        ) from error
