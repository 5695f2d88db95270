"""What people really drop in: each is told plainly, names the file, and never stops the others."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from tests.e2e.harness import ROOT, attune, environment, write_dialogue
from tests.made_speech import make_music

SMALL = '[words]\nmodel = "whisper-tiny.en"\n[markers]\nembedder = "none"\n'
RATE = 16_000


def write_sound(path, samples, rate=RATE):
    soundfile.write(path, np.asarray(samples, dtype=np.float32), rate)
    return path


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "attune.toml").write_text(SMALL)
    return tmp_path / "store"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["process", "nowhere.mp4"], "nothing at 'nowhere.mp4'"),
        (["process", "."], "holds no recording"),
        (["process"], "no recording was given"),
        (["show", "7c12"], "no such session"),
        (["export", "7c12", "--to", "eaf"], "no such session"),
        (["process", "x.wav", "--settings", "none.toml"], "'none.toml'"),
        (["models", "fetch", "whisper-huge"], "whisper-huge"),
        (["models", "add", "nowhere.pt"], "nothing at the path"),
        (["evaluate", "speed", "nowhere.wav"], "nowhere.wav"),
    ],
)
def test_what_is_not_there_is_named_with_the_way_out(tmp_path, arguments, told):
    done = attune(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert "what to do:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("[wordz]\n", "words"),
        ("[words]\nmodell = 'x'\n", "model"),
        ("[words]\nmodel = 7\n", "model"),
        ("words\n", "not a settings file"),
    ],
)
def test_an_unknown_setting_names_the_known_ones(tmp_path, settings, told):
    (tmp_path / "my.toml").write_text(settings)
    write_sound(tmp_path / "a.wav", np.zeros(RATE * 5))
    done = attune("process", tmp_path / "a.wav", "--settings", tmp_path / "my.toml", "--store", tmp_path / "store")
    assert done.returncode == 1
    assert told in done.stderr


def test_a_wrong_hash_is_refused_before_anything_runs(tmp_path, store):
    models = tmp_path / "models"
    for name in ("segmentation-3.0", "whisper-tiny.en", "campplus"):
        from pipeline.models import shipped

        for file in shipped()[name].files:
            path = models / name / file.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"other bytes")
    write_sound(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.05, RATE * 5))
    done = attune("process", tmp_path / "a.wav", "--store", store, "--offline", ATTUNE_MODELS=str(models))
    assert done.returncode == 1
    assert "SHA-256" in done.stdout + done.stderr


def test_offline_with_no_weights_says_what_to_fetch(tmp_path, store):
    write_sound(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.05, RATE * 5))
    done = attune("process", tmp_path / "a.wav", "--store", store, "--offline", ATTUNE_MODELS=str(tmp_path / "none"))
    assert done.returncode == 1
    assert "attune models fetch" in done.stderr


def test_a_store_that_is_a_file_is_said_so(tmp_path):
    write_sound(tmp_path / "a.wav", np.zeros(RATE * 5))
    (tmp_path / "store").write_text("")
    done = attune("process", tmp_path / "a.wav", "--store", tmp_path / "store")
    assert done.returncode == 1
    assert "what to do:" in done.stderr
    assert "Traceback" not in done.stderr


READ_ONLY = """
import os, sys
from pathlib import Path
real = os.mkdir
def refuse(path, *args, **kwargs):
    raise PermissionError(13, "Permission denied", str(path))
os.mkdir = refuse
from pipeline.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_read_only_store_is_said_so(tmp_path):
    write_sound(tmp_path / "a.wav", np.zeros(RATE * 5))
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, "process", tmp_path / "a.wav", "--store", tmp_path / "store"],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # no file may grow past 200 kB, as on a full disk
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from pipeline.session import open_session, run_session
from pipeline.records import AttuneError
opened = open_session(Path(sys.argv[1]), Path(sys.argv[2]), [], {})
try:
    run_session(opened)
except AttuneError as error:
    print(error.code, "|", error.mend)
"""


def test_a_full_disk_is_said_so_and_leaves_no_half_file(tmp_path):
    write_sound(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.2, RATE * 20))
    command = [sys.executable, "-c", FULL, tmp_path / "store", tmp_path / "a.wav"]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("disk-full"), done.stderr
    assert not list((tmp_path / "store").rglob("*.part"))
    assert not list((tmp_path / "store").rglob("audio.flac"))


@pytest.mark.models
def test_a_folder_of_everything(tmp_path, store):
    """Good and bad together: every file gets a row, the good ones are ready, the exit status is 0."""
    folder = tmp_path / "in"
    folder.mkdir()
    noise = np.random.default_rng(0)
    therapist, client = (acted(role) for role in ("therapist", "client"))
    third = np.interp(np.arange(0, len(client), 1.4), np.arange(len(client)), client)  # faster and higher: a child's
    (folder / "text.mp3").write_text("these are not sounds\n" * 50)
    (folder / "empty.wav").write_bytes(b"")
    write_sound(folder / "two seconds.wav", noise.normal(0, 0.1, RATE * 2))
    write_sound(folder / "silence.wav", np.zeros(RATE * 8))
    write_sound(folder / "music.wav", make_music(8))
    write_sound(folder / "one speaker.wav", client)
    write_sound(folder / "three speakers.wav", np.concatenate([therapist, client, third]))
    write_sound(folder / 'it\'s "quoted" ü.wav', noise.normal(0, 0.1, RATE * 5))
    write_sound(folder / "new\nline.wav", noise.normal(0, 0.11, RATE * 5))
    write_sound(folder / f"{'long' * 61}.wav", noise.normal(0, 0.12, RATE * 5))
    (folder / "twin.wav").write_bytes((folder / "silence.wav").read_bytes())
    done = attune("process", folder, "--store", store, "--offline", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["file"].rsplit("/", 1)[-1]: row for row in json.loads(done.stdout)["sessions"]}
    assert len(rows) == 11
    assert {rows[name]["state"] for name in ("text.mp3", "empty.wav", "two seconds.wav")} == {"stopped"}
    assert all(rows[name]["mend"] for name in ("text.mp3", "empty.wav", "two seconds.wav"))
    assert {rows["silence.wav"]["state"], rows["twin.wav"]["state"]} == {"ready", "same"}
    for name in ("music.wav", 'it\'s "quoted" ü.wav', "new\nline.wav", f"{'long' * 61}.wav"):
        assert rows[name]["state"] == "ready", rows[name]
        assert rows[name]["moments"] == 0
    for name in ("one speaker.wav", "three speakers.wav"):
        assert rows[name]["state"] == "ready", rows[name]
    told = {name: attune("show", rows[name]["session"], "--store", store).stdout for name in rows if "speaker" in name}
    assert "please confirm who is the therapist" in told["one speaker.wav"]


def acted(role: str, most_s: float = 15.0) -> np.ndarray:
    """What one person of an acted session says first, shape (n,), at `RATE`."""
    from pipeline.speech.audio import AudioOptions, decode_recording

    sound = decode_recording(ROOT / "sample_audio" / "acted_session_2.m4a", AudioOptions()).mono
    turns = json.loads((ROOT / "sample_audio" / "acted_session_2.turns.json").read_text())
    own = [sound[int(t["start"] * RATE) : int(t["end"] * RATE)] for t in turns if t["role"] == role]
    return np.concatenate(own)[: int(most_s * RATE)]


@pytest.mark.slow
@pytest.mark.models
def test_an_hour_of_silence(tmp_path, store):
    silence = soundfile.SoundFile(tmp_path / "hour.flac", "w", RATE, 1, "PCM_16")
    with silence:
        for _ in range(60):
            silence.write(np.zeros(RATE * 60, dtype=np.int16))
    done = attune("process", tmp_path / "hour.flac", "--store", store, "--offline", "--json")
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)["sessions"]
    assert (row["state"], row["moments"]) == ("ready", 0)
    assert "no client speech" in attune("show", row["session"], "--store", store).stdout
    assert (next((store / "sessions").iterdir()) / "words.jsonl").read_bytes() == b""


def test_only_bad_files_end_with_a_status(tmp_path, store):
    (tmp_path / "text.mp3").write_text("these are not sounds\n" * 50)
    done = attune("process", tmp_path / "text.mp3", "--store", store, "--offline")
    assert done.returncode == 1
    assert "text.mp3" in done.stdout
    assert "what to do:" in done.stdout


def test_a_transcript_alone_needs_no_recording(tmp_path, store):
    path = write_dialogue(tmp_path / "talk.json")
    done = attune("process", "--transcript", path, "--store", store, "--offline")
    assert done.returncode == 0, done.stderr
    assert "possible confrontation" in done.stdout


def test_a_transcript_goes_with_one_recording_only(tmp_path, store):
    for name in ("a.wav", "b.wav"):
        write_sound(tmp_path / name, np.zeros(RATE * 5))
    path = write_dialogue(tmp_path / "talk.json")
    done = attune("process", tmp_path, "--transcript", path, "--store", store, "--offline")
    assert done.returncode == 1
    assert "--transcript" in done.stderr
