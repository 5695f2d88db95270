"""One recording: a loop over the step table, one Prefect task each.

The session's folder is the truth, not Prefect's states: nothing is persisted or cached here. A step that stops ends
the flow with a state that carries the problem's short code and nothing else, so that no word, name or path can reach
Prefect's database through a traceback. Only what can pass on its own is tried again: a share that is gone may return,
a broken recording stays broken.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, Failed, State
from prefect.utilities.timeout import timeout

from flows import context
from flows.artifacts import Progress, tell_end
from pipeline.lock import Hold
from pipeline.night import EVERYWHERE
from pipeline.records import AttuneError
from pipeline.session import Around, Session, run_one, storing, working
from pipeline.steps import BY_NAME, STEPS, Step

MODELS = "attune-models"  # tag of the tasks that load models, for a concurrency limit over several machines
RETRY_AFTER_S = [5, 30, 60]  # a share that is gone for a minute is back before the last


class MayPass(Exception):
    """A fault that can pass on its own. Its text is the problem's code."""


class OutOfTime(TimeoutError):
    """A step has taken longer than any machine that will do needs."""


def may_pass(task, run, state: State) -> bool:
    """Whether Prefect should try the step again."""
    return isinstance(state.result(raise_on_failure=False), MayPass)


@task(
    name="step",
    task_run_name="{step}",
    persist_result=False,
    cache_policy=NO_CACHE,
    retry_condition_fn=may_pass,
)
def make_step(session: str, step: str) -> State:
    """Bring one step of one session up to date."""
    listener = context.listener()
    try:
        outcome = run_one(context.session(session), BY_NAME[step], listener.on_event, around=_in_time(session))
    except AttuneError as error:
        code = error.code
        listener.on_stop(session, step, error)
    else:
        return Completed(message=outcome)
    if code in EVERYWHERE:  # raised outside the except block, so that Prefect sees no other exception behind it
        raise MayPass(code)
    return Failed(message=code)


def _in_time(session: str) -> Around:
    """What is held while a step runs, with a limit to its time: a task's own would count the wait for a place too."""

    @contextmanager
    def around(step: Step) -> Iterator[None]:
        limit_s = context.patience_s(step, context.session(session).about.duration_s)
        try:
            with context.models_of(session)(step), timeout(limit_s, OutOfTime):
                yield
        except OutOfTime:
            raise AttuneError(
                f"the step {step.name!r} did not end within {limit_s:.0f} seconds",
                mend="process it alone; if it stays, export the recording again, for instance as wav",
                code="step-hung",
            ) from None

    return around


@flow(name="session", flow_run_name="{session}", persist_result=False)
def process_session(session: str) -> State:
    """Bring every step of one session up to date; stops at the first that cannot be made."""
    listener = context.listener()
    try:
        with storing(), _working(session) as held, context.holding(held):
            state = _walk(context.session(session), held)
    except AttuneError as error:
        listener.on_stop(session, "", error)
        state = Failed(message=error.code)
    tell_end(session, state)
    return state


def _working(session: str) -> AbstractContextManager[Hold]:
    listener = context.listener()
    return working(context.session(session), listener.on_wait, listener.lock_wait_s)


def _walk(session: Session, held: Hold) -> State:
    """Every step in order. Cancelled where the listener asks for a rest: what is made is kept."""
    listener, progress = context.listener(), Progress(session.id)
    for done, step in enumerate(STEPS, start=1):
        if listener.rests():
            return Cancelled(message="resting")
        held.check()
        state = _task_for(session, step)(session.id, step.name, return_state=True)
        if not state.is_completed():
            fault = state.result(raise_on_failure=False)
            return Failed(message=str(fault) if isinstance(fault, MayPass) else state.message)
        if state.message == "made":
            progress.show(done)
    return Completed(message="ready")


def _task_for(session: Session, step: Step):
    """The task with its tags, by which a server can limit what runs at a time, everywhere or on this machine."""
    heavy = step.models(session.options(step), session.given)
    tags = {MODELS, f"{MODELS}@{socket.gethostname()}"} if heavy else set()
    retries = context.listener().retries
    return make_step.with_options(retries=retries, retry_delay_seconds=RETRY_AFTER_S[:retries], tags=tags)
