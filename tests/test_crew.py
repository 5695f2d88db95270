"""What becomes of a job whose worker has died, by how it died."""

import queue
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from flows import crew as crew_module
from flows import server
from flows.crew import MOST_PREFECT_FAILURES, Audience, Crew
from flows.worker import PREFECT_LOST, STORE_LOST
from pipeline.night import Job
from pipeline.session import Session
from pipeline.store import open_store


@dataclass
class Dying:
    """A worker whose process ends with that status."""

    job: Job | None
    process: subprocess.Popen
    step: str = "turns"
    until: float = float("inf")
    prefect: bool = True
    small: bool = False
    given_up: bool = False


@pytest.fixture
def crew(tmp_path, monkeypatch):
    open_store(tmp_path)
    (tmp_path / "sessions" / "0123456789ab").mkdir(parents=True)
    monkeypatch.setenv("ATTUNE_STORE", str(tmp_path))
    monkeypatch.setattr(server.Server, "keep_up", lambda self: "")
    heard = []
    made = Crew(1, lambda session: Session(tmp_path / "sessions" / session, {}), Audience(on_note=heard.append), 0.0)
    made.heard = heard
    return made


def dying(crew, job, code):
    process = subprocess.Popen([sys.executable, "-c", code])
    worker = Dying(job, process)
    crew.workers = [worker]
    return worker


def die(crew, job, code):
    worker = dying(crew, job, code)
    worker.process.wait()
    return crew._bury(worker)


def by(number):
    return f"import os; os.kill(os.getpid(), {int(number)})"


@pytest.mark.parametrize(
    ("code", "deaths", "told"),
    [
        (by(signal.SIGSEGV), 2, "worker-crashed"),
        (by(signal.SIGABRT), 2, "worker-crashed"),
        (by(signal.SIGKILL), 3, "worker-killed"),
        ("raise SystemExit(1)", 2, "worker-crashed"),
    ],
)
def test_a_job_is_tried_again_and_then_left_out(crew, code, deaths, told):
    job = Job("0123456789ab", 0)
    states = [die(crew, job, code).state for _ in range(deaths)]
    assert states == ["waiting"] * (deaths - 1) + ["stopped"]
    assert (job.code, job.step) == (told, "turns")
    assert crew.find(job.session).problem.code == told
    assert job.mend


def test_a_step_without_an_end_is_ended(crew):
    job = Job("0123456789ab", 0)
    for _ in range(2):
        worker = dying(crew, job, "import time; time.sleep(600)")
        worker.until = 0.0
        crew._kill_hung()
        assert worker.process.wait(10) == -signal.SIGKILL
        crew._bury(worker)
    assert (job.state, job.code) == ("stopped", "worker-hung")


def test_a_lost_prefect_is_not_the_recordings_fault(crew):
    job = Job("0123456789ab", 0)
    for _ in range(MOST_PREFECT_FAILURES):
        assert die(crew, job, f"raise SystemExit({PREFECT_LOST})").state == "waiting"
    assert (job.deaths, crew.prefect) == (0, True)
    die(crew, job, f"raise SystemExit({PREFECT_LOST})")
    assert crew.prefect is False, "the work goes on without it"
    assert "going on without prefect" in crew.heard


def test_a_lost_store_is_not_the_recordings_fault(crew):
    job = Job("0123456789ab", 0)
    assert die(crew, job, f"raise SystemExit({STORE_LOST})").state == "waiting"
    assert (job.deaths, crew.store_lost) == (0, True)


def test_a_worker_of_another_program_is_refused(crew, monkeypatch):
    """attune is updated while a night is under way: the next worker that is started finds other steps."""
    monkeypatch.setattr(crew_module, "_PROGRAM", "0.0.1-of-yesterday")
    crew.prefect = False
    job = Job("0123456789ab", 0)
    assert crew.begin(job)
    until = time.monotonic() + 60
    while job.state == "running" and time.monotonic() < until:
        crew.hear(1.0)
    assert (job.state, job.code) == ("stopped", "program-changed")
    crew.open(crew.server.store / "a recording.wav", [])
    while not crew.opened and time.monotonic() < until:
        crew.hear(1.0)
    assert [told["code"] for told in crew.opened] == ["program-changed"]
    crew.end()


def test_what_a_library_prints_is_no_message(tmp_path):
    """Nor does it keep anybody from hearing that the worker has ended."""
    inbox, worker = queue.SimpleQueue(), object.__new__(crew_module.Worker)
    lines = ["a warning", "5", '["told"]', '{"told": "ready"}', '{"told": "do']
    code = f"print({chr(10).join(lines)!r}, end='')"
    worker.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker._listen(inbox)
    assert [inbox.get_nowait().what for _ in range(2)] == [{"told": "ready"}, None]


def test_workers_without_a_job_end_and_the_server_after_the_last(crew, monkeypatch):
    ended = []
    monkeypatch.setattr(server.Server, "end", lambda self: ended.append("server"))
    busy, idle = dying(crew, Job("0123456789ab", 0), ""), dying(crew, None, "")
    idle.end = busy.end = lambda: ended.append("worker")
    crew.workers = [busy, idle]
    crew.dismiss_idle()
    assert (crew.workers, ended) == ([busy], ["worker"])
    busy.job = None
    crew.dismiss_idle()
    assert (crew.workers, ended) == ([], ["worker", "worker", "server"])


@pytest.mark.parametrize(
    ("content", "damaged"),
    [(None, False), (b"", False), (b"torn" * 4096, True), (b"SQLite format 3\0" + b"x" * 9000, True)],
)
def test_a_damaged_database_is_put_aside(tmp_path, content, damaged):
    database = tmp_path / "prefect" / "prefect.db"
    database.parent.mkdir()
    if content is not None:
        database.write_bytes(content)
    aside = server.put_damaged_away(tmp_path)
    assert (aside is not None) == damaged
    assert database.exists() == (content is not None and not damaged)


@pytest.mark.parametrize(("content", "ended"), [(b"torn" * 99, True), (server.SQLITE + b"x", False), (b"", False)])
def test_a_server_whose_database_is_overwritten_is_started_anew(tmp_path, monkeypatch, content, ended):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(server.Server, "_start", lambda self: None)
    open_store(tmp_path)
    (tmp_path / "prefect").mkdir()
    own = server.Server(tmp_path)
    own.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = own.process
    (tmp_path / "prefect" / "prefect.db").write_bytes(content)
    told = own.keep_up()
    assert (process.poll() is not None) == ended
    assert ("damaged" in told) == ended
    process.kill()
    process.wait()


def test_no_server_is_started_where_the_store_is_gone(tmp_path, monkeypatch):
    """It would make the store anew, below the place where a share is mounted again in a minute."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    started = []
    monkeypatch.setattr(server.Server, "_start", lambda self: started.append(self))
    open_store(tmp_path / "store")
    own = server.Server(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "away")
    assert own.keep_up() == ""
    assert started == []
    (tmp_path / "away").rename(tmp_path / "store")
    own.keep_up()
    assert len(started) == 1


def test_a_large_database_gives_way_to_a_new_one_and_replaces_the_last(tmp_path, monkeypatch):
    database = tmp_path / "prefect" / "prefect.db"
    database.parent.mkdir()
    assert server.put_large_away(tmp_path) is None
    database.write_bytes(b"x" * 100)
    assert server.put_large_away(tmp_path) is None
    monkeypatch.setattr(server, "LARGE", 100)
    database.with_name("prefect.db-wal").touch()
    assert server.put_large_away(tmp_path) is None, "another server works with it"
    database.with_name("prefect.db-wal").unlink()
    for content in (b"a" * 100, b"b" * 100):
        database.write_bytes(content)
        assert server.put_large_away(tmp_path).read_bytes() == content
        assert [path.name for path in database.parent.iterdir()] == ["prefect.db.before"]


def test_a_process_that_has_ended_is_not_alive(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    while server.is_alive(process.pid):
        pass  # until it has ended; it is not reaped before `wait`
    process.wait()
    assert not server.is_alive(process.pid)


def test_a_server_of_the_clinics_own_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://clinic:4200/api")
    own = server.Server(tmp_path)
    assert (own.keep_up(), own.process, own.address) == ("", None, "http://clinic:4200/api")
