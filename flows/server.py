"""What a killed run leaves behind in Prefect, swept before the next one starts; and a database that is damaged.

A killed process leaves its flow runs "running" for ever and its temporary server alive. Runs carry a tag with process
and host; whose process is gone is marked as crashed. A temporary server carries its owner's process in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TAG = "attune-process"
OWNER = "ATTUNE_SERVER_OWNER"  # in the environment of a temporary server: the process that it serves
MOST = 200  # flow runs looked at in one sweep; the most that a server gives at once


def own_tag() -> str:
    """The tag of this process's flow runs."""
    return f"{TAG}:{os.getpid()}@{socket.gethostname()}"


@contextmanager
def swept(store: Path) -> Iterator[None]:
    """Sweep what earlier processes left, then run the block with this process's tag on its flow runs."""
    end_orphans(store)
    os.environ[OWNER] = str(os.getpid())  # before the server starts, which takes it over
    import prefect

    with prefect.tags(own_tag()):
        sweep_runs()
        yield


def end_orphans(store: Path) -> int:
    """End the store's temporary servers whose process is gone. Returns how many. Linux only: elsewhere they stay."""
    home = f"PREFECT_HOME={store.resolve() / 'prefect'}".encode()
    ended = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if b"prefect.server.api.server:create_app" not in (folder / "cmdline").read_bytes():
                continue
            told = (folder / "environ").read_bytes().split(b"\0")
            owner = next((row.partition(b"=")[2] for row in told if row.startswith(f"{OWNER}=".encode())), b"")
            if home in told and owner.isdigit() and not is_alive(int(owner)):
                os.kill(int(folder.name), signal.SIGTERM)
                ended += 1
    return ended


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_own_server() -> None:
    """End the temporary server of this process at once, without asking anybody's leave."""
    from prefect.server.api.server import SubprocessASGIServer

    for server in list(SubprocessASGIServer._instances.values()):
        if server.server_process is not None:
            with contextlib.suppress(OSError):
                server.server_process.terminate()


def put_damaged_away(store: Path) -> Path | None:
    """Put Prefect's database aside where it is damaged, so that a new one is made. Returns where it lies then.

    It only says what ran when; what was made lies in the sessions.
    """
    database = store / "prefect" / "prefect.db"
    if not database.is_file() or _is_whole(database):
        return None
    aside = database.with_name(f"prefect.db.damaged-{int(time.time())}")
    os.replace(database, aside)
    for more in ("-wal", "-shm"):
        database.with_name(f"prefect.db{more}").unlink(missing_ok=True)
    return aside


def _is_whole(database: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=5)) as connection:
            checked = connection.execute("pragma quick_check").fetchone() == ("ok",)
            tables = connection.execute("select count(*) from sqlite_master where name = 'flow_run'").fetchone()[0]
            begun = connection.execute("select count(*) from sqlite_master").fetchone()[0]
            return checked and (tables == 1 or begun == 0)
    except sqlite3.OperationalError as error:
        return "locked" in str(error)  # another worker is at work in it
    except sqlite3.DatabaseError:
        return False


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
