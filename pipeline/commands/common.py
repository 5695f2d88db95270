"""What several commands share: the session, the store, the settings file, printing."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.records import AttuneError
from pipeline.session import Session, find_session
from pipeline.settings import Tables, check_tables, load_tables, with_environment
from pipeline.steps import MOMENTS

STORE = "attune-store"
SETTINGS = "attune.toml"


def add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        type=Path,
        default=Path(os.environ.get("ATTUNE_STORE") or STORE),
        metavar="DIR",
        help=f"where sessions are kept (default: ATTUNE_STORE, or {STORE} here)",
    )


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help=f"a settings file (default: {SETTINGS} in the store, if there)"
    )


def add_session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "session", metavar="SESSION", help="id of a session (or its beginning), or the recording itself"
    )
    add_store(parser)
    add_settings(parser)


def ready_session(args: argparse.Namespace) -> Session:
    """The session that `add_session`'s arguments name, under the settings in force.

    raises   AttuneError where there is none, or it has no moments yet
    """
    session = find_session(args.store, args.session, read_settings(settings_path(args.store, args.settings)))
    check_ready(session)
    return session


def check_ready(session: Session) -> None:
    """Raises AttuneError, with the reason where one is known, when the session has no moments yet."""
    if (session.folder / MOMENTS.makes[0]).is_file():
        return
    problem = session.problem
    reason = f": {problem.message.splitlines()[0]}" if problem else ""
    mend = problem.mend if problem else "process its recording again"
    raise AttuneError(f"session {session.id} is not ready{reason}", mend=mend, code="session-not-ready")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the disk refuses at a place that the person named, as an AttuneError that names it."""
    try:
        yield
    except OSError as error:
        raise AttuneError(
            f"{str(path)!r} cannot be written ({error.strerror or type(error).__name__})",
            mend="name another place with --out, or make room there",
            code="out-unwritable",
        ) from error


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def settings_path(store: Path, chosen: Path | None) -> Path | None:
    """The settings file in force, or None.

    raises   AttuneError when the file that was named is not there
    """
    if chosen is not None and not chosen.is_file():
        raise AttuneError(f"there is no settings file {str(chosen)!r}", mend="check the path", code="no-such-file")
    usual = store / SETTINGS
    return chosen or (usual if usual.is_file() else None)


def read_settings(path: Path | None) -> Tables:
    """The checked tables of a settings file, if there is one, with the environment's over them."""
    from pipeline.settings_table import SECTIONS

    defaults = {name: options for name, (_, options) in SECTIONS.items()}
    tables = load_tables(path) if path is not None else {}
    check_tables(tables, defaults)
    return with_environment(tables, defaults)


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=1, ensure_ascii=False)
    print()


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from one hour on."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def console():
    """A rich console on standard output; plain where that is no terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 120
    return Console(highlight=False, width=width, soft_wrap=False)
