"""Making again what a correction or a calibration changes: every step, in order; those that nothing reached are
reused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.records import AttuneError
from pipeline.session import Event, Session, all_sessions, is_ready, run_one, run_session, state_of, working
from pipeline.settings import Tables
from pipeline.steps import BY_NAME, EXPORTS, MOMENTS, STEPS

Tell = Callable[[float, str], None]
SOON_S = 2.0  # a session that is not free by then is made again by whoever holds it, or later


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


def find_moments_again(store: Path, settings: Tables) -> tuple[int, int]:
    """Make moments and exports again where a changed calibration reaches them.

    returns   (sessions made again, sessions that wait: for heavier steps, or because they stopped or are being worked
              on); those that are as they should be are in neither
    """
    made = waiting = 0
    for session in all_sessions(store, settings):
        try:
            stale = {step.name for step in STEPS if state_of(session, step) == "stale"}
            if not stale:
                continue
            if stale <= {MOMENTS.name, EXPORTS.name} and session.problem is None:
                with working(session, wait_s=SOON_S):
                    for step in STEPS:
                        run_one(session, step)
                made += 1
                continue
        except AttuneError:
            pass  # noted in the session's own folder; one session never stops the others
        waiting += 1
    return made, waiting
