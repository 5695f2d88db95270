"""A folder watched through the night: what arrives is brought up to date, whatever happens meanwhile.

This process loads no model, no media library and no Prefect: it looks at the folder, keeps the order, and gives the
work to a crew of processes that may die (`flows.crew`). What it knows can be found out again from the folder and the
store, so it may be killed too. Times are the monotonic clock's, but for quiet hours and what is printed, so that a
clock that is set changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.crew import Crew
from pipeline import night
from pipeline.arrivals import Arrivals, Known, Look, look_at
from pipeline.departures import Departure
from pipeline.lock import is_held
from pipeline.night import Job, QuietHours, Report
from pipeline.records import AttuneError
from pipeline.session import Session
from pipeline.store import check_present

IDLE_S = 120.0  # without work, the workers end and their memory is given back
REPORT_S = 60.0  # for Prefect to keep the night's table, a new worker's start included
MOVE_TRIES = 4  # over half a minute and more; then it is said so, and tried again by the next watch
GONE_TRIES = 6  # about 5 minutes for a recording that is not where it was; then it is said so
MENDS = {
    "folder-gone": "check the network share that holds the recordings",
    "disk-full": "make room on the disk of the store; what is finished is kept",
    "store-read-only": "make the store writable for this user; what is finished is kept",
    "store-unreachable": "check the disk or the network share of the store; what is finished is kept",
}


@dataclass(frozen=True)
class Plan:
    """What to watch and how.

    is_wanted    whether a file is a recording (or transcript) to take
    given        the transcripts that belong to a file
    session      the session of an id
    fetch        sees to it that weights of these names are here; raises AttuneError
    workers      processes that work side by side on this machine
    every_s      between two looks at the folder
    settle_s     how long a file must have stayed the same to be complete
    quiet        hours in which nothing is begun
    once         end when all is done, or when a fault has lasted `patience_s`
    first        files to be taken before the others
    ready        folder, which is there, that recordings are moved to when their session is ready; None leaves them
    apart        folders, resolved, that are not looked into
    """

    folder: Path
    store: Path
    is_wanted: Callable[[Path], bool]
    given: Callable[[Path], list[Path]]
    session: Callable[[str], Session]
    fetch: Callable[[Sequence[str]], None]
    workers: int = 1
    every_s: float = 10.0
    settle_s: float = 30.0
    quiet: tuple[QuietHours, ...] = ()
    once: bool = False
    patience_s: float = 900.0
    first: frozenset[Path] = frozenset()
    ready: Path | None = None
    apart: tuple[Path, ...] = ()


@dataclass
class Leaving:
    """A recording that is to be moved, its session being ready; not before `retry_at` of the monotonic clock."""

    session: str
    look: Look
    tries: int = 0
    retry_at: float = 0.0


@dataclass(frozen=True)
class Voice:
    """Who is told: of a job that ended, a recording that cannot be moved, a fault that concerns everything, a line for
    the log."""

    on_job: Callable[[Job, Path | None], None] = lambda job, file: None
    on_unmoved: Callable[[str, Path, str, str], None] = lambda session, file, message, mend: None
    on_fault: Callable[[str], None] = lambda code: None
    on_note: Callable[[str], None] = lambda line: None


@dataclass
class Watch:
    """One watcher at work."""

    plan: Plan
    crew: Crew
    voice: Voice = field(default_factory=Voice)
    local_time: Callable[[], time.struct_time] = time.localtime

    def __post_init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, list[Path]] = {}  # session -> files with that content, in order of arrival
        self.taken: dict[Path, Look] = {}
        self.arrivals = Arrivals(self.plan.settle_s)
        self.known = Known(night.night_folder(self.plan.store) / "known")
        self.to_open: deque[Look] = deque()
        self.opening: Look | None = None
        self.to_leave: list[Leaving] = []
        self.leaving: Leaving | None = None
        self.moved, self.unmoved = 0, []
        self.deaths: dict[Path, int] = {}
        self.copying = self.faults = 0
        self.fault, self.fault_since, self.retry_at, self.next_look = "", 0.0, 0.0, 0.0
        self.looked = self.stopping = False
        self.idle_since = time.monotonic()
        self.began = time.strftime("%Y-%m-%dT%H:%M:%S")
        self.reported: Report | None = None

    def run(self) -> Report:
        """Watch until told to stop, or until all is done where that was asked for. Returns what became of it."""
        try:
            while not self.stopping:
                self.turn(time.monotonic())
                if self.is_done():
                    if self.plan.once:
                        break
                    self._rest_when_idle()
                elif self.plan.once and self._is_out_of_patience():
                    self._give_up(self.fault, "the store or the folder could not be used", MENDS[self.fault])
                    break
        finally:
            report = self.report("stopped" if self.stopping else "done")
            self.crew.end()
        return report

    def stop(self) -> None:
        """Let `run` return soon; for signal handlers."""
        self.stopping = True

    def turn(self, now_s: float) -> None:
        """One round: look, open, give out, hear."""
        if now_s >= self.next_look:
            self.next_look = now_s + self.plan.every_s
            self._look(now_s)
        self._open_next()
        if self._may_begin(now_s):
            self._give_out(now_s)
            self._move_next(now_s)
        for job in self.crew.hear(min(1.0, self.plan.every_s)):
            self._settle(job, time.monotonic())
        for told in self._opened():
            if self.leaving is not None:
                self._see_off(told, time.monotonic())
            else:
                self._take_in(told)

    # ------------------------------------------------------------------------------------ the folder

    def _look(self, now_s: float) -> None:
        try:
            looks = look_at(self.plan.folder, self.plan.is_wanted, self.plan.apart)
        except OSError:
            self._fail("folder-gone", now_s)
            return
        self.looked = True
        if self.fault == "folder-gone":
            self._recover()
            self.faults = 0
        settled = self.arrivals.settled(looks, now_s)
        self.copying = len(looks) - len(settled)
        here = {look.file for look in looks}
        self.taken = {file: look for file, look in self.taken.items() if file in here}
        for look in settled:
            if self.taken.get(look.file) != look:
                self._let_go(look.file)
                self.taken[look.file] = look
                self.to_open.append(look)

    def _let_go(self, file: Path) -> None:
        """Forget what a file was before it changed, where no other file is the same session."""
        for session, files in list(self.files.items()):
            if file in files:
                files.remove(file)
                if not files and self.jobs[session].state in ("waiting", "stopped"):
                    del self.jobs[session], self.files[session]

    def _open_next(self) -> None:
        if self.opening is not None or self.leaving is not None or not self.to_open or self.fault:
            return
        self.opening = look = self.to_open.popleft()
        given = [str(path) for path in self.plan.given(look.file)]
        known = "" if given and look.file not in map(Path, given) else self._known(look)
        self.crew.open(look.file, given, known)

    def _known(self, look: Look) -> str:
        return self.known.find(look.fingerprint(self.plan.folder)) or ""

    def _opened(self) -> list[dict[str, Any]]:
        told, self.crew.opened = self.crew.opened, []
        return told

    def _take_in(self, told: dict[str, Any]) -> None:
        """A file was opened, or the process that tried has died of it."""
        look, self.opening = self.opening, None
        if look is None:
            return
        if told.get("died"):
            told = self._died_opening(look)
            if not told:
                return
        code, session = told.get("code", ""), told.get("session", "")
        if code == "no-such-file":
            self.taken.pop(look.file, None)  # it was moved away; should it come back, it is a new one
            return
        if code in night.EVERYWHERE:
            self.to_open.appendleft(look)
            self._fail(code, time.monotonic())
            return
        if session and code != "session-held":
            with contextlib.suppress(OSError):
                self.known.note(look.fingerprint(self.plan.folder), session)
        self._add(look, told, session or f"file-{look.fingerprint(self.plan.folder)[:12]}")
        if code in night.REFUSED:
            self._give_up(code, told["message"], told["mend"])
            self.stopping = True

    def _died_opening(self, look: Look) -> dict[str, Any]:
        self.deaths[look.file] = self.deaths.get(look.file, 0) + 1
        if self.deaths[look.file] < 2:
            self.to_open.appendleft(look)
            return {}
        return {
            "code": "worker-crashed",
            "message": "the program ended twice while it opened this file",
            "mend": "play the recording to check it, and export it again, for instance as wav; the others go on",
        }

    def _add(self, look: Look, told: dict[str, Any], session: str) -> None:
        job = self.jobs.get(session)
        self.files.setdefault(session, []).append(look.file)
        if job is None:
            job = self.jobs[session] = Job(session, order=len(self.jobs))
        elif job.state != "stopped":
            self._let_leave(job)
            return  # the same recording under another name
        job.first = job.first or look.file in self.plan.first
        job.state, job.waits, job.deaths, job.code = "waiting", 0, 0, ""
        try:
            if told.get("code", "") not in ("", "session-held"):
                raise AttuneError(told["message"], mend=told["mend"], code=told["code"])
            if told["ready"]:
                job.state = "reused"
            elif told.get("needs"):
                self.plan.fetch(told["needs"])
        except AttuneError as error:
            job.stop(error.code, str(error), error.mend, "open")
        if job.state != "waiting":
            self.voice.on_job(job, self.file_of(job))
            self._let_leave(job)

    # ------------------------------------------------------------------------------------ the work

    def _may_begin(self, now_s: float) -> bool:
        with contextlib.suppress(OSError):
            if night.is_paused(self.plan.store) or night.is_quiet(self.plan.quiet, self.local_time()):
                self.crew.rest()
                return False
        if self.fault and now_s >= self.retry_at:
            self._probe(now_s)
        return not self.fault

    def _give_out(self, now_s: float) -> None:
        for job in self.jobs.values():
            if job.state == "waiting" and not job.first:
                job.first = night.is_first(self.plan.store, job.session)
        while (job := night.next_job(self.jobs.values(), now_s)) is not None:
            if len(self.crew.busy) >= self.plan.workers:
                return
            try:
                if is_held(self.plan.store / "sessions" / job.session / "lock"):
                    job.put_off(now_s)
                    continue
            except AttuneError as error:
                self._fail(error.code, now_s)
                return
            if not self.crew.begin(job):
                return
            self.idle_since = now_s

    def _settle(self, job: Job, now_s: float) -> None:
        """A job came back from the crew."""
        self.idle_since = now_s
        if self.crew.store_lost:
            self.crew.store_lost = False
            self._fail("store-unreachable", now_s)
        if job.state == "waiting":
            return
        if job.code in night.REFUSED:
            self._give_up(job.code, job.message, job.mend)
            self.stopping = True
        elif job.state == "stopped" and job.code in night.EVERYWHERE:
            job.state = "waiting"
            self._fail(job.code, now_s)
        elif job.state == "stopped" and self._may_pass(job):
            job.put_off(now_s)
        else:
            self.faults = 0
            self.voice.on_job(job, self.file_of(job))
            self._let_leave(job)

    def _may_pass(self, job: Job) -> bool:
        return job.code == "session-held" or (job.code == "recording-gone" and job.waits < GONE_TRIES)

    # ------------------------------------------------------------------------------------ recordings that leave

    def _let_leave(self, job: Job) -> None:
        """Where recordings are moved when their session is ready: those of this one, whatever their names."""
        if self.plan.ready is None or job.state not in ("made", "reused"):
            return
        known = [leaving.look for leaving in (*self.to_leave, self.leaving) if leaving is not None]
        looks = [look for file in self.files[job.session] if (look := self.taken.get(file)) is not None]
        self.to_leave += [Leaving(job.session, look) for look in looks if look not in known]

    def _move_next(self, now_s: float) -> None:
        due = next((leaving for leaving in self.to_leave if leaving.retry_at <= now_s), None)
        if due is None or self.leaving is not None or self.opening is not None:
            return
        self.to_leave.remove(due)
        self.leaving = due
        departure = Departure(due.look, self.plan.folder, self.plan.ready, self._with(due.look.file))
        self.crew.move_away(due.session, departure)

    def _with(self, file: Path) -> tuple[Path, ...]:
        """The transcripts that go with a recording: those beside it that no other recording needs."""
        if any(other != file and other.with_suffix("") == file.with_suffix("") for other in self.taken):
            return ()
        return tuple(path for path in self.plan.given(file) if path != file)

    def _see_off(self, told: dict[str, Any], now_s: float) -> None:
        """A recording was moved, or could not be."""
        leaving, self.leaving = self.leaving, None
        code = "not-moved" if told.get("died") else told.get("code", "")
        leaving.tries += 1
        if told.get("moved"):
            self.moved += 1
            self.voice.on_note(f"{leaving.session} moved")
        elif not code:
            return  # another watcher was quicker
        elif code == "recording-changed":
            return  # the next look takes it as a new one
        elif leaving.tries < MOVE_TRIES:
            leaving.retry_at = now_s + night.wait_s(leaving.tries)
            self.to_leave.append(leaving)
        else:
            mend = told.get("mend", "move it by hand, or let it lie: the session is ready")
            self.unmoved.append({"session": leaving.session, "code": code, "mend": mend})
            self.voice.on_note(f"{leaving.session} not moved {code}")
            message = told.get("message", "the program ended while it moved the recording")
            self.voice.on_unmoved(leaving.session, leaving.look.file, message, mend)

    # ------------------------------------------------------------------------------------ faults of the surroundings

    def _fail(self, code: str, now_s: float) -> None:
        """Nothing is begun until the fault has passed."""
        if not self.faults:
            self.fault_since = now_s
            self.voice.on_fault(code)
        self.fault = code
        self.faults += 1
        self.retry_at = now_s + min(night.wait_s(self.faults), self.plan.patience_s / 4)

    def _probe(self, now_s: float) -> None:
        """Whether the store can be written to again."""
        if self.fault == "folder-gone":
            return  # the next look tells
        probe = self.plan.store / f".attune-probe-{os.getpid()}"
        try:
            check_present(self.plan.store)
            probe.write_bytes(b"\0" * 65536)  # more than what a full disk has left in a half-used block
            probe.unlink()
        except (OSError, AttuneError):
            with contextlib.suppress(OSError):
                probe.unlink()
            self._fail(self.fault, now_s)
        else:
            self._recover()

    def _recover(self) -> None:
        """It looks well again; `faults` are forgotten when a session is brought to its end."""
        self.voice.on_note(f"passed {self.fault}")
        self.fault = ""

    def _is_out_of_patience(self) -> bool:
        return bool(self.fault) and time.monotonic() - self.fault_since > self.plan.patience_s

    def _give_up(self, code: str, message: str, mend: str) -> None:
        for job in self.jobs.values():
            if job.state in ("waiting", "running"):
                job.stop(code, message, mend)

    # ------------------------------------------------------------------------------------ the end

    def is_done(self) -> bool:
        """Whether every file that is here is complete and its session made or stopped."""
        open_jobs = any(job.state in ("waiting", "running") for job in self.jobs.values())
        leaving = self.to_leave or self.leaving
        return self.looked and not (self.copying or self.to_open or self.opening or self.fault or open_jobs or leaving)

    def _rest_when_idle(self) -> None:
        if self.report("going on", only_new=True) and time.monotonic() - self.idle_since > IDLE_S:
            self.crew.dismiss_idle()

    def report(self, end: str, only_new: bool = False) -> Report:
        """What became of the night so far, kept in the store and in Prefect."""
        report = night.build_report(
            self.jobs.values(),
            host=socket.gethostname(),
            began=self.began,
            ended=time.strftime("%Y-%m-%dT%H:%M:%S"),
            end=end,
            copying=self.copying,
            restarts=self.crew.restarts,
            without_prefect=self.crew.without_prefect,
            moved=self.moved,
            unmoved=tuple(self.unmoved),
        )
        if only_new and self.reported is not None and _same(report, self.reported):
            return report
        self.reported = report
        with contextlib.suppress(OSError, AttuneError):
            check_present(self.plan.store)
            night.write_report(self.plan.store, report, self._report_name())
        self._keep_in_prefect(report)
        return report

    def _report_name(self) -> str:
        """One per watcher and start, so that several machines never write over each other's."""
        return f"report-{self.began.replace(':', '')}-{socket.gethostname()}-{os.getpid()}"

    def _keep_in_prefect(self, report: Report) -> None:
        rows = report_rows(report)
        before = self.crew.reported
        counts = {name: len(getattr(report, name)) for name in ("made", "reused", "stopped", "waiting")}
        told = "{made} made, {reused} as they were, {stopped} stopped".format(**counts)
        if rows and not self.stopping and self.crew.report(rows, told, counts):
            until = time.monotonic() + REPORT_S
            restarts = self.crew.restarts
            while self.crew.reported == before and self.crew.restarts == restarts and time.monotonic() < until:
                self.crew.hear(0.1)

    def file_of(self, job: Job) -> Path | None:
        files = self.files.get(job.session)
        return files[0] if files else None


def _same(a: Report, b: Report) -> bool:
    return all(getattr(a, name) == getattr(b, name) for name in ("made", "reused", "stopped", "waiting", "moved"))


def report_rows(report: Report) -> list[dict[str, str]]:
    """The report as a table for Prefect: session, what became of it, and what stopped it with the way out."""
    fine = [(row["session"], "made") for row in report.made] + [(session, "as it was") for session in report.reused]
    stopped = [{"state": "stopped"} | row for row in report.stopped]
    empty = {"step": "", "code": "", "mend": ""}
    return [{"session": session, "state": state} | empty for session, state in fine] + stopped
