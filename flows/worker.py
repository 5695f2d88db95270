"""The process that does the work: it brings sessions up to date, one after the other, and keeps the models loaded.

It is a process of its own because native libraries can crash on a damaged recording, and memory can run out: then it
ends, and whoever started it goes on with a new one (`flows.crew`). Orders come as JSON lines on standard input, what
happens goes as JSON lines to standard output. It ends when standard input does, so it never outlives its owner.

    {"do": "session", "session": ID}          {"told": "ready"}
    {"do": "open", "file": .., "given": [..]} {"told": "step", "session": ID, "step": .., "outcome": .., "seconds": ..}
    {"do": "report", ...}                     {"told": "stop", "session": ID, "step": .., "code": .., ...}
    {"do": "rest"}                            {"told": "done", "session": ID, "end": "ready" | "stopped" | "resting"}
    {"do": "move", ...}                       {"told": "moved", "moved": true | false, "code": ..., ...}
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows import context, environment
from flows.context import Listener
from flows.server import end_orphans
from pipeline import models
from pipeline.arrivals import Look
from pipeline.departures import Departure, Players, move_away
from pipeline.records import AttuneError
from pipeline.session import (
    ID_LENGTH,
    Session,
    check_file,
    is_ready,
    open_session,
    program_mark,
    recorded,
    run_one,
    storing,
    working,
)
from pipeline.steps import STEPS

WITHOUT_PREFECT = "--without-prefect"
PREFECT_LOST = 3  # exit status: the work could go on, but Prefect does not answer
BETWEEN_S = 1.0  # between one session and the next order; a worker that takes longer is in the middle of a step
STORE_LOST = 4  # exit status: the store was not there at the start
PROGRAM_CHANGED = 5  # exit status: this is another program than that of the owner, who was started before an update
Tell = Callable[[str, str], None]  # hears a session's id, and its end: "ready", "stopped" or "resting"
Walk = Callable[[Iterable[str], Tell], None]  # brings sessions up to date, one after the other


class PrefectLost(Exception):
    """Prefect does not answer, or not sensibly. Nothing that is made is lost by it."""


class Wire:
    """The two lines to the owner, and its wish for a rest."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)  # what a library prints must not be taken for a message
        self.orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.rest, self.idle = threading.Event(), threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "rest":
                self.rest.set()
            else:
                self.orders.put(order)
        if self.idle.wait(BETWEEN_S):
            self.orders.put({"do": "end"})
        else:
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
    if os.environ.get(environment.PROGRAM, program_mark()) != program_mark():
        return PROGRAM_CHANGED
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
        with begin() as walk, context.listening(listener):
            wire.tell("ready")
            walk(_sessions(wire), lambda session, end: wire.tell("done", session=session, end=end))
        return 0
    except PrefectLost:
        return PREFECT_LOST
    except AttuneError:
        return STORE_LOST


def _sessions(wire: Wire) -> Iterator[str]:
    """The sessions ordered, as the orders come; other orders are followed in between. Ends when the owner does."""
    while True:
        wire.idle.set()
        order = wire.orders.get()
        do = order.pop("do")
        if do == "end":
            return
        wire.idle.clear()
        if do == "session":
            wire.rest.clear()
            yield order["session"]
        else:
            {"open": _open, "move": _move, "report": _report}[do](wire, **order)


# ------------------------------------------------------------------------------------------------ running


@contextmanager
def _with_prefect() -> Iterator[Walk]:
    """Runs sessions as flows.

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
        yield _as_flows


def _as_flows(sessions: Iterable[str], tell: Tell) -> None:
    from flows.folder import process_folder

    def tell_state(session: str, state: Any) -> None:
        if state.is_crashed():
            raise PrefectLost
        tell(session, "resting" if state.is_cancelled() else "ready" if state.is_completed() else "stopped")

    try:
        lost = not process_folder(sessions, tell_state).is_completed()
    except Exception as error:
        raise PrefectLost from error
    if lost:
        raise PrefectLost


@contextmanager
def _without_prefect() -> Iterator[Walk]:
    def walk(sessions: Iterable[str], tell: Tell) -> None:
        for session in sessions:
            tell(session, _plainly(session))

    yield walk


def _plainly(session: str) -> str:
    """The same walk over the table as the flow's, for a night in which Prefect cannot be had."""
    listener, step = context.listener(), ""
    try:
        opened = context.session(session)
        with (
            storing(),
            working(opened, listener.on_wait, listener.lock_wait_s) as held,
            context.holding(held),
        ):
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


# ------------------------------------------------------------------------------------------------ opening


def _open(wire: Wire, file: str, given: list[str], session: str = "") -> None:
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


_players = Players()  # what it has read of the store's sessions stays for the next recording


def _move(wire: Wire, session: str, look: dict[str, Any], arrived_in: str, to: str, with_it: list[str]) -> None:
    """Move the recording of a session that is ready."""
    file = Look(Path(look["file"]), look["size"], look["modified_ns"])
    departure = Departure(file, Path(arrived_in), Path(to), tuple(map(Path, with_it)))
    told: dict[str, Any] = {"moved": False}
    try:
        told["moved"] = move_away(context.session(session), departure, _players)
    except AttuneError as error:
        told |= _of(error)
    wire.tell("moved", **told)


def _of(error: AttuneError) -> dict[str, str]:
    return {"code": error.code, "message": str(error).splitlines()[0], "mend": error.mend}


def _report(wire: Wire, rows: list[dict[str, str]], told: str, counts: dict[str, int]) -> None:
    """Keep a night's table in Prefect, where it runs; a table that cannot be kept there lies in the store anyway."""
    if WITHOUT_PREFECT not in sys.argv:
        from flows.artifacts import keep_night

        with contextlib.suppress(Exception):
            keep_night(rows, told, counts)
    wire.tell("reported")


if __name__ == "__main__":
    sys.exit(main())
