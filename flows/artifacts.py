"""What Prefect's pages show, and what its automations can wait for: session ids, steps and codes. No name, no word.

    artifacts   attune-night     the night's table: session, what became of it, what stopped it and the mend
                progress-<id>    how far a session is, percent
                page-<id>        the address of its summary, where `[watch] pages` says under which one the store lies
    events      attune.session.ready | stopped | resting     resource attune.session.<id>; payload: the code
                attune.night.summary                         resource attune.night; payload: counts

Nothing that is made depends on them, so that a server which does not take one stops nothing, and is not asked again in
the same session, for a client tries each call for a minute. A temporary server, whose pages nobody opens while it runs,
is told the night's table only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from prefect.states import Completed, State

from flows import context
from flows.server import TEMPORARY
from pipeline.steps import STEPS

KEY = "attune-night"
EVERY_S, NEVER = 2.0, float("inf")  # between two updates of a session's progress, seconds


class Progress:
    """How far a session is. Short sessions, and those that are up to date, have no artifact."""

    def __init__(self, session: str) -> None:
        self.session, self.artifact = session, None
        self.next_s = NEVER if TEMPORARY in os.environ else time.monotonic() + EVERY_S

    def show(self, done: int) -> None:
        """`done` steps of the table have been gone through."""
        if time.monotonic() < self.next_s:
            return
        self.next_s = NEVER
        with suppress(Exception):
            self._show(100.0 * done / len(STEPS))
            self.next_s = time.monotonic() + EVERY_S

    def _show(self, percent: float) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if self.artifact is None:
            self.artifact = create_progress_artifact(percent, key=f"progress-{self.session}")
        else:
            update_progress_artifact(self.artifact, percent)


def tell_end(session: str, state: State) -> None:
    """Tell Prefect that a session's flow has ended in this state."""
    if TEMPORARY in os.environ:
        return
    end = "ready" if state.is_completed() else "resting" if state.is_cancelled() else "stopped"
    with suppress(Exception):
        _emit(f"session.{end}", f"session.{session}", {"code": "" if end == "ready" else state.message})
        if end == "ready" and (pages := context.watch_options().pages):
            _link(session, pages)


def _link(session: str, pages: str) -> None:
    from prefect.artifacts import create_link_artifact

    link = f"{pages.rstrip('/')}/sessions/{session}/summary.html"
    create_link_artifact(link, link_text=f"summary of {session}", key=f"page-{session}")


def _emit(event: str, resource: str, payload: dict[str, Any]) -> None:
    from prefect.events import emit_event

    emit_event(f"attune.{event}", resource={"prefect.resource.id": f"attune.{resource}"}, payload=payload)


def keep_night(rows: Sequence[dict[str, str]], told: str, counts: dict[str, int]) -> None:
    """Keep the night's table as a Prefect artifact of a flow run of its own; its earlier versions stay behind it."""
    from prefect import flow
    from prefect.artifacts import create_table_artifact

    @flow(name="summary", flow_run_name="summary", persist_result=False)
    def summary() -> State:
        create_table_artifact(table=list(rows), key=KEY, description=told)
        _emit("night.summary", "night", counts)
        return Completed(message=told)

    summary()
