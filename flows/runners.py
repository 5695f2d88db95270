"""Prefect's task runners, each behind the same arguments: how many sessions at a time, and where the cluster is.

Dask and Ray are extras, imported when they are asked for. Without an address they start a cluster on this machine, on
loopback only, without a dashboard, and leave nothing of it behind. A cluster of the clinic's own needs attune and the
store on each of its machines, `ATTUNE_STORE` and the variables of `flows.environment` where its workers are started,
and a Prefect server that all of them reach.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.records import AttuneError

LOOPBACK = "127.0.0.1"


def _threads(workers: int, address: str, scratch: str) -> Any:
    from prefect.task_runners import ThreadPoolTaskRunner

    return ThreadPoolTaskRunner(max_workers=workers)


def _processes(workers: int, address: str, scratch: str) -> Any:
    from prefect.task_runners import ProcessPoolTaskRunner

    return ProcessPoolTaskRunner(max_workers=workers)


def _dask(workers: int, address: str, scratch: str) -> Any:
    with _installed("dask"):
        from prefect_dask import DaskTaskRunner

    if address:
        return DaskTaskRunner(address=address)
    local = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    here = {"host": LOOPBACK, "local_directory": scratch, "silence_logs": "CRITICAL"}
    return DaskTaskRunner(cluster_kwargs=local | here)


def _ray(workers: int, address: str, scratch: str) -> Any:
    with _installed("ray"):
        from prefect_ray import RayTaskRunner

    quiet = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address:
        return RayTaskRunner(address=address, init_kwargs=quiet)
    local = {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": LOOPBACK, "_temp_dir": scratch}
    return RayTaskRunner(init_kwargs=quiet | local)


# name -> what makes it: of so many workers, at the address ("" for one of this machine's own), its files in that folder
RUNNERS: dict[str, Callable[[int, str, str], Any]] = {
    "threads": _threads,
    "processes": _processes,
    "dask": _dask,
    "ray": _ray,
}
CLUSTERS = ("dask", "ray")


@contextmanager
def _installed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise AttuneError(
            f"the task runner {extra!r} is not installed",
            mend=f"python -m pip install 'attune[{extra}]', or choose another with --runner",
            code="runner-missing",
        ) from error


@contextmanager
def task_runner(name: str, workers: int, address: str = "") -> Iterator[Any]:
    """The task runner of that name.

    raises   AttuneError where its library is not installed
    """
    scratch = tempfile.mkdtemp(prefix="attune-")  # short, for sockets lie in it
    try:
        yield RUNNERS[name](workers, address, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
