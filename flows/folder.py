"""The sessions of a folder, one after the other; one that stops never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prefect import flow
from prefect.states import Completed, State

from flows.session import process_session


def process_folder(sessions: Iterable[str], tell: Callable[[str, State], None]) -> State:
    """Bring every session up to date, as a flow over the flows of the single sessions.

    sessions   ids; may come one by one while the flow runs, so they are no parameter of it
    tell       hears the id and the final state of each
    returns    Completed whatever becomes of the single sessions: each has a flow run and a state of its own
    """

    @flow(name="folder", flow_run_name="folder", persist_result=False)
    def folder() -> State:
        ready = others = 0
        for session in sessions:
            state = process_session(session, return_state=True)
            tell(session, state)
            ready, others = ready + state.is_completed(), others + (not state.is_completed())
        return Completed(message=f"{ready} of {ready + others} ready")

    return folder(return_state=True)
