"""Work in the background: review copies one after the other, and sessions made again after a correction."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Queue
from threading import Lock, Thread, get_native_id
from typing import Literal

from pipeline.records import AttuneError

State = Literal["waiting", "running", "done", "stopped"]
Tell = Callable[[float, str], None]
CALM = 10  # niceness of work that nobody waits for
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """How far a piece of work is.

    done         share, 0 to 1
    says         what it does now, for people
    problem      what went wrong and the way out, or ""
    """

    state: State
    done: float = 0.0
    says: str = ""
    problem: str = ""


class Jobs:
    """At most one job at a time and one a key: asking for what runs or waits already changes nothing.

    The worker ends with the program, in the middle of a job if need be: all work here is written beside and renamed.

    calm   nobody waits for this work: it gives way to the page, where the system can set that for one thread
    """

    def __init__(self, *, calm: bool = False) -> None:
        self._calm = calm
        self._queue: Queue[tuple[str, Callable[[Tell], None]]] = Queue()
        self._jobs: dict[str, Job] = {}
        self._lock = Lock()
        Thread(target=self._work, name="attune-review", daemon=True).start()

    def start(self, key: str, work: Callable[[Tell], None], says: str = "") -> None:
        with self._lock:
            if self._jobs.get(key, Job("done")).state in ("waiting", "running"):
                return
            self._jobs[key] = Job("waiting", says=says)
        self._queue.put((key, work))

    def of(self, key: str) -> Job | None:
        with self._lock:
            return self._jobs.get(key)

    def wait(self) -> None:
        """Until every job has ended."""
        self._queue.join()

    def _work(self) -> None:
        if self._calm and sys.platform == "linux":  # where a thread has a priority of its own
            own = get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, max(CALM, os.getpriority(os.PRIO_PROCESS, own)))
        while True:
            key, work = self._queue.get()
            self._run(key, work)
            self._queue.task_done()

    def _run(self, key: str, work: Callable[[Tell], None]) -> None:
        self._set(key, state="running")
        try:
            work(lambda done, says: self._set(key, done=done, says=says))
        except AttuneError as error:
            self._set(key, state="stopped", problem=f"{str(error).splitlines()[0]}. {error.mend}.")
        except Exception as error:  # a job must never take the page down, and its text may hold words or paths
            log.error("a background job stopped (%s)", type(error).__name__)
            self._set(key, state="stopped", problem=f"It stopped unexpectedly ({type(error).__name__}).")
        else:
            self._set(key, state="done", done=1.0)

    def _set(self, key: str, **changes: object) -> None:
        with self._lock:
            self._jobs[key] = replace(self._jobs[key], **changes)
