"""The process that does the work: it brings sessions up to date, one after the other, and keeps the models loaded.

It is a process of its own because native libraries can crash on a damaged recording, and memory can run out: then it
ends, and whoever started it goes on with a new one (`flows.crew`). Orders come as JSON lines on standard input, what
happens goes as JSON lines to standard output. It ends when standard input does, so it never outlives its owner.

    {"do": "session", "session": ID}          {"told": "ready"}
    {"do": "open", "file": .., "given": [..]} {"told": "step", "session": ID, "step": .., "outcome": .., "seconds": ..}
    {"do": "report", ...}                     {"told": "stop", "session": ID, "step": .., "code": .., ...}
    {"do": "rest"}                            {"told": "done", "session": ID, "end": "ready" | "stopped" | "resting"}
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows import context, environment
from flows.context import Listener
from flows.server import end_orphans
from pipeline import models
from pipeline.records import AttuneError
from pipeline.session import (
    ID_LENGTH,
    Session,
    check_file,
    is_ready,
    open_session,
    recorded,
    run_one,
    storing,
    working,
)
from pipeline.steps import STEPS

WITHOUT_PREFECT = "--without-prefect"
PREFECT_LOST = 3  # exit status: the work could go on, but Prefect does not answer
STORE_LOST = 4  # exit status: the store was not there at the start
RUN = Callable[[str], str]


class PrefectLost(Exception):
    """Prefect does not answer, or not sensibly. Nothing that is made is lost by it."""


class Wire:
    """The two lines to the owner, and its wish for a rest."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)  # what a library prints must not be taken for a message
        self.orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.rest = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "rest":
                self.rest.set()
            else:
                self.orders.put(order)
        _end_now()

    def tell(self, told: str, **what: Any) -> None:
        try:
            self.out.write(json.dumps({"told": told, **what}) + "\n")
        except OSError:
            _end_now()  # nobody listens any more


def _end_now() -> None:
    """End without delay, and the owner's server with it; a step under way leaves nothing half made."""
    with contextlib.suppress(Exception):
        end_orphans(Path(os.environ[environment.STORE]))
    os._exit(1)


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the owner, who says what to do
    wire = Wire()
    listener = Listener(
        on_event=lambda event: wire.tell("step", **asdict(event)),
        on_wait=lambda holder: wire.tell("wait", holder=holder),
        on_stop=lambda session, step, error: wire.tell("stop", session=session, step=step, **_of(error)),
        rests=wire.rest.is_set,
        lock_wait_s=float(os.environ.get(environment.LOCK_WAIT) or context.WAIT_S),
        retries=0,  # the owner waits for what can pass, with every session at once
    )
    begin = _without_prefect if WITHOUT_PREFECT in sys.argv else _with_prefect
    try:
        with begin() as run, context.listening(listener):
            wire.tell("ready")
            while True:
                order = wire.orders.get()
                {"session": _session, "open": _open, "report": _report}[order.pop("do")](wire, run, **order)
    except PrefectLost:
        return PREFECT_LOST
    except AttuneError:
        return STORE_LOST


# ------------------------------------------------------------------------------------------------ running


@contextmanager
def _with_prefect() -> Iterator[RUN]:
    """Runs a session as a flow.

    raises   PrefectLost
    """
    from flows import server

    with contextlib.ExitStack() as stack:
        try:
            context.store()
            stack.enter_context(server.swept())
        except AttuneError:
            raise
        except Exception as error:
            raise PrefectLost from error
        yield _as_flow


def _as_flow(session: str) -> str:
    from flows.session import process_session

    try:
        state = process_session(session, return_state=True)
    except Exception as error:
        raise PrefectLost from error
    if state.is_crashed():
        raise PrefectLost
    if state.is_cancelled():
        return "resting"
    return "ready" if state.is_completed() else "stopped"


@contextmanager
def _without_prefect() -> Iterator[RUN]:
    yield _plainly


def _plainly(session: str) -> str:
    """The same walk over the table as the flow's, for a night in which Prefect cannot be had."""
    listener, step = context.listener(), ""
    try:
        opened = context.session(session)
        with working(opened, listener.on_wait, listener.lock_wait_s) as held:
            for each in STEPS:
                if listener.rests():
                    return "resting"
                held.check()
                step = each.name
                run_one(opened, each, listener.on_event, context.models_of(session))
    except AttuneError as error:
        listener.on_stop(session, step, error)
        return "stopped"
    return "ready"


def _session(wire: Wire, run: RUN, session: str) -> None:
    wire.rest.clear()
    wire.tell("done", session=session, end=run(session))


# ------------------------------------------------------------------------------------------------ opening


def _open(wire: Wire, run: RUN, file: str, given: list[str], session: str = "") -> None:
    """Find out which session a file is, and whether it is ready: in a process that may crash on it.

    session   what the file is already known to be; then it is not read again
    """
    told: dict[str, Any] = {"file": file, "session": session, "ready": False}
    try:
        opened = _known(session) or _read(told, Path(file), [Path(name) for name in given])
        with recorded(opened, "open"):
            told["ready"] = is_ready(opened)
        told["needs"] = _needs(opened)
    except AttuneError as error:
        told |= _of(error)
    wire.tell("opened", **told)


def _known(session: str) -> Session | None:
    """The session as it stands, where its recording still lies where it did."""
    if not session or not (context.store() / "sessions" / session / "about.json").is_file():
        return None
    opened = context.session(session)
    try:
        return opened if not opened.has_sound or Path(opened.about.recording).is_file() else None
    except ValueError:
        return None  # its note is damaged, and made anew


def _read(told: dict[str, Any], file: Path, given: list[Path]) -> Session:
    store = context.store()
    check_file(file)
    with storing():
        told["session"] = models.sha256_of(file)[:ID_LENGTH]
    opened = open_session(store, None if file in given else file, given, {}, wait_s=0.0)
    return context.session(opened.id)


def _needs(session: Session) -> list[str]:
    """Names of the weights that the session needs."""
    steps = [step for step in STEPS if session.has_sound or not step.needs_sound]
    return list(dict.fromkeys(n for step in steps for n in step.models(session.options(step), session.given)))


def _of(error: AttuneError) -> dict[str, str]:
    return {"code": error.code, "message": str(error).splitlines()[0], "mend": error.mend}


def _report(wire: Wire, run: RUN, rows: list[dict[str, str]], told: str) -> None:
    """Keep a night's table in Prefect, where it runs; a table that cannot be kept there lies in the store anyway."""
    if run is _as_flow:
        from flows.artifacts import keep_night

        with contextlib.suppress(Exception):
            keep_night(rows, told)
    wire.tell("reported")


if __name__ == "__main__":
    sys.exit(main())
