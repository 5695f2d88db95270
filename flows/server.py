"""What a killed run leaves behind in Prefect, swept before the next one starts.

A killed process leaves its flow runs "running" for ever and its temporary server alive. Runs carry a tag with process
and host; whose process is gone is marked as crashed. The temporary server notes its process in the store.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TAG = "attune-process"
NOTE = "server.json"
MOST = 200  # flow runs looked at in one sweep; the most that a server gives at once


def own_tag() -> str:
    """The tag of this process's flow runs."""
    return f"{TAG}:{os.getpid()}@{socket.gethostname()}"


@contextmanager
def swept(store: Path) -> Iterator[None]:
    """Sweep what earlier processes left, then run the block with this process's tag on its flow runs."""
    note = store / "prefect" / NOTE
    end_orphan(note)
    import prefect

    with prefect.tags(own_tag()):
        sweep_runs()
        _note_server(note)
        yield


def end_orphan(note: Path) -> bool:
    """End the temporary server of a process that is gone. Returns whether there was one."""
    try:
        row = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if row["host"] != socket.gethostname() or is_alive(row["owner"]) or not _is_server(row["server"]):
        return False
    os.kill(row["server"], signal.SIGTERM)
    note.unlink(missing_ok=True)
    return True


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_server(process: int) -> bool:
    """Whether the process is a Prefect server, so that a reused number never ends a stranger. Linux only."""
    try:
        return b"prefect.server.api.server:create_app" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _note_server(note: Path) -> None:
    """Write down which process serves this one, where it is a temporary server of our own."""
    from prefect.server.api.server import SubprocessASGIServer

    for server in SubprocessASGIServer._instances.values():
        if server.server_process is not None:
            row = {"owner": os.getpid(), "server": server.server_process.pid, "host": socket.gethostname()}
            note.write_text(json.dumps(row), encoding="utf-8")


def sweep_runs() -> int:
    """Mark as crashed every running flow run whose process on this machine is gone. Returns how many."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.states import Crashed

    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])))
    swept_runs = 0
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=running, sort=FlowRunSort.START_TIME_ASC, limit=MOST):
            if any(_is_gone(tag) for tag in run.tags):
                client.set_flow_run_state(run.id, Crashed(message="process gone"), force=True)
                swept_runs += 1
    return swept_runs


def _is_gone(tag: str) -> bool:
    name, _, where = tag.partition(":")
    process, _, host = where.partition("@")
    return name == TAG and host == socket.gethostname() and process.isdigit() and not is_alive(int(process))
