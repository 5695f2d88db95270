"""Progress: which recording, which step, how much is left. Bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pipeline.commands.common import clock
from pipeline.session import Event
from pipeline.steps import BY_NAME, STEPS

LOG = "attune.log"


def write_log(store: Path, event: Event) -> None:
    """One line in the store's log: time, session id, step, outcome. Never a name, a path or a word.

    A step that is made again says what has changed since: "begun options".
    """
    what = f"{event.outcome} {event.seconds:.1f}" if event.outcome else f"begun {event.why}".rstrip()
    if event.outcome in (None, "made"):
        with (store / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {event.session} {event.step} {what}\n")


class Estimate:
    """Seconds left, from what each step usually costs and how this machine has done so far."""

    def __init__(self, durations: dict[str, float]) -> None:
        self.left = {
            (session, step.name): self.usual(step.name, s) for session, s in durations.items() for step in STEPS
        }
        self.expected = self.spent = 0.0

    @staticmethod
    def usual(step: str, duration_s: float) -> float:
        return 0.05 + BY_NAME[step].cpu_per_audio_s * duration_s

    def finish(self, event: Event) -> None:
        """Take note of a finished step."""
        cost = self.left.pop((event.session, event.step), 0.0)
        if event.outcome == "made":
            self.expected += cost
            self.spent += event.seconds

    def seconds_left(self) -> float:
        """Seconds for all that is not finished; the pace settles as steps are finished."""
        prior = 20.0  # expected seconds' worth of trust in the usual pace
        pace = (self.spent + prior) / (self.expected + prior)
        return pace * sum(self.left.values())


class Display:
    """Follows a run. `made` collects the steps made, by session.

    names   session id -> (file name for the person at the terminal, seconds of sound)
    quiet   show nothing
    """

    def __init__(self, names: dict[str, tuple[str, float]], quiet: bool) -> None:
        self.names, self.quiet = names, quiet
        self.order = {session: i + 1 for i, session in enumerate(names)}
        self.made: dict[str, list[str]] = {}
        self.estimate = Estimate({session: duration for session, (_, duration) in names.items()})
        self.bar = None

    def __enter__(self) -> Display:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}", markup=False), BarColumn(24), TextColumn("{task.fields[left]}"))
            self.bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task("starting", total=len(self.names) * len(STEPS), left="")
            self.bar.start()
        elif not self.quiet:
            print("starting the local Prefect server", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def on_event(self, event: Event) -> None:
        """A step began or ended."""
        if event.outcome is not None:
            self.estimate.finish(event)
        if event.outcome == "made":
            self.made.setdefault(event.session, []).append(event.step)
        if not self.quiet:
            self._show(event)

    def on_wait(self, holder: str) -> None:
        """Another process holds the session."""
        if not self.quiet:
            print(f"{holder} is at work on this session; waiting for it", file=sys.stderr, flush=True)

    def _show(self, event: Event) -> None:
        name, _ = self.names[event.session]
        label = f"[{self.order[event.session]}/{len(self.names)}] {_shortened(name)}: {BY_NAME[event.step].does}"
        if self.bar is not None:
            left = f"about {clock(self.estimate.seconds_left())} left"
            self.bar.update(self.task, description=label, left=left, advance=1.0 if event.outcome else 0.0)
        elif event.outcome is None:
            print(f"{label} (about {clock(self.estimate.seconds_left())} left)", file=sys.stderr, flush=True)


def _shortened(name: str, most: int = 40) -> str:
    return name if len(name) <= most else f"{name[: most - 12]}…{name[-11:]}"
