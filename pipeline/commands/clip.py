"""`attune clip`: a moment as a film of its own, to show in supervision."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

from pipeline.commands import common
from pipeline.commands.common import clock
from pipeline.commands.summary import shown
from pipeline.formats import write_atomic
from pipeline.records import AttuneError, Moment
from pipeline.session import Session, storing
from pipeline.steps import EXPORTS, MOMENTS

TIME = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)|(\d+(?:\.\d+)?)s", re.ASCII)
SUFFIXES = (".mp4", ".m4a")


class Stretch(NamedTuple):
    """What to cut, seconds, and the name of the file where none is given."""

    start: float
    end: float
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_session(parser)
    parser.add_argument(
        "moment",
        metavar="MOMENT",
        help="its number as attune show prints it, a time within it (3:05), or any stretch (3:05-3:40)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="an .mp4, or .m4a where there is no picture (default: in exports/ of the session)",
    )
    parser.add_argument(
        "--captions",
        choices=("beside", "burnt"),
        default="beside",
        help="captions in files beside the clip (.vtt, .srt), or drawn into the picture (default: beside)",
    )


def run(args: argparse.Namespace) -> int:
    from pipeline.review.clips import cut_clip

    session = common.ready_session(args)
    stretch = find_stretch(args.moment, shown(session.load(MOMENTS)), session.options(EXPORTS).pre_roll_s)
    check_suffix(args.out)
    clip = cut_clip(session, stretch.start, stretch.end, args.captions)
    if clip.no_picture:
        print(f"without the picture: {clip.no_picture}", file=sys.stderr)
    path = args.out or _usual_place(session) / f"{stretch.name}{clip.suffix}"
    check_suffix(path, picture=clip.picture)
    with common.writing(path) if args.out else storing():
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix, content in {path.suffix: clip.media, **clip.captions}.items():
            write_atomic(path.with_suffix(suffix), content)
            print(path.with_suffix(suffix))
    return 0


def _usual_place(session: Session) -> Path:
    return session.folder / "exports"


def check_suffix(path: Path | None, *, picture: bool = False) -> None:
    """Raises AttuneError for a file that is to be neither film nor sound, or sound where there is a picture."""
    if path is None or path.suffix.lower() in (SUFFIXES[:1] if picture else SUFFIXES):
        return
    raise AttuneError(
        f"a clip {'with a picture ' if picture else ''}is not written as {path.suffix or 'a file without a suffix'!r}",
        mend=f"name a file that ends in {' or '.join(SUFFIXES[:1] if picture else SUFFIXES)}",
        code="format-unknown",
    )


def find_stretch(wish: str, moments: list[Moment], lead_s: float) -> Stretch:
    """What a number, a time or a stretch of times means. A moment is given its lead-in; a stretch is taken as it is.

    moments  by rank
    raises   AttuneError, naming what there is, where it means nothing
    """
    first, dash, last = wish.partition("-")
    if dash:
        start, end = _seconds(first, wish), _seconds(last, wish)
        return Stretch(start, end, f"clip_{_named(start)}-{_named(end)}")
    if wish.isascii() and wish.isdigit():
        if not 1 <= int(wish) <= len(moments):
            raise _no_moment(f"there is no moment {wish}", moments)
        return _with_lead(int(wish), moments, lead_s)
    at = _seconds(wish, wish)
    for rank, moment in enumerate(moments, start=1):
        if moment.start - lead_s <= at <= moment.end:
            return _with_lead(rank, moments, lead_s)
    raise _no_moment(f"there is no moment at {clock(at)}", moments)


def _with_lead(rank: int, moments: list[Moment], lead_s: float) -> Stretch:
    moment = moments[rank - 1]
    return Stretch(max(0.0, moment.start - lead_s), moment.end, f"clip_{rank}_{_named(moment.start)}")


def _seconds(said: str, wish: str) -> float:
    found = TIME.fullmatch(said.strip())
    if not found:
        raise AttuneError(
            f"{wish!r} is no moment and no time",
            mend="give a number as attune show prints it, a time like 3:05 or 185s, or a stretch like 3:05-3:40",
            code="no-such-moment",
        )
    hours, minutes, seconds, alone = found.groups()
    return float(alone) if alone else 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def _named(seconds: float) -> str:
    """A time as a part of a file's name: 1h02m03s."""
    whole = int(seconds)
    hours = f"{whole // 3600}h" if whole >= 3600 else ""
    return f"{hours}{whole // 60 % 60:02d}m{whole % 60:02d}s"


def _no_moment(problem: str, moments: list[Moment]) -> AttuneError:
    there = ", ".join(f"{k} at {clock(m.start)}-{clock(m.end)}" for k, m in enumerate(moments, start=1))
    return AttuneError(
        problem,
        mend=f"choose {there}, or any stretch like 3:05-3:40" if there else "give a stretch like 3:05-3:40",
        code="no-such-moment",
    )
