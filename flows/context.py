"""What a flow knows of its surroundings: the store, the settings and who listens to its progress.

Flows take session ids only, because Prefect keeps parameters in its database; the rest comes from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.environment import SETTINGS, STORE
from pipeline.session import Event, Session
from pipeline.settings import load_tables


@dataclass(frozen=True)
class Listener:
    """Who hears of a run in this process: of its steps, and of another process that holds a session."""

    on_event: Callable[[Event], None] = lambda event: None
    on_wait: Callable[[str], None] = lambda holder: None


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


def session(session_id: str) -> Session:
    """The session of that id in the store of this process."""
    settings = os.environ.get(SETTINGS)
    tables = load_tables(Path(settings)) if settings else {}
    return Session(Path(os.environ[STORE]) / "sessions" / session_id, tables)
