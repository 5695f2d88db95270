"""Run flows for the command line, in worker processes, against a server of their own unless the clinic has one.

The only door through which the command line reaches Prefect: it is first imported in a worker, after the environment
has been prepared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flows import context, environment
from flows.crew import MENDS, Audience, Crew
from flows.runners import task_runner
from flows.server import TEMPORARY, Server, end_orphans
from flows.watch import Plan, Voice, Watch
from pipeline.lock import WAIT_S
from pipeline.night import Job, Report, next_job
from pipeline.records import AttuneError
from pipeline.steps import STEPS


def run_sessions(
    store: Path, settings: Path | None, sessions: Sequence[str], audience: Audience, workers: int = 1
) -> dict[str, Job]:
    """Bring the sessions up to date, `workers` at a time; one that stops never stops the rest.

    returns   what became of each, by session id
    """
    environment.prepare(store, settings)
    jobs = {session: Job(session, order) for order, session in enumerate(sessions)}
    crew = Crew(workers, context.session, audience, lock_wait_s=WAIT_S)
    try:
        while any(job.state in ("waiting", "running") for job in jobs.values()):
            while len(crew.busy) < workers and (job := next_job(jobs.values(), now_s=0.0)) is not None:
                crew.begin(job)
            crew.hear(timeout_s=1.0)
    finally:
        crew.end()
    return jobs


@dataclass(frozen=True)
class Cluster:
    """A task runner of `flows.runners`, how many sessions it takes at a time, and where its scheduler is.

    address   "" for one of this machine's own
    """

    runner: str
    workers: int
    address: str = ""


def run_on_cluster(
    store: Path, settings: Path | None, sessions: Sequence[str], cluster: Cluster, tell: Callable[[Job], None]
) -> dict[str, Job]:
    """Bring the sessions up to date side by side on a task runner of Prefect's.

    tell      hears of each session that has ended
    returns   what became of each, by session id
    raises    AttuneError where the runner is not installed, or a cluster has no Prefect server that it can reach
    """
    environment.prepare(store, settings)
    jobs = {session: Job(session, order) for order, session in enumerate(sessions)}
    before = {session: _receipts(session) for session in sessions}
    with _serving(cluster):
        from flows.server import swept

        with swept():
            _go_through(list(jobs), cluster, jobs, tell)
            for session in _left(jobs):  # one that kills its worker may take those beside it with it: each alone
                _go_through([session], cluster, jobs, tell)
    for session in _left(jobs):
        jobs[session].stop("worker-crashed", "its worker ended twice at this session", MENDS["worker-crashed"])
        tell(jobs[session])
    for session, job in jobs.items():
        after = _receipts(session)
        job.made = [step.name for step in STEPS if before[session].get(step.name) != after.get(step.name)]
        if job.state == "made" and not job.made:
            job.state = "reused"
    return jobs


def _left(jobs: dict[str, Job]) -> list[str]:
    return [session for session, job in jobs.items() if job.state == "waiting"]


@contextmanager
def _serving(cluster: Cluster) -> Iterator[None]:
    """The clinic's Prefect server, or one of this machine's own."""
    server = Server(Path(os.environ[environment.STORE]))
    if cluster.address and server.own:
        raise AttuneError(
            "a cluster needs a Prefect server that all its machines reach, and PREFECT_API_URL names none",
            mend="start one with: prefect server start --host 0.0.0.0; then set PREFECT_API_URL here and on them",
            code="server-unnamed",
        )
    end_orphans(server.store)
    server.keep_up()
    if server.own:
        os.environ |= {"PREFECT_API_URL": server.address, TEMPORARY: "1"}
    try:
        yield
    finally:
        server.end()
        if server.own:
            del os.environ["PREFECT_API_URL"], os.environ[TEMPORARY]


def _go_through(sessions: Sequence[str], cluster: Cluster, jobs: dict[str, Job], tell: Callable[[Job], None]) -> None:
    """Once through the sessions; those whose worker has died stay "waiting"."""
    from flows.side_by_side import process_side_by_side

    def settle(session: str, state) -> None:
        job, problem = jobs[session], context.session(session).problem
        if state.is_completed():
            job.state = "made"
        elif problem is not None:
            job.stop(problem.code, problem.message, problem.mend, problem.step)
        else:
            job.stop(state.message, "it stopped, and its folder does not say why", "process it again")
        tell(job)

    with task_runner(cluster.runner, cluster.workers, cluster.address) as runner, suppress(BrokenExecutor):
        process_side_by_side(sessions, runner, settle)


def _receipts(session: str) -> dict[str, bytes]:
    """Each step's receipt, by its name: what became of a session is read from its folder."""
    return {path.stem: path.read_bytes() for path in context.session(session).folder.glob("receipts/*.json")}


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
