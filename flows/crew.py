"""Worker processes and what to do when one dies: the next one goes on, and a recording that kills them is left out.

    crashed itself (a native library)      tried once more, then stopped with the code "worker-crashed"
    killed (by the system, for memory)     tried again in the smallest batches, then "worker-killed"
    no end in sight                        killed, where the step did not end itself as "step-hung": "worker-hung"
    attune was updated meanwhile           refused, "program-changed": two programs would make each other's steps again
    Prefect does not answer                started anew; a damaged database is put aside; the third time in a row the
                                           work goes on without Prefect

What became of a session is read from its folder, never from a state of Prefect's.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flows.context import patience_s
from flows.environment import LOCK_WAIT, PROGRAM, STORE
from flows.server import TEMPORARY, Server, end_orphans
from flows.worker import PREFECT_LOST, PROGRAM_CHANGED, STORE_LOST, WITHOUT_PREFECT
from pipeline.departures import Departure
from pipeline.lock import OWNER
from pipeline.night import Job
from pipeline.records import AttuneError
from pipeline.session import SMALL_BATCHES, Event, Session, note_problem, program_mark
from pipeline.steps import BY_NAME

MOST_DEATHS = {"worker-crashed": 2, "worker-killed": 3, "worker-hung": 2}
MOST_PREFECT_FAILURES = 2  # in a row; then the work goes on without it
HUNG_S = 60.0  # for a step out of time to be ended in its own process; a native library does not hear of that
GRACE_S = 5.0  # for a worker to end by itself
MENDS = {
    "worker-crashed": "play the recording to check it, and export it again, for instance as wav; the others go on",
    "worker-killed": "close other programs, or choose smaller weights: it goes on from the last finished step",
    "worker-hung": "process it alone; if it stays, export the recording again, for instance as wav",
}


CHANGED = AttuneError(
    "attune was updated on this machine while it was at work",
    mend="start it again; what is finished is kept",
    code="program-changed",
)

_PROGRAM = program_mark()  # of this process, however the files on the disk change


def _told_of(error: AttuneError) -> dict[str, str]:
    return {"code": error.code, "message": str(error), "mend": error.mend}


@dataclass(frozen=True)
class Told:
    """A message of a worker; `what` is None when it has ended."""

    worker: Worker
    what: dict[str, Any] | None


class Worker:
    """One child process (`flows.worker`) and the job it is at."""

    def __init__(
        self,
        inbox: queue.SimpleQueue[Told],
        *,
        prefect: str,
        small: bool,
        lock_wait_s: float,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """prefect: the server's address, or "" to do without; more: for its environment."""
        root = str(Path(__file__).parents[1])
        env = dict(os.environ) | dict(more) | {OWNER: str(os.getpid()), LOCK_WAIT: str(lock_wait_s)}
        env[PROGRAM] = _PROGRAM
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        if prefect:
            env["PREFECT_API_URL"] = prefect
        if small:
            env[SMALL_BATCHES] = "1"
        command = [sys.executable, "-m", "flows.worker", *([] if prefect else [WITHOUT_PREFECT])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.prefect, self.small, self.given_up = bool(prefect), small, False
        self.job: Job | None = None
        self.step, self.until = "", float("inf")
        threading.Thread(target=self._listen, args=(inbox,), daemon=True).start()

    def _listen(self, inbox: queue.SimpleQueue[Told]) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # a library's line, or it was killed in the middle of one
                told = json.loads(line)
                if isinstance(told, dict) and "told" in told:
                    inbox.put(Told(self, told))
        self.process.wait()
        inbox.put(Told(self, None))

    def order(self, do: str, **what: Any) -> None:
        try:
            self.process.stdin.write(json.dumps({"do": do, **what}) + "\n")
            self.process.stdin.flush()
        except OSError:
            return  # it has just died; its end is on its way to the inbox

    def end(self) -> None:
        """Let it end by itself, and see to it that it does."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Audience:
    """Who hears of a crew's work, in the process that a person started.

    on_event   a step of a session began or ended
    on_wait    another process holds the session
    on_note    a line for the log: ids and codes only
    """

    on_event: Callable[[Event], None] = lambda event: None
    on_wait: Callable[[str], None] = lambda holder: None
    on_note: Callable[[str], None] = lambda line: None


class Crew:
    """Up to `size` workers that bring jobs up to date. Not for use by several threads.

    find   the session of a job
    """

    def __init__(
        self, size: int, find: Callable[[str], Session], audience: Audience, lock_wait_s: float, prefect: bool = True
    ) -> None:
        self.size, self.find, self.audience, self.lock_wait_s = size, find, audience, lock_wait_s
        self.prefect = prefect
        self.server = Server(Path(os.environ[STORE]))
        end_orphans(self.server.store)
        self.inbox: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self.workers: list[Worker] = []
        self.opener: Worker | None = None
        self.restarts = self.without_prefect = self.prefect_failures = self.starts_then = 0
        self.store_lost = self.ran_flows = False
        self.opened: list[dict[str, Any]] = []
        self.reported = 0

    # ------------------------------------------------------------------------------------ giving out work

    @property
    def busy(self) -> list[Job]:
        return [worker.job for worker in self.workers if worker.job is not None]

    def begin(self, job: Job) -> bool:
        """Give the job to a worker, a new one where all are busy and there may be more. False where none is free."""
        small = job.deaths > 0
        idle = [worker for worker in self.workers if worker.job is None]
        worker = next((worker for worker in idle if worker.small == small), None)
        if worker is None:
            if len(self.workers) >= self.size:
                if not idle:
                    return False
                self._dismiss(idle[0])
            self._keep_server()
            worker = self._hire(small)
        job.state, job.code = "running", ""
        worker.job, worker.step, worker.until = job, "", float("inf")
        worker.order("session", session=job.session)
        return True

    def open(self, file: Path, given: list[str], session: str = "") -> None:
        """Have a file opened, by a process of its own kind that loads neither Prefect nor models."""
        self._order_opener("open", file=str(file), given=given, session=session)

    def move_away(self, session: str, departure: Departure) -> None:
        """Have the recording of a session that is ready moved, by the process that opens files."""
        file = departure.file
        look = {"file": str(file.file), "size": file.size, "modified_ns": file.modified_ns}
        folders = {"arrived_in": str(departure.arrived_in), "to": str(departure.to)}
        with_it = [str(path) for path in departure.with_it]
        self._order_opener("move", session=session, look=look, with_it=with_it, **folders)

    def _order_opener(self, do: str, **what: Any) -> None:
        if self.opener is None:
            self.opener = Worker(self.inbox, prefect="", small=False, lock_wait_s=0.0)
        self.opener.order(do, **what)

    def report(self, rows: list[dict[str, str]], told: str, counts: dict[str, int]) -> bool:
        """Have a table kept in Prefect; False where that is not to be had, or no flow has run.

        A new worker does it where the last one has died; it sweeps what that one left "running", too.
        """
        worker = next((w for w in self.workers if w.job is None and w.prefect), None)
        if worker is None and self.prefect and self.ran_flows and len(self.workers) < self.size:
            self._keep_server()
            worker = self._hire(small=False)
        if worker is not None:
            worker.order("report", rows=rows, told=told, counts=counts)
        return worker is not None

    def _hire(self, small: bool) -> Worker:
        address = self.server.address if self.prefect else ""
        own = {TEMPORARY: "1"} if self.server.own else {}
        worker = Worker(self.inbox, prefect=address, small=small, lock_wait_s=self.lock_wait_s, more=own)
        self.workers.append(worker)
        return worker

    def rest(self) -> None:
        """Ask the workers to stop after the step they are at."""
        for worker in self.workers:
            if worker.job is not None:
                worker.order("rest")

    def _dismiss(self, worker: Worker) -> None:
        self.workers.remove(worker)
        worker.end()

    def dismiss_idle(self) -> None:
        """End the workers that have nothing to do: their memory is given back."""
        for worker in [w for w in self.workers if w.job is None]:
            self._dismiss(worker)
        if not self.workers:
            self.server.end()

    def end(self) -> None:
        """End everybody. A step under way leaves nothing half made."""
        everybody = [*self.workers, *([self.opener] if self.opener else [])]
        for worker in everybody:
            with contextlib.suppress(OSError):
                worker.process.stdin.close()
        for worker in everybody:
            worker.end()
        self.workers, self.opener = [], None
        self.server.end()

    # ------------------------------------------------------------------------------------ hearing of it

    def hear(self, timeout_s: float) -> list[Job]:
        """Take in what the workers tell within the time. Returns the jobs that ended, each with its new state.

        A job that stopped carries the code, message and mend; "waiting" is one to be tried again.
        """
        ended: list[Job] = []
        until = time.monotonic() + timeout_s
        while True:
            self._kill_hung()
            if any(worker.prefect for worker in self.workers):
                self._keep_server()
            left = until - time.monotonic()
            try:
                told = self.inbox.get(timeout=max(0.0, left)) if left > 0 else self.inbox.get_nowait()
            except queue.Empty:
                return ended
            job = self._bury(told.worker) if told.what is None else self._take(told.worker, told.what)
            if job is not None:
                ended.append(job)
                until = 0.0  # there is work to give out
            elif self.opened:
                until = 0.0

    def _take(self, worker: Worker, what: dict[str, Any]) -> Job | None:
        told, job = what.pop("told"), worker.job
        if told == "ready":
            self.ran_flows = self.ran_flows or worker.prefect
        elif told in ("opened", "moved"):
            self.opened.append(what)
        elif told == "reported":
            self.reported += 1
        elif told == "wait":
            self.audience.on_wait(what["holder"])
        elif told == "step" and job is not None:
            self._note_step(worker, job, Event(**what))
        elif told == "stop" and job is not None:
            job.stop(what["code"], what["message"], what["mend"], what["step"])
        elif told == "done" and job is not None:
            worker.job = None
            return self._finish(worker, job, what["end"])
        return None

    def _note_step(self, worker: Worker, job: Job, event: Event) -> None:
        worker.step, worker.until = event.step, float("inf")
        if event.outcome is None:
            limit_s = patience_s(BY_NAME[event.step], self._duration_s(job))
            worker.until = time.monotonic() + limit_s + HUNG_S
        if event.outcome == "made":
            job.made.append(event.step)
            job.seconds += event.seconds
        self.audience.on_event(event)

    def _duration_s(self, job: Job) -> float:
        try:
            return self.find(job.session).about.duration_s
        except Exception:
            return 3600.0  # the share has just gone

    def _finish(self, worker: Worker, job: Job, end: str) -> Job:
        if worker.prefect:
            self.prefect_failures, self.starts_then = 0, self.server.starts
        else:
            self.without_prefect += 1
        if end == "ready":
            job.state = "made" if job.made else "reused"
            job.code = job.message = job.mend = job.step = ""
        elif end == "resting":
            job.state = "waiting"
        return job

    # ------------------------------------------------------------------------------------ when a worker dies

    def _kill_hung(self) -> None:
        for worker in self.workers:
            if worker.job is not None and time.monotonic() > worker.until:
                worker.until = float("inf")
                worker.job.code = "worker-hung"
                worker.process.kill()

    def _bury(self, worker: Worker) -> Job | None:
        """A worker has ended: what becomes of its job."""
        if worker is self.opener:
            self.opener = None
            changed = worker.process.returncode == PROGRAM_CHANGED
            self.opened.append({"died": True} if not changed else _told_of(CHANGED))
            return None
        if worker not in self.workers:
            return None
        self.workers.remove(worker)
        self.restarts += 1
        job, status = worker.job, PREFECT_LOST if worker.given_up else worker.process.returncode
        if status == PREFECT_LOST:
            self._miss_prefect()
        elif status == STORE_LOST:
            self.store_lost = True
        if job is None:
            return None
        if status in (PREFECT_LOST, STORE_LOST):
            job.state = "waiting"
        elif status == PROGRAM_CHANGED:
            job.stop(CHANGED.code, str(CHANGED), CHANGED.mend)
        else:
            self._count_death(job, worker, status)
        return job

    def _keep_server(self) -> None:
        """See to it that the temporary server is up; one that cannot stay up is given up."""
        if not self.prefect:
            return
        if note := self.server.keep_up():
            self.audience.on_note(note)
        if self.server.starts - self.starts_then > MOST_PREFECT_FAILURES:
            self._go_without()

    def _miss_prefect(self) -> None:
        """Prefect did not answer a worker: its server is started anew, with a new database where that is damaged."""
        self.prefect_failures += 1
        self.audience.on_note(f"prefect lost {self.prefect_failures}")
        self.server.end()
        if self.prefect_failures > MOST_PREFECT_FAILURES:
            self._go_without()

    def _go_without(self) -> None:
        if not self.prefect:
            return
        self.prefect = False
        self.audience.on_note("going on without prefect")
        for worker in self.workers:
            if worker.prefect:
                worker.given_up = True
                worker.process.kill()
        self.server.end()

    def _count_death(self, job: Job, worker: Worker, status: int) -> None:
        hung = job.code == "worker-hung"
        code = "worker-hung" if hung else "worker-killed" if status in (-signal.SIGKILL, 137) else "worker-crashed"
        job.deaths += 1
        self.audience.on_note(f"{job.session} {worker.step or 'start'} {code} {status}")
        job.state, job.code = "waiting", ""
        if job.deaths >= MOST_DEATHS[code]:
            step = worker.step or "start"
            error = AttuneError(
                f"the program ended {job.deaths} times in the step {step!r}", mend=MENDS[code], code=code
            )
            job.stop(code, str(error), error.mend, step)
            with contextlib.suppress(OSError, AttuneError):  # the share has gone too: it is said for everything
                note_problem(self.find(job.session), step, error)
