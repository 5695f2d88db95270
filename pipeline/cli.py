"""The `attune` command: a visible table of commands, and one place where what went wrong is told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from types import ModuleType

from pipeline import native
from pipeline.records import AttuneError

# command -> what it does; its module in `pipeline.commands` holds `add_arguments(parser)`, `run(args) -> exit status`
COMMANDS: dict[str, str] = {
    "process": "transcribe recordings and mark the moments worth a look",
    "review": "open the supervisor's page: jump to a moment, see why, decide",
    "calibrate": "learn from the clinic's own verdicts; put it in force or take it back",
    "watch": "process what arrives in a folder, through the night",
    "deploy": "set up a Prefect server for several machines: pool, limits, schedule",
    "enrol": "keep a therapist's voice sample, as numbers, to name the therapist by; list and delete them",
    "show": "print the moments of a session, or the list of sessions",
    "export": "write a session in other formats",
    "clip": "cut a moment out as a film of its own, with captions",
    "share": "make a de-identified copy: names, places and numbers out of words and sound",
    "import": "take up what was changed in ELAN or Praat: words, speakers, moments, verdicts",
    "plot": "draw a session on one page",
    "markers": "print the catalogue of markers",
    "features": "print every measured column: unit, definition, source",
    "models": "list, fetch, verify or add weights",
    "train": "fit the heads from coded scripts again, with a receipt",
    "evaluate": "measure against references: accuracy, speed and memory",
    "init": "write a settings file with every default explained",
    "doctor": "check versions, weights, disk and store",
}


def module_of(command: str) -> ModuleType:
    """The command's module: it has the command's name, with a _ after it where Python keeps that word for itself."""
    return import_module(f"pipeline.commands.{command}{'_' * iskeyword(command)}")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attune",
        description="Marks possible ruptures and repairs of the working alliance in recorded therapy sessions. "
        "Everything stays on this machine.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, does in COMMANDS.items():
        command = commands.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
        module_of(name).add_arguments(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0, or 1 where nothing could be done; 130 after Ctrl-C."""
    native.set_environment()
    args = build_parser().parse_args(argv)
    try:
        return module_of(args.command).run(args)
    except AttuneError as error:
        print(f"attune: {error}\n  what to do: {error.mend}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What is finished is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader has gone, as in `attune show | head`
        return 0


if __name__ == "__main__":
    sys.exit(main())
