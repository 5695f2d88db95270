"""The environment that Prefect and the model libraries must find before they are first imported.

No telemetry, no hub, no result on disk; Prefect's home inside the store, so that erasing the store erases its traces.
A server that the clinic runs itself (`PREFECT_API_URL`) is used where it is set.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline import native

STORE, SETTINGS = "ATTUNE_STORE", "ATTUNE_SETTINGS"  # where a worker process finds its store and settings file
SLOTS = "ATTUNE_MODEL_SLOTS"  # model-heavy steps at a time on this machine: one per graphics card, one without
PROGRAM = "ATTUNE_PROGRAM"  # which program the owner of a worker process is: its `program_mark`
LOCK_WAIT = "ATTUNE_LOCK_WAIT_S"  # how long a worker process waits for a session that another holds, seconds

ALWAYS = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # nowhere: what a flow raises would be kept there whatever is said, in a store made anew where its share is gone
    "PREFECT_LOCAL_STORAGE_PATH": os.path.join(os.devnull, "results"),
    "PREFECT_TASKS_REFRESH_CACHE": "false",
    "PYANNOTE_METRICS_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
DEFAULTS = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # our own display speaks; Prefect's lines would only hide it
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # a crew has one server for all its workers: `flows.server`
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}
LOOPBACK = ("127.0.0.1", "localhost")


def prepare(store: Path, settings: Path | None = None) -> None:
    """Set this process's environment, and through it that of every process it starts."""
    os.environ[STORE] = str(store.resolve())
    if settings is not None:
        os.environ[SETTINGS] = str(settings.resolve())
    os.environ["PREFECT_HOME"] = str(store.resolve() / "prefect")
    os.environ.update(ALWAYS)
    native.set_environment()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the clinic's must not be asked for this machine itself
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
