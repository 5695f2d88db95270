"""What a flow knows of its surroundings: the store, the settings and who listens to its progress.

Flows take session ids only, because Prefect keeps parameters in its database; the rest comes from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.environment import SETTINGS, SLOTS, STORE
from pipeline.lock import WAIT_S, Hold, machine_slot
from pipeline.night import WatchOptions
from pipeline.records import AttuneError
from pipeline.session import Around, Event, Session
from pipeline.settings import Tables, load_tables, options_for, with_environment
from pipeline.steps import BY_NAME, Step
from pipeline.store import check_present

LEAST_PATIENCE_S, PATIENCE = 900.0, 30.0  # a step may take that long, and that many times its usual time


@dataclass(frozen=True)
class Listener:
    """Who hears of a run in this process, and how patient it is.

    on_event      a step of a session began or ended
    on_wait       another process holds a session; hears who
    on_stop       a session stopped; hears its id, step and why
    on_slot       the step waits for this machine's models, which another process uses
    rests         asked before each step: whether to stop here for now
    lock_wait_s   how long to wait for a session that another process holds, seconds
    retries       how often a step is tried again after a fault that can pass on its own
    """

    on_event: Callable[[Event], None] = lambda event: None
    on_wait: Callable[[str], None] = lambda holder: None
    on_stop: Callable[[str, str, AttuneError], None] = lambda session, step, error: None
    on_slot: Callable[[str], None] = lambda session: None
    rests: Callable[[], bool] = lambda: False
    lock_wait_s: float = WAIT_S
    retries: int = 3


_NOBODY = Listener()
_listener: ContextVar[Listener] = ContextVar("listener", default=_NOBODY)  # every thread of a task runner has its own


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` hear of the flows that run inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def listener() -> Listener:
    return _listener.get()


_hold: ContextVar[Hold | None] = ContextVar("hold", default=None)


@contextmanager
def holding(held: Hold) -> Iterator[None]:
    """Let the steps inside the block be kept only as long as the session is held."""
    token = _hold.set(held)
    try:
        yield
    finally:
        _hold.reset(token)


def check_hold() -> None:
    """Raises AttuneError where another worker has taken the session over meanwhile."""
    if (held := _hold.get()) is not None:
        held.check()


def store() -> Path:
    """The store of this process.

    raises   AttuneError where no store was named, or it is not there
    """
    place = os.environ.get(STORE)
    if not place:
        raise AttuneError(
            "this process knows no store", mend=f"set {STORE} where the worker is started", code="store-unnamed"
        )
    check_present(Path(place))
    return Path(place)


def session(session_id: str) -> Session:
    """The session of that id in the store of this process."""
    defaults = {name: step.options for name, step in BY_NAME.items()}
    return Session(store() / "sessions" / session_id, _tables(defaults))


def watch_options() -> WatchOptions:
    """How nights are worked through here."""
    return options_for("watch", WatchOptions(), _tables({"watch": WatchOptions()}))


def _tables(defaults: dict[str, Any]) -> Tables:
    settings = os.environ.get(SETTINGS)
    return with_environment(load_tables(Path(settings) if settings else store() / "attune.toml"), defaults)


def patience_s(step: Step, duration_s: float) -> float:
    """How long a step may take on a recording of that length, seconds: longer than any machine that will do needs."""
    return LEAST_PATIENCE_S + PATIENCE * step.cpu_per_audio_s * duration_s


def models_of(session_id: str) -> Around:
    """What is held while a step of the session runs: one of this machine's places for models, where it uses some.

    raises   AttuneError at its end where another worker has taken the session over, so that nothing is kept twice
    """

    @contextmanager
    def around(step: Step) -> Iterator[None]:
        opened = session(session_id)
        if step.models(opened.options(step), opened.given):
            slots = int(os.environ.get(SLOTS) or watch_options().model_slots)
            with machine_slot(slots, lambda: listener().on_slot(session_id)):
                yield
        else:
            yield
        check_hold()

    return around
