import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.lock import hold
from pipeline.records import AttuneError

ROOT = Path(__file__).parents[1]
HOLDER = """
import sys, time
from pathlib import Path
from pipeline.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "lock"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_who_holds_it_is_named(tmp_path, other):
    heard = []
    with pytest.raises(AttuneError) as caught, hold(tmp_path / "lock", heard.append, wait_s=0.3):
        pytest.fail("the lock was held by another process")
    assert caught.value.code == "session-held"
    assert f"process {other.pid}" in str(caught.value)
    assert [f"process {other.pid}" in line for line in heard] == [True]


def test_a_killed_holder_holds_no_more(tmp_path, other):
    other.kill()
    other.wait()
    began = time.monotonic()
    with hold(tmp_path / "lock", wait_s=5.0):
        assert time.monotonic() - began < 5.0


def test_a_waiter_goes_on_when_the_holder_is_done(tmp_path):
    quick = HOLDER.replace("60", "1")
    process = subprocess.Popen(
        [sys.executable, "-c", quick, tmp_path / "lock"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    heard = []
    with hold(tmp_path / "lock", heard.append, wait_s=30.0):
        assert heard
    process.wait()


def test_the_note_of_the_holder_goes_with_it(tmp_path):
    with hold(tmp_path / "lock"):
        assert json.loads((tmp_path / "lock.owner").read_text())["process"]
    assert not (tmp_path / "lock.owner").exists()
