import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import lock
from pipeline.lock import Hold, hold, is_held, machine_slot
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


# ------------------------------------------------------------------ shares that keep locks from other machines


def sign(path, machine="another machine", beats=0):
    """The signature of a worker elsewhere, whose lock this machine does not see."""
    row = {"process": 7, "host": "pc-2", "since": "21:00:00", "machine": machine, "token": "theirs", "beats": beats}
    path.with_name(f"{path.name}.owner").write_text(json.dumps(row))


@pytest.fixture
def soon(monkeypatch):
    """Signatures are given up soon."""
    monkeypatch.setattr(lock, "GONE_S", 0.6)
    monkeypatch.setattr(lock, "BEAT_S", 0.1)
    monkeypatch.setattr(lock, "TORN_S", 0.3)


def test_a_worker_of_another_machine_is_respected(tmp_path):
    sign(tmp_path / "lock")
    with pytest.raises(AttuneError, match="process 7 on pc-2"), hold(tmp_path / "lock", wait_s=0.0):
        pytest.fail("the lock was signed by another machine")
    assert is_held(tmp_path / "lock")


def test_a_worker_of_another_machine_that_beats_is_never_taken_for_gone(tmp_path, soon):
    ended = time.monotonic() + 1.5
    with pytest.raises(AttuneError):  # noqa: PT012
        while time.monotonic() < ended:
            sign(tmp_path / "lock", beats=round(time.monotonic() * 100))
            assert is_held(tmp_path / "lock")
            time.sleep(0.1)
        with hold(tmp_path / "lock", wait_s=0.0):
            pytest.fail("the owner was beating")


def test_a_worker_of_another_machine_that_is_gone_is_succeeded(tmp_path, soon):
    sign(tmp_path / "lock")
    with hold(tmp_path / "lock", wait_s=10.0):
        assert json.loads((tmp_path / "lock.owner").read_text())["process"] == os.getpid()


def test_a_signature_of_this_machine_with_a_free_lock_is_of_the_dead(tmp_path):
    sign(tmp_path / "lock", machine=lock.machine())
    with hold(tmp_path / "lock", wait_s=0.0):
        pass


def test_a_torn_signature_holds_nobody_for_long(tmp_path, soon):
    (tmp_path / "lock.owner").write_bytes(b"{")
    assert is_held(tmp_path / "lock"), "it may be being written"
    with hold(tmp_path / "lock", wait_s=5.0):
        pass


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    sign(tmp_path / "lock")
    for now in (4e9, 0.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        os.utime(tmp_path / "lock.owner", (now, now))
        assert is_held(tmp_path / "lock")


def test_an_owner_that_slept_through_its_succession_is_told(tmp_path, soon):
    with hold(tmp_path / "lock") as held:
        held.check()
        sign(tmp_path / "lock")
        with pytest.raises(AttuneError) as caught:
            held.check()
        assert caught.value.code == "session-held"
        time.sleep(0.4)  # some beats
    assert json.loads((tmp_path / "lock.owner").read_text())["token"] == "theirs", "a successor's signature is left"


def test_the_owner_beats(tmp_path, soon):
    with hold(tmp_path / "lock"):
        first = (tmp_path / "lock.owner").read_bytes()
        time.sleep(0.4)
        assert (tmp_path / "lock.owner").read_bytes() != first


def test_only_one_of_two_machines_can_sign(tmp_path):
    one, two = (Hold(tmp_path / "lock.owner", token) for token in ("a", "b"))
    assert lock._sign(one)
    row = json.loads((tmp_path / "lock.owner").read_text()) | {"machine": "another machine"}
    (tmp_path / "lock.owner").write_text(json.dumps(row))
    assert not lock._sign(two)


def seen_as_gone(owner, monkeypatch):
    """Let whoever looks now judge the signature's owner gone."""
    content = owner.read_bytes()
    monkeypatch.setitem(lock._watched, owner, (content, time.monotonic() - 2 * lock.GONE_S))
    return lock._left(owner)


def test_two_machines_that_wait_for_one_that_is_gone_do_not_both_succeed_it(tmp_path, monkeypatch):
    """Both have judged it gone before either takes its signature away."""
    owner = tmp_path / "lock.owner"
    sign(tmp_path / "lock", "a third machine")
    quick, slow = (Hold(owner, token) for token in ("quick", "slow"))
    judged = seen_as_gone(owner, monkeypatch)
    judge = lock._left

    def late(path, alone):
        """The slower one's judgement; the quicker one has signed before it can act on it."""
        monkeypatch.setattr(lock, "_left", lambda path, alone: judged)
        assert lock._sign(quick)
        row = json.loads(owner.read_bytes()) | {"machine": "the quick one's"}
        owner.write_text(json.dumps(row))
        monkeypatch.setattr(lock, "_left", judge)
        return judged

    monkeypatch.setattr(lock, "_left", late)
    assert not lock._sign(slow)
    assert json.loads(owner.read_bytes())["token"] == "quick"
    quick.check()
    assert [path.name for path in tmp_path.iterdir()] == ["lock.owner"]


@pytest.mark.parametrize("links", [True, False])
def test_an_owner_that_beats_once_more_keeps_its_signature(tmp_path, monkeypatch, links):
    """It was judged gone, and was only slow; also on a share that knows no second names."""
    owner = tmp_path / "lock.owner"
    sign(tmp_path / "lock")
    judged = seen_as_gone(owner, monkeypatch)
    sign(tmp_path / "lock", beats=1)
    if not links:

        def refuse(*names):
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", refuse)
    assert not lock._take_away(Hold(owner, "mine"), judged)
    assert json.loads(owner.read_bytes())["beats"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["lock.owner"]


@pytest.fixture
def no_locks(monkeypatch):
    """A share that refuses the system's locks."""
    from filelock import FileLock

    def refuse(self, timeout=None, **more):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)


def test_without_the_systems_locks_the_signature_decides_here_too(tmp_path, soon, no_locks):
    with hold(tmp_path / "lock") as held:
        assert (held.alone, held.signed) == (True, True)
        for _ in range(10):
            assert is_held(tmp_path / "lock"), "its owner is of this machine, and beats"
            time.sleep(0.1)
    assert not is_held(tmp_path / "lock")
    sign(tmp_path / "lock", machine=lock.machine())  # of a process that was killed
    assert is_held(tmp_path / "lock")
    with hold(tmp_path / "lock", wait_s=10.0):
        pass


def test_without_the_systems_locks_nothing_is_held_unsigned(tmp_path, no_locks, monkeypatch):
    def full(*names):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(AttuneError), hold(tmp_path / "lock", wait_s=0.0):
        pytest.fail("nothing says that it is held")


def test_a_machine_has_as_many_places_for_models_as_it_is_told(tmp_path):
    heard = []
    with machine_slot(2, folder=tmp_path), machine_slot(2, folder=tmp_path):
        waiting = subprocess.run(
            [sys.executable, "-c", SLOT, tmp_path, "2"], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    assert waiting.stdout == "waiting\n"
    with machine_slot(2, lambda: heard.append(1), folder=tmp_path):
        assert not heard


SLOT = """
import os, sys
from pathlib import Path
from pipeline.lock import machine_slot
def tell():
    print("waiting", flush=True)
    os._exit(0)
with machine_slot(int(sys.argv[2]), tell, Path(sys.argv[1])):
    print("held", flush=True)
"""
