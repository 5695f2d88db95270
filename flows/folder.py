"""Many recordings, one after the other; one that stops never stops the rest."""

from __future__ import annotations

from prefect import flow
from prefect.states import Completed, State

from flows.session import process_session


@flow(name="folder", flow_run_name="folder", persist_result=False)
def process_folder(sessions: list[str]) -> State:
    """Bring every session up to date, in the order given. Completed whatever becomes of the single sessions."""
    states = [process_session(session, return_state=True) for session in sessions]
    ready = sum(state.is_completed() for state in states)
    return Completed(message=f"{ready} of {len(states)} ready")
