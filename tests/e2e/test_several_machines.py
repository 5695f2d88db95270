"""Two machines' worth of Prefect workers on loopback: one server, one share, each session made once."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
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


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """A server of the clinic's own, and what its machines find in their environment."""
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
    serving = {name: value for name, value in env.items() if name != "PREFECT_API_URL"}
    server = subprocess.Popen(
        [*PREFECT, "server", "start", "--port", str(port), "--no-ui"],
        env=serving,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_server(env["PREFECT_API_URL"])
        yield home, env
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


def query(home: Path, what: str) -> list[tuple]:
    with sqlite3.connect(home / "prefect" / "prefect.db", timeout=30) as connection:
        return connection.execute(what).fetchall()


def test_two_machines_share_a_night(clinic):
    home, env = clinic
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
        told = wait_for_nights(home)
    finally:
        for worker in workers:
            os.killpg(worker.pid, signal.SIGTERM)
        printed = "".join(worker.communicate(timeout=60)[0] for worker in workers)
    assert all(kind == "COMPLETED" for kind, _ in told), told
    log = (home / "store" / "attune.log").read_text()
    made = Counter(re.findall(r"^\S+ (\w{12} \w+) made", log, flags=re.MULTILINE))
    assert len({line.split()[0] for line in made}) == 4
    assert set(made.values()) == {1}, "nothing is made twice"
    with sqlite3.connect(home / "prefect" / "prefect.db") as connection:
        kept = "\n".join(connection.iterdump()) + printed + log
    for secret in ("Jane", "Doe", "worksheet", str(home / "in")):
        assert secret not in kept


def wait_for_nights(home: Path) -> list[tuple[str, str]]:
    until = time.monotonic() + 400
    ask = (
        "select r.state_type, s.message from flow_run r join flow f on r.flow_id = f.id "
        "join flow_run_state s on r.state_id = s.id where f.name = 'night' and r.auto_scheduled = 0"
    )
    while time.monotonic() < until:
        runs = query(home, ask)
        if len(runs) == 2 and all(kind in ("COMPLETED", "FAILED", "CRASHED") for kind, _ in runs):
            return runs
        time.sleep(0.5)
    pytest.fail(f"the nights did not end: {query(home, ask)}")


def test_the_pool_the_limit_and_the_schedule_are_there(clinic):
    home, _ = clinic
    assert query(home, "select name, type from work_pool where name = 'attune'") == [("attune", "process")]
    assert query(home, "select tag, concurrency_limit from concurrency_limit") or query(
        home, "select name, \"limit\" from concurrency_limit_v2 where name like '%attune-models'"
    )
    assert len(query(home, "select id from deployment_schedule")) == 2, "one for each machine, however often deployed"


@pytest.mark.skipif(version("sqlalchemy").startswith("2.1"), reason="Prefect 3.8 schedules nothing on SQLAlchemy 2.1")
def test_the_schedule_is_carried_out(clinic):
    home, _ = clinic
    until = time.monotonic() + 60
    while not query(home, "select id from flow_run where auto_scheduled = 1") and time.monotonic() < until:
        time.sleep(0.5)
    assert query(home, "select id from flow_run where auto_scheduled = 1")


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
