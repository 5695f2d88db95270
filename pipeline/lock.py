"""One worker per session at a time.

The lock is the operating system's, so that it is free again the moment its owner ends, however it ends. A small
file beside it says who holds it, for the person who waits.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.records import AttuneError

WAIT_S = 6 * 3600.0  # longer than any session takes: whoever waits that long should look


@contextmanager
def hold(path: Path, on_wait: Callable[[str], None] = lambda holder: None, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock at `path` while the block runs.

    on_wait   hears once who holds it, when somebody else does
    raises    AttuneError, naming the holder, when it is not free after `wait_s` seconds
    """
    lock, owner = FileLock(path), path.with_name(f"{path.name}.owner")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait(_holder(owner))
        try:
            lock.acquire(timeout=wait_s, poll_interval=0.2)
        except Timeout:
            raise AttuneError(
                f"the session is held by {_holder(owner)}",
                mend="wait until it is done, or end that process",
                code="session-held",
            ) from None
    except OSError as error:
        raise AttuneError(
            "the store cannot be written to",
            mend="choose a folder that you may write to, with --store",
            code="store-read-only",
        ) from error
    try:
        _sign(owner)
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _sign(owner: Path) -> None:
    row = {"process": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%H:%M:%S")}
    try:
        owner.write_text(json.dumps(row), encoding="utf-8")
    except OSError:
        return  # the lock itself is held; only the courtesy note is missing


def _holder(owner: Path) -> str:
    try:
        row = json.loads(owner.read_text(encoding="utf-8"))
        return f"process {row['process']} on {row['host']}, since {row['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
