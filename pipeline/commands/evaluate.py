"""`attune evaluate`: how well and how fast, measured against references."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.commands import common
from pipeline.records import AttuneError

# benchmark -> what it measures
BENCHMARKS: dict[str, str] = {
    "speed": "processor seconds, wall seconds and peak memory of each step on one recording",
    "interviews": "words, speakers and roles on recordings with reference words and turns, or speakers alone",
    "pitch": "pitch against laryngograph references, beside other extractors",
    "timing": "latencies, pauses and talk share against reference turns",
    "moments": "moments, repairs and links on coded scripts",
    "scale": "sessions an hour, overhead, database and memory of many sessions on 1 and 2 workers",
    "background": "how often anything is flagged in ordinary therapy talk (a csv of coded utterances)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    benchmarks = parser.add_subparsers(dest="benchmark", metavar="BENCHMARK", required=True)
    made = {name: benchmarks.add_parser(name, help=does) for name, does in BENCHMARKS.items()}
    for name, benchmark in made.items():
        if name == "scale":
            benchmark.add_argument(
                "path", nargs="?", type=Path, metavar="FILE", help="a recording, or a folder of them; else transcripts"
            )
            benchmark.add_argument("--sessions", type=int, default=20, metavar="N", help="how many (default: 20)")
            benchmark.add_argument(
                "--overlap",
                action="store_true",
                help="one worker and two in turn, twice: whether to read and measure the next recording while models "
                "run is faster here",
            )
            common.add_json(benchmark)
            common.add_settings(benchmark)
            continue
        benchmark.add_argument("path", type=Path, metavar="FILE" if name in ("speed", "background") else "DIR")
        common.add_json(benchmark)
    for name in ("speed", "interviews"):
        common.add_settings(made[name])
    made["interviews"].add_argument(
        "--against", default="", metavar="PEER,...", help="run peers in turn: faster-whisper, pyannote, openai-whisper"
    )
    made["interviews"].add_argument(
        "--text", action="store_true", help="the path is a csv of transcripts: roles from words alone"
    )
    made["moments"].add_argument(
        "--ablate", action="store_true", help="leave out text, timing, voice and gates in turn"
    )
    made["moments"].add_argument(
        "--spoken", type=Path, metavar="RECORDINGS", help="what the same scripts lose spoken and recognised"
    )


def run(args: argparse.Namespace) -> int:
    if args.path is not None and not args.path.exists():
        raise AttuneError(f"there is nothing at {str(args.path)!r}", mend="check the path", code="no-such-file")
    result, text = {
        "speed": _speed,
        "interviews": _interviews,
        "pitch": _pitch,
        "timing": _timing,
        "moments": _moments,
        "background": _background,
        "scale": _scale,
    }[args.benchmark](args)
    if args.json:
        common.print_json(result)
    else:
        print(text)
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _speed(args: argparse.Namespace) -> tuple[Any, str]:
    from pipeline.evaluate.speed import evaluate_speed, render_speed

    result = evaluate_speed(args.path, common.read_settings(args.settings), _tell)
    return result, render_speed(result)


def _interviews(args: argparse.Namespace) -> tuple[Any, str]:
    from pipeline.evaluate import interviews

    if args.text:
        result = interviews.evaluate_text_roles(args.path)
        return result, interviews.render_text_roles(result)
    peers = tuple(name.strip() for name in args.against.split(",") if name.strip())
    result = interviews.evaluate_interviews(args.path, peers, _tell, common.read_settings(args.settings))
    return result, interviews.render_interviews(result)


def _pitch(args: argparse.Namespace) -> tuple[Any, str]:
    from pipeline.evaluate.pitch import evaluate_pitch, render_pitch

    result = evaluate_pitch(args.path)
    return result, render_pitch(result)


def _timing(args: argparse.Namespace) -> tuple[Any, str]:
    from pipeline.evaluate.timing import evaluate_timing, render_timing

    result = evaluate_timing(args.path, tell=_tell)
    return result, render_timing(result)


def _moments(args: argparse.Namespace) -> tuple[Any, str]:
    if args.spoken is not None:
        from pipeline.evaluate.spoken import evaluate_spoken, render_spoken

        result = evaluate_spoken(args.path, args.spoken, tell=_tell)
        return result, render_spoken(result)
    from pipeline.evaluate.moments import evaluate_moments, render_moments

    result = evaluate_moments(args.path, ablate=args.ablate)
    return result, render_moments(result)


def _background(args: argparse.Namespace) -> tuple[Any, str]:
    from pipeline.evaluate.background import evaluate_background, render_background

    result = evaluate_background(args.path)
    return result, render_background(result)


def _scale(args: argparse.Namespace) -> tuple[Any, str]:
    from pipeline.evaluate import scale

    recordings = _recordings(args.path)
    if args.overlap and not recordings:
        raise AttuneError(
            "--overlap needs recordings, for transcripts have no models to wait for",
            mend="attune evaluate scale FILE_OR_FOLDER --overlap",
            code="no-such-file",
        )
    plans = scale.OVERLAP if args.overlap else scale.PLANS
    nights = scale.evaluate_scale(args.sessions, recordings, common.read_settings(args.settings), _tell, plans)
    rows = [asdict(night) for night in nights]
    if args.overlap:
        return {"nights": rows, "two_against_one": asdict(scale.compare_overlap(nights))}, scale.render_overlap(nights)
    return rows, scale.render_scale(nights)


def _recordings(path: Path | None) -> list[Path]:
    """The recording at a path, or those in the folder there.

    raises   AttuneError for a folder without any
    """
    from pipeline.commands.process import RECORDINGS

    if path is None or path.is_file():
        return [path] if path else []
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in RECORDINGS)
    if not found:
        raise AttuneError(f"there is no recording in {str(path)!r}", mend="check the path", code="no-such-file")
    return found
