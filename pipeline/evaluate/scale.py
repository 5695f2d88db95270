"""How a night grows: sessions an hour, what each session and each task costs besides its steps, database and memory.

Transcripts of an invented talk are brought up to date by real worker processes, so that the figures are those of the
machinery and hardly of the models: with Prefect and without, on one worker and on two. With recordings instead, their
copies (of the same sound, with other bytes) go the whole way; so it can be told whether a second worker, which reads
and measures the next recording while this one's models run, is worth its memory here.

Times in seconds by the wall clock, memory in MB of resident set. Linux tells the memory of other processes; elsewhere
it is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.records import AttuneError
from pipeline.session import Event, Session, open_session
from pipeline.settings import Tables
from pipeline.steps import BY_NAME, STEPS
from pipeline.store import open_store

SENTENCES = (
    ("therapist", "How has the week been since we last met?"),
    ("client", "Busy, mostly. My sister came to stay, and we went to the sea, and it rained every day of it."),
    ("therapist", "What was that like for you, all of you in one place?"),
    ("client", "Loud. But I liked having the house full, I did not expect that I would like it so much."),
    ("therapist", "I would like you to fill in the worksheet every evening this week."),
    ("client", "I don't see the point of these worksheets, they are not helping me at all."),
    ("therapist", "I was pushing the worksheet and I missed what you were telling me. How was that?"),
    ("client", "It felt like school, to be honest. I came to talk about my sister, and I got homework."),
)
SAMPLE_S = 0.5  # between two looks at the workers' memory
LENGTHS = (12, 20)  # repetitions of the sentences: 8 to 14 minutes, so that no two sessions in a row are alike
PLANS = ((1, False), (1, True), (2, True))  # workers, with Prefect
OVERLAP = ((1, False), (2, False)) * 2  # in turn, so that a machine that grows busier favours neither


@dataclass(frozen=True)
class Night:
    """One run over all sessions.

    start_s            until the first step begins: Python, libraries, Prefect's server
    sessions_per_hour  once everything is loaded, after the first session
    step_s             own time of the steps of a session, mean
    light_s            of it, that of the steps which use no models: what another's models can be overlapped with
    overhead_s         what a worker spends on a session besides, mean: files, hashes, receipts, Prefect
    cpu_s              processor seconds of workers and server for a session, mean: what a busy machine does not change
    database_kb        growth of Prefect's database for a session; 0 without Prefect
    memory_mb          a worker's resident memory after the first, the middle and the last session
    peak_mb            the most that all workers held at once; what they share is counted once
    spent_s            processor seconds of all workers and the server, from the start to the last session's end
    leak_kb            growth of that memory for a session, least squares over the second half
    server_mb          resident memory of Prefect's server after the first and the last session; 0 without Prefect
    """

    workers: int
    prefect: bool
    sessions: int
    start_s: float
    seconds: float
    sessions_per_hour: float
    step_s: float
    overhead_s: float
    overhead_task_ms: float
    cpu_s: float
    database_kb: float
    memory_mb: tuple[float, float, float]
    leak_kb: float
    server_mb: tuple[float, float] = (0.0, 0.0)
    light_s: float = 0.0
    peak_mb: float = 0.0
    spent_s: float = 0.0


def evaluate_scale(
    sessions: int,
    recordings: Sequence[Path],
    tables: Tables,
    tell: Callable[[str], None] = lambda line: None,
    plans: Sequence[tuple[int, bool]] | None = None,
) -> list[Night]:
    """The nights of `plans`, by default of `PLANS`, each in a new store.

    sessions     how many; at least 4, so that there is a second half
    recordings   repeated in turn, with other bytes; transcripts where there are none
    plans        workers, and whether with Prefect
    """
    if sessions < 4:
        raise AttuneError(f"{sessions} sessions are too few to see a trend", mend="give 4 or more", code="too-few")
    nights = []
    for workers, prefect in PLANS if plans is None else plans:
        tell(
            f"{sessions} sessions on {workers} worker{'s' * (workers > 1)}, {'with' if prefect else 'without'} Prefect"
        )
        with tempfile.TemporaryDirectory(prefix="attune-scale-") as scratch, _environment():
            nights.append(_run(Path(scratch), sessions, recordings, tables, workers, prefect))
    return nights


@contextmanager
def _environment() -> Iterator[None]:
    """What a run sets in the environment is taken back."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _run(scratch: Path, count: int, recordings: Sequence[Path], tables: Tables, workers: int, prefect: bool) -> Night:
    from flows import environment
    from flows.context import session as find
    from flows.crew import Audience, Crew
    from pipeline.night import Job, next_job

    store = scratch / "store"
    open_store(store)
    settings = _write_settings(store, tables, not recordings)
    files = list(write_sessions(scratch / "in", count, recordings))
    jobs = [Job(_open(store, file, not recordings), n) for n, file in enumerate(files)]
    environment.prepare(store, settings)
    began, first_step = time.monotonic(), []
    light = [0.0]

    def on_event(event: Event) -> None:
        if not first_step:
            first_step.append(time.monotonic())
        if event.outcome == "made" and not _models_of(find(event.session), event.step):
            light.append(event.seconds)

    audience = Audience(on_event=on_event)
    crew = Crew(workers, find, audience, lock_wait_s=60.0, prefect=prefect)
    done: list[float] = []
    memory: list[float] = []
    database: list[int] = []
    spent: list[float] = []
    serving: list[float] = []
    peak_mb = 0.0
    try:
        while len(done) < len(jobs):
            while len(crew.busy) < workers and (job := next_job(jobs, 0.0)) is not None:
                crew.begin(job)
            ended = crew.hear(SAMPLE_S)
            peak_mb = max(peak_mb, sum(own_mb(worker.process.pid) for worker in crew.workers))
            for _ in ended:
                done.append(time.monotonic())
                memory.append(resident_mb(crew.workers[0].process.pid) if crew.workers else 0.0)
                serving.append(resident_mb(crew.server.process.pid) if crew.server.process is not None else 0.0)
                database.append(_size(store / "prefect"))
                spent.append(sum(cpu_s(pid) for pid in _processes(crew)))
    finally:
        crew.end()
    stopped = [job for job in jobs if job.state != "made"]
    if stopped:
        raise AttuneError(
            f"{len(stopped)} of {len(jobs)} sessions stopped, the first with {stopped[0].code!r}",
            mend=stopped[0].mend or "see attune doctor",
            code="scale-stopped",
        )
    night = _night(jobs, workers, prefect, first_step[0] - began, began, done, memory, database, spent)
    return replace(
        night,
        server_mb=(round(serving[0], 1), round(serving[-1], 1)),
        light_s=round(sum(light) / len(jobs), 3),
        peak_mb=round(peak_mb, 1),
        spent_s=round(spent[-1], 1),
    )


def _models_of(session: Session, step: str) -> tuple[str, ...]:
    return BY_NAME[step].models(session.options(BY_NAME[step]), session.given)


def _night(
    jobs: Sequence[Any],
    workers: int,
    prefect: bool,
    start_s: float,
    began: float,
    done: Sequence[float],
    memory: Sequence[float],
    database: Sequence[int],
    spent: Sequence[float],
) -> Night:
    """The figures of a run, from the moments at which its sessions were done."""
    skipped = min(workers, len(done) - 2)  # each worker's first session loads libraries
    each_s = (done[-1] - done[skipped - 1]) / (len(done) - skipped)
    later = sorted(jobs, key=lambda job: job.order)[skipped:]
    step_s = sum(job.seconds for job in later) / len(later)
    overhead_s = each_s * workers - step_s
    tasks = sum(len(job.made) for job in later) / len(later)
    half = len(memory) // 2
    return Night(
        workers=workers,
        prefect=prefect,
        sessions=len(jobs),
        start_s=round(start_s, 2),
        seconds=round(done[-1] - began, 1),
        sessions_per_hour=round(3600.0 / each_s, 1),
        step_s=round(step_s, 3),
        overhead_s=round(overhead_s, 3),
        overhead_task_ms=round(1000.0 * overhead_s / tasks, 1),
        cpu_s=round((spent[-1] - spent[skipped - 1]) / (len(spent) - skipped), 3),
        database_kb=round((database[-1] - database[0]) / 1024 / (len(database) - 1), 1),
        memory_mb=(round(memory[0], 1), round(memory[half], 1), round(memory[-1], 1)),
        leak_kb=round(1024.0 * slope(memory[half:]), 1),
    )


def slope(values: Sequence[float]) -> float:
    """Growth from one value to the next, by least squares; 0 for fewer than two."""
    n = len(values)
    if n < 2:
        return 0.0
    middle, mean = (n - 1) / 2, sum(values) / n
    return sum((i - middle) * (v - mean) for i, v in enumerate(values)) / sum((i - middle) ** 2 for i in range(n))


def resident_mb(process: int) -> float:
    """Resident memory of a process; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


def own_mb(process: int) -> float:
    """Memory of a process, what it shares with others counted by its part; resident memory where that is not told."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    except (OSError, ValueError, IndexError):
        return resident_mb(process)


def _processes(crew: Any) -> list[int]:
    """The workers and their server."""
    server = crew.server.process
    return [worker.process.pid for worker in crew.workers] + ([server.pid] if server is not None else [])


def cpu_s(process: int) -> float:
    """Processor seconds that a process has used; 0 where the system does not tell."""
    try:
        told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("prefect.db*")) if folder.is_dir() else 0


# ------------------------------------------------------------------------------------------------ what is run


def write_sessions(folder: Path, count: int, recordings: Sequence[Path] = ()) -> Iterator[Path]:
    """Files of `count` sessions, no two the same: transcripts, or copies of the recordings in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        if not recordings:
            path = folder / f"{n:05d}.json"
            path.write_text(json.dumps({"turns": list(_turns(n))}), encoding="utf-8")
        else:
            recording = recordings[n % len(recordings)]
            path = copy_recording(recording, folder / f"{n:05d}{recording.suffix.lower()}", n)
        yield path


def _turns(number: int) -> Iterator[dict[str, Any]]:
    at = number * 0.001  # other bytes, the same talk
    low, high = LENGTHS
    for role, text in SENTENCES * (low + number % (high - low + 1)):
        length = len(text.split()) / 2.7
        yield {"start": round(at, 3), "end": round(at + length, 3), "speaker": role, "role": role, "text": text}
        at += length + 0.5


def copy_recording(recording: Path, to: Path, number: int) -> Path:
    """The same sound in other bytes: what follows the end of a media file is played by no program."""
    shutil.copyfile(recording, to)
    told = f"{number:08d}".encode()
    with to.open("ab") as file:
        file.write((8 + len(told)).to_bytes(4, "big") + b"free" + told)  # a box that mp4 and mov skip
    return to


def _write_settings(store: Path, tables: Tables, transcripts: bool) -> Path:
    """The settings as a file for the workers; for transcripts without the model that reads meaning."""
    merged = {name: dict(table) for name, table in tables.items()}
    if transcripts:
        merged.setdefault("markers", {}).setdefault("embedder", "none")
    lines = [
        f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in table.items()) for name, table in merged.items()
    ]
    path = store / "attune.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _open(store: Path, file: Path, transcript: bool) -> str:
    return open_session(store, None if transcript else file, [file] if transcript else [], {}).id


def render_scale(nights: Sequence[Night]) -> str:
    """The nights as a table, one line each."""
    head = (
        f"{'workers':>7} {'Prefect':>7} {'sessions':>8} {'start s':>8} {'an hour':>8} {'steps s':>8} {'besides s':>9} "
    )
    lines = [head + f"{'a task ms':>9} {'cpu s':>6} {'db kB':>6} {'memory MB':>20} {'leak kB':>8} {'server MB':>12}"]
    for n in nights:
        memory, server = (" -> ".join(f"{mb:.0f}" for mb in course) for course in (n.memory_mb, n.server_mb))
        lines.append(
            f"{n.workers:>7} {'yes' if n.prefect else 'no':>7} {n.sessions:>8} {n.start_s:>8.1f} "
            f"{n.sessions_per_hour:>8.0f} {n.step_s:>8.2f} {n.overhead_s:>9.2f} {n.overhead_task_ms:>9.0f} "
            f"{n.cpu_s:>6.2f} {n.database_kb:>6.0f} {memory:>20} {n.leak_kb:>8.1f} {server:>12}"
        )
    lines.append("")
    lines.append(
        f"A session has up to {len(STEPS)} steps. Memory of a worker: after the first, middle and last session;"
    )
    lines.append(
        "leak: its growth for a session over the second half. Steps, besides, cpu, db and leak: for one session."
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class Overlap:
    """Two workers against one, by the means of the rounds; below 1 is less with two.

    seconds   wall time to the end of the last session, each worker's loading of its models included
    cpu       processor seconds of all of it
    peak      memory
    rounds    `seconds` of each round
    """

    seconds: float
    cpu: float
    peak: float
    rounds: tuple[float, ...]


def compare_overlap(nights: Sequence[Night]) -> Overlap:
    """What a second worker changes, from nights of one worker and of two in turn (`OVERLAP`)."""
    one, two = ([n for n in nights if n.workers == workers] for workers in (1, 2))

    def ratio(figure: Callable[[Night], float]) -> float:
        return round(sum(map(figure, two)) / max(sum(map(figure, one)), 1e-9), 3)

    return Overlap(
        seconds=ratio(lambda n: n.seconds),
        cpu=ratio(lambda n: n.spent_s),
        peak=ratio(lambda n: n.peak_mb),
        rounds=tuple(round(b.seconds / a.seconds, 3) for a, b in zip(one, two, strict=True)),
    )


def render_overlap(nights: Sequence[Night]) -> str:
    """The nights, one line each, and two workers against one."""
    lines = [f"{'workers':>7} {'wall s':>8} {'cpu s':>8} {'steps s':>8} {'light s':>8} {'peak MB':>8}"]
    for n in nights:
        lines.append(
            f"{n.workers:>7} {n.seconds:>8.1f} {n.spent_s:>8.1f} {n.step_s:>8.1f} {n.light_s:>8.1f} {n.peak_mb:>8.0f}"
        )
    found = compare_overlap(nights)
    rounds = ", ".join(f"{ratio:.2f}" for ratio in found.rounds)
    lines += [
        "",
        f"Two workers against one: wall {found.seconds:.2f} (rounds: {rounds}), processor {found.cpu:.2f}, "
        f"memory {found.peak:.2f}.",
        "One step with models runs at a time on the machine, unless [watch] model_slots says more; the light steps of "
        "another recording run beside it.",
        "wall, cpu: all of it, each worker's loading of its models included. steps, light: wall time of one session's "
        "steps, and of those without models.",
    ]
    return "\n".join(lines)
