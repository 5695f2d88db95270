"""`attune process`: from files and folders to a table of moments worth a look."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.runners import CLUSTERS, RUNNERS
from pipeline.commands import common
from pipeline.night import Job
from pipeline.records import AttuneError
from pipeline.session import Session, is_ready, open_session, recorded
from pipeline.settings import Tables
from pipeline.store import open_store

RECORDINGS = {
    ".mp4",
    ".mov",
    ".m4v",
    ".mkv",
    ".webm",
    ".avi",
    ".m4a",
    ".mp3",
    ".wav",
    ".flac",
    ".ogg",
    ".opus",
    ".wma",
    ".aac",
}
TRANSCRIPTS = {".vtt", ".srt", ".textgrid", ".stm", ".json", ".rttm"}


@dataclass
class Item:
    """One file that was asked for, and what became of it.

    state   "ready", or "stopped" with the code, message and mend of its problem
    """

    file: Path
    session: Session | None = None
    state: str = "stopped"
    code: str = ""
    message: str = ""
    mend: str = ""
    made: list[str] = field(default_factory=list)

    def stop(self, error: AttuneError) -> None:
        self.state, self.code, self.message, self.mend = "stopped", error.code, str(error), error.mend

    @property
    def name(self) -> str:
        """The file's name as it can be printed on one line."""
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in self.file.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="recordings, or folders of recordings")
    parser.add_argument(
        "--transcript",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a transcript or speaker file that you already have (vtt, srt, TextGrid, stm, json, rttm), for one "
        "recording or alone; may be given twice, words and speakers",
    )
    parser.add_argument(
        "--one-session",
        action="store_true",
        help="the two recordings given are of one session, one microphone a person; the first one's clock counts",
    )
    parser.add_argument(
        "--offset",
        type=float,
        metavar="SECONDS",
        help="with --one-session: how much later the second recording begins (default: found by what both hear)",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="sessions side by side (default: 1)")
    parser.add_argument(
        "--runner",
        choices=list(RUNNERS),
        help="run them on a task runner of Prefect's: threads or processes here, a Dask or Ray cluster (extras)",
    )
    parser.add_argument(
        "--cluster",
        default="",
        metavar="ADDRESS",
        help="with --runner dask or ray: the cluster's scheduler (default: one on this machine, of --workers workers)",
    )
    parser.add_argument("--offline", action="store_true", help="never try the network, even for missing weights")
    common.add_store(parser)
    common.add_settings(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    settings = common.settings_path(args.store, args.settings)
    tables = common.read_settings(settings)
    _check_runner(args)
    open_store(args.store)
    items = open_items(args, tables)
    waiting = [item for item in items if item.session and item.state != "stopped" and not _check_ready(item)]
    if waiting:
        _fetch_missing(waiting, args.offline)
        (_run_on_cluster if args.runner else _run_flows)(args, settings, waiting)
    elif not args.json and any(item.state == "ready" for item in items):
        print("Nothing new: everything is up to date.")
    from pipeline.commands.summary import print_summary, summary_rows

    if args.json:
        common.print_json({"store": str(args.store), "sessions": summary_rows(items)})
    else:
        print_summary(items, args.store)
    return 0 if any(item.state == "ready" for item in items) else 1


# ---------------------------------------------------------------------------------------------- what to process


def open_items(args: argparse.Namespace, tables: Tables) -> list[Item]:
    """One item per file that was asked for, its session opened, or stopped with the reason."""
    files = [file for path in args.paths for file in find_recordings(path, args.store)]
    second = _second_of(files, args)
    if args.transcript and len(files) > 1:
        raise AttuneError(
            f"--transcript goes with one recording, and {len(files)} were given",
            mend="process that recording in a command of its own",
            code="transcript-for-many",
        )
    if not files and not args.transcript:
        raise AttuneError("no recording was given", mend="attune process FILE_OR_FOLDER", code="no-such-file")
    items: list[Item] = []
    for file in files or [None]:
        item = Item(file or args.transcript[0])
        _open(item, file, args, tables, second)
        _join_twin(item, items)
        items.append(item)
    return items


def _second_of(files: list[Path], args: argparse.Namespace) -> Path | None:
    """Take the other person's recording out of the files, where two are one session.

    raises   AttuneError for other than two files, or an offset without --one-session
    """
    if args.one_session and len(files) != 2:
        raise AttuneError(
            f"--one-session takes two recordings, one of each person, and {len(files)} were given",
            mend="attune process FIRST SECOND --one-session",
            code="one-session-of-two",
        )
    if args.offset is not None and not args.one_session:
        raise AttuneError(
            "--offset is for two recordings of one session",
            mend="give --one-session and the two recordings as well",
            code="offset-without-second",
        )
    if not math.isfinite(args.offset or 0.0):
        raise AttuneError(
            f"--offset is {args.offset}; it takes seconds", mend="give a number, for instance 12.5", code="offset-value"
        )
    return files.pop() if args.one_session else None


def find_recordings(path: Path, store: Path) -> list[Path]:
    """The file itself, or every recording in and below the folder, in order; hidden ones and the store left out.

    raises   AttuneError when there is nothing at the path, or no recording in the folder
    """
    if not path.is_dir():
        if not path.exists():
            raise AttuneError(f"there is nothing at {str(path)!r}", mend="check the path", code="no-such-file")
        return [path]
    home = store.resolve()
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in RECORDINGS
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
        and not file.resolve().is_relative_to(home)
    )
    if not found:
        kinds = " ".join(sorted(kind.lstrip(".") for kind in RECORDINGS))
        raise AttuneError(
            f"the folder {str(path)!r} holds no recording", mend=f"recordings end in: {kinds}", code="no-recordings"
        )
    return found


def _open(
    item: Item, recording: Path | None, args: argparse.Namespace, tables: Tables, second: Path | None = None
) -> None:
    def on_wait(holder: str) -> None:
        print(f"{item.name}: {holder} is at work on this session; waiting for it", file=sys.stderr)

    try:
        item.session = open_session(
            args.store, recording, args.transcript, tables, on_wait, second=second, offset_s=args.offset
        )
        item.state = "waiting"
    except AttuneError as error:
        item.stop(error)
        if error.code in ("store-read-only", "disk-full", "store-unreachable"):
            raise


def _join_twin(item: Item, earlier: Sequence[Item]) -> None:
    """A recording with the same content as an earlier one is the same session."""
    twin = next(
        (other for other in earlier if item.session and other.session and other.session.id == item.session.id), None
    )
    if twin is not None:
        item.session, item.state = None, "same"
        item.message = f"the same recording as {twin.name}"


def _check_ready(item: Item) -> bool:
    """Whether there is nothing to do for an item: it is up to date, or its files must not be touched."""
    try:
        with recorded(item.session, "open"):
            ready = is_ready(item.session)
    except AttuneError as error:
        item.stop(error)
        return True
    if ready:
        item.state = "ready"
    return ready


# ---------------------------------------------------------------------------------------------- doing it


def needed_models(sessions: Iterable[Session]) -> list[str]:
    """Names of the weights that these sessions need, each once, in the order of the steps."""
    from pipeline.steps import STEPS

    names = [
        name
        for session in sessions
        for step in STEPS
        if session.has_sound or not step.needs_sound
        for name in step.models(session.options(step), session.given)
    ]
    return list(dict.fromkeys(names))


def _fetch_missing(items: Sequence[Item], offline: bool) -> None:
    """Fetch the weights that are not here yet.

    raises   AttuneError when they are needed and the network may not be tried
    """
    from pipeline import models

    absent = models.missing(needed_models(item.session for item in items))
    if absent and offline:
        names = " ".join(entry.name for entry in absent)
        raise AttuneError(
            f"weights are missing and --offline was given: {names}",
            mend=f"run once with the network: attune models fetch {names}",
            code="weights-missing",
        )
    if absent:
        total = sum(entry.size_mb for entry in absent)
        print(
            f"First use: {len(absent)} sets of weights are missing ({total} MB). They are fetched once.",
            file=sys.stderr,
        )
        models.fetch(absent, lambda line: print(line, file=sys.stderr), progress_bar=sys.stderr.isatty())


def _check_runner(args: argparse.Namespace) -> None:
    if args.workers < 1:
        raise AttuneError(f"--workers is {args.workers}; it takes 1 or more", mend="change it", code="option-range")
    if args.cluster and args.runner not in CLUSTERS:
        raise AttuneError(
            "--cluster names a scheduler, and --runner names no cluster",
            mend=f"give --runner {' or '.join(CLUSTERS)} as well",
            code="cluster-without-runner",
        )


def _run_on_cluster(args: argparse.Namespace, settings: Path | None, items: Sequence[Item]) -> None:
    from flows.run import Cluster, run_on_cluster

    names = {item.session.id: item.name for item in items}

    def tell(job: Job) -> None:
        if not args.json:
            print(f"{names[job.session]}: {job.state}", file=sys.stderr, flush=True)

    cluster = Cluster(args.runner, args.workers, args.cluster)
    jobs = run_on_cluster(args.store, settings, list(names), cluster, tell)
    for item in items:
        _settle(item, jobs[item.session.id])


def _run_flows(args: argparse.Namespace, settings: Path | None, items: Sequence[Item]) -> None:
    from flows.crew import Audience
    from flows.run import run_sessions
    from pipeline.commands.display import Display, write_log

    names = {item.session.id: (item.name, item.session.about.duration_s) for item in items}
    with Display(names, args.json) as display:

        def on_event(event) -> None:
            write_log(args.store, event)
            display.on_event(event)

        audience = Audience(on_event, display.on_wait)
        jobs = run_sessions(args.store, settings, list(names), audience, args.workers)
    for item in items:
        _settle(item, jobs[item.session.id])


def _settle(item: Item, job: Job) -> None:
    """What became of an item stands in its session's folder, unless the folder itself could not be written to."""
    item.made = job.made
    problem = item.session.problem
    if job.state == "stopped":
        item.state, item.code, item.message, item.mend = "stopped", job.code, job.message, job.mend
    elif problem is None and is_ready(item.session):
        item.state = "ready"
    else:
        item.code, item.message = "unfinished", "the run ended before the session was finished"
        item.state, item.mend = "stopped", "process it again: it goes on from the last finished step"


def threads() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
