"""A night's work: what comes first, when to rest, and what became of it.

Pure, but for the small files by which a person tells a running watcher to pause or what to take first. Those and the
report hold session ids and codes only.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline import formats
from pipeline.records import AttuneError

# Codes that can pass on their own: the disk is cleared, the share comes back, another worker ends.
PASSING = ("disk-full", "store-read-only", "store-unreachable", "folder-gone", "session-held")
# ... of these, the ones that concern every session at once, so that nothing is begun until they have passed
EVERYWHERE = ("disk-full", "store-read-only", "store-unreachable", "folder-gone")
# the store is another program's, or this one was updated under way: it must end
REFUSED = ("program-older", "store-newer", "program-changed")
SHORT_WAIT_S, LONG_WAIT_S = 5.0, 300.0  # between two tries after a fault that can pass, the first and the longest


@dataclass(frozen=True)
class WatchOptions:
    """How a night is worked through; options of `attune watch` win over them."""

    workers: int = 1  # processes side by side on this machine
    model_slots: int = 1  # steps with models at a time on this machine: one for each graphics card
    quiet: str = ""  # hours in which nothing is begun, as "08:00-18:00"; several with commas between them
    every_s: float = 10.0  # from one look at the folder to the next, seconds
    settle_s: float = 30.0  # a file is complete when it has stayed the same for this long, seconds
    patience_s: float = 900.0  # how long a watch with an end waits for a full disk or a lost share, seconds
    transcripts: bool = False  # take transcripts that lie beside recordings, or alone
    # folder for recordings whose session is ready, inside the watched one or anywhere; "" leaves them where they are
    move_ready: str = ""
    prefect: bool = True  # keep a record of runs; without it a run starts sooner and needs less memory
    pages: str = ""  # address under which a browser reaches the store, for links from Prefect's pages to the summaries


State = Literal["waiting", "running", "made", "reused", "stopped"]


@dataclass
class Job:
    """One session on its way through the night.

    first     taken before all others
    order     of arrival
    retry_at  not before this time of the monotonic clock, seconds
    deaths    how often a worker died at it
    """

    session: str
    order: int
    first: bool = False
    state: State = "waiting"
    retry_at: float = 0.0
    waits: int = 0
    deaths: int = 0
    made: list[str] = field(default_factory=list)
    seconds: float = 0.0
    step: str = ""
    code: str = ""
    message: str = ""
    mend: str = ""

    def stop(self, code: str, message: str, mend: str, step: str = "") -> None:
        self.state, self.code, self.message, self.mend, self.step = "stopped", code, message, mend, step

    def put_off(self, now_s: float) -> None:
        """Try again later, ever later."""
        self.state, self.waits = "waiting", self.waits + 1
        self.retry_at = now_s + wait_s(self.waits)


def wait_s(tries: int) -> float:
    """Seconds to wait after that many tries: twice as long each time, up to `LONG_WAIT_S`."""
    return min(LONG_WAIT_S, SHORT_WAIT_S * 2.0 ** min(10, max(0, tries - 1)))


def next_job(jobs: Iterable[Job], now_s: float) -> Job | None:
    """The job to begin now: those to be taken first before the others, then by arrival."""
    due = [job for job in jobs if job.state == "waiting" and job.retry_at <= now_s]
    return min(due, key=lambda job: (not job.first, job.waits, job.order), default=None)


@dataclass(frozen=True)
class QuietHours:
    """A time of day in which nothing is begun. Minutes from midnight, half-open; may pass midnight."""

    start: int
    end: int

    def holds(self, minute: int) -> bool:
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def read_quiet_hours(text: str) -> QuietHours:
    """From "08:00-18:00".

    raises   AttuneError for anything else
    """
    match = re.fullmatch(r"\s*(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)\s*", text)
    if match:
        hours, minutes, to_hours, to_minutes = map(int, match.groups())
        if max(hours, to_hours) < 24 and max(minutes, to_minutes) < 60:
            return QuietHours(hours * 60 + minutes, to_hours * 60 + to_minutes)
    raise AttuneError(f"{text!r} is no time of day", mend="write quiet hours as 08:00-18:00", code="quiet-hours")


def read_all_quiet_hours(text: str) -> tuple[QuietHours, ...]:
    """From "08:00-12:00,13:00-18:00"; "" is none.

    raises   AttuneError for anything else
    """
    return tuple(read_quiet_hours(part) for part in text.split(",") if text.strip())


def is_quiet(hours: Sequence[QuietHours], at: time.struct_time) -> bool:
    return any(span.holds(at.tm_hour * 60 + at.tm_min) for span in hours)


# ---------------------------------------------------------------------------------------- told by a person


def night_folder(store: Path) -> Path:
    return store / "night"


def pause(store: Path, paused: bool) -> None:
    """Let every watcher of the store, which is there, pause after the step it is at, or go on."""
    mark = night_folder(store) / "paused"
    if paused:
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
    else:
        mark.unlink(missing_ok=True)


def is_paused(store: Path) -> bool:
    return (night_folder(store) / "paused").exists()


def put_first(store: Path, session: str) -> None:
    """Let every watcher of the store take this session before the others."""
    mark = night_folder(store) / "first" / session
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def is_first(store: Path, session: str) -> bool:
    return (night_folder(store) / "first" / session).exists()


# ---------------------------------------------------------------------------------------- what became of it


@dataclass(frozen=True)
class Report:
    """What a watcher did from `began` to `ended`, local times. Session ids, codes and counts only.

    end              "done", "stopped" (told to end), or "going on"
    restarts         workers that died and were started again
    without_prefect  sessions that were brought up to date while Prefect could not be had
    moved            recordings of ready sessions that were moved away, as was asked for
    unmoved          sessions, with code and mend, whose recording could not be
    """

    host: str
    began: str
    ended: str
    end: str
    made: list[dict[str, Any]]
    reused: list[str]
    stopped: list[dict[str, str]]
    waiting: list[str]
    copying: int = 0
    restarts: int = 0
    without_prefect: int = 0
    moved: int = 0
    unmoved: tuple[dict[str, str], ...] = ()


def build_report(jobs: Iterable[Job], **told: Any) -> Report:
    """The report of these jobs, each group by arrival."""
    jobs = sorted(jobs, key=lambda job: job.order)
    return Report(
        made=[
            {"session": job.session, "steps": job.made, "seconds": round(job.seconds, 1)}
            for job in jobs
            if job.state == "made"
        ],
        reused=[job.session for job in jobs if job.state == "reused"],
        stopped=[
            {"session": job.session, "step": job.step, "code": job.code, "mend": job.mend}
            for job in jobs
            if job.state == "stopped"
        ],
        waiting=[job.session for job in jobs if job.state in ("waiting", "running")],
        **told,
    )


def write_report(store: Path, report: Report, name: str) -> Path:
    """Keep the report in the store as JSON; one written before under that name is replaced."""
    path = night_folder(store) / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    formats.write_atomic(path, formats.dump(path.name, report))
    return path
