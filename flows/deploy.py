"""What several machines need from a Prefect server of the clinic's own: a work pool, deployments, limits, a schedule.

Every call may be repeated: it leaves the server as it describes, and takes nothing away that others made.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.environment import ALWAYS

SESSION, NIGHT = "attune", "machine"  # names of the deployments: session/attune, night/machine-1 ...


@dataclass(frozen=True)
class Deployment:
    """What a server is to hold.

    pool       name of the work pool, of the kind "process"
    machines   machines that work at night: as many night runs a day, and as many flow runs at a time
    models     steps that load models at a time, over all machines
    cron       when a night begins, as cron writes it; "" for no schedule
    timezone   of the cron line
    """

    pool: str = "attune"
    machines: int = 1
    models: int = 1
    cron: str = ""
    timezone: str = "UTC"


def deploy(wanted: Deployment) -> list[str]:
    """Bring the server to what is wanted. Returns the names of the deployments.

    raises   httpx.HTTPError and what else Prefect's client raises where the server does not answer
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        _make_pool(client, wanted)
        client.create_concurrency_limit(tag=_models_tag(), concurrency_limit=wanted.models)
    return [_deploy_session(wanted), *(_deploy_night(wanted, n + 1) for n in range(wanted.machines))]


def _models_tag() -> str:
    from flows.session import MODELS

    return MODELS


def _make_pool(client, wanted: Deployment) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    limit = wanted.machines + 1  # a night on each, and a single session besides
    try:
        client.read_work_pool(wanted.pool)
        client.update_work_pool(wanted.pool, WorkPoolUpdate(concurrency_limit=limit))
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=wanted.pool, type="process", concurrency_limit=limit))


def _deploy_session(wanted: Deployment) -> str:
    from flows.session import process_session

    return _apply(
        process_session,
        wanted,
        SESSION,
        "One session, by its id, on whichever machine is free. The store comes from the machine's ATTUNE_STORE.",
        [],
    )


def _deploy_night(wanted: Deployment, number: int) -> str:
    from prefect.schedules import Cron

    from flows.night import work_through_the_night

    schedules = [Cron(wanted.cron, timezone=wanted.timezone)] if wanted.cron else []
    told = "What lies in the machine's ATTUNE_FOLDER. Machines share the work: each session is held by one at a time."
    return _apply(work_through_the_night, wanted, f"{NIGHT}-{number}", told, schedules)


def _apply(flow, wanted: Deployment, name: str, told: str, schedules: list) -> str:
    from prefect.deployments.runner import EntrypointType

    deployment = flow.to_deployment(
        name=name,
        description=told,
        work_pool_name=wanted.pool,
        job_variables={"env": ALWAYS | {"PREFECT_LOGGING_TO_API_ENABLED": "false"}, "stream_output": False},
        schedules=schedules,
        entrypoint_type=EntrypointType.MODULE_PATH,
        tags=["attune"],
    )
    deployment.apply()
    return f"{flow.name}/{name}"
