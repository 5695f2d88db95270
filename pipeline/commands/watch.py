"""`attune watch`: a folder through the night, and in the morning a summary of what is ready and what needs a hand."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from pipeline import night
from pipeline.commands import common
from pipeline.commands.process import RECORDINGS, TRANSCRIPTS
from pipeline.night import Job, Report, WatchOptions
from pipeline.records import AttuneError
from pipeline.session import Session, find_session, storing
from pipeline.settings import Tables, options_for
from pipeline.store import open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="where recordings arrive")
    parser.add_argument("--once", action="store_true", help="end when everything that is there is done")
    parser.add_argument("--workers", type=int, metavar="N", help="processes side by side (default: 1)")
    parser.add_argument(
        "--quiet",
        action="append",
        default=[],
        metavar="FROM-TO",
        help="hours in which nothing is begun, as 08:00-18:00; may be given again",
    )
    parser.add_argument(
        "--first",
        action="append",
        default=[],
        metavar="KEY",
        help="a file or session to take before the others; may be given again; without FOLDER it tells the watchers "
        "that run",
    )
    parser.add_argument("--every", type=float, metavar="S", help="seconds between looks (default: 10)")
    parser.add_argument(
        "--settle",
        type=float,
        metavar="S",
        help="a file is complete when it has stayed the same for this many seconds (default: 30)",
    )
    parser.add_argument(
        "--patience",
        type=float,
        metavar="S",
        help="with --once: how long to wait for a full disk or a lost share before giving up, seconds (default: 900)",
    )
    parser.add_argument(
        "--transcripts",
        action="store_true",
        help="use transcripts (vtt, srt, TextGrid, stm, json, rttm) that lie beside their recordings under the same "
        "name, and those that lie alone",
    )
    parser.add_argument(
        "--move-ready",
        metavar="FOLDER",
        help="move recordings there when their session is ready; seen from the watched folder (default: they stay)",
    )
    parser.add_argument(
        "--without-prefect", action="store_true", help="keep no record of runs; starts sooner and needs less memory"
    )
    parser.add_argument("--offline", action="store_true", help="never try the network, even for missing weights")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--pause", action="store_true", help="let the watchers of this store pause after their step")
    change.add_argument("--resume", action="store_true", help="let them go on")
    common.add_store(parser)
    common.add_settings(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    settings = common.settings_path(args.store, args.settings)
    tables = common.read_settings(settings)
    if args.pause or args.resume or args.folder is None:
        return _change(args, tables)
    options = _options(args, tables)
    _check(args, options)
    open_store(args.store)
    plan, told = _plan(args, options, tables), Told(args.store, args.json, options.prefect)
    from flows.crew import Audience
    from flows.run import watch
    from flows.watch import Voice

    told.line(f"watching {args.folder}; store: {args.store}; Ctrl-C ends it, and nothing is lost")
    audience = Audience(told.on_event, told.on_wait, told.on_note)
    with _ended_by_signals() as stops:
        voice = Voice(told.on_job, told.on_unmoved, told.on_fault, told.on_note)
        report = watch(plan, settings, audience, voice, stops.append, prefect=options.prefect)
    if args.json:
        common.print_json(asdict(report))
    else:
        told.print_summary(report)
    return 1 if report.stopped and not report.made and not report.reused else 0


def _change(args: argparse.Namespace, tables: Tables) -> int:
    """Tell the watchers that run, through the store."""
    if not (args.pause or args.resume or args.first):
        raise AttuneError("no folder was given", mend="attune watch FOLDER", code="no-such-file")
    open_store(args.store)
    with storing():
        for key in args.first:
            night.put_first(args.store, find_session(args.store, key, tables).id)
        if args.pause or args.resume:
            night.pause(args.store, args.pause)
    if args.pause:
        print("The watchers of this store pause after the step they are at; attune watch --resume lets them go on.")
    return 0


def _options(args: argparse.Namespace, tables: Tables) -> WatchOptions:
    """The table [watch] of the settings, with what the command line says over it."""
    said = {"workers": args.workers, "every_s": args.every, "settle_s": args.settle, "patience_s": args.patience}
    said |= {"quiet": ",".join(args.quiet) or None, "transcripts": args.transcripts or None}
    said["move_ready"] = args.move_ready
    said["prefect"] = False if args.without_prefect else None
    chosen = {key: value for key, value in said.items() if value is not None}
    return replace(options_for("watch", WatchOptions(), tables), **chosen)


def _check(args: argparse.Namespace, options: WatchOptions) -> None:
    if not args.folder.is_dir():
        raise AttuneError(
            f"there is no folder {str(args.folder)!r}", mend="check the path, or the network share", code="no-such-file"
        )
    leasts = {"workers": 1, "model_slots": 1, "every_s": 0.05, "settle_s": 0.0, "patience_s": 0.0}
    for name, least in leasts.items():
        if getattr(options, name) < least:
            raise AttuneError(
                f"{name} is {getattr(options, name)}; it takes {least} or more",
                mend=f"change --{name.removesuffix('_s')}, or {name} in the table [watch] of the settings",
                code="option-range",
            )


def _ready_folder(args: argparse.Namespace, options: WatchOptions) -> Path | None:
    """Where recordings of ready sessions go: made where its parent is there, so that a lost share is not taken for it.

    raises   AttuneError where it cannot be made, or is the watched folder itself or holds it
    """
    if not options.move_ready:
        return None
    ready = args.folder / Path(options.move_ready).expanduser()
    try:
        ready.mkdir(exist_ok=True)
        watched = args.folder.resolve().is_relative_to(ready.resolve())
    except OSError as error:
        raise AttuneError(
            f"recordings cannot be moved to {str(ready)!r} ({type(error).__name__})",
            mend="choose another folder with --move-ready, or move_ready in the table [watch] of the settings",
            code="move-ready",
        ) from error
    if watched:
        raise AttuneError(
            f"recordings cannot be moved to {str(ready)!r}, in which they arrive",
            mend="choose a folder inside the watched one, or another, with --move-ready or move_ready",
            code="move-ready",
        )
    return ready


def _plan(args: argparse.Namespace, options: WatchOptions, tables: Tables):
    from flows.watch import Plan

    ready = _ready_folder(args, options)
    apart = tuple(place.resolve() for place in (args.store, ready) if place is not None)

    def is_wanted(file: Path) -> bool:
        kind = file.suffix.lower()
        if kind not in RECORDINGS and (kind not in TRANSCRIPTS or not options.transcripts):
            return False
        if any(file.resolve().is_relative_to(place) for place in apart):
            return False
        return kind in RECORDINGS or not list(_recordings_of(file))

    def given(file: Path) -> list[Path]:
        if file.suffix.lower() in TRANSCRIPTS:
            return [file]
        return sorted(
            path for kind in TRANSCRIPTS if options.transcripts and (path := file.with_suffix(kind)).is_file()
        )

    return Plan(
        folder=args.folder,
        store=args.store,
        is_wanted=is_wanted,
        given=given,
        session=lambda session: Session(args.store / "sessions" / session, tables),
        fetch=lambda names: _fetch(names, args.offline),
        workers=options.workers,
        every_s=options.every_s,
        settle_s=options.settle_s,
        quiet=night.read_all_quiet_hours(options.quiet),
        once=args.once,
        patience_s=options.patience_s,
        first=frozenset(args.folder / Path(key).relative_to(args.folder) for key in _files(args)),
        ready=ready,
        apart=apart,
    )


def _files(args: argparse.Namespace) -> Iterator[str]:
    """Keys of `--first` that are files of the folder; sessions are told through the store."""
    for key in args.first:
        if Path(key).is_file() and Path(key).is_relative_to(args.folder):
            yield key
        else:
            night.put_first(args.store, find_session(args.store, key, {}).id)


def _recordings_of(transcript: Path) -> Iterator[Path]:
    return (path for kind in RECORDINGS if (path := transcript.with_suffix(kind)).is_file())


def _fetch(names: Sequence[str], offline: bool) -> None:
    from pipeline import models

    absent = models.missing(names)
    if absent and offline:
        listed = " ".join(entry.name for entry in absent)
        raise AttuneError(
            f"weights are missing and --offline was given: {listed}",
            mend=f"run once with the network: attune models fetch {listed}",
            code="weights-missing",
        )
    if absent:
        models.fetch(absent, lambda line: print(line, file=sys.stderr), progress_bar=False)


@contextmanager
def _ended_by_signals() -> Iterator[list]:
    """End in good order at SIGTERM (a shutdown) and Ctrl-C. Yields the list that the watch to be stopped goes into."""
    stops: list = []

    def stop(number: int, frame: object) -> None:
        for watch in stops:
            watch.stop()

    names = [name for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield stops
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


class Told:
    """What is said at the terminal, where files may be named, and in the store's log, where they may not."""

    def __init__(self, store: Path, silent: bool, prefect: bool) -> None:
        self.store, self.silent, self.prefect = store, silent, prefect
        self.names: dict[str, str] = {}
        self.stopped: dict[str, Job] = {}

    def line(self, text: str) -> None:
        if not self.silent:
            print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def on_event(self, event) -> None:
        from pipeline.commands.display import write_log

        try:
            write_log(self.store, event)
        except OSError:
            return  # a full disk or a lost share: the work itself will say so

    def on_note(self, line: str) -> None:
        from pipeline.commands.display import LOG

        try:
            with (self.store / LOG).open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}\n")
        except OSError:
            return

    def on_wait(self, holder: str) -> None:
        self.line(f"{holder} is at work on this session")

    def on_fault(self, code: str) -> None:
        from flows.watch import MENDS

        self.on_note(f"waiting {code}")
        self.line(f"waiting: {code.replace('-', ' ')}\n         what to do: {MENDS[code]}")

    def on_job(self, job: Job, file: Path | None) -> None:
        name = _printable(file.name) if file is not None else job.session
        self.names[job.session] = name
        if job.state == "stopped":
            self.stopped[job.session] = job
            self.on_note(f"{job.session} stopped {job.code}")
            self.line(f"{name}: {job.message}\n         what to do: {job.mend}")
        elif job.state == "made":
            self.line(f"{name}: ready, session {job.session}, {len(job.made)} steps in {common.clock(job.seconds)}")
        else:
            self.line(f"{name}: as it was, session {job.session}")

    def on_unmoved(self, session: str, file: Path, message: str, mend: str) -> None:
        self.line(f"{_printable(file.name)}: session {session} is ready; {message}\n         what to do: {mend}")

    def print_summary(self, report: Report) -> None:
        """What was made, what was ready already, and what needs a hand."""
        out = common.console()
        out.print(f"{report.began.replace('T', ' ')} to {report.ended.replace('T', ' ')}", style="bold")
        for row in report.made:
            out.print(f"  ready    {self._name(row['session'])}  session {row['session']}", markup=False)
        for session in report.reused:
            out.print(f"  as it was  {self._name(session)}  session {session}", markup=False)
        for row in report.stopped:
            job = self.stopped.get(row["session"])
            out.print(
                f"  stopped  {self._name(row['session'])}: {job.message if job else row['code']}\n"
                f"           what to do: {row['mend']}",
                style="yellow",
                markup=False,
            )
        if report.waiting or report.copying:
            out.print(f"  {len(report.waiting)} waiting, {report.copying} still being copied", markup=False)
        for row in report.unmoved:
            out.print(
                f"  not moved  {self._name(row['session'])}: {row['code']}\n           what to do: {row['mend']}",
                style="yellow",
                markup=False,
            )
        if report.moved:
            out.print(f"  recordings moved: {report.moved}", markup=False)
        if report.restarts:
            out.print(f"  workers started again: {report.restarts}", markup=False)
        if report.without_prefect and self.prefect:
            out.print(f"  brought up to date without Prefect: {report.without_prefect}", markup=False)
        out.print(
            f"{len(report.made) + len(report.reused)} ready, of which {len(report.made)} new; "
            f"{len(report.stopped)} stopped; store: {self.store}",
            markup=False,
        )

    def _name(self, session: str) -> str:
        return self.names.get(session, session)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
