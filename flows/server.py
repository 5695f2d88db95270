"""What a killed run leaves behind in Prefect, swept before the next one starts; and a database that is damaged.

A killed process leaves its flow runs "running" for ever and its temporary server alive. Runs carry a tag with process
and host; whose process is gone is marked as crashed. A temporary server carries its owner's process in its environment.
One server serves all workers of a crew, outlives any of them, and is started again where it dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.store import is_there

TAG = "attune-process"
OWNER = "ATTUNE_SERVER_OWNER"  # in the environment of a temporary server: the process that it serves
TEMPORARY = "ATTUNE_SERVER_TEMPORARY"  # set in the environment of what works with a temporary server
GRACE_S = 5.0  # for a server to end by itself
SQLITE = b"SQLite format 3\0"  # how every database of its begins
START_S = 180.0  # the first migration of a database can take over a minute on a slow disk
MOST = 200  # flow runs looked at in one sweep; the most that a server gives at once
LARGE = 256 * 1024 * 1024  # bytes of a database after which a new one is begun: some thousands of sessions


def own_tag() -> str:
    """The tag of this process's flow runs."""
    return f"{TAG}:{os.getpid()}@{socket.gethostname()}"


class Server:
    """The temporary Prefect server of a crew: one process on loopback, for as many workers as there are.

    Nothing is started where the clinic has a server of its own (`PREFECT_API_URL`). A server that dies is started
    again at the same address, so that workers with loaded models can wait for it.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.own = not os.environ.get("PREFECT_API_URL")
        self.address = os.environ.get("PREFECT_API_URL") or f"http://127.0.0.1:{_free_port()}/api"
        self.process: subprocess.Popen | None = None
        self.starts = 0

    def keep_up(self) -> str:
        """Start it if it is not there. Returns what happened, for the log: "" where nothing did."""
        if not self.own:
            return ""
        if self.process is not None and self.process.poll() is None:
            if not _is_overwritten(self.store):
                return ""
            self.end()  # its clients would try every call for minutes
        if not is_there(self.store):
            return ""  # its share is gone: a server would make a second store in its place
        aside = put_damaged_away(self.store)
        put_large_away(self.store)
        self.starts += 1
        self._start()
        if aside is not None:
            return "prefect database damaged, put aside"
        return "prefect server started again" if self.starts > 1 else ""

    def _start(self) -> None:
        import importlib.util

        home = Path(importlib.util.find_spec("prefect").origin).parent
        env = dict(os.environ) | {
            OWNER: str(os.getpid()),
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            "PREFECT__SERVER_FINAL": "1",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",  # three quarters of what it would write
        }
        port = self.address.rpartition(":")[2].partition("/")[0]
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(home), "--factory"]
        command += ["prefect.server.api.server:create_app", "--host", "127.0.0.1", "--port", port]
        command += ["--log-level", "error", "--lifespan", "on"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=env, stdin=quiet, stdout=quiet, stderr=quiet)

    def end(self) -> None:
        """End it, and wait until it is gone."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(address: str, wait_s: float = START_S) -> None:
    """Wait until the server answers.

    raises   TimeoutError
    """
    import httpx

    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{address}/health", timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise TimeoutError("the Prefect server does not answer")


@contextmanager
def swept() -> Iterator[None]:
    """Sweep what earlier processes left, then run the block with this process's tag on its flow runs."""
    wait_until_up(os.environ["PREFECT_API_URL"])
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
    """Whether a process of this machine is there; one that has ended and is only not yet reaped is not."""
    with contextlib.suppress(OSError):
        if (
            Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
            == "Z"
        ):
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def put_damaged_away(store: Path) -> Path | None:
    """Put Prefect's database aside where it is damaged, so that a new one is made. Returns where it lies then.

    It only says what ran when; what was made lies in the sessions.
    """
    database = store / "prefect" / "prefect.db"
    if not database.is_file() or _is_whole(database):
        return None
    return _put_away(database, database.with_name(f"prefect.db.damaged-{int(time.time())}"))


def put_large_away(store: Path) -> Path | None:
    """Put Prefect's database aside where it has grown large, in place of the one before it. Returns where it lies then.

    A temporary server deletes no old runs, and what a night came to lies in the store's own reports too.
    """
    database = store / "prefect" / "prefect.db"
    if not database.is_file() or database.stat().st_size < LARGE or _is_in_use(database):
        return None
    return _put_away(database, database.with_name("prefect.db.before"))


def _put_away(database: Path, aside: Path) -> Path:
    os.replace(database, aside)
    for more in ("-wal", "-shm"):
        database.with_name(f"{database.name}{more}").unlink(missing_ok=True)
    return aside


def _is_in_use(database: Path) -> bool:
    """Whether another server works with it: the last to close a database takes its log of changes away."""
    return database.with_name(f"{database.name}-wal").exists()


def _is_overwritten(store: Path) -> bool:
    """Whether the first bytes of the database are not those of any: what can be seen at once while a server runs."""
    try:
        with (store / "prefect" / "prefect.db").open("rb") as file:
            start = file.read(len(SQLITE))
    except OSError:
        return False
    return start not in (b"", SQLITE)


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
    """Mark as crashed every flow run, running or about to, whose process on this machine is gone. Returns how many."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.states import Crashed

    open_types = [StateType.PENDING, StateType.RUNNING]
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=open_types)))
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
