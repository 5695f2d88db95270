"""One recording: a loop over the step table, one Prefect task each.

The session's folder is the truth, not Prefect's states: nothing is persisted or cached here. A step that stops ends
the flow with a state that carries the problem's short code and no exception, so that no word, name or path can reach
Prefect's database through a traceback.
"""

from __future__ import annotations

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from flows import context
from pipeline.records import AttuneError
from pipeline.session import run_one, working
from pipeline.steps import BY_NAME, STEPS


@task(name="step", task_run_name="{step}", persist_result=False, cache_policy=NO_CACHE)
def make_step(session: str, step: str) -> State:
    """Bring one step of one session up to date."""
    try:
        outcome = run_one(context.session(session), BY_NAME[step], context.listener().on_event)
    except AttuneError as error:
        return Failed(message=error.code)
    return Completed(message=outcome)


@flow(name="session", flow_run_name="{session}", persist_result=False)
def process_session(session: str) -> State:
    """Bring every step of one session up to date; stops at the first that cannot be made."""
    try:
        with working(context.session(session), context.listener().on_wait):
            for step in STEPS:
                state = make_step(session, step.name, return_state=True)
                if not state.is_completed():
                    return Failed(message=state.message)
    except AttuneError as error:
        return Failed(message=error.code)
    return Completed(message="ready")
