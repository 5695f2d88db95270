"""What a flow knows of its surroundings: the store, the settings and who listens to its progress.

Flows take session ids only, because Prefect keeps parameters in its database; the rest comes from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.environment import SETTINGS, SLOTS, STORE
from pipeline.lock import WAIT_S, machine_slot
from pipeline.records import AttuneError
from pipeline.session import Around, Event, Session
from pipeline.settings import load_tables, with_environment
from pipeline.steps import BY_NAME, Step
from pipeline.store import check_present


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


_listeners: list[Listener] = [Listener()]


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` hear of the flows that run inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.pop()


def listener() -> Listener:
    return _listeners[-1]


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
    home = store()
    settings = os.environ.get(SETTINGS)
    usual = home / "attune.toml"
    tables = load_tables(Path(settings) if settings else usual)
    defaults = {name: step.options for name, step in BY_NAME.items()}
    return Session(home / "sessions" / session_id, with_environment(tables, defaults))


def models_of(session_id: str) -> Around:
    """What is held while a step of the session runs: one of this machine's places for models, where it uses some."""

    @contextmanager
    def around(step: Step) -> Iterator[None]:
        opened = session(session_id)
        if not step.models(opened.options(step), opened.given):
            yield
            return
        with machine_slot(int(os.environ.get(SLOTS) or 1), lambda: listener().on_slot(session_id)):
            yield

    return around
