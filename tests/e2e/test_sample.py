"""The main job on the acted sessions, as the README says it, guarded against every connection outside the machine."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest

from tests.e2e.harness import ROOT, attune

pytestmark = pytest.mark.models
SAMPLES = ROOT / "sample_audio"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run over sample_audio: (store, what it printed as JSON, the guard's log)."""
    home = tmp_path_factory.mktemp("sample")
    log = home / "guard.log"
    done = attune("process", SAMPLES, "--store", home / "store", "--offline", "--json", ATTUNE_GUARD_LOG=str(log))
    assert done.returncode == 0, done.stderr
    return home / "store", json.loads(done.stdout), log


def folder_of(run, name):
    store, told, _ = run
    row = next(row for row in told["sessions"] if name in row["file"])
    return store / "sessions" / row["session"]


def coded(name):
    return json.loads((SAMPLES / f"{name}.moments.json").read_text())["moments"]


def test_both_sessions_are_ready(run):
    _, told, _ = run
    assert [row["state"] for row in told["sessions"]] == ["ready", "ready"]


def test_no_connection_outside_the_machine_is_tried(run):
    _, _, log = run
    seen = log.with_name(log.name + ".seen").read_text()
    assert "pipeline.cli" in seen
    assert "uvicorn" in seen, "the guard must watch Prefect's server too"
    assert not log.exists() or log.read_text() == ""


@pytest.mark.parametrize("name", ["acted_session_1", "acted_session_2"])
def test_the_roles_are_right(run, name):
    folder = folder_of(run, name)
    reference = json.loads((SAMPLES / f"{name}.turns.json").read_text())
    turns = [json.loads(line) for line in (folder / "turns.jsonl").read_text().splitlines()]
    right = wrong = 0.0
    for turn in turns:
        for line in reference["turns"] if isinstance(reference, dict) else reference:
            shared = min(turn["end"], line["end"]) - max(turn["start"], line["start"])
            if shared > 0:
                right += shared * (line["role"] == turn["role"])
                wrong += shared * (line["role"] != turn["role"])
    assert right > 9 * wrong


@pytest.mark.parametrize("name", ["acted_session_1", "acted_session_2"])
def test_the_coded_rupture_is_among_the_moments(run, name):
    folder = folder_of(run, name)
    found = [m for m in json.loads((folder / "moments.json").read_text())["moments"] if not m["audit"]]
    for rupture in coded(name):
        if rupture["kind"] in ("withdrawal", "confrontation"):
            near = [m for m in found if m["start"] - 30 <= rupture["end"] and m["end"] + 30 >= rupture["start"]]
            assert [m for m in near if m["kind"] == rupture["kind"]], rupture


def test_a_second_run_makes_nothing_and_says_so(run):
    store, _, _ = run
    began = time.monotonic()
    done = attune("process", SAMPLES, "--store", store, "--offline")
    assert done.returncode == 0
    assert "Nothing new" in done.stdout
    assert time.monotonic() - began < 60


def test_no_word_name_or_path_leaves_the_sessions_folder(run):
    store, _, _ = run
    with sqlite3.connect(store / "prefect" / "prefect.db") as connection:
        told = "\n".join(connection.iterdump()).lower()
    told += "".join(p.read_text() for p in store.glob("*.log")).lower()
    for name in ("acted_session_1", "acted_session_2"):
        words = [json.loads(line)["text"] for line in (folder_of(run, name) / "words.jsonl").read_text().splitlines()]
        # five words: shorter runs such as "one of the" stand in Prefect's own texts too
        quotes = {" ".join(words[i : i + 5]).lower() for i in range(len(words) - 5)}
        assert not [quote for quote in quotes if quote in told]
        assert name not in told
    assert str(store).lower() not in told
    assert str(SAMPLES).lower() not in told


def test_the_page_and_the_captions_are_there(run):
    for name in ("acted_session_1", "acted_session_2"):
        folder = folder_of(run, name)
        assert "<html" in (folder / "summary.html").read_text(encoding="utf-8")
        assert (folder / "transcript.vtt").read_text(encoding="utf-8").startswith("WEBVTT")
        assert (folder / "turns.csv").read_text(encoding="utf-8").count("\n") > 20


def test_show_prints_moments_with_reasons(run):
    store, told, _ = run
    done = attune("show", told["sessions"][0]["session"][:6], "--store", store)
    assert done.returncode == 0
    assert "possible" in done.stdout
    assert "why:" in done.stdout
