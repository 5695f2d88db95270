"""One worker per session at a time, on one machine or on several that share a store.

Two things must agree. The operating system's lock (`lock`) is free again the moment its owner ends, however it ends;
but a network share may keep it from other machines, or not know it at all. So the owner also signs a file beside it
(`lock.owner`), made so that only one can make it, and beats in it while it works. Who finds a signature

    of this machine       takes over: the system's lock was free, so that owner is gone
    of another machine    watches it: as long as it beats, the session is held; after `GONE_S` without a beat, by the
                          watcher's own clock, its owner is gone. No clock of two machines is ever compared.

A share that refuses the system's locks leaves the signature alone to decide, for this machine's processes too.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.records import AttuneError

WAIT_S = 6 * 3600.0  # longer than any session takes: whoever waits that long should look
BEAT_S = 10.0  # between two signs of life
GONE_S = 90.0  # a signature without a sign of life for so long has no owner any more: nine beats missed
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}  # how a share says that it knows no locks
TORN_S = 2.0  # a signature that cannot be read is being written, or its writer was killed at that
OWNER = "ATTUNE_OWNER"  # the process that a person started, where work is done in a child of it

_watched: dict[Path, tuple[bytes, float]] = {}  # signature -> its last content, and since when by the monotonic clock


@dataclass
class Hold:
    """A lock that is held, with its signature and its beat.

    alone    the signature decides alone: the system's lock is not to be had here
    """

    owner: Path
    token: str
    signed: bool = False
    alone: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)
    _beating: threading.Thread | None = None

    def check(self) -> None:
        """Raises AttuneError where another worker has taken over, as after this machine was asleep for long."""
        if self.signed and (row := _read(self.owner)) is not None and row["token"] != self.token:
            raise AttuneError(
                f"the session was taken over by {_told(row)}",
                mend="nothing: it is finished there",
                code="session-held",
            )

    def _begin(self) -> None:
        if self.signed:
            self._beating = threading.Thread(target=self._beat, name="attune-beat", daemon=True)
            self._beating.start()

    def _beat(self) -> None:
        beats = 0
        while not self._ended.wait(BEAT_S):
            row = _read(self.owner)
            if row is not None and row["token"] != self.token:
                return
            beats += 1
            with contextlib.suppress(OSError):  # the share is gone for a while; the next beat may reach it
                _write(self.owner, _signature(self.token, beats))

    def _end(self) -> None:
        self._ended.set()
        if self._beating is not None:
            self._beating.join(timeout=BEAT_S)
        row = _read(self.owner)
        if row is not None and row["token"] == self.token:
            with contextlib.suppress(OSError):
                self.owner.unlink()


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None] = lambda holder: None, wait_s: float = WAIT_S) -> Iterator[Hold]:
    """Hold the lock at `path` while the block runs.

    on_wait   hears once who holds it, when somebody else does
    raises    AttuneError, naming the holder, when it is not free after `wait_s` seconds
    """
    lock, held = FileLock(path), Hold(path.with_name(f"{path.name}.owner"), uuid.uuid4().hex)
    _wait_for(lock, held, on_wait, wait_s)
    try:
        held._begin()
        yield held
    finally:
        held._end()
        lock.release()


def _wait_for(lock: FileLock, held: Hold, on_wait: Callable[[str], None], wait_s: float) -> None:
    began, pause_s, told = time.monotonic(), 0.1, False
    while not _try(lock, held):
        if not told and wait_s > 0:
            on_wait(_holder(held.owner))
            told = True
        if time.monotonic() - began >= wait_s:
            raise AttuneError(
                f"the session is held by {_holder(held.owner)}",
                mend="wait until it is done, or end that process",
                code="session-held",
            )
        time.sleep(pause_s)
        pause_s = min(2.0, pause_s * 1.5)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock at `path` now."""
    lock, held = FileLock(path), Hold(path.with_name(f"{path.name}.owner"), uuid.uuid4().hex)
    if not _try(lock, held):
        return True
    held._end()
    lock.release()
    return False


def _try(lock: FileLock, held: Hold) -> bool:
    """Take the system's lock and sign, or neither. `held.signed` says whether the signature could be written."""
    try:
        if not held.owner.parent.is_dir():  # FileLock would make it: a second store where a share is gone
            raise FileNotFoundError
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        if getattr(error, "errno", None) not in NO_LOCKS and not isinstance(error, NotImplementedError):
            raise _unwritable(error) from error
        held.alone = True
    try:
        if _sign(held):
            return True
    except OSError as error:
        lock.release()
        raise _unwritable(error) from error
    except BaseException:
        lock.release()
        raise
    lock.release()
    return False


def _unwritable(error: OSError) -> AttuneError:
    return AttuneError(
        "the store cannot be written to",
        mend="choose a folder that you may write to, with --store, or check the network share",
        code="store-read-only" if isinstance(error, PermissionError) else "store-unreachable",
    )


def _sign(held: Hold) -> bool:
    """Make the signature, in place of one whose owner is gone. False where its owner lives."""
    for _ in range(2):
        try:
            handle = os.open(held.owner, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            left = _left(held.owner, held.alone)
            if left is None or not _take_away(held, left):
                return False
        except OSError:
            if held.alone:
                raise
            return True  # a full disk: the system's lock is held, and whatever is written next will say so
        else:
            with os.fdopen(handle, "wb") as file, contextlib.suppress(OSError):
                file.write(_signature(held.token, 0))
            held.signed = True
            _watched.pop(held.owner, None)
            return True
    return False


def _take_away(held: Hold, left: bytes) -> bool:
    """Take away a signature whose owner is gone. False where it is another by now, which is left as it was.

    Two who wait for one owner judge it gone at the same time: whoever comes second must not take the first one's away.
    """
    aside = held.owner.with_name(f"{held.owner.name}.{held.token}")
    try:
        os.rename(held.owner, aside)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if aside.read_bytes() == left:
            return True
        _give_back(aside, held.owner)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    return False


def _give_back(aside: Path, owner: Path) -> None:
    try:
        os.link(aside, owner)
    except FileExistsError:
        return  # it has beaten meanwhile
    except OSError:  # a share that knows no second names
        if not owner.exists():
            os.replace(aside, owner)


def _left(owner: Path, alone: bool = False) -> bytes | None:
    """The signature that an ended owner left; None where its owner lives.

    alone    the caller does not hold the system's lock, so that its own machine's owners may live too
    """
    try:
        content = owner.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError:
        return None
    row = _parsed(content)
    if row is not None and row["machine"] == machine() and not alone:
        return content
    now = time.monotonic()
    last, since = _watched.setdefault(owner, (content, now))
    if last != content:
        _watched[owner] = (content, now)
        return None
    return content if now - since >= (GONE_S if row is not None else TORN_S) else None


def machine() -> str:
    """What processes share for whom the system's locks hold: one running kernel, whatever the containers on it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{socket.gethostname()}-{uuid.getnode():x}"


def _signature(token: str, beats: int) -> bytes:
    row = {
        "process": int(os.environ.get(OWNER) or os.getpid()),
        "host": socket.gethostname(),
        "since": time.strftime("%H:%M:%S"),
        "machine": machine(),
        "token": token,
        "beats": beats,
    }
    return json.dumps(row).encode()


def _write(owner: Path, content: bytes) -> None:
    part = owner.with_name(f"{owner.name}.{os.getpid()}")
    part.write_bytes(content)
    os.replace(part, owner)


def _read(owner: Path) -> dict | None:
    try:
        return _parsed(owner.read_bytes())
    except OSError:
        return None


def _parsed(content: bytes) -> dict | None:
    try:
        row = json.loads(content)
        return row if {"token", "machine", "process", "host", "since"} <= row.keys() else None
    except (ValueError, AttributeError):
        return None


def _told(row: dict) -> str:
    return f"process {row['process']} on {row['host']}, since {row['since']}"


def _holder(owner: Path) -> str:
    row = _read(owner)
    return _told(row) if row else "another process"


# ------------------------------------------------------------------------------------- one machine's heavy steps


@contextmanager
def machine_slot(slots: int = 1, on_wait: Callable[[], None] = lambda: None, folder: Path | None = None) -> Iterator:
    """Hold one of this machine's `slots` for model-heavy work while the block runs, whichever store it is for.

    on_wait   hears once when all of them are taken
    """
    places = folder or Path(tempfile.gettempdir())
    user = os.getuid() if hasattr(os, "getuid") else "user"
    locks = [FileLock(places / f"attune-{user}-models-{i}.lock") for i in range(max(1, slots))]
    told = False
    while (held := _first_free(locks)) is None:
        if not told:
            on_wait()
            told = True
        time.sleep(0.2)
    try:
        yield
    finally:
        held.release()


def _first_free(locks: Sequence[FileLock]) -> FileLock | None:
    for lock in locks:
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            return lock
    return None
