"""Sessions side by side on each of Prefect's task runners, two workers on loopback, one of which is killed at work."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from flows.environment import ALWAYS
from flows.runners import RUNNERS, task_runner
from pipeline.records import AttuneError
from pipeline.session import Session, open_session, run_session
from pipeline.settings import load_tables
from pipeline.store import open_store
from tests.e2e.harness import ROOT, artefacts, attune, environment, write_dialogue
from tests.e2e.test_several_machines import free_port, wait_for_server

SESSIONS = 4
EXTRAS = {"dask": "prefect_dask", "ray": "prefect_ray"}
RUN = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from flows.run import Cluster, run_on_cluster
if __name__ == "__main__":
    cluster = Cluster(sys.argv[2], 2, *sys.argv[3:4])
    jobs = run_on_cluster(Path(sys.argv[1]), None, json.loads(sys.stdin.read()), cluster, lambda job: None)
    print(json.dumps([asdict(job) for job in jobs.values()]))
"""


def open_all(store: Path, folder: Path) -> list[str]:
    """A store with the sessions opened. Returns their ids."""
    open_store(store)
    (store / "attune.toml").write_text('[markers]\nembedder = "none"\n')
    tables = load_tables(store / "attune.toml")
    files = [write_dialogue(folder / f"Jane Doe {n}.json", n + 1) for n in range(SESSIONS)]
    return [open_session(store, None, [file], tables).id for file in files]


def run_on(name: str, store: Path, sessions: list[str], script: Path, *address: str, **env: str) -> list[dict]:
    script.write_text(RUN)
    done = subprocess.run(
        [sys.executable, str(script), str(store), name, *address],
        input=json.dumps(sessions),
        env=env or environment(),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the sessions hold when they are brought up to date without any of this."""
    home = tmp_path_factory.mktemp("undisturbed")
    sessions = open_all(home / "store", home)
    tables = load_tables(home / "store" / "attune.toml")
    for session in sessions:
        run_session(Session(home / "store" / "sessions" / session, tables))
    return made_in(home / "store", sessions)


def made_in(store: Path, sessions: list[str]) -> dict[str, dict[str, bytes]]:
    return {session: artefacts(store / "sessions" / session) for session in sessions}


def faulty(scratch: Path, session: str) -> dict[str, str]:
    """An environment in which the worker that comes to the session's turns is killed."""
    fault = {"step": "turns", "what": "kill", "session": session, "mark": str(scratch / "kill")}
    env = environment(ATTUNE_FAULTS=json.dumps([fault]), ATTUNE_FAULTS_ANYWHERE="1")
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "e2e" / "faults"), env["PYTHONPATH"]])
    return env


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNERS)
def test_the_same_bytes_on_every_runner(name, undisturbed, tmp_path):
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name])
    store = tmp_path / "store"
    sessions = open_all(store, tmp_path)
    env = environment() if name == "threads" else faulty(tmp_path, sessions[1])  # a thread dies with its process
    jobs = run_on(name, store, sessions, tmp_path / "run.py", **env)
    assert (tmp_path / "kill.0").exists() == (name != "threads"), "the worker must have been killed"
    assert [(job["session"], job["state"]) for job in jobs] == [(session, "made") for session in sessions]
    assert made_in(store, sessions) == undisturbed
    log = (store / "attune.log").read_text()
    assert set(Counter(re.findall(r"^\S+ (\w{12} \w+) made", log, flags=re.MULTILINE)).values()) == {1}
    with sqlite3.connect(store / "prefect" / "prefect.db") as connection:
        kept = "\n".join(connection.iterdump()) + log
    for secret in ("Jane", "Doe", "worksheet", str(tmp_path)):
        assert secret not in kept
    assert [job["state"] for job in run_on(name, store, sessions, tmp_path / "run.py")] == ["reused"] * SESSIONS
    assert left_of(store) == []


def begin(module: list[str], env: dict[str, str], where: Path) -> subprocess.Popen:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", *module], env=env, cwd=where, start_new_session=True, **quiet)


@pytest.mark.slow
def test_a_dask_cluster_that_is_there_already(undisturbed, tmp_path):
    """A scheduler, two workers and a Prefect server, each started by itself, as on machines of their own."""
    pytest.importorskip("prefect_dask")
    store, port, scheduler = tmp_path / "store", free_port(), free_port()
    sessions = open_all(store, tmp_path)
    mine = environment(PREFECT_API_URL=f"http://127.0.0.1:{port}/api", PREFECT_HOME=str(tmp_path / "home"))
    there = mine | ALWAYS | {"ATTUNE_STORE": str(store), "OMP_NUM_THREADS": "1"}
    at, loopback = f"tcp://127.0.0.1:{scheduler}", ["--host", "127.0.0.1", "--no-dashboard"]
    serving = {name: value for name, value in mine.items() if name != "PREFECT_API_URL"}
    running = [
        begin(["prefect", "server", "start", "--port", str(port), "--no-ui"], serving, tmp_path),
        begin(["distributed.cli.dask_scheduler", *loopback, "--port", str(scheduler)], there, tmp_path),
        *(begin(["distributed.cli.dask_worker", at, *loopback, "--nthreads", "1"], there, tmp_path) for _ in "12"),
    ]
    try:
        wait_for_server(mine["PREFECT_API_URL"])
        jobs = run_on("dask", store, sessions, tmp_path / "run.py", at, **mine)
    finally:
        for process in reversed(running):
            os.killpg(process.pid, signal.SIGTERM)
        for process in running:
            process.wait(30)
    assert [job["state"] for job in jobs] == ["made"] * SESSIONS
    assert made_in(store, sessions) == undisturbed
    assert not (store / "prefect" / "prefect.db").exists(), "no server of this machine's own was started"


def left_of(store: Path) -> list[str]:
    """Command lines of processes that still have this store in their environment."""
    until = time.monotonic() + 20
    while (found := list(_with(store))) and time.monotonic() < until:
        time.sleep(0.2)
    return found


def _with(store: Path):
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ATTUNE_STORE={store}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                yield (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue


def test_a_cluster_without_a_server_says_what_to_start(tmp_path):
    from flows.run import Cluster, run_on_cluster

    before = dict(os.environ)
    os.environ.pop("PREFECT_API_URL", None)
    try:
        with pytest.raises(AttuneError, match="PREFECT_API_URL"):
            run_on_cluster(tmp_path, None, [], Cluster("dask", 2, "tcp://10.0.0.1:8786"), lambda job: None)
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_a_runner_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(AttuneError) as caught, task_runner("dask", 2):
        pass
    assert "attune[dask]" in caught.value.mend


def test_a_cluster_needs_a_runner_that_has_one(tmp_path):
    done = attune("process", tmp_path, "--cluster", "tcp://10.0.0.1:8786", "--store", tmp_path / "store")
    assert done.returncode == 1
    assert "--runner dask or ray" in done.stderr
