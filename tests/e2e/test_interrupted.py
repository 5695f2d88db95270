"""Killed in the middle of each step, then run again: the same final bytes, no half file, finished steps kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.session import Session, load_receipt
from pipeline.steps import BY_NAME, STEPS
from tests.e2e.harness import ROOT, artefacts, attune, environment, start

pytestmark = pytest.mark.models

SMALL = '[words]\nmodel = "whisper-tiny.en"\n'
# Runs the table as the flow does, and stops for good as soon as the named step has begun its work.
KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from pipeline import session
from pipeline.settings import load_tables
store, name, delay = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
def tell(event):
    if event.step == name and event.outcome is None:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
opened = session.open_session(store, Path(sys.argv[4]), [], load_tables(store / "attune.toml"))
session.run_session(opened, tell)
time.sleep(delay + 5)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Half a minute of an acted session."""
    import soundfile

    from pipeline.speech.audio import AudioOptions, decode_recording

    audio = decode_recording(sorted((ROOT / "sample_audio").glob("*.m4a"))[0], AudioOptions())
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    soundfile.write(path, audio.samples.T[: 30 * audio.rate_hz], audio.rate_hz)
    return path


def new_store(tmp_path) -> Path:
    store = tmp_path / "store"
    store.mkdir()
    (store / "attune.toml").write_text(SMALL)
    return store


@pytest.fixture(scope="module")
def undisturbed(clip, tmp_path_factory) -> dict[str, bytes]:
    store = new_store(tmp_path_factory.mktemp("undisturbed"))
    done = attune("process", clip, "--store", store, "--offline")
    assert done.returncode == 0, done.stderr
    return artefacts(next((store / "sessions").iterdir()))


EVERY_DAY = ("words", "moments")  # a step of models and one of ours; the others run with -m slow


@pytest.mark.parametrize(
    "step",
    [s.name if s.name in EVERY_DAY else pytest.param(s.name, marks=pytest.mark.slow) for s in STEPS],
)
def test_killed_in_the_middle_of_a_step(step, clip, undisturbed, tmp_path):
    store = new_store(tmp_path)
    delay = "0.3" if step in ("words", "speech", "activity") else "0.0"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, store, step, delay, clip], cwd=ROOT, env=environment(), capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    folder = next((store / "sessions").iterdir())
    session = Session(folder, {})
    before = {s.name: load_receipt(session, s) for s in STEPS}
    again = subprocess.run(
        [sys.executable, "-c", KILLED, store, "none", "0", clip], cwd=ROOT, env=environment(), capture_output=True
    )
    assert again.returncode == 0, again.stderr.decode()
    after = {s.name: load_receipt(session, s) for s in STEPS}
    for earlier in STEPS[: STEPS.index(BY_NAME[step])]:
        assert before[earlier.name] == after[earlier.name], f"{earlier.name} was made twice"
    assert artefacts(folder) == undisturbed
    assert not list(folder.rglob("*.part"))


def test_the_command_killed_and_run_again(clip, undisturbed, tmp_path):
    store = new_store(tmp_path)
    process = start("process", clip, "--store", store, "--offline")
    for line in process.stderr:
        if "write down the words" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = attune("process", clip, "--store", store, "--offline")
    assert done.returncode == 0, done.stderr
    assert artefacts(next((store / "sessions").iterdir())) == undisturbed


def test_control_c_says_that_nothing_is_lost(clip, undisturbed, tmp_path):
    store = new_store(tmp_path)
    process = start("process", clip, "--store", store, "--offline")
    for line in process.stderr:
        if "find where somebody speaks" in line:  # long before the end, however late this line is read
            break
    process.send_signal(signal.SIGINT)
    told = process.stderr.read()
    assert process.wait() == 130
    assert "the same command goes on" in told
    assert "Traceback" not in told
    done = attune("process", clip, "--store", store, "--offline")
    assert done.returncode == 0, done.stderr
    assert artefacts(next((store / "sessions").iterdir())) == undisturbed


def test_two_runs_at_once_on_one_session(clip, undisturbed, tmp_path):
    store = new_store(tmp_path)
    first = start("process", clip, "--store", store, "--offline")
    for line in first.stderr:
        if "write down the words" in line:
            break
    second = attune("process", clip, "--store", store, "--offline")
    first.stderr.read()
    assert first.wait() == 0
    assert second.returncode == 0, second.stderr
    assert f"process {first.pid}" in second.stderr
    assert artefacts(next((store / "sessions").iterdir())) == undisturbed


# Two recordings in one process; tells how often each set of weights was loaded, and asked for again.
TWICE = """
import json, sys
from pathlib import Path
from pipeline import session
from pipeline.alliance import embed
from pipeline.settings import load_tables
from pipeline.speech.engines import campplus, segmentation, whisper_decode
store = Path(sys.argv[1])
for clip in sys.argv[2:]:
    opened = session.open_session(store, Path(clip), [], load_tables(store / "attune.toml"))
    session.run_session(opened)
loaders = (whisper_decode.load_model, segmentation.load_network, campplus.load_network, embed._load)
print(json.dumps([[loader.cache_info().misses, loader.cache_info().hits] for loader in loaders]))
"""


@pytest.mark.slow
def test_models_are_loaded_once_for_the_batch(clip, tmp_path):
    import soundfile

    store, other = new_store(tmp_path), tmp_path / "other.wav"
    samples, rate_hz = soundfile.read(clip)
    soundfile.write(other, samples[: 20 * rate_hz], rate_hz)
    command = [sys.executable, "-c", TWICE, store, clip, other]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [misses for misses, _ in told] == [1, 1, 1, 1]
    assert all(hits >= 1 for _, hits in told), "the second recording must have used them"
