"""`attune doctor`: what would stop a run on this machine, and the mend."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline import formats
from pipeline.commands import common
from pipeline.lock import GONE_S, hold
from pipeline.records import AttuneError
from pipeline.session import program_version
from pipeline.store import check_form

LEAST_FREE_GB = 2.0  # a 50-minute session takes about 0.1 GB in the store, two channels of sound included
MOST_APART_S = 5.0  # between the clocks of this machine and of the store's
POOL = "attune"  # the work pool that `attune deploy` makes
LEAST_MEMORY_GB = 4.0  # a standard run peaks below 2.5 GB


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fine` is False where a run would stop; `mend` then says what to do."""

    what: str
    fine: bool
    told: str
    mend: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_store(parser)
    common.add_settings(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    findings = list(examine(args.store, args.settings))
    if args.json:
        common.print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.fine else 'MEND'} {finding.what}: {finding.told}")
            if not finding.fine:
                print(f"       what to do: {finding.mend}")
    return 0 if all(finding.fine for finding in findings) else 1


def examine(store: Path, settings: Path | None) -> Iterator[Finding]:
    """Everything that is looked at, in order."""
    yield Finding("attune", True, f"{program_version()} on Python {platform.python_version()}, {platform.platform()}")
    yield from _libraries()
    yield _settings(store, settings)
    yield from _weights(store, settings)
    yield _store(store)
    yield from _share(store)
    yield _space(store)
    yield from _memory()
    address = os.environ.get("PREFECT_API_URL", "")
    yield from _versions(address)
    yield from _server(address)


def _libraries() -> Iterator[Finding]:
    """Imports, not just versions: a set of versions can be consistent on paper and still not load."""
    from flows.environment import ALWAYS

    os.environ.update(ALWAYS)
    loads: dict[str, Callable[[], object]] = {
        name: (lambda name=name: import_module(name))
        for name in ("av", "torch", "whisper", "librosa", "parselmouth", "soundfile", "pyarrow")
    }
    loads["pyannote.audio"] = lambda: import_module("pipeline.speech.engines.pyannote_models").import_pyannote()
    loads["prefect"] = lambda: import_module("prefect")
    packages = {"whisper": "openai-whisper", "parselmouth": "praat-parselmouth"}
    for name, load in loads.items():
        yield _library(packages.get(name, name), load)


def _library(package: str, load: Callable[[], object]) -> Finding:
    try:
        load()
        return Finding(package, True, version(package))
    except PackageNotFoundError:
        return Finding(package, True, "no version known")
    except Exception as error:
        told = f"does not load ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        return Finding(package, False, told, "install again in a fresh environment: python -m pip install .")


def _settings(store: Path, chosen: Path | None) -> Finding:
    try:
        path = common.settings_path(store, chosen)
        common.read_settings(path)
    except AttuneError as error:
        return Finding("settings", False, str(error), error.mend)
    return Finding("settings", True, str(path) if path else "defaults")


def _weights(store: Path, chosen: Path | None) -> Iterator[Finding]:
    from pipeline import models
    from pipeline.commands.models import standard_names
    from pipeline.settings import options_for
    from pipeline.steps import STEPS

    try:
        tables = common.read_settings(common.settings_path(store, chosen))
        names = [n for step in STEPS for n in step.models(options_for(step.name, step.options, tables), None)]
    except AttuneError:
        names = standard_names()
    for name in dict.fromkeys(names):
        try:
            models.verify(name)
            yield Finding(f"weights {name}", True, "here, every hash as it should be")
        except AttuneError as error:
            yield Finding(f"weights {name}", False, str(error), error.mend)


def _store(store: Path) -> Finding:
    """Written to, locked and renamed in, as sessions are; and in a form that this program knows."""
    place = store if store.exists() else _existing_parent(store)
    try:
        if store.exists():
            check_form(store)
        with tempfile.TemporaryDirectory(prefix=".attune-probe-", dir=place) as scratch:
            formats.write_atomic(Path(scratch) / "probe", b"probe")
            with hold(Path(scratch) / "lock", wait_s=0.0) as held:
                alone = held.alone
    except OSError as error:
        return Finding(
            "store", False, f"{store} cannot be written to ({type(error).__name__})", "choose another with --store"
        )
    except AttuneError as error:
        return Finding("store", False, str(error), error.mend)
    sessions = sum(1 for _ in (store / "sessions").glob("*/about.json"))
    locked = "it can be written to and locked"
    if alone:
        locked = f"it can be written to, but keeps no locks: what a killed worker held is free after {GONE_S:.0f} s"
    return Finding("store", True, f"{store}, {sessions} sessions; {locked}")


def _share(store: Path) -> Iterator[Finding]:
    """The clock of the machine that holds the store, against this one: the log's times come from several machines."""
    place = store if store.exists() else _existing_parent(store)
    try:
        with tempfile.NamedTemporaryFile(prefix=".attune-probe-", dir=place) as probe:
            before = time.time()
            probe.write(b"probe")
            probe.flush()
            os.fsync(probe.fileno())
            apart_s = os.stat(probe.name).st_mtime - before
    except OSError:
        return  # said above
    mend = "set both clocks by the network (NTP); locks do not depend on them, but the log's times do"
    yield Finding("clock", abs(apart_s) <= MOST_APART_S, f"{abs(apart_s):.0f} s from that of the store's disk", mend)


def _existing_parent(path: Path) -> Path:
    return next(parent for parent in path.resolve().parents if parent.exists())


def _space(store: Path) -> Finding:
    free = shutil.disk_usage(store if store.exists() else _existing_parent(store)).free / 1e9
    mend = "make room, or choose another disk with --store"
    return Finding("disk", free >= LEAST_FREE_GB, f"{free:.0f} GB free (at least {LEAST_FREE_GB:g} wanted)", mend)


def _memory() -> Iterator[Finding]:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return  # not told by this system
    mend = 'use a machine with more memory, or a smaller model: attune.toml, [words] model = "whisper-tiny.en"'
    yield Finding("memory", total >= LEAST_MEMORY_GB, f"{total:.0f} GB", mend)


def _server(address: str) -> Iterator[Finding]:
    """The Prefect server that the clinic runs, its version, and whether a worker waits in the pool."""
    if not address:
        yield Finding("Prefect server", True, "a temporary one, started with each run")
        return
    import httpx

    try:
        httpx.get(f"{address}/health", timeout=5).raise_for_status()
        told = httpx.get(f"{address}/admin/version", timeout=5).json()
    except (httpx.HTTPError, ValueError) as error:
        mend = "start it with: prefect server start; or unset PREFECT_API_URL"
        yield Finding("Prefect server", False, f"{address} does not answer ({type(error).__name__})", mend)
        return
    own = version("prefect")
    same = told == own
    mend = f"install prefect=={told} here, or {own} there"
    yield Finding("Prefect server", same, f"{address}, Prefect {told}{'' if same else f' and here {own}'}", mend)
    yield _pool(httpx, address)


def _pool(httpx, address: str) -> Finding:
    """Whether a worker of the pool that `attune deploy` makes has been heard of lately."""
    pools = httpx.post(f"{address}/work_pools/filter", json={"limit": 200, "offset": 0}, timeout=5).json()
    mine = next((pool for pool in pools if isinstance(pool, dict) and pool.get("name") == POOL), None)
    if mine is None:
        return Finding("work pool", True, "none; attune deploy makes one for several machines")
    mend = f"start one on each machine: prefect worker start --pool {POOL} --type process"
    ready = mine.get("status") == "READY"
    return Finding("work pool", ready, f"{POOL!r}, {'a worker waits' if ready else 'no worker waits'}", mend)


def _versions(address: str) -> Iterator[Finding]:
    """Versions with which Prefect's own server is known to stumble."""
    from packaging.version import Version

    known = [("fastapi", "0.155", "a temporary server does not start")]
    if address:
        known.append(("sqlalchemy", "2.1", "a server of your own with this version carries out no schedule"))
    for package, below, what in known:
        found = version(package)
        fine = Version(found) < Version(below)
        told = found if fine else f"{found}: {what}"
        yield Finding(package, fine, told, f'python -m pip install "{package}<{below}"')
