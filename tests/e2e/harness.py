"""Runs the `attune` command as a user does, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "pipeline.cli"]

DIALOGUE = [
    ("therapist", "How have you been since we last met?"),
    ("client", "Busy, mostly. My sister came with the twins, and we went to the sea, and it rained every day of it."),
    ("therapist", "What was that like for you, all of you in one place?"),
    ("client", "Loud. But nice, really. I liked having the house full, I did not expect that I would like it so much."),
    ("therapist", "You sound surprised by that."),
    ("client", "I was. I usually want everybody gone by the second day, and this time I was sorry when they left."),
    ("therapist", "I would like you to fill in the worksheet on your mood every evening this week."),
    (
        "client",
        "I don't see the point of these worksheets. You never look at them, and they are not helping me at all.",
    ),
    ("therapist", "They are part of the programme, and most people find them useful."),
    ("client", "You are not listening to me. You keep doing this, you just read from your list."),
    (
        "therapist",
        "I think I got that wrong. I was pushing the worksheet and I missed what you were telling me. How was that?",
    ),
    ("client", "It felt like school, to be honest. I came to talk about my sister, and I got homework."),
    ("therapist", "That makes sense. Let us put the sheet away. What would you like to use our time for today?"),
    ("client", "I want to understand why I was so sad when they drove off. I sat in the car for an hour."),
    ("therapist", "An hour in the car. What was going through your mind?"),
    (
        "client",
        "That my mother would have loved it. She never saw the twins, and she would have been so good with them.",
    ),
]


def dialogue_turns(repeat: int = 1) -> list[dict]:
    """An invented conversation with one confrontation and a repair, after ordinary talk, as given turns."""
    turns, at = [], 0.0
    for role, text in (DIALOGUE[:6] * 4 + DIALOGUE + DIALOGUE[14:] * 3) * repeat:
        length = max(0.5, len(text.split()) / 2.7)
        turns.append({"start": round(at, 2), "end": round(at + length, 2), "speaker": role, "role": role, "text": text})
        at += length + 0.4
    return turns


def write_dialogue(path: Path, repeat: int = 1) -> Path:
    path.write_text(json.dumps({"turns": dialogue_turns(repeat)}), encoding="utf-8")
    return path


def environment(**extra: str) -> dict[str, str]:
    """This process's environment with the checkout importable; the guard too where `ATTUNE_GUARD_LOG` is given."""
    paths = [str(ROOT)] + ([str(ROOT / "tests" / "e2e" / "guard")] if "ATTUNE_GUARD_LOG" in extra else [])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(reversed(paths)), **extra}


def attune(*args: object, cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess:
    """Run `attune ARGS...` to its end, output captured as text."""
    command = [*COMMAND, *map(str, args)]
    return subprocess.run(command, cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=1500)


def start(*args: object, **extra: str) -> subprocess.Popen:
    """Start `attune ARGS...`; its progress lines come on stderr."""
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        preexec_fn=_hear_control_c,
    )


def _hear_control_c() -> None:
    """A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def artefacts(folder: Path) -> dict[str, bytes]:
    """What a finished session holds, without receipts (they carry times), the lock, and where its store lay."""
    kept = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("lock"):
            kept[path.name] = path.read_bytes()
    if kept.get("about.json"):
        kept["about.json"] = json.dumps(json.loads(kept["about.json"]) | {"store": ""}).encode()
    return kept
