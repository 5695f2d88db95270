"""A whole night to look at: recordings with broken ones, kills and a full disk among them, and the log of it.

    python -m tests.e2e.show_night                                    six half minutes of the acted sessions
    python -m tests.e2e.show_night --from DIR --sessions 40 --minutes 10

The recordings are those of a folder, cut to length and repeated with other bytes. Three broken files lie among them.
In the night a worker is killed twice, in two sessions, and the disk fills up once while an artefact is written.
Settings are taken from the environment, as `ATTUNE_WORDS_BEAMS=1` for a quick night.
It ends with a count: all but the broken ones ready, those explained, nothing made twice.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from pipeline.commands.process import RECORDINGS
from pipeline.evaluate.scale import copy_recording
from pipeline.models import sha256_of
from tests.e2e.harness import COMMAND, ROOT, environment

FAULTS = (("words", "kill"), ("markers", "kill"), ("turns", "full"))


def cut(recording: Path, to: Path, minutes: float) -> Path:
    """The first minutes of a recording as a wav."""
    import soundfile

    from pipeline.speech.audio import AudioOptions, decode_recording

    audio = decode_recording(recording, AudioOptions())
    soundfile.write(to, audio.samples.T[: round(minutes * 60 * audio.rate_hz)], audio.rate_hz)
    return to


def cut_transcript(recording: Path, to: Path, minutes: float) -> None:
    """The transcript beside a recording (.stm), as far as the first minutes go."""
    lines = recording.with_suffix(".stm").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.startswith(";") or float(line.split()[4]) <= 60 * minutes]
    to.write_text("\n".join(kept) + "\n", encoding="utf-8")


def write_night(folder: Path, sources: list[Path], args: argparse.Namespace, scratch: Path) -> list[Path]:
    """The folder of the evening. Returns the recordings that are whole."""
    folder.mkdir(parents=True)
    cuts = [cut(source, scratch / f"{n}.wav", args.minutes) for n, source in enumerate(sources)]
    whole = []
    for n in range(args.sessions - 3):
        whole.append(copy_recording(cuts[n % len(cuts)], folder / f"session {n:02d}.wav", n))
        if args.transcripts:
            cut_transcript(sources[n % len(cuts)], whole[-1].with_suffix(".stm"), args.minutes)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is not a recording")
    (folder / "cut off.mp4").write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 5000)
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, default=ROOT / "sample_audio")
    parser.add_argument("--sessions", type=int, default=9, help="the three broken ones included (default: 9)")
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--words", default="whisper-tiny.en", help="weights for the words")
    parser.add_argument(
        "--transcripts",
        action="store_true",
        help="take the words and speakers of the .stm beside each recording",
    )
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attune-night-") as name:
        return show(args, Path(name))


def show(args: argparse.Namespace, scratch: Path) -> int:
    sources = sorted(path for path in args.source.iterdir() if path.suffix.lower() in RECORDINGS)
    whole = write_night(scratch / "in", sources, args, scratch)
    count = len(whole)  # early in the night, in the middle of it, late
    struck = [sha256_of(whole[n])[:12] for n in (count // 8, count // 2, 3 * count // 4)]
    faults = [
        {"step": step, "what": what, "session": session, "mark": str(scratch / f"mark-{step}")}
        for (step, what), session in zip(FAULTS, struck, strict=True)
    ]
    env = environment(ATTUNE_FAULTS=json.dumps(faults), ATTUNE_WORDS_MODEL=args.words)
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "e2e" / "faults"), env["PYTHONPATH"]])
    store = args.store or scratch / "store"
    options = ["--once", "--settle", "2", "--every", "1", "--workers", str(args.workers), "--offline"]
    options += ["--transcripts"] * args.transcripts
    done = subprocess.run([*COMMAND, "watch", str(scratch / "in"), "--store", str(store), *options], env=env)
    log = (store / "attune.log").read_text()
    print(log)
    report = json.loads(max((store / "night").glob("report-*.json")).read_text())
    made = Counter(re.findall(r"^\S+ (\w{12} \w+) made", log, flags=re.MULTILINE))
    twice = [key for key, times in made.items() if times > 1]
    happened = len(list(scratch.glob("mark-*")))
    print(
        f"{len(report['made'])} ready, {len(report['stopped'])} explained, {report['restarts']} workers started again,"
    )
    print(f"{happened} of {len(faults)} faults happened, most often a step was made: {max(made.values(), default=0)}")
    fine = (
        done.returncode == 0
        and len(report["made"]) == len(whole)
        and len(report["stopped"]) == 3
        and happened == len(faults)
        and set(made.values()) == {1}
    )
    for session, step in map(str.split, twice):
        print(f"made more than once: {session} {step}")
        print("\n".join(line for line in log.splitlines() if f" {session} {step} " in line))
    print("as it should be" if fine else f"NOT as it should be; its log: {_kept(log)}")
    return 0 if fine else 1


def _kept(log: str) -> str:
    """Where the log of a night lies that did not go well: the store is gone with the command."""
    handle, name = tempfile.mkstemp(prefix="attune-night-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(log)
    return name


if __name__ == "__main__":
    sys.exit(main())
