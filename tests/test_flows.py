"""The flows, on given transcripts: small, fast, the whole step table, no model but the catalogue's patterns."""

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from flows import context, environment, server
from flows.context import Listener
from pipeline import session as session_module
from pipeline.night import Job, build_report
from pipeline.records import AttuneError
from pipeline.session import open_session
from pipeline.settings import load_tables
from pipeline.steps import BY_NAME, STEPS
from pipeline.store import open_store
from tests.e2e.harness import write_dialogue

PATTERNS_ONLY = '[markers]\nembedder = "none"\n'


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory):
    """Prefect's own test harness, its home in a temporary store."""
    store = tmp_path_factory.mktemp("store")
    settings = store / "attune.toml"
    settings.write_text(PATTERNS_ONLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment.os, "environ", environment.os.environ)
        before = dict(environment.os.environ)
        open_store(store)
        environment.prepare(store, settings)
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=180):
            yield store
        environment.os.environ.clear()
        environment.os.environ.update(before)


def opened(store, tmp_path, name="a client's name.json", repeat=1):
    path = write_dialogue(tmp_path / name, repeat)
    return open_session(store, None, [path], load_tables(store / "attune.toml"))


def latest(key):
    """What Prefect shows under that key."""
    import prefect

    address = prefect.settings.PREFECT_API_URL.value()
    return httpx.get(f"{address}/artifacts/{key}/latest", trust_env=False).raise_for_status().json()["data"]


def test_one_that_stops_does_not_stop_the_rest(prefect_server, tmp_path):
    from flows.folder import process_folder

    bad = opened(prefect_server, tmp_path, "bad.json", repeat=2)
    good = opened(prefect_server, tmp_path, "good.json", repeat=3)
    (bad.folder / "given.jsonl").write_bytes(b"not a line of a transcript\n")
    ends = {}
    state = process_folder([bad.id, good.id], lambda session, end: ends.update({session: end}))
    assert state.is_completed()
    assert state.message == "1 of 2 ready"
    assert ends[bad.id].message == "artefact-unreadable"
    assert (good.folder / "summary.html").is_file()


def test_a_flow_walks_the_whole_table(prefect_server, tmp_path):
    from flows.session import process_session

    session, events = opened(prefect_server, tmp_path), []
    with context.listening(Listener(events.append)):
        state = process_session(session.id, return_state=True)
    assert state.is_completed()
    begun = [event.step for event in events if event.outcome is None]
    assert begun == [step.name for step in STEPS if not step.needs_sound]
    assert (session.folder / "moments.json").is_file()


def test_a_second_flow_makes_nothing(prefect_server, tmp_path):
    from flows.session import process_session

    session, events = opened(prefect_server, tmp_path), []
    process_session(session.id, return_state=True)
    with context.listening(Listener(events.append)):
        process_session(session.id, return_state=True)
    assert {event.outcome for event in events} <= {"reused", "skipped"}


def test_a_step_that_stops_ends_the_flow_with_its_code_only(prefect_server, tmp_path):
    from flows.session import process_session

    session = opened(prefect_server, tmp_path, "bad.json", repeat=4)
    (session.folder / "given.jsonl").write_bytes(b"not a line of a transcript\n")
    state = process_session(session.id, return_state=True)
    assert state.is_failed()
    assert state.message == "artefact-unreadable"
    assert state.data is None or not str(state.data).count("transcript")


@pytest.mark.parametrize(("code", "tries", "fine"), [("store-unreachable", 3, True), ("not-media", 1, False)])
def test_only_what_can_pass_is_tried_again(prefect_server, tmp_path, monkeypatch, code, tries, fine):
    from flows import session as flow

    opened_session = opened(prefect_server, tmp_path, "once.json", repeat=5 + tries)
    real, tried = flow.run_one, []

    def stumble(session, step, *more, **others):
        if step.name == "turns":
            tried.append(step.name)
            if len(tried) < 3:
                raise AttuneError("I hate Mondays", mend="", code=code)
        return real(session, step, *more, **others)

    monkeypatch.setattr(flow, "run_one", stumble)
    monkeypatch.setattr(flow, "RETRY_AFTER_S", [0, 0, 0])
    state = flow.process_session(opened_session.id, return_state=True)
    assert len(tried) == tries
    assert state.is_completed() == fine
    assert fine or state.message == code


def test_a_rest_is_taken_between_two_steps(prefect_server, tmp_path):
    from flows.session import process_session

    session, events = opened(prefect_server, tmp_path, repeat=9), []
    with context.listening(Listener(events.append, rests=lambda: len(events) > 4)):
        state = process_session(session.id, return_state=True)
    assert state.is_cancelled()
    made = [event.step for event in events if event.outcome == "made"]
    assert 0 < len(made) < len(STEPS)
    assert process_session(session.id, return_state=True).is_completed()


def test_a_step_without_an_end_is_ended(prefect_server, tmp_path, monkeypatch):
    from flows import session as flow

    slow, real = opened(prefect_server, tmp_path, repeat=10), session_module._make
    monkeypatch.setattr(session_module, "_make", lambda *args: time.sleep(60) or real(*args))
    monkeypatch.setattr(context, "LEAST_PATIENCE_S", 0.2)
    monkeypatch.setattr(context, "PATIENCE", 0.0)
    began = time.monotonic()
    state = flow.process_session(slow.id, return_state=True)
    assert (state.is_failed(), state.message) == (True, "step-hung")
    assert time.monotonic() - began < 30.0
    assert slow.problem.code == "step-hung"


@pytest.mark.parametrize("plainly", [False, True])
def test_what_is_taken_over_in_the_middle_of_a_step_is_not_kept_by_both(prefect_server, tmp_path, monkeypatch, plainly):
    """As after this machine was asleep in a step for so long that another one has taken its session."""
    from flows.session import process_session
    from flows.worker import _plainly

    slept, real = opened(prefect_server, tmp_path, repeat=14 + plainly), session_module._make
    owner, stops = slept.folder / "lock.owner", []

    def sleep(session, step):
        if step.name == "turns":
            row = json.loads(owner.read_bytes())
            owner.write_text(json.dumps(row | {"token": "theirs", "machine": "another machine"}))
        return real(session, step)

    monkeypatch.setattr(session_module, "_make", sleep)
    with context.listening(Listener(on_stop=lambda session, step, error: stops.append((step, error.code)))):
        if plainly:
            assert _plainly(slept.id) == "stopped"
        else:
            assert process_session(slept.id, return_state=True).message == "session-held"
    assert stops == [("turns", "session-held")]
    assert not (slept.folder / "turns.jsonl").exists()
    assert not (slept.folder / "receipts" / "turns.json").exists()
    assert slept.problem is None, "who holds it now says what becomes of it"
    assert json.loads(owner.read_bytes())["token"] == "theirs"


def test_progress_the_page_and_the_end_are_told_to_prefect(prefect_server, tmp_path, monkeypatch):
    from flows import artifacts
    from flows.session import process_session

    told = []
    monkeypatch.setattr(artifacts, "EVERY_S", 0.0)
    monkeypatch.setattr(artifacts, "_emit", lambda *event: told.append(event))
    monkeypatch.setenv("ATTUNE_WATCH_PAGES", "https://files.clinic/attune/")
    session = opened(prefect_server, tmp_path, repeat=11)
    assert process_session(session.id, return_state=True).is_completed()
    assert latest(f"progress-{session.id}") == 100.0
    page = latest(f"page-{session.id}")
    assert f"(https://files.clinic/attune/sessions/{session.id}/summary.html)" in page
    (session.folder / "given.jsonl").write_bytes(b"not a line of a transcript\n")
    process_session(session.id, return_state=True)
    where = f"session.{session.id}"
    assert told == [
        ("session.ready", where, {"code": ""}),
        ("session.stopped", where, {"code": "artefact-unreadable"}),
    ]


def test_an_artifact_that_is_refused_stops_nothing_and_is_asked_for_once(prefect_server, tmp_path, monkeypatch):
    from flows import artifacts
    from flows.session import process_session

    asked = []

    def refuse(*args):
        asked.append(args)
        raise RuntimeError("no")

    monkeypatch.setattr(artifacts, "EVERY_S", 0.0)
    monkeypatch.setattr(artifacts.Progress, "_show", refuse)
    monkeypatch.setattr(artifacts, "_emit", refuse)
    assert process_session(opened(prefect_server, tmp_path, repeat=12).id, return_state=True).is_completed()
    assert len(asked) == 2, "once for the progress, once for the end"
    monkeypatch.setenv(server.TEMPORARY, "1")
    assert process_session(opened(prefect_server, tmp_path, repeat=13).id, return_state=True).is_completed()
    assert len(asked) == 2, "a temporary server is not told"


def test_the_night_is_kept_as_a_table_with_the_way_out(prefect_server):
    from flows.artifacts import keep_night
    from flows.watch import report_rows

    jobs = [Job("0123456789ab", 0, state="made", made=["turns"]), Job("ba9876543210", 1)]
    jobs[1].stop("disk-full", "the disk is full", "make room", "words")
    report = build_report(jobs, host="", began="", ended="", end="done")
    keep_night(report_rows(report), "1 made", {"made": 1})
    made, stopped = json.loads(latest("attune-night"))
    assert made == {"session": "0123456789ab", "state": "made", "step": "", "code": "", "mend": ""}
    assert (stopped["step"], stopped["code"], stopped["mend"]) == ("words", "disk-full", "make room")


def test_the_steps_with_models_are_tagged_for_a_limit(prefect_server, tmp_path):
    from flows.session import MODELS, _task_for
    from pipeline.steps import MARKERS, TURNS

    session = opened(prefect_server, tmp_path)
    assert MODELS not in _task_for(session, TURNS).tags
    with_models = replace(session, settings={})
    assert MODELS in _task_for(with_models, MARKERS).tags


def test_a_step_with_models_takes_one_of_the_machines_places(prefect_server, tmp_path, monkeypatch):
    from pipeline.steps import MARKERS, TURNS

    taken = []

    @contextmanager
    def slot(slots, on_wait):
        taken.append(slots)
        yield

    monkeypatch.setattr(context, "machine_slot", slot)
    monkeypatch.setenv("ATTUNE_WATCH_MODEL_SLOTS", "3")
    session = opened(prefect_server, tmp_path)
    for step in (TURNS, MARKERS):
        with context.models_of(session.id)(step):
            pass
    assert taken == [], "no step of this store uses models"
    monkeypatch.setenv("ATTUNE_MARKERS_EMBEDDER", MARKERS.options.embedder)
    for step in (TURNS, MARKERS):
        with context.models_of(session.id)(step):
            pass
    assert taken == [3]


def test_runs_of_a_process_that_is_gone_are_swept(prefect_server, tmp_path):
    from prefect import flow, tags
    from prefect.client.orchestration import get_client
    from prefect.states import Pending, Running

    @flow
    def left():
        return None

    with get_client(sync_client=True) as client:
        gone = f"{server.TAG}:{2**22 + 1}@{server.socket.gethostname()}"
        elsewhere = f"{server.TAG}:{2**22 + 1}@another-machine"
        with tags():
            dead = [client.create_flow_run(left, state=state, tags=[gone]) for state in (Running(), Pending())]
            alive = [client.create_flow_run(left, state=Running(), tags=[tag]) for tag in (server.own_tag(), elsewhere)]
            waiting = client.create_flow_run(left, state=Pending())
        server.sweep_runs()
        assert all(client.read_flow_run(run.id).state.is_crashed() for run in dead)
        assert all(client.read_flow_run(run.id).state.is_running() for run in alive)
        assert client.read_flow_run(waiting.id).state.is_pending(), "a run of nobody's yet"


def test_steps_with_models_wait_for_each_other_where_the_server_limits_them(prefect_server, tmp_path, monkeypatch):
    """As two machines do: each has its own place for models, and the clinic's server counts over both."""
    from prefect.client.orchestration import get_client

    from flows import session as flow

    began, most, now, counting = [], [], [], threading.Lock()

    def slow(session, step, *more, **others):
        with counting:
            began.append(step.name)
            now.append(step.name)
            most.append(len(now))
        time.sleep(1.0)
        with counting:
            now.remove(step.name)
        return "made"

    monkeypatch.setattr(flow, "run_one", slow)
    monkeypatch.setenv("ATTUNE_MARKERS_EMBEDDER", "minilm")
    sessions = [opened(prefect_server, tmp_path, f"{n}.json", repeat=20 + n).id for n in range(3)]

    def run_all():
        for noted in (began, most):
            noted.clear()

        def work(session):
            flow._task_for(context.session(session), BY_NAME["markers"])(session, "markers", return_state=True)

        workers = [threading.Thread(target=work, args=(session,)) for session in sessions]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(120)
        assert began == ["markers"] * 3
        return max(most)

    with get_client(sync_client=True) as client:
        client.create_concurrency_limit(tag=flow.MODELS, concurrency_limit=1)
        try:
            assert run_all() == 1
        finally:
            client.delete_concurrency_limit_by_tag(tag=flow.MODELS)
    assert run_all() > 1, "nothing but the server keeps them apart here"


def test_nothing_that_names_a_client_reaches_the_database(tmp_path):
    """The same as in a run from the command line, seen in the database file itself."""
    from tests.e2e.harness import attune

    store = tmp_path / "store"
    store.mkdir()
    (store / "attune.toml").write_text(PATTERNS_ONLY)
    path = write_dialogue(tmp_path / "Jane Doe 1984.json")
    done = attune("process", "--transcript", path, "--store", store, "--offline")
    assert done.returncode == 0, done.stderr
    database = store / "prefect" / "prefect.db"
    with sqlite3.connect(database) as connection:
        runs = dict(connection.execute("select name, state_type from flow_run").fetchall())
        assert set(runs.values()) == {"COMPLETED"}
        assert {"folder", next((store / "sessions").iterdir()).name} == set(runs)
        tasks = dict(connection.execute("select name, state_type from task_run").fetchall())
        assert {step.name for step in STEPS} <= set(tasks)
        assert set(tasks.values()) == {"COMPLETED"}
        assert connection.execute("select count(*) from events").fetchone() == (0,), "most of a growing database"
        told = "\n".join(connection.iterdump())
    told += "".join(file.read_text() for file in store.glob("*.log"))
    for secret in ("Jane", "Doe", "worksheet", "twins", str(tmp_path)):
        assert secret not in told
