"""Run flows from this process, against a server of its own unless the clinic has one.

The only door through which the command line reaches Prefect: Prefect is first imported inside, after the environment
has been prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flows import environment


def run_folder(store: Path, settings: Path | None, sessions: Sequence[str], listener) -> None:
    """Bring the sessions up to date. What became of each stands in its folder.

    listener   a `flows.context.Listener`
    """
    environment.prepare(store, settings)
    from flows import server

    with server.swept(store):
        from flows.context import listening
        from flows.folder import process_folder

        with listening(listener):
            process_folder(list(sessions), return_state=True)
