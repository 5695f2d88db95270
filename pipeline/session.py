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
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import msgspec

from pipeline import formats, models
from pipeline.alliance.calibration_store import load_calibration
from pipeline.lock import WAIT_S, Hold, hold
from pipeline.records import About, AttuneError, Given
from pipeline.settings import Tables, load_tables, options_for
from pipeline.speech import enrolled
from pipeline.speech.corrections import Correction, read_corrections
from pipeline.speech.two_files import TwoFiles
from pipeline.steps import ABOUT, AUDIO, CALIBRATION, CORRECTIONS, ENROLLED, GIVEN, RECORDING, STEPS, Source, Step

ABSENT = "absent"  # stands for the hash of what a session does not have
ID_LENGTH = 12
PART_S = 3600  # a half-written file of this age is nobody's any more

State = Literal["fresh", "stale", "absent"]
Outcome = Literal["made", "reused", "skipped"]
Tell = Callable[["Event"], None]
Around = Callable[[Step], AbstractContextManager]  # what is held while a step's own function runs
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENODEV} | {
    getattr(errno, name) for name in ("ESTALE", "ENOTCONN", "EHOSTDOWN", "ETIMEDOUT") if hasattr(errno, name)
}
SMALL_BATCHES = "ATTUNE_SMALL_BATCHES"  # set where a worker has died, perhaps of memory: batches begin at one


@dataclass(frozen=True)
class Event:
    """What the progress display hears: a step of a session began or ended.

    outcome   None at the beginning
    why       at the beginning, why the step is made again: what of "version", "options", "inputs" and "models" is not
              as its receipt says, or "missing" where what it made is gone; "" where it was never made
    """

    session: str
    step: str
    outcome: Outcome | None = None
    seconds: float = 0.0
    why: str = ""


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
    note: str = ""  # what was unusual about this run: smaller batches, where memory ran out

    def differs(self, other: Receipt) -> str:
        """In which of version, options, inputs and weights the two differ first; "" where they came from the same."""
        names = ("version", "options", "inputs", "models")
        return next((name for name in names if getattr(self, name) != getattr(other, name)), "")


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
        """What is noted of the session, its recordings where they lie for this machine."""
        return replace(self.noted, recording=self._here(self.noted.recording), second=self._here(self.noted.second))

    @cached_property
    def noted(self) -> About:
        """The same as it is written down, perhaps by a machine that has the share elsewhere."""
        return msgspec.json.decode((self.folder / "about.json").read_bytes(), type=About)

    def _here(self, place: str) -> str:
        if not place or not self.noted.store or Path(place).is_file():
            return place
        try:
            here = os.path.normpath(_store(self).resolve() / os.path.relpath(place, self.noted.store))
        except ValueError:  # two drives
            return place
        return here if Path(here).is_file() else place

    @cached_property
    def given(self) -> list[Given] | None:
        path = self.folder / "given.jsonl"
        return formats.load(path) if path.is_file() else None

    @cached_property
    def decisions(self) -> Tables:
        """What a person decided about this session."""
        return load_tables(self.folder / "session.toml")

    @cached_property
    def corrections(self) -> list[Correction] | None:
        """What a person put right in the transcript; None where nobody did."""
        return read_corrections(self.decisions.get("corrections", [])) or None

    @property
    def has_sound(self) -> bool:
        return bool(self.about.recording)

    @property
    def problem(self) -> Problem | None:
        try:
            return msgspec.json.decode((self.folder / "problem.json").read_bytes(), type=Problem)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            return Problem("", "problem-unreadable", "why it stopped cannot be read", "process it again")

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
    wait_s: float = WAIT_S,
    second: Path | None = None,
    offset_s: float | None = None,
) -> Session:
    """The session of a recording, of a transcript, or of both: its folder is made if it is new.

    second    the other person's recording of the same session
    offset_s  how much later `second` begins, seconds; None as noted before, or else found by the sound
    given     a transcript, a speaker file, or both; kept in the session and used by later runs too
    on_wait   hears who holds the session, when another process is at work on it; waited for up to `wait_s`
    raises    AttuneError for what cannot be opened, named in `problem.json` too once there is a folder
    """
    named = recording or given[0]
    for path in (named, second) if second else (named,):
        check_file(path)
    with storing():
        folder = store / "sessions" / session_id(named, second)
        (folder / "receipts").mkdir(parents=True, exist_ok=True)
    session = Session(folder, settings)
    with hold(folder / "lock", on_wait, wait_s), recorded(session, "open"):
        _open_given(folder, given)
        _open_about(session, recording, second, offset_s)
    return Session(folder, settings)


def session_id(recording: Path, second: Path | None = None) -> str:
    """The first hex digits of the recording's SHA-256; for two recordings, of their two hashes in a row."""
    return id_of(*(models.sha256_of(path) for path in (recording, second) if path))


def id_of(*digests: str) -> str:
    """The id of a session whose one or two recordings have these SHA-256, hex."""
    whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    return whole[:ID_LENGTH]


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


def _open_about(session: Session, recording: Path | None, second: Path | None, offset_s: float | None) -> None:
    """Note where the recording lies. One session may have two names: the first noted stays while it leads there."""
    path = session.folder / "about.json"
    known = _known_about(session)
    offset_s = known.offset_s if offset_s is None else offset_s
    lie = [Path(place).is_file() for place in _places(session)]
    if lie and all(lie) and known.duration_s > 0:
        if offset_s != known.offset_s:
            write_if_changed(path, formats.dump("about.json", replace(known, offset_s=offset_s)))
        return
    if recording is not None:
        from pipeline.speech.audio import check_recording

        places = [str(file.resolve()) if file else "" for file in (recording, second)]
        known = About(session.id, places[0], 0.0, places[1], offset_s, str(_store(session).resolve()))
        write_if_changed(path, formats.dump("about.json", known))
        lengths = [check_recording(file, session.options(AUDIO)) for file in (recording, second) if file]
        known = replace(known, duration_s=round(lengths[0], 3))
    elif not known.recording:
        known = replace(known, duration_s=max((line.end for line in session.given or ()), default=0.0))
    write_if_changed(path, formats.dump("about.json", known))


def _known_about(session: Session) -> About:
    """What is noted already; nothing where the note is damaged, for all of it can be found out again."""
    try:
        return session.noted
    except (FileNotFoundError, msgspec.DecodeError):
        return About(session.id, "", 0.0)


def _places(session: Session) -> list[str]:
    """Where the recordings lie for this machine, as far as it is noted."""
    try:
        return [place for place in (session.about.recording, session.about.second) if place]
    except (FileNotFoundError, msgspec.DecodeError):
        return []


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

    raises   AttuneError for a key that is empty, and when there is no such session or more than one
    """
    if not key.strip():  # as from a variable that was never set; every id begins with it
        raise AttuneError(
            f"{key!r} names no session",
            mend="give the beginning of its id, or its recording; attune show lists the sessions",
            code="no-such-session",
        )
    path = Path(key)
    wanted = session_id(path) if path.is_file() else key
    sessions = all_sessions(store, settings)
    found = [session for session in sessions if session.id.startswith(wanted)]
    if not found and path.is_file():  # one of the two recordings of a session
        place = str(path.resolve())
        pairs = [session for session in sessions if session.about.second]
        found = [session for session in pairs if place in (session.about.recording, session.about.second)]
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
        if session.about.offset_s is not None:
            yield "offset_s", str(session.about.offset_s)
    elif read is ENROLLED:
        path = _store(session) / enrolled.FILE
        if path.is_file():  # a store without enrolled voices is as one that could not have any
            yield path.name, models.sha256_of(path)
    elif read is CORRECTIONS:
        if session.corrections:
            yield read.name, sha256(msgspec.json.encode(session.corrections)).hexdigest()
    elif read is CALIBRATION:
        if calibration := load_calibration(_store(session)):
            yield read.name, sha256(msgspec.json.encode(calibration)).hexdigest()
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
    return _look(session, step)[0]


def _look(session: Session, step: Step) -> tuple[State, str]:
    """The state, and where it is "stale" after an earlier run, why."""
    if step.needs_sound and not session.has_sound:
        return "absent", ""
    receipt = load_receipt(session, step)
    if receipt is None:
        return "stale", ""
    if any(not (session.folder / name).is_file() for name in step.makes):
        return "stale", "missing"
    for name in step.makes:
        if models.sha256_of(session.folder / name) != receipt.outputs.get(name):
            if load_receipt(session, step) != receipt:
                return "stale", ""  # who holds the session makes it again at this moment
            raise AttuneError(
                f"{name} of session {session.id} is not as it was made: it was edited or damaged",
                mend=f"delete {name} to have it made again; decisions about a session belong in its session.toml",
                code="artefact-edited",
            )
    why = receipt.differs(expected_receipt(session, step))
    return ("stale", why) if why else ("fresh", "")


def is_ready(session: Session) -> bool:
    """Whether a run would make nothing new."""
    return session.problem is None and all(state_of(session, step) != "stale" for step in STEPS)


# ---------------------------------------------------------------------------------------------- running


def run_step(
    session: Session, step: Step, tell: Tell = lambda event: None, around: Around = lambda step: nullcontext()
) -> Outcome:
    """Bring one step up to date. The steps it reads must be up to date.

    around   entered while the step's own function runs, not where there is nothing to do
    raises   AttuneError; other errors of the step's own code pass through
    """
    state, why = _look(session, step)
    if state != "stale":
        outcome: Outcome = "reused" if state == "fresh" else "skipped"
        tell(Event(session.id, step.name, outcome))
        return outcome
    expected = expected_receipt(session, step)
    with around(step):
        tell(Event(session.id, step.name, why=why))
        wall, cpu = time.perf_counter(), time.process_time()
        value, note = _make(session, step)
    files = value if len(step.makes) > 1 else {step.makes[0]: value}
    seconds, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    receipt = replace(expected, seconds=seconds, cpu_s=cpu_s, attune=program_version(), note=note)
    _keep(session, step, receipt, files)
    tell(Event(session.id, step.name, "made", seconds))
    return "made"


def _make(session: Session, step: Step) -> tuple[Any, str]:
    """What the step makes, and a note where its batches had to be smaller than asked for.

    The size of a batch is how a step is run, not what it makes, so the receipt keeps the size that was asked for.
    raises   MemoryError where memory runs out even so
    """
    options, reads = session.options(step), [_value(session, read) for read in step.reads]
    asked = getattr(options, "batch_size", 1)
    size = 1 if os.environ.get(SMALL_BATCHES) else asked
    while True:
        if size != asked:
            options = replace(options, batch_size=size)
        try:
            return step.make(*reads, options), f"batch_size {size} for lack of memory" if size != asked else ""
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size <= 1:
                raise MemoryError from None
        size //= 2  # outside the except block, whose traceback would keep the large arrays alive


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, in whichever words: Python's, torch's on a processor, or a graphics card's."""
    told = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("can't allocate memory" in told or "not enough memory" in told))
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    )


def _value(session: Session, read: Source | Step) -> Any:
    if read is RECORDING:
        return _recording(session)
    if read is ENROLLED:
        return enrolled.load_enrolled(_store(session) / enrolled.FILE)
    if read is CALIBRATION:
        return load_calibration(_store(session))
    if isinstance(read, Source):
        known = {GIVEN.name: session.given, ABOUT.name: session.about, CORRECTIONS.name: session.corrections}
        return known[read.name]
    return session.load(read)


def _store(session: Session) -> Path:
    return session.folder.parent.parent


def _recording(session: Session) -> Path | TwoFiles:
    about = session.about
    path, second = Path(about.recording), Path(about.second)
    if not path.is_file() or (about.second and not second.is_file()):
        raise AttuneError(
            "the recording is no longer where it was",
            mend="put it back, or process it from its new place",
            code="recording-gone",
        )
    return TwoFiles(path, second, about.offset_s) if about.second else path


def _keep(session: Session, step: Step, receipt: Receipt, files: dict[str, Any]) -> None:
    """Old receipt away, artefacts in place, new receipt last: whenever this is cut off, the step is stale or whole."""
    path = _receipt_path(session, step)
    outputs = {}
    with storing():
        path.unlink(missing_ok=True)
        formats.sync_folder(path.parent)  # or a power cut could bring it back, beside an artefact that is not its own
        for name in step.makes:
            content = formats.dump(name, files[name])
            formats.write_atomic(session.folder / name, content)
            outputs[name] = models.sha256_of(session.folder / name)
        formats.write_atomic(path, formats.dump(path.name, replace(receipt, outputs=outputs)))


def run_session(session: Session, tell: Tell = lambda event: None) -> dict[str, Outcome]:
    """Bring every step of a session up to date, in order; what flows do, without Prefect."""
    with working(session):
        return {step.name: run_one(session, step, tell) for step in STEPS}


def run_one(
    session: Session, step: Step, tell: Tell = lambda event: None, around: Around = lambda step: nullcontext()
) -> Outcome:
    """`run_step`, with a problem noted in the session's folder before it is raised."""
    with recorded(session, step.name):
        return run_step(session, step, tell, around)


@contextmanager
def working(
    session: Session, on_wait: Callable[[str], None] = lambda holder: None, wait_s: float = WAIT_S
) -> Iterator[Hold]:
    """Hold a session while its steps run: one worker at a time; what a killed run left half written is cleared away."""
    with hold(session.folder / "lock", on_wait, wait_s) as held:
        with storing():
            for part in _half_files(session.folder):
                part.unlink(missing_ok=True)
            (session.folder / "problem.json").unlink(missing_ok=True)
        yield held


def _half_files(folder: Path) -> list[Path]:
    """What killed runs left: only who holds the session writes what steps make, but a decision may be written now."""
    own = tuple(f"{name}." for step in STEPS for name in step.makes)
    parts = [part for part in folder.glob("*.part") if part.name.startswith(own) or _is_forgotten(part)]
    return [*parts, *folder.glob("receipts/*.part")]


def _is_forgotten(part: Path) -> bool:
    try:
        return part.stat().st_mtime < time.time() - PART_S
    except FileNotFoundError:
        return False


@contextmanager
def recorded(session: Session, step: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into an AttuneError, and note it in the session's own folder."""
    try:
        yield
    except (AttuneError, OSError) as error:
        known = _of_the_disk(session, error) or error
        if not isinstance(known, AttuneError):
            raise _unexpected(session, step, error) from error
        if known.code != "session-held":  # whoever holds it now says what becomes of it
            note_problem(session, step, known)
        raise known from error.__cause__
    except MemoryError:
        error = AttuneError(
            f"the machine ran out of memory in the step {step!r}",
            mend="close other programs and process it again: it goes on from the last finished step",
            code="out-of-memory",
        )
        note_problem(session, step, error)
        raise error from None
    except Exception as error:
        raise _unexpected(session, step, error) from error


def _of_the_disk(session: Session, error: AttuneError | OSError) -> AttuneError | None:
    """The disk or share as the reason, where it is: an artefact that could not be read, a folder that is not there."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if not session.folder.is_dir():
        return _disk_error(cause if isinstance(cause, OSError) else OSError(errno.ENOENT, "gone"))
    if isinstance(error, AttuneError):
        unread = error.code == "artefact-unreadable" and isinstance(cause, OSError)
        return _disk_error(cause) if unread and cause.errno not in (None, errno.ENOENT) else None
    return _disk_error(error) if error.errno in OF_THE_DISK else None


def _unexpected(session: Session, step: str, error: Exception) -> AttuneError:
    """The error's own text may hold words or paths, so it goes to the session's folder and nowhere else."""
    known = AttuneError(
        f"the step {step!r} stopped unexpectedly ({type(error).__name__})",
        mend=f"process it again; if it stays, report it with the last lines of problem.json in session {session.id}",
        code="unexpected",
    )
    import traceback

    told = "".join(traceback.format_exception(error))
    note_problem(session, step, AttuneError(f"{known}\n{told}", mend=known.mend, code=known.code))
    return known


def note_problem(session: Session, step: str, error: AttuneError) -> None:
    """Note in the session's own folder why it stopped. A full or lost disk cannot be noted: the caller hears of it."""
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


def program_mark() -> str:
    """The same for two programs whose receipts agree: the version, and each step's with its defaults."""
    rows = [(step.name, step.version, step.makes, asdict(step.options)) for step in STEPS]
    return f"{program_version()}-{sha256(msgspec.json.encode(rows)).hexdigest()[:ID_LENGTH]}"


def program_version() -> str:
    """Version of the installed program; "unknown" when run from a bare checkout."""
    try:
        return version("attune")
    except PackageNotFoundError:
        return "unknown"
