"""`attune show`: the moments of a session, with words and reasons; or the list of sessions."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.alliance.catalogue import load_catalogue
from pipeline.commands import common
from pipeline.commands.common import clock
from pipeline.commands.summary import shown
from pipeline.intervals import Span, total_s
from pipeline.records import Findings, Moment
from pipeline.session import Session, all_sessions, find_session
from pipeline.speech.transcribe import find_untranscribed
from pipeline.steps import ACTIVITY, MOMENTS, VOICES, WORDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "session", nargs="?", metavar="SESSION", help="id of a session (or its beginning), or the recording itself"
    )
    common.add_store(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.session is None:
        return _list(args)
    session = find_session(args.store, args.session, {})
    common.check_ready(session)
    if args.json:
        print((session.folder / "moments.json").read_text(encoding="utf-8"), end="")
    else:
        _print_session(session)
    return 0


def _list(args: argparse.Namespace) -> int:
    rows = [_row(session) for session in all_sessions(args.store, {})]
    if args.json:
        common.print_json({"sessions": rows})
    elif not rows:
        print(f"no session in {args.store}; make one with: attune process FILE_OR_FOLDER")
    for row in [] if args.json else rows:
        moments = row["state"] if row["moments"] is None else worth_a_look(row["moments"])
        print(f"{row['session']}  {clock(row['duration_s']):>8}  {moments:<26}  {row['recording']}")
    return 0


def worth_a_look(count: int) -> str:
    """How many moments, in words."""
    return f"{count or 'no'} moment{'' if count == 1 else 's'} worth a look"


def _row(session: Session) -> dict:
    done = (session.folder / MOMENTS.makes[0]).is_file()
    state = "stopped" if session.problem else "ready" if done else "unfinished"
    return {
        "session": session.id,
        "recording": Path(session.about.recording).name,
        "duration_s": session.about.duration_s,
        "state": state,
        "moments": len(shown(session.load(MOMENTS))) if done and not session.problem else None,
    }


def _print_session(session: Session) -> None:
    from rich.text import Text

    out, found = common.console(), session.load(MOMENTS)
    out.print(Text(f"session {session.id}, {clock(session.about.duration_s)}", style="bold"))
    for voice in session.load(VOICES):
        out.print(f"  {voice.role}: {voice.why} (certainty {voice.confidence:.2f})", markup=False)
    for note in found.notes:
        out.print(f"  note: {note}", markup=False)
    unread = _untranscribed(session)
    if unread:
        places = ", ".join(clock(span.start) for span in unread)
        out.print(f"  not transcribed: {total_s(unread):.0f} s of speech without a word, at {places}", markup=False)
    for rank, moment in enumerate(shown(found), 1):
        for line, style in moment_lines(rank, moment):
            out.print(Text(line, style=style))
    _print_other_repairs(out, found)


def _untranscribed(session: Session) -> list[Span]:
    """Where somebody speaks and the recogniser wrote no word; nothing where the words came with the session."""
    heard = session.has_sound and not any(line.text for line in session.given or ())
    return find_untranscribed(session.load(WORDS), session.load(ACTIVITY)) if heard else []


def moment_lines(rank: int, moment: Moment) -> list[tuple[str, str]]:
    """The card of one moment as (line, style)."""
    entries = load_catalogue().entries
    closest = f", closest: {entries[moment.marker].name.lower()}" if moment.marker in entries else ""
    time = f"{clock(moment.start)}-{clock(moment.end)}"
    lines = [(f"\n{rank}. {time}  possible {moment.kind}{closest}  (evidence: {moment.band})", "bold")]
    lines += [(f"   why: {why}", "") for why in moment.why]
    lines += [(f"   against: {against}", "") for against in moment.against]
    lines += [(f"   | {line}", "dim") for line in moment.words.splitlines()]
    for repair in moment.repairs:
        names = ", ".join(entries[name].name.lower() for name in repair.strategies if name in entries)
        lines.append((f"   repair attempt at {clock(repair.start)} ({repair.type}: {names})", ""))
        note = f"; {repair.note}" if repair.note else ""
        lines.append((f"   engagement afterwards: {repair.engagement}{note}", ""))
    if moment.kind != "repair" and not moment.repairs:
        lines.append(("   repair attempt: not seen", ""))
    return lines


def _print_other_repairs(out, found: Findings) -> None:
    linked = {repair for moment in found.moments for repair in moment.repairs}
    for repair in found.repairs:
        if repair not in linked and repair.type != "immediate":
            at = clock(repair.start)
            out.print(
                f"\nthe therapist checked in on the relationship at {at}; nothing was flagged before it", markup=False
            )
