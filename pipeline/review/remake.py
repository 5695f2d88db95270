"""Making again what a correction changes: every step, in order; those that nothing reached are reused."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.session import Event, Session, is_ready, run_session
from pipeline.steps import BY_NAME, STEPS

Tell = Callable[[float, str], None]


def remake(session: Session, tell: Tell) -> None:
    """Bring the session up to date with what was decided about it.

    tell     hears the share of the work that is done, by the steps' usual cost, and what is being done
    raises   AttuneError, noted in the session's own folder too
    """
    session = Session(session.folder, session.settings)  # reads the decisions as they are now
    costs = {step.name: step.cpu_per_audio_s for step in STEPS}
    done = 0.0

    def hear(event: Event) -> None:
        nonlocal done
        if event.outcome:
            done += costs[event.step]
        tell(done / sum(costs.values()), BY_NAME[event.step].does)

    while not is_ready(session):  # a correction made meanwhile is taken up too
        done = 0.0
        run_session(session, hear)
        session = Session(session.folder, session.settings)
