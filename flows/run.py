"""Run flows for the command line, in worker processes, against a server of their own unless the clinic has one.

The only door through which the command line reaches Prefect: it is first imported in a worker, after the environment
has been prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flows import context, environment
from flows.crew import Audience, Crew
from flows.watch import Plan, Voice, Watch
from pipeline.lock import WAIT_S
from pipeline.night import Job, Report, next_job


def run_sessions(
    store: Path, settings: Path | None, sessions: Sequence[str], audience: Audience, prefect: bool = True
) -> dict[str, Job]:
    """Bring the sessions up to date, one after the other; one that stops never stops the rest.

    returns   what became of each, by session id
    """
    environment.prepare(store, settings)
    jobs = {session: Job(session, order) for order, session in enumerate(sessions)}
    crew = Crew(1, context.session, audience, lock_wait_s=WAIT_S, prefect=prefect)
    try:
        while (job := next_job(jobs.values(), now_s=0.0)) is not None:
            crew.begin(job)
            while job.state == "running":
                crew.hear(timeout_s=1.0)
    finally:
        crew.end()
    return jobs


def watch(
    plan: Plan,
    settings: Path | None,
    audience: Audience,
    voice: Voice,
    tell_watch: Callable[[Watch], None],
    prefect: bool = True,
) -> Report:
    """Watch a folder. Sessions that another worker holds are left to it and looked at again later.

    tell_watch   hears the `Watch` before it begins, so that a signal can stop it
    prefect      run sessions as flows; without, only the sessions' own folders say what was done
    """
    environment.prepare(plan.store, settings)
    crew = Crew(plan.workers, plan.session, audience, lock_wait_s=0.0, prefect=prefect)
    night_watch = Watch(plan, crew, voice)
    tell_watch(night_watch)
    return night_watch.run()
