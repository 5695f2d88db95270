"""What would stop a run: told before it runs, with the mend."""

import errno
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

import pytest

from pipeline.commands import doctor
from pipeline.store import FORMAT, MARK, open_store


@pytest.fixture
def server():
    """Answers as a Prefect server does: a path, and what it says."""
    answers = {"/api/health": True, "/api/admin/version": version("prefect"), "/api/work_pools/filter": []}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *told):
            pass

    serving = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/api", answers
    serving.shutdown()


def found(findings):
    return {finding.what: (finding.fine, finding.told + finding.mend) for finding in findings}


def test_no_server_of_ones_own_is_fine():
    assert found(doctor._server(""))["Prefect server"][0]


def test_a_server_that_is_gone_is_named():
    fine, told = found(doctor._server("http://127.0.0.1:9/api"))["Prefect server"]
    assert not fine
    assert "http://127.0.0.1:9/api" in told


def test_a_server_of_another_version_is_named_with_both(server):
    address, answers = server
    assert found(doctor._server(address))["Prefect server"][0]
    answers["/api/admin/version"] = "3.0.1"
    fine, told = found(doctor._server(address))["Prefect server"]
    assert not fine
    assert "3.0.1" in told
    assert version("prefect") in told


@pytest.mark.parametrize(("status", "fine"), [("READY", True), ("NOT_READY", False)])
def test_a_pool_without_a_worker_is_named(server, status, fine):
    address, answers = server
    assert found(doctor._server(address))["work pool"][0], "no pool at all is fine: one machine needs none"
    answers["/api/work_pools/filter"] = [{"name": "attune", "status": status}]
    told = found(doctor._server(address))["work pool"]
    assert told[0] == fine
    assert fine or "prefect worker start" in told[1]


def test_a_store_of_a_newer_program_is_named(tmp_path):
    open_store(tmp_path)
    assert doctor._store(tmp_path).fine
    (tmp_path / MARK).write_text(json.dumps({"format": FORMAT + 1, "attune": "9.0"}))
    assert not doctor._store(tmp_path).fine
    assert "update" in doctor._store(tmp_path).mend


def test_a_store_that_cannot_be_locked_or_keeps_no_locks_is_named(tmp_path, monkeypatch):
    from filelock import FileLock

    def refuse(self, timeout=None, **more):
        raise OSError(number, "told by the share")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    number = errno.EIO
    assert not doctor._store(tmp_path).fine
    number = errno.ENOLCK
    assert doctor._store(tmp_path).fine
    assert "keeps no locks" in doctor._store(tmp_path).told


def test_the_probe_leaves_nothing(tmp_path):
    doctor._store(tmp_path)
    list(doctor._share(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("ahead_s", "fine"), [(0.0, True), (3600.0, False), (-3600.0, False)])
def test_clocks_that_are_apart_are_named(tmp_path, monkeypatch, ahead_s, fine):
    real = time.time
    monkeypatch.setattr(doctor.time, "time", lambda: real() + ahead_s)
    assert found(doctor._share(tmp_path))["clock"][0] == fine


def test_versions_that_stumble_are_named_with_those_that_do_not(monkeypatch):
    told = {"fastapi": "0.155.1", "sqlalchemy": "2.1.0"}
    monkeypatch.setattr(doctor, "version", lambda name: told[name])
    here, there = found(doctor._versions("")), found(doctor._versions("http://clinic:4200/api"))
    assert {name: fine for name, (fine, _) in here.items()} == {"fastapi": False}
    assert {name: fine for name, (fine, _) in there.items()} == {"fastapi": False, "sqlalchemy": False}
    assert '"fastapi<0.155"' in there["fastapi"][1]
    told |= {"fastapi": "0.154.0", "sqlalchemy": "2.0.58"}
    assert all(fine for fine, _ in found(doctor._versions("http://clinic:4200/api")).values())
