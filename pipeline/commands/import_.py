"""`attune import`: what was changed in ELAN or Praat, as corrections and verdicts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands import common
from pipeline.commands.common import clock
from pipeline.records import AttuneError
from pipeline.session import Session

if TYPE_CHECKING:
    from pipeline.review.taking_up import Changes
    from pipeline.speech.corrections import Correction


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_session(parser)
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="the .eaf or .TextGrid that attune export wrote, as it is now"
    )
    parser.add_argument(
        "--rater", metavar="INITIALS", default="", help="who judged, where candidates or verdicts were changed"
    )
    parser.add_argument(
        "--role",
        choices=("supervisor", "trainee", "consensus"),
        default="supervisor",
        help="as whom they judged (default: supervisor)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be taken up, and change nothing")


def run(args: argparse.Namespace) -> int:
    from pipeline.review.taking_up import find_changes, take_up

    session = common.ready_session(args)
    if not args.file.is_file():
        raise AttuneError(f"nothing at {str(args.file)!r}", mend="check the path", code="no-such-file")
    changes = find_changes(session, args.file, args.rater, args.role)
    for line in describe(changes):
        print(line)
    for left in changes.left:
        print(f"not taken up: {left}", file=sys.stderr)
    if args.dry_run or changes.none:
        return 0
    take_up(session, args.store, changes)
    if changes.corrections:
        _make_again(session)
    return 0


def describe(changes: Changes) -> list[str]:
    """What is taken up, one line each; or one that says that nothing is."""
    if changes.none:
        return ["nothing new: the file says what the session says already"]
    lines = []
    for c in changes.corrections:
        at = f"{clock(c.start)}-{clock(c.end)}"
        lines.append(f"correction  {at}  words of the {c.of}: {_said(c)}")
    for verdict, _ in changes.judged.verdicts:
        kind = f", {verdict.kind.replace('_', ' ')}" if verdict.kind else ""
        missed = " (a moment that was not marked)" if verdict.subject == "missed" else ""
        lines.append(f"verdict     {clock(verdict.start)}-{clock(verdict.end)}  {verdict.answer}{kind}{missed}")
    for verdict, _ in changes.judged.withdrawals:
        lines.append(f"withdrawn   {clock(verdict.start)}-{clock(verdict.end)}  {verdict.answer}")
    return lines


def _said(c: Correction) -> str:
    if c.kind == "words":
        return f"now {c.text!r}" if c.text else "taken out"
    if c.begins is not None and c.ends is not None:
        return f"said from {c.begins:.3f} s to {c.ends:.3f} s"
    return {"role": f"given to the {c.role}", "split": "a turn begins here", "join": "the turn before goes on"}[c.kind]


def _make_again(session: Session) -> None:
    """What depends on the words and on whose they are."""
    from pipeline.review.remake import remake

    print("making again what depends on them", flush=True)
    remake(session, lambda done, says: None)
