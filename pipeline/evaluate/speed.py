"""What each step costs on one recording: processor seconds, wall seconds, peak memory.

Every step runs in a process of its own on a fresh session in a temporary store, so that its peak memory is its own:
the resident set's high-water mark, with all libraries and weights that the step loads.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.session import Session, open_session, run_one
from pipeline.settings import Tables
from pipeline.steps import BY_NAME, STEPS


@dataclass(frozen=True)
class Cost:
    """One step. `cpu_s` is user and system time of all its threads; `core_rtf` = cpu_s per second of sound."""

    step: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    core_rtf: float


def evaluate_speed(recording: Path, settings: Tables, tell: Callable[[str], None] = lambda line: None) -> dict:
    """{"duration_s", "steps": [Cost as dict, ...], "total": {"cpu_s", "wall_s", "core_rtf", "peak_mb"}}

    raises   AttuneError where the recording cannot be processed
    """
    with tempfile.TemporaryDirectory(prefix="attune-speed-") as store:
        session = open_session(Path(store), recording, [], settings)
        costs = []
        for step in STEPS:
            tell(f"{step.name}: {step.does}")
            costs.append(_cost_of(session, step.name))
    total = {
        "cpu_s": sum(cost.cpu_s for cost in costs),
        "wall_s": sum(cost.wall_s for cost in costs),
        "core_rtf": sum(cost.core_rtf for cost in costs),
        "peak_mb": max(cost.peak_mb for cost in costs),
    }
    return {"duration_s": session.about.duration_s, "steps": [vars(cost) for cost in costs], "total": total}


def _cost_of(session: Session, step: str) -> Cost:
    """Run the step in a child process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        cpu_s, wall_s, peak_mb = pool.apply(_measure, (session.folder, session.settings, step))
    return Cost(step, cpu_s, wall_s, peak_mb, cpu_s / max(session.about.duration_s, 1e-9))


def _measure(folder: Path, settings: Tables, step: str) -> tuple[float, float, float]:
    """(CPU seconds, wall seconds, peak resident MB) of one step, the loading of its libraries and weights included."""
    wall, cpu = time.perf_counter(), time.process_time()
    run_one(Session(folder, settings), BY_NAME[step])
    return time.process_time() - cpu, time.perf_counter() - wall, peak_mb()


def peak_mb() -> float:
    """High-water mark of this process's resident memory, MB of 2**20 bytes.

    Linux keeps it in /proc; `ru_maxrss`, used elsewhere, would there count the parent's memory at the start too.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    per_mb = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes, others kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb


def render_speed(result: dict) -> str:
    """The result as a table for the terminal."""
    lines = [
        f"{result['duration_s'] / 60:.1f} minutes of sound",
        f"{'step':<12}{'CPU s':>9}{'wall s':>9}{'core-RTF':>10}{'peak MB':>9}",
    ]
    rows = [*result["steps"], {"step": "total", **result["total"]}]
    lines += [
        f"{row['step']:<12}{row['cpu_s']:>9.1f}{row['wall_s']:>9.1f}{row['core_rtf']:>10.4f}{row['peak_mb']:>9.0f}"
        for row in rows
    ]
    return "\n".join(lines)
