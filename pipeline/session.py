"""The session: a folder, its artefacts, and a receipt for each step.

    <store>/sessions/7c120c39db3e/     the first 12 hex digits of the recording's SHA-256
        about.json                     which recording; where it lies on this machine
        session.toml                   what a person decided; no step writes it
        given.jsonl                    a transcript that somebody already had
        audio.flac words.jsonl ...     artefacts, each made by one step
        receipts/words.json            what the step saw, with which options and weights, and what it made
        problem.json                   why the last run stopped, while it is stopped

The folder is the truth: a step is fresh while its receipt matches its inputs, options, version and weights and the
file itself. Writing goes artefact by artefact, receipt last, so that a killed run leaves nothing half made.
No heavy library is loaded here; the steps load what they need when they run.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline import formats, models
from pipeline.lock import hold
from pipeline.records import About, AttuneError, Given
from pipeline.settings import Tables, load_tables, options_for
from pipeline.steps import ABOUT, GIVEN, RECORDING, STEPS, Source, Step

ABSENT = "absent"  # stands for the hash of what a session does not have
ID_LENGTH = 12

State = Literal["fresh", "stale", "absent"]
Outcome = Literal["made", "reused", "skipped"]
Tell = Callable[["Event"], None]


@dataclass(frozen=True)
class Event:
    """What the progress display hears: a step of a session began or ended.

    outcome   None at the beginning
    """

    session: str
    step: str
    outcome: Outcome | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Receipt:
    """What one run of a step saw and made.

    inputs, outputs   SHA-256 by name, hex; "absent" for an input that the session does not have
    models            identity by name of weights
    seconds, cpu_s    wall and processor time
    """

    step: str
    version: int
    options: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]
    models: dict[str, str]
    seconds: float = 0.0
    cpu_s: float = 0.0
    attune: str = ""

    def agrees(self, other: Receipt) -> bool:
        """Whether both came from the same inputs, options, version and weights."""
        own = (self.version, self.options, self.inputs, self.models)
        return own == (other.version, other.options, other.inputs, other.models)


@dataclass(frozen=True)
class Problem:
    """Why a session stopped: in which step, and the way out. Lies in the session's own folder only."""

    step: str
    code: str
    message: str
    mend: str


@dataclass(frozen=True)
class Session:
    """One folder of the store. `settings` are the clinic's; the session's own `session.toml` wins over them."""

    folder: Path
    settings: Tables

    @property
    def id(self) -> str:
        return self.folder.name

    @cached_property
    def about(self) -> About:
        return msgspec.json.decode((self.folder / "about.json").read_bytes(), type=About)

    @cached_property
    def given(self) -> list[Given] | None:
        path = self.folder / "given.jsonl"
        return formats.load(path) if path.is_file() else None

    @cached_property
    def decisions(self) -> Tables:
        """What a person decided about this session."""
        return load_tables(self.folder / "session.toml")

    @property
    def has_sound(self) -> bool:
        return bool(self.about.recording)

    @property
    def problem(self) -> Problem | None:
        path = self.folder / "problem.json"
        return msgspec.json.decode(path.read_bytes(), type=Problem) if path.is_file() else None

    def options(self, step: Step) -> Any:
        return options_for(step.name, step.options, self.settings, self.decisions)

    def load(self, step: Step) -> Any:
        """The value a step made; None where it was skipped.

        raises   AttuneError when the artefact is missing or cannot be read
        """
        path = self.folder / step.makes[0]
        if not path.is_file() and step.needs_sound and not self.has_sound:
            return None
        return formats.load(path)


# ---------------------------------------------------------------------------------------------- opening


def open_session(
    store: Path,
    recording: Path | None,
    given: Sequence[Path],
    settings: Tables,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> Session:
    """The session of a recording, of a transcript, or of both: its folder is made if it is new.

    given     a transcript, a speaker file, or both; kept in the session and used by later runs too
    on_wait   hears who holds the session, when another process is at work on it
    raises    AttuneError for what cannot be opened, named in `problem.json` too once there is a folder
    """
    named = recording or given[0]
    check_file(named)
    with storing():
        folder = store / "sessions" / models.sha256_of(named)[:ID_LENGTH]
        (folder / "receipts").mkdir(parents=True, exist_ok=True)
    session = Session(folder, settings)
    with hold(folder / "lock", on_wait), recorded(session, "open"):
        _open_given(folder, given)
        _open_about(session, recording)
    return Session(folder, settings)


def check_file(path: Path) -> None:
    """Raises AttuneError where there is no file at `path`, or an empty one."""
    if not path.is_file():
        raise AttuneError("there is no such file", mend="check the path", code="no-such-file")
    if path.stat().st_size == 0:
        raise AttuneError(
            "the file is empty (0 bytes)", mend="copy it again from where it was recorded", code="empty-file"
        )


def _open_given(folder: Path, given: Sequence[Path]) -> None:
    if given:
        write_if_changed(folder / "given.jsonl", formats.dump("given.jsonl", load_lines(given)))


def load_lines(given: Sequence[Path]) -> list[Given]:
    """The lines of a transcript, of a speaker file, or of a transcript with the speakers of the other file.

    raises   AttuneError for more files than that, or two of one kind
    """
    from pipeline.speech.engines.given import combine_given, load_given

    files = [load_given(path) for path in given]
    if len(files) == 1:
        return files[0]
    words = [lines for lines in files if any(line.text for line in lines)]
    speakers = [lines for lines in files if lines not in words]
    if (len(words), len(speakers)) != (1, 1):
        raise AttuneError(
            f"{len(words)} transcripts and {len(speakers)} speaker files were given for one session",
            mend="give one of each at most",
            code="transcripts-too-many",
        )
    return combine_given(words[0], speakers[0])


def _open_about(session: Session, recording: Path | None) -> None:
    """Note where the recording lies. One session may have two names: the first noted stays while it leads there."""
    path = session.folder / "about.json"
    known = session.about if path.is_file() else About(session.id, "", 0.0)
    if known.recording and Path(known.recording).is_file() and known.duration_s > 0:
        return
    if recording is not None:
        from pipeline.speech.audio import check_recording

        place = str(recording.resolve())
        write_if_changed(path, formats.dump("about.json", About(session.id, place, 0.0)))
        known = About(session.id, place, round(check_recording(recording), 3))
    elif not known.recording:
        known = replace(known, duration_s=max((line.end for line in session.given or ()), default=0.0))
    write_if_changed(path, formats.dump("about.json", known))


def write_if_changed(path: Path, content: bytes) -> None:
    """Write atomically, unless the file already holds just that."""
    if not path.is_file() or path.read_bytes() != content:
        with storing():
            formats.write_atomic(path, content)


def all_sessions(store: Path, settings: Tables) -> list[Session]:
    """Every session of the store that was ever opened, by id."""
    return [Session(path.parent, settings) for path in sorted((store / "sessions").glob("*/about.json"))]


def find_session(store: Path, key: str, settings: Tables) -> Session:
    """The session whose id begins with `key`, or whose recording or transcript lies at the path `key`.

    raises   AttuneError when there is none or more than one
    """
    path = Path(key)
    wanted = models.sha256_of(path)[:ID_LENGTH] if path.is_file() else key
    found = [session for session in all_sessions(store, settings) if session.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} sessions begin with {key!r}" if found else "there is no such session in the store"
    raise AttuneError(problem, mend="attune show lists the sessions; attune process makes one", code="no-such-session")


# ---------------------------------------------------------------------------------------------- freshness


def expected_receipt(session: Session, step: Step) -> Receipt:
    """What a receipt of this step would say now, as far as it is known before running: no outputs, no times."""
    options = session.options(step)
    names = step.models(options, session.given)
    return Receipt(
        step=step.name,
        version=step.version,
        options=asdict(options),
        inputs={key: digest for read in step.reads for key, digest in _input(session, read)},
        outputs={},
        models={name: models.weight_set(name).identity for name in names},
    )


def _input(session: Session, read: Source | Step) -> Iterator[tuple[str, str]]:
    if read is RECORDING:
        yield read.name, session.id if session.has_sound else ABSENT
    elif isinstance(read, Source):
        path = session.folder / {GIVEN.name: "given.jsonl", ABOUT.name: "about.json"}[read.name]
        yield read.name, models.sha256_of(path) if path.is_file() else ABSENT
    else:
        receipt = load_receipt(session, read)
        yield read.makes[0], receipt.outputs[read.makes[0]] if receipt else ABSENT


def load_receipt(session: Session, step: Step) -> Receipt | None:
    """The receipt of the step's last run; None where there is none that can be read."""
    path = _receipt_path(session, step)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Receipt)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _receipt_path(session: Session, step: Step) -> Path:
    return session.folder / "receipts" / f"{step.name}.json"


def state_of(session: Session, step: Step) -> State:
    """Whether what the step made still stands: "fresh", "stale", or "absent" where it does not apply.

    raises   AttuneError when somebody edited the artefact by hand: it is never overwritten unasked
    """
    if step.needs_sound and not session.has_sound:
        return "absent"
    receipt = load_receipt(session, step)
    if receipt is None or any(not (session.folder / name).is_file() for name in step.makes):
        return "stale"
    for name in step.makes:
        if models.sha256_of(session.folder / name) != receipt.outputs.get(name):
            raise AttuneError(
                f"{name} of session {session.id} is not as it was made: it was edited or damaged",
                mend=f"delete {name} to have it made again; decisions about a session belong in its session.toml",
                code="artefact-edited",
            )
    return "fresh" if receipt.agrees(expected_receipt(session, step)) else "stale"


def is_ready(session: Session) -> bool:
    """Whether a run would make nothing new."""
    return session.problem is None and all(state_of(session, step) != "stale" for step in STEPS)


# ---------------------------------------------------------------------------------------------- running


def run_step(session: Session, step: Step, tell: Tell = lambda event: None) -> Outcome:
    """Bring one step up to date. The steps it reads must be up to date.

    raises   AttuneError; other errors of the step's own code pass through
    """
    state = state_of(session, step)
    if state != "stale":
        outcome: Outcome = "reused" if state == "fresh" else "skipped"
        tell(Event(session.id, step.name, outcome))
        return outcome
    tell(Event(session.id, step.name))
    wall, cpu = time.perf_counter(), time.process_time()
    expected = expected_receipt(session, step)
    value = step.make(*(_value(session, read) for read in step.reads), session.options(step))
    files = value if len(step.makes) > 1 else {step.makes[0]: value}
    seconds = time.perf_counter() - wall
    receipt = replace(expected, seconds=seconds, cpu_s=time.process_time() - cpu, attune=program_version())
    _keep(session, step, receipt, files)
    tell(Event(session.id, step.name, "made", seconds))
    return "made"


def _value(session: Session, read: Source | Step) -> Any:
    if read is RECORDING:
        return _recording(session)
    if isinstance(read, Source):
        return {GIVEN.name: session.given, ABOUT.name: session.about}[read.name]
    return session.load(read)


def _recording(session: Session) -> Path:
    path = Path(session.about.recording)
    if not path.is_file():
        raise AttuneError(
            "the recording is no longer where it was",
            mend="put it back, or process it from its new place",
            code="recording-gone",
        )
    return path


def _keep(session: Session, step: Step, receipt: Receipt, files: dict[str, Any]) -> None:
    """Old receipt away, artefacts in place, new receipt last: whenever this is cut off, the step is stale or whole."""
    path = _receipt_path(session, step)
    outputs = {}
    with storing():
        path.unlink(missing_ok=True)
        for name in step.makes:
            content = formats.dump(name, files[name])
            formats.write_atomic(session.folder / name, content)
            outputs[name] = models.sha256_of(session.folder / name)
        formats.write_atomic(path, formats.dump(path.name, replace(receipt, outputs=outputs)))


def run_session(session: Session, tell: Tell = lambda event: None) -> dict[str, Outcome]:
    """Bring every step of a session up to date, in order; what flows do, without Prefect."""
    with working(session):
        return {step.name: run_one(session, step, tell) for step in STEPS}


def run_one(session: Session, step: Step, tell: Tell = lambda event: None) -> Outcome:
    """`run_step`, with a problem noted in the session's folder before it is raised."""
    with recorded(session, step.name):
        return run_step(session, step, tell)


@contextmanager
def working(session: Session, on_wait: Callable[[str], None] = lambda holder: None) -> Iterator[None]:
    """Hold a session while its steps run: one worker at a time; what a killed run left half written is cleared away."""
    with hold(session.folder / "lock", on_wait):
        for part in [*session.folder.glob("*.part"), *session.folder.glob("receipts/*.part")]:
            part.unlink()
        with storing():
            (session.folder / "problem.json").unlink(missing_ok=True)
        yield


@contextmanager
def recorded(session: Session, step: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into an AttuneError, and note it in the session's own folder."""
    try:
        yield
    except AttuneError as error:
        _note(session, step, error)
        raise
    except MemoryError:
        error = AttuneError(
            f"the machine ran out of memory in the step {step!r}",
            mend="close other programs and process it again: it goes on from the last finished step",
            code="out-of-memory",
        )
        _note(session, step, error)
        raise error from None
    except Exception as error:
        raise _unexpected(session, step, error) from error


def _unexpected(session: Session, step: str, error: Exception) -> AttuneError:
    """The error's own text may hold words or paths, so it goes to the session's folder and nowhere else."""
    known = AttuneError(
        f"the step {step!r} stopped unexpectedly ({type(error).__name__})",
        mend=f"process it again; if it stays, report it with the last lines of problem.json in session {session.id}",
        code="unexpected",
    )
    import traceback

    told = "".join(traceback.format_exception(error))
    _note(session, step, AttuneError(f"{known}\n{told}", mend=known.mend, code=known.code))
    return known


def _note(session: Session, step: str, error: AttuneError) -> None:
    problem = Problem(step, error.code, str(error), error.mend)
    try:
        formats.write_atomic(session.folder / "problem.json", formats.dump("problem.json", problem))
    except OSError:
        return  # a full or read-only disk is the very problem; the caller hears of it


@contextmanager
def storing() -> Iterator[None]:
    """Turn what the disk refuses into an AttuneError that says what to do."""
    try:
        yield
    except OSError as error:
        raise _disk_error(error) from error


def _disk_error(error: OSError) -> AttuneError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return AttuneError(
            "the disk that holds the store is full",
            mend="make room, or choose another place with --store; what is finished is kept",
            code="disk-full",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AttuneError(
            "the store cannot be written to",
            mend="choose a folder that you may write to, with --store",
            code="store-read-only",
        )
    return AttuneError(
        f"the store does not answer ({errno.errorcode.get(error.errno or 0, 'unknown')})",
        mend="check the disk or the network share, then process again; what is finished is kept",
        code="store-unreachable",
    )


def program_version() -> str:
    """Version of the installed program; "unknown" when run from a bare checkout."""
    try:
        return version("attune")
    except PackageNotFoundError:
        return "unknown"
