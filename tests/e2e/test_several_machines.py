"""Two machines' worth of Prefect workers on loopback: one server, one share, each session made once.

The server keeps its runs in SQLite, and then in PostgreSQL where that is installed.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.e2e.harness import attune, environment, write_dialogue

pytestmark = pytest.mark.slow

PREFECT = [sys.executable, "-m", "prefect"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Database:
    """Where Prefect's server keeps its runs: its address for the server, and how a test looks into it."""

    address: str
    query: Callable[[str], list[tuple]]
    dump: Callable[[], str]


@contextmanager
def sqlite(home: Path):
    file = home / "prefect" / "prefect.db"

    def query(what: str) -> list[tuple]:
        with sqlite3.connect(file, timeout=30) as connection:
            return connection.execute(what).fetchall()

    def dump() -> str:
        with sqlite3.connect(file) as connection:
            return "\n".join(connection.iterdump())

    yield Database(f"sqlite+aiosqlite:///{file}", query, dump)


@contextmanager
def postgresql(home: Path):
    """A PostgreSQL of the test's own, on loopback. It refuses to run as root, so then as its own user."""
    asyncpg = pytest.importorskip("asyncpg")
    for program in ("initdb", "postgres", "createdb", "pg_dump"):
        if shutil.which(program) is None:
            pytest.skip("PostgreSQL is not installed")
    place, port = Path(tempfile.mkdtemp(prefix="attune-pg-")), free_port()
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(place, "postgres")
    run = functools.partial(subprocess.run, check=True, capture_output=True, text=True, cwd=place, **user)
    run(["initdb", "-D", place / "data", "-U", "attune", "-A", "trust", "--no-sync"])
    listen = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={place}", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["postgres", "-D", place / "data", *listen], cwd=place, **quiet, **user)
    at = ["-h", "127.0.0.1", "-p", str(port), "-U", "attune"]

    async def fetch(what: str) -> list[tuple]:
        connection = await asyncpg.connect(host="127.0.0.1", port=port, user="attune", database="prefect")
        try:
            return [tuple(row) for row in await connection.fetch(what)]
        finally:
            await connection.close()

    try:
        until = time.monotonic() + 60
        while subprocess.run(["createdb", *at, "prefect"], **quiet).returncode != 0:
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.2)
        address = f"postgresql+asyncpg://attune@127.0.0.1:{port}/prefect"
        yield Database(address, lambda what: asyncio.run(fetch(what)), lambda: run(["pg_dump", *at, "prefect"]).stdout)
    finally:
        server.send_signal(signal.SIGINT)  # its fast shutdown
        server.wait(30)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module", params=[sqlite, postgresql], ids=lambda kind: kind.__name__)
def clinic(request, tmp_path_factory):
    """A server of the clinic's own, what its machines find in their environment, and its database."""
    home = tmp_path_factory.mktemp("clinic")
    (home / "in").mkdir()
    for n in range(4):
        write_dialogue(home / "in" / f"Jane Doe {n}.json", n + 1)
    port = free_port()
    env = environment(
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        PREFECT_HOME=str(home / "prefect"),
        ATTUNE_STORE=str(home / "store"),
        ATTUNE_FOLDER=str(home / "in"),
        ATTUNE_WATCH="--transcripts --every 0.2 --settle 0.5",
        ATTUNE_MARKERS_EMBEDDER="none",
        OMP_NUM_THREADS="1",
    )
    with request.param(home) as database:
        serving = {name: value for name, value in env.items() if name != "PREFECT_API_URL"}
        server = subprocess.Popen(
            [*PREFECT, "server", "start", "--port", str(port), "--no-ui"],
            env=serving | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database.address},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_server(env["PREFECT_API_URL"])
            yield home, env, database
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def wait_for_server(address: str) -> None:
    import httpx

    until = time.monotonic() + 180
    while time.monotonic() < until:
        try:
            if httpx.get(f"{address}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail("the server did not start")


def start_worker(env, name):
    return subprocess.Popen(
        [*PREFECT, "worker", "start", "--pool", "attune", "--type", "process", "--name", name],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_two_machines_share_a_night(clinic):
    home, env, database = clinic
    for _ in range(2):  # it may be repeated
        done = attune("deploy", "--machines", "2", "--at", "20:00", "--json", **env)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["deployments"] == ["session/attune", "night/machine-1", "night/machine-2"]
    workers = [start_worker(env, f"machine-{n}") for n in (1, 2)]
    try:
        for n in (1, 2):
            subprocess.run(
                [*PREFECT, "deployment", "run", f"night/machine-{n}"], env=env, check=True, capture_output=True
            )
        told = wait_for_nights(database)
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGTERM)
        printed = "".join(worker.communicate(timeout=60)[0] for worker in workers)
    assert all(kind == "COMPLETED" for kind, _ in told), told
    log = (home / "store" / "attune.log").read_text()
    made = Counter(re.findall(r"^\S+ (\w{12} \w+) made", log, flags=re.MULTILINE))
    assert len({line.split()[0] for line in made}) == 4
    assert set(made.values()) == {1}, "nothing is made twice"
    kept = database.dump() + printed + log
    for secret in ("Jane", "Doe", "worksheet", str(home / "in")):
        assert secret not in kept


def wait_for_nights(database: Database) -> list[tuple[str, str]]:
    until = time.monotonic() + 400
    ask = (
        "select r.state_type, s.message from flow_run r join flow f on r.flow_id = f.id "
        "join flow_run_state s on r.state_id = s.id where f.name = 'night' and not r.auto_scheduled"
    )
    while time.monotonic() < until:
        runs = database.query(ask)
        if len(runs) == 2 and all(kind in ("COMPLETED", "FAILED", "CRASHED") for kind, _ in runs):
            return runs
        time.sleep(0.5)
    pytest.fail(f"the nights did not end: {database.query(ask)}")


def test_the_server_heard_of_every_session_and_of_the_night(clinic):
    home, _, database = clinic
    sessions = {folder.name for folder in (home / "store" / "sessions").iterdir()}
    ask = "select event, resource_id from events where event like 'attune.%'"
    until = time.monotonic() + 60  # the server writes events down in batches
    while len(heard := set(database.query(ask))) < len(sessions) + 1 and time.monotonic() < until:
        time.sleep(0.5)
    assert {("attune.session.ready", f"attune.session.{session}") for session in sessions} <= heard
    assert ("attune.night.summary", "attune.night") in heard
    assert database.query("select key from artifact_collection where key = 'attune-night'") == [("attune-night",)]


def test_the_pool_the_limit_and_the_schedule_are_there(clinic):
    _, _, database = clinic
    assert database.query("select name, type from work_pool where name = 'attune'") == [("attune", "process")]
    limits = "select name, \"limit\" from concurrency_limit_v2 where name like '%attune-models'"
    assert database.query("select tag, concurrency_limit from concurrency_limit") or database.query(limits)
    schedules = database.query("select id from deployment_schedule")
    assert len(schedules) == 2, "one for each machine, however often deployed"


@pytest.mark.skipif(version("sqlalchemy").startswith("2.1"), reason="Prefect 3.8 schedules nothing on SQLAlchemy 2.1")
def test_the_schedule_is_carried_out(clinic):
    _, _, database = clinic
    until = time.monotonic() + 60
    while not database.query("select id from flow_run where auto_scheduled") and time.monotonic() < until:
        time.sleep(0.5)
    assert database.query("select id from flow_run where auto_scheduled")


def test_a_deployment_without_a_server_says_what_to_start(tmp_path):
    env = {name: value for name, value in environment().items() if name != "PREFECT_API_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "deploy"], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "prefect server start" in done.stderr


def test_a_server_that_is_not_there_is_named(tmp_path):
    done = attune("deploy", PREFECT_API_URL="http://127.0.0.1:9/api", PREFECT_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "http://127.0.0.1:9/api" in done.stderr
    assert "Traceback" not in done.stderr
