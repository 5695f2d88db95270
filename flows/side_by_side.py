"""Sessions side by side on a task runner, one task a session, each of which runs the session's own flow.

What a worker is told is a session's id; where the store is, it knows from its own environment. What became of a session
is told by the state that comes back and by its folder, so a worker that dies loses nothing: its session is done again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Completed, Failed, State

from flows import context
from flows.context import Listener
from flows.environment import ALWAYS
from flows.session import process_session
from pipeline.session import Event

os.environ.update(ALWAYS)  # on another machine, this is the first module of ours that is loaded


@task(name="bring", task_run_name="{session}", persist_result=False, cache_policy=NO_CACHE)
def bring_up_to_date(session: str) -> State:
    """Run the session's flow where this task runs. Completed, or Failed with a code."""
    with context.listening(Listener(on_event=_note)):
        state = process_session(session, return_state=True)
    if state.is_completed():
        return Completed(message="ready")
    return Failed(message="prefect-lost" if state.is_crashed() else state.message)


def _note(event: Event) -> None:
    from pipeline.commands.display import write_log

    with contextlib.suppress(OSError):  # a full disk or a lost share: the work itself will say so
        write_log(context.store(), event)


def process_side_by_side(sessions: Sequence[str], runner: Any, tell: Callable[[str, State], None]) -> None:
    """Bring the sessions up to date on the runner, as a flow over the flows of the single sessions.

    tell     hears the id and the final state of each whose worker has lived to say it
    raises   what the runner raises where it cannot go on, as when a process of its pool was killed
    """

    @flow(name="folder", flow_run_name="folder", persist_result=False, task_runner=runner)
    def folder() -> State:
        futures = {bring_up_to_date.submit(session): session for session in sessions}
        for future, state in _ended(futures):
            tell(futures[future], state)
        return Completed(message=f"{len(futures)} looked at")

    folder()


def _ended(futures: dict[PrefectFuture, str]) -> Iterator[tuple[PrefectFuture, State]]:
    """The futures as they end, with their states; without those whose worker has died of it."""
    for future in as_completed(list(futures)):
        with contextlib.suppress(Exception):
            future.wait()
            if future.state.is_final():
                yield future, future.state
