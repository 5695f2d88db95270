"""Loaded by the worker processes of a run with faults: makes a step fail as machines do.

ATTUNE_FAULTS is a JSON list of {"step", "what", "mark", "session", "times"}: at that step (of that session, or of any)
the fault happens, as often as `times` says; each time leaves a file `mark.N`.

    crash   a native library reads where nothing is        full    the disk fills up while the artefact is written
    kill    kill -9, as by the system for want of memory   memory  an allocation is refused
    server  kill -9 of the temporary Prefect server        lost    the Prefect database is deleted
    damaged the Prefect database is overwritten            hang    the step never ends
    clock   the clock is set a year on, and back the next time
    readonly the store can be read only when the artefact is written
    receipt the disk fills up when the receipt is written, with the artefact in place
    words   an error that nobody expected, with words of the client's in it
    unreceipted, untold     kill -9 with the artefact in place and no receipt; with the receipt, and nobody told of it

ATTUNE_NO_LOCKS is a folder in which every process is refused the system's locks.
"""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path


def _strikes(fault, session, step):
    """Whether the fault happens now, each time at most once whichever process asks."""
    if fault["step"] != step or fault.get("session", session) != session:
        return False
    for n in range(fault.get("times", 1)):
        try:
            os.close(os.open(f"{fault['mark']}.{n}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        return True
    return False


def _servers():
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == os.getppid() and b"create_app" in (folder / "cmdline").read_bytes():
                yield int(folder.name)
        except (OSError, ValueError):
            continue


def _jump(now=time.time, local=time.localtime, told=time.strftime, ahead=[0.0]):  # noqa: B006
    ahead[0] = 0.0 if ahead[0] else 365 * 86400.0
    time.time = lambda: now() + ahead[0]
    time.localtime = lambda seconds=None: local(time.time() if seconds is None else seconds)
    time.strftime = lambda form, at=None: told(form, time.localtime() if at is None else at)


def _strike(what, session):
    database = session.folder.parents[1] / "prefect" / "prefect.db"
    if what == "crash":
        import ctypes

        ctypes.string_at(0)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "hang":
        time.sleep(600)
    elif what == "clock":
        _jump()
    elif what == "server":
        for process in _servers():
            os.kill(process, signal.SIGKILL)
    elif what == "lost":
        for path in database.parent.glob("prefect.db*"):
            path.unlink()
    elif what == "damaged":
        for path in database.parent.glob("prefect.db-*"):
            path.unlink()
        database.write_bytes(b"not a database at all" * 4096)


def _refuse(*arguments):
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8589934592 bytes.")


def _tell_words(*arguments):
    raise KeyError("Jane said: the worksheet of Xylophone Street")


def _install(faults):
    from pipeline import formats, session

    make, write_atomic, refusing, ending = session._make, formats.write_atomic, {}, {}

    def faulty_make(opened, step):
        refusing.clear()
        for fault in faults:
            if _strikes(fault, opened.id, step.name):
                receipt = opened.folder / "receipts" / f"{step.name}.json"
                if fault["what"] in ("full", "readonly"):
                    refusing[opened.folder / step.makes[-1]] = fault["what"]
                elif fault["what"] == "receipt":
                    refusing[receipt] = "full"
                elif fault["what"] in ("unreceipted", "untold"):
                    ending[receipt] = fault["what"]
                elif fault["what"] == "words":
                    step = replace(step, make=_tell_words)
                elif fault["what"] == "memory":
                    step = replace(step, make=_refuse)
                else:
                    _strike(fault["what"], opened)
        return make(opened, step)

    def faulty_write(path, content):
        if refusing.get(path) == "readonly":
            raise OSError(30, "Read-only file system")
        if refusing.get(path) == "full":
            path.with_name(f"{path.name}.1234abcd.part").write_bytes(content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        if ending.get(path) == "unreceipted":
            os.kill(os.getpid(), signal.SIGKILL)
        write_atomic(path, content)
        if ending.get(path) == "untold":
            os.kill(os.getpid(), signal.SIGKILL)

    session._make, formats.write_atomic = faulty_make, faulty_write


def _refuse_locks(folder):
    """As a share that keeps no locks."""
    from filelock import FileLock

    acquire = FileLock.acquire

    def refuse(self, *arguments, **more):
        if str(self.lock_file).startswith(folder):
            raise OSError(37, "No locks available")
        return acquire(self, *arguments, **more)

    FileLock.acquire = refuse


if os.environ.get("ATTUNE_NO_LOCKS"):
    _refuse_locks(os.environ["ATTUNE_NO_LOCKS"])
ANYWHERE = os.environ.get("ATTUNE_FAULTS_ANYWHERE")  # where a task runner starts the processes
if os.environ.get("ATTUNE_FAULTS") and (ANYWHERE or "flows.worker" in sys.orig_argv):
    _install(json.loads(os.environ["ATTUNE_FAULTS"]))
