"""A night with everything that goes wrong in one: afterwards the same bytes as in an undisturbed night.

The sessions are transcripts, so that a night takes seconds; the faults are real ones (signals, a null pointer, a folder
that is moved away) where the machine can be made to have them, and the same system errors where it cannot.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from flows.server import end_orphans
from pipeline.models import sha256_of
from pipeline.records import Moment
from pipeline.review.verdict_store import append, load_events
from pipeline.review.verdicts import Verdict, attach
from pipeline.session import Session
from pipeline.steps import MOMENTS, STEPS
from tests.e2e.harness import COMMAND, ROOT, artefacts, attune, environment, write_dialogue

pytestmark = pytest.mark.slow

PATTERNS_ONLY = '[markers]\nembedder = "none"\n'
MADE = [step for step in STEPS if not step.needs_sound]
NO_LOCKS = "ATTUNE_NO_LOCKS"
OPTIONS = ("--transcripts", "--every", "0.2", "--settle", "0.5", "--offline")


def new_store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    store.mkdir()
    (store / "attune.toml").write_text(PATTERNS_ONLY)
    return store


def write_folder(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        write_dialogue(folder / f"client {i}.json", i + 1)
    return folder


def command(folder, store, *more):
    return [*COMMAND, "watch", str(folder), "--store", str(store), *OPTIONS, *map(str, more)]


def faulty(faults=()):
    env = environment(ATTUNE_FAULTS=json.dumps(list(faults))) if faults else environment()
    if faults or NO_LOCKS in env:
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "e2e" / "faults"), env["PYTHONPATH"]])
    return env


def watch(folder, store, *more, faults=(), within_s=540):
    """Watch to the end; returns the report."""
    done = subprocess.run(
        command(folder, store, "--once", "--json", *more),
        env=faulty(faults),
        capture_output=True,
        text=True,
        timeout=within_s,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def begin(folder, store, *more, faults=()):
    return subprocess.Popen(
        command(folder, store, *more), env=faulty(faults), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for(path: Path, text: str, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if path.is_file() and text in path.read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"no {text!r} in {path.name}: {path.read_text() if path.is_file() else 'not there'}")


def all_artefacts(store: Path) -> dict[str, dict[str, bytes]]:
    assert not list(store.rglob("*.part"))
    return {folder.name: artefacts(folder) for folder in sorted((store / "sessions").iterdir())}


def differences(store: Path, undisturbed: dict[str, dict[str, bytes]]) -> list[str]:
    """Artefacts that are not as in the undisturbed night."""
    mine = all_artefacts(store)
    return [
        f"{session}/{name}"
        for session in sorted({*mine, *undisturbed})
        for name in sorted({*mine.get(session, {}), *undisturbed.get(session, {})})
        if mine.get(session, {}).get(name) != undisturbed.get(session, {}).get(name)
    ]


def times_made(store: Path) -> Counter:
    """How often each step of each session was made, from the log."""
    return Counter(re.findall(r"^\S+ (\w{12} \w+) made", (store / "attune.log").read_text(), flags=re.MULTILINE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("in") / "recordings", len(MADE))


@pytest.fixture(scope="module")
def few(folder, tmp_path_factory):
    """Three of the same recordings, for what has to wait for Prefect's server."""
    made = tmp_path_factory.mktemp("few") / "recordings"
    made.mkdir()
    for path in sorted(folder.iterdir())[:3]:
        (made / path.name).write_bytes(path.read_bytes())
    return made


@pytest.fixture(scope="module")
def few_undisturbed(few, undisturbed):
    return {session: undisturbed[session] for session in {sha256_of(path)[:12] for path in few.iterdir()}}


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    store = new_store(tmp_path_factory.mktemp("undisturbed"))
    report = watch(folder, store, "--without-prefect")
    assert len(report["made"]) == len(MADE)
    return all_artefacts(store)


def one_each(undisturbed, what, tmp_path, **more):
    """A fault in another step of each session."""
    return [
        {"step": step.name, "what": what, "session": session, "mark": str(tmp_path / f"{what}-{step.name}"), **more}
        for step, session in zip(MADE, undisturbed, strict=True)
    ]


KILLS = ("kill", "unreceipted", "untold")


@pytest.mark.parametrize("what", [*KILLS, "full", "receipt", "readonly", "clock"])
def test_a_fault_in_every_step(what, folder, undisturbed, tmp_path):
    store = new_store(tmp_path)
    report = watch(folder, store, "--without-prefect", faults=one_each(undisturbed, what, tmp_path))
    assert len(list(tmp_path.glob(f"{what}-*.0"))) == len(MADE), "every fault must have happened"
    assert len(report["made"]) == len(MADE)
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}, "nothing is made twice"
    assert report["restarts"] >= (len(MADE) if what in KILLS else 0)


@pytest.fixture(scope="module")
def with_sound(tmp_path_factory):
    """Recordings with their transcripts, so that sound is read and measured without any model."""
    folder = write_folder(tmp_path_factory.mktemp("sound") / "recordings", 2)
    for n, told in enumerate(sorted(folder.iterdir())):
        noise = np.random.default_rng(n).standard_normal(16000 * 5).astype("float32")
        soundfile.write(told.with_suffix(".wav"), 0.05 * noise, 16000)
    return folder


@pytest.mark.parametrize("what", [*KILLS, "full"])
def test_a_fault_in_the_steps_of_sound(what, with_sound, tmp_path):
    (tmp_path / "undisturbed").mkdir()
    calm, store = new_store(tmp_path / "undisturbed"), new_store(tmp_path)
    assert len(watch(with_sound, calm, "--without-prefect")["made"]) == 2
    undisturbed = all_artefacts(calm)
    faults = [
        {"step": step.name, "what": what, "session": session, "mark": str(tmp_path / f"{what}-{step.name}")}
        for step, session in zip([step for step in STEPS if step.needs_sound], undisturbed, strict=True)
    ]
    report = watch(with_sound, store, "--without-prefect", faults=faults)
    assert len(list(tmp_path.glob(f"{what}-*.0"))) == len(faults), "every fault must have happened"
    assert len(report["made"]) == 2
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}


def test_no_verdict_is_lost_when_all_is_made_again_among_faults(folder, undisturbed, tmp_path):
    store = new_store(tmp_path)
    watch(folder, store, "--without-prefect")
    given = [judge(store, session, moment) for session in undisturbed for moment in moments_of(store, session)]
    assert len(given) >= len(undisturbed), "the talk has a confrontation"
    (store / "attune.toml").write_text(PATTERNS_ONLY + "[turns]\nown_silence_s = 9.0\n[exports]\ncue_s = 3.0\n")
    report = watch(folder, store, "--without-prefect", faults=one_each(undisturbed, "kill", tmp_path))
    assert {row["session"] for row in report["made"]} == set(undisturbed), "every session is made again"
    assert load_events(store) == given
    for session in undisturbed:
        mine = [verdict for verdict in given if verdict.session == session]
        assert attach(mine, moments_of(store, session)).keys() == {verdict.id for verdict in mine}


def moments_of(store: Path, session: str) -> list[Moment]:
    return Session(store / "sessions" / session, {}).load(MOMENTS).moments


def judge(store: Path, session: str, moment: Moment) -> Verdict:
    """Keep a verdict on the moment, as the page does."""
    given = Verdict(
        id=f"{session}-{moment.start}", at="2026-11-24T20:00:00.000+00:00", session=session, subject="flag",
        rater="a", rater_role="supervisor", answer="agree", start=moment.start, end=moment.end,
        flag_start=moment.start, flag_end=moment.end, flag_kind=moment.kind,
    )  # fmt: skip
    append(store, given)
    return given


def test_prefect_killed_deleted_and_damaged(few, few_undisturbed, tmp_path):
    store, (one, two, three) = new_store(tmp_path), few_undisturbed
    faults = [
        {"step": "turns", "what": "server", "session": one, "mark": str(tmp_path / "server")},
        {"step": "voices", "what": "lost", "session": two, "mark": str(tmp_path / "lost")},
        {"step": "turns", "what": "damaged", "session": three, "mark": str(tmp_path / "damaged")},
    ]
    report = watch(few, store, faults=faults)
    assert [len(list(tmp_path.glob(f"{name}.0"))) for name in ("server", "lost", "damaged")] == [1, 1, 1]
    assert len(report["made"]) == len(few_undisturbed)
    assert differences(store, few_undisturbed) == []
    assert set(times_made(store).values()) == {1}
    assert end_orphans(store) == 0, "no server is left behind"


def test_the_server_killed_in_every_step(folder, undisturbed, tmp_path):
    store = new_store(tmp_path)
    report = watch(folder, store, faults=one_each(undisturbed, "server", tmp_path), within_s=1500)
    assert len(list(tmp_path.glob("server-*.0"))) == len(MADE), "every fault must have happened"
    assert len(report["made"]) == len(MADE)
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}
    assert end_orphans(store) == 0, "no server is left behind"


def test_the_watcher_killed_in_every_step(folder, undisturbed, tmp_path):
    """One after the other, each killed when the next step has begun: the folder is all that the next one knows."""
    store = new_store(tmp_path)
    for session, step in zip(undisturbed, MADE, strict=True):
        process = begin(folder, store, "--without-prefect")
        wait_for(store / "attune.log", f"{session} {step.name} begun")
        process.kill()
        process.wait(30)
    report = watch(folder, store, "--without-prefect")
    assert not report["stopped"]
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}


def test_a_pause_is_kept_by_the_workers_until_it_ends(folder, undisturbed, tmp_path):
    store = new_store(tmp_path)
    process = begin(folder, store, "--without-prefect", "--once")
    wait_for(store / "attune.log", "turns made")
    assert attune("watch", "--pause", "--store", store).returncode == 0
    time.sleep(4.0)  # for the step it is at
    log = (store / "attune.log").read_text()
    time.sleep(4.0)
    assert (store / "attune.log").read_text() == log
    assert len(times_made(store)) < len(MADE) * len(MADE)
    assert attune("watch", "--resume", "--store", store).returncode == 0
    told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}


def test_nothing_of_a_client_is_told_to_prefect_or_a_log_when_things_go_wrong(tmp_path, monkeypatch):
    """Telling names, files that cannot be read, an error that quotes words; Prefect's own log at its most talkative."""
    folder, store = tmp_path / "Dr Major's clients", new_store(tmp_path)
    folder.mkdir()
    for n in range(2):
        write_dialogue(folder / f"Jane Doe {n}.json", n + 1)
    bad = sha256_of(folder / "Jane Doe 1.json")[:12]
    (folder / "Richard Roe.mp4").write_text("no recording, said Albert")
    (folder / "Mary Poe.vtt").write_text("WEBVTT\n\n00:00 --> \nMary: my brother Zebulon\n")
    (folder / "Nora Moe.json").write_text('{"turns": [{"start": "Quentin", "text": "Ursula"}]}')
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setenv("PREFECT_LOGGING_TO_API_ENABLED", "true")
    report = watch(
        folder, store, faults=[{"step": "turns", "what": "words", "session": bad, "mark": str(tmp_path / "w")}]
    )
    assert sorted(row["code"] for row in report["stopped"]) == [
        "not-media", "transcript-time", "transcript-time", "unexpected"
    ]  # fmt: skip
    assert "Xylophone" in Session(store / "sessions" / bad, {}).problem.message, "the session's own folder may say it"
    with sqlite3.connect(store / "prefect" / "prefect.db") as connection:
        assert connection.execute("select count(*) from log").fetchone()[0] > 0, "or there is nothing to look into"
        told = {"prefect.db": "\n".join(connection.iterdump())}
    kept = [path for path in store.rglob("*") if path.is_file() and not path.is_relative_to(store / "sessions")]
    told |= {path.name: path.read_bytes().decode(errors="replace") for path in kept if path.suffix != ".db"}
    assert {"attune.log", "memo_store.toml"} <= told.keys()
    names = "Major Jane Doe Richard Roe Mary Poe Nora Moe"
    words = "Albert Zebulon Quentin Ursula Xylophone worksheet twins"
    found = [
        (name, word) for word in [*names.split(), *words.split(), str(folder)] for name in told if word in told[name]
    ]
    assert found == []


def test_a_recording_that_crashes_a_library_is_left_out(few, few_undisturbed, tmp_path):
    store, bad = new_store(tmp_path), next(iter(few_undisturbed))
    (store / "prefect").mkdir()
    (store / "prefect" / "prefect.db").write_bytes(b"torn" * 4096)
    faults = [{"step": "markers", "what": "crash", "session": bad, "mark": str(tmp_path / "crash"), "times": 9}]
    report = watch(few, store, faults=faults)
    assert [(row["session"], row["step"], row["code"]) for row in report["stopped"]] == [
        (bad, "markers", "worker-crashed")
    ]
    assert len(report["made"]) == len(few_undisturbed) - 1
    assert Session(store / "sessions" / bad, {}).problem.code == "worker-crashed"
    assert "prefect database damaged, put aside" in (store / "attune.log").read_text()
    with sqlite3.connect(store / "prefect" / "prefect.db") as connection:
        told = "\n".join(connection.iterdump())
    assert "attune-night" in told, "the night's table is kept in Prefect"
    for secret in ("client 0", "worksheet", str(few)):
        assert secret not in told
    again = watch(few, store, "--without-prefect")
    assert [row["session"] for row in again["made"]] == [bad]
    assert len(again["reused"]) == len(few_undisturbed) - 1
    assert differences(store, few_undisturbed) == []


def test_memory_that_stays_short_is_told_plainly(folder, undisturbed, tmp_path):
    store, bad = new_store(tmp_path), next(iter(undisturbed))
    faults = [{"step": "turns", "what": "memory", "session": bad, "mark": str(tmp_path / "memory"), "times": 9}]
    report = watch(folder, store, "--without-prefect", faults=faults)
    assert [row["code"] for row in report["stopped"]] == ["out-of-memory"]
    assert len(report["made"]) == len(MADE) - 1


@pytest.mark.parametrize(("more", "gone_s"), [(["--without-prefect"], 3), ([], 40)], ids=["plainly", "with Prefect"])
def test_the_store_gone_for_a_while_and_back(more, gone_s, folder, undisturbed, tmp_path):
    store, away = new_store(tmp_path), tmp_path / "away"
    process = begin(folder, store, "--once", *more)
    wait_for(store / "attune.log", "turns made")
    store.rename(away)
    for _ in range(gone_s):
        time.sleep(1)
        assert not store.exists(), "no second store may be made where the share was"
    away.rename(store)
    told = process.communicate(timeout=480)
    assert process.returncode == 0, told
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}
    assert "store unreachable" in told[1]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 16 MB; only who may mount has one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no disk may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_is_full_for_a_while(folder, undisturbed, small_disk):
    store = new_store(small_disk)
    process = begin(folder, store, "--without-prefect", "--once")
    wait_for(store / "attune.log", "turns made")
    with contextlib.suppress(OSError), (small_disk / "other people's").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    heard = next(line for line in process.stderr if "waiting" in line)
    assert "disk full" in heard
    time.sleep(3.0)
    (small_disk / "other people's").unlink()
    told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert differences(store, undisturbed) == []
    assert max(times_made(store).values()) == 1, "lines of the log may be lost, but nothing is made twice"


def test_the_watched_folder_gone_for_a_while_and_back(folder, undisturbed, tmp_path):
    store, moving = new_store(tmp_path), write_folder(tmp_path / "in", len(MADE))
    process = begin(moving, store, "--without-prefect")
    wait_for(store / "attune.log", "turns made")
    moving.rename(tmp_path / "away")
    wait_for(store / "attune.log", "waiting folder-gone")
    (tmp_path / "away").rename(moving)
    wait_for(store / "attune.log", "passed folder-gone")
    for session in undisturbed:
        wait_for(store / "attune.log", f"{session} exports made")
    process.terminate()
    assert process.wait(30) == 0
    assert differences(store, undisturbed) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_watcher_that_is_ended_and_started_again(number, folder, undisturbed, tmp_path):
    store = new_store(tmp_path)
    process = begin(folder, store, "--without-prefect")
    wait_for(store / "attune.log", "windows made")
    process.send_signal(number)
    assert process.wait(30) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    report = watch(folder, store, "--without-prefect")
    assert not report["stopped"]
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}


def test_a_killed_watcher_takes_workers_and_server_with_it(few, tmp_path):
    store = new_store(tmp_path)
    process = begin(few, store)
    wait_for(store / "attune.log", "turns made")
    worker = children_of(process.pid)
    assert any(is_server(pid) for pid in worker)
    process.kill()
    process.wait()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [pid for pid in worker if Path(f"/proc/{pid}").exists()], "workers end with their owner"
    assert end_orphans(store) == 0, "... and so does their server"


def test_killed_workers_are_replaced_and_the_server_stays(few, tmp_path):
    store = new_store(tmp_path)
    process = begin(few, store, "--once")
    wait_for(store / "attune.log", "turns made")
    workers = [pid for pid in children_of(process.pid) if not is_server(pid)]
    servers = [pid for pid in children_of(process.pid) if is_server(pid)]
    assert len(servers) == 1
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert "server started again" not in (store / "attune.log").read_text()
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]
    assert len(all_artefacts(store)) == 3


def is_server(process: int) -> bool:
    return b"create_app" in Path(f"/proc/{process}/cmdline").read_bytes()


def children_of(process: int) -> list[int]:
    return [int(pid) for path in Path(f"/proc/{process}/task").glob("*/children") for pid in path.read_text().split()]


@pytest.mark.parametrize("locks", [True, False], ids=["locks", "a share without locks"])
def test_two_watchers_on_one_folder_make_nothing_twice(locks, folder, undisturbed, tmp_path, monkeypatch):
    store = new_store(tmp_path)
    if not locks:
        monkeypatch.setenv(NO_LOCKS, str(store))
    both = [begin(folder, store, "--without-prefect", "--once") for _ in range(2)]
    for process in both:
        told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}
    assert len(list((store / "night").glob("report-*.json"))) == 2
    assert bool(list(store.glob("sessions/*/lock"))) == locks, "or they were not refused"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_watcher_ended_while_recordings_leave(number, undisturbed, tmp_path):
    store, moving = new_store(tmp_path), write_folder(tmp_path / "in", len(MADE))
    names = sorted(path.name for path in moving.iterdir())
    process = begin(moving, store, "--without-prefect", "--move-ready", "ready")
    wait_for(store / "attune.log", " moved")
    process.send_signal(number)
    process.wait(30)
    report = watch(moving, store, "--without-prefect", "--move-ready", "ready")
    assert report["unmoved"] == []
    assert sorted(path.name for path in (moving / "ready").iterdir()) == names
    assert list(moving.iterdir()) == [moving / "ready"]
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}


def test_two_watchers_that_move_recordings_away(undisturbed, tmp_path):
    store, moving = new_store(tmp_path), write_folder(tmp_path / "in", len(MADE))
    names = sorted(path.name for path in moving.iterdir())
    options = ("--without-prefect", "--once", "--json", "--move-ready", "ready")
    both = [begin(moving, store, *options) for _ in range(2)]
    reports = []
    for process in both:
        out, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
        reports.append(json.loads(out))
    assert [report["stopped"] + report["unmoved"] for report in reports] == [[], []]
    assert sum(report["moved"] for report in reports) == len(MADE)
    assert sorted(path.name for path in (moving / "ready").iterdir()) == names
    assert differences(store, undisturbed) == []
    assert set(times_made(store).values()) == {1}


def test_what_is_damaged_in_the_store(folder, undisturbed, tmp_path):
    store = new_store(tmp_path)
    watch(folder, store, "--without-prefect")
    artefact, receipt, about, problem, *_ = (store / "sessions" / session for session in undisturbed)
    (artefact / "turns.jsonl").write_bytes(b"\xff\x00 torn")
    (receipt / "receipts" / "turns.json").write_bytes(b"\xff\x00")
    (about / "about.json").write_bytes(b"")
    (problem / "problem.json").write_bytes(b"{")
    for known in (store / "night" / "known").iterdir():
        known.write_bytes(b"\xff" if known.read_text() == receipt.name else known.read_bytes())
    report = watch(folder, store, "--without-prefect")
    assert [(row["session"], row["code"]) for row in report["stopped"]] == [(artefact.name, "artefact-edited")]
    (artefact / "turns.jsonl").unlink()
    report = watch(folder, store, "--without-prefect")
    assert [row["session"] for row in report["made"]] == [artefact.name]
    assert differences(store, undisturbed) == []
