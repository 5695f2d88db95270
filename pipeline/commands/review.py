"""`attune review`: the supervisor's page, opened in the browser, served to this machine only."""

from __future__ import annotations

import argparse
import socket
import sys
import webbrowser
from pathlib import Path
from threading import Thread

from pipeline.commands import common
from pipeline.formats import write_atomic
from pipeline.records import AttuneError

LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    common.add_store(parser)
    common.add_settings(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="which port (default: any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="write every verdict to a .jsonl or .csv file and end"
    )


def run(args: argparse.Namespace) -> int:
    if args.export:
        return export_verdicts(args.store, args.export)
    settings = common.read_settings(common.settings_path(args.store, args.settings))
    if not (args.store / "sessions").is_dir():
        raise AttuneError(
            f"there is no store in {str(args.store)!r}",
            mend="name it with --store, or process a recording first",
            code="no-store",
        )
    listener = listen(args.port)
    serve(args.store, settings, listener, browser=not args.no_browser)
    return 0


def export_verdicts(store: Path, path: Path) -> int:
    from pipeline.review.verdict_files import WRITERS
    from pipeline.review.verdict_store import load_events
    from pipeline.review.verdicts import current_verdicts

    if path.suffix not in WRITERS:
        raise AttuneError(
            f"verdicts are not written as {path.suffix or 'a file without a suffix'!r}",
            mend=f"name a file that ends in {' or '.join(WRITERS)}",
            code="format-unknown",
        )
    standing = current_verdicts(load_events(store))
    with common.writing(path):
        write_atomic(path, WRITERS[path.suffix](standing))
    print(f"{len(standing)} verdicts in {path}")
    return 0


def listen(port: int) -> socket.socket:
    """A socket on this machine's own address only.

    raises   AttuneError where the port is taken or is none
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise AttuneError(
            f"port {port} cannot be used ({type(error).__name__})",
            mend="choose another with --port, or leave it out",
            code="port-taken",
        ) from error


def serve(store: Path, settings: common.Tables, listener: socket.socket, *, browser: bool) -> None:
    """Serve the page until Ctrl-C."""
    import uvicorn

    from pipeline.review.access import Gate
    from pipeline.review.app import build_app, warm_up

    gate = Gate(listener.getsockname()[1])
    # without an access log: the opened address holds the key
    config = uvicorn.Config(
        build_app(store, settings, gate),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    Thread(target=warm_up, daemon=True).start()
    print(f"The review page, for this machine only: {gate.address}\nCtrl-C closes it.", flush=True)
    if browser and not webbrowser.open(gate.address):
        print("No browser could be opened: open the address by hand.", file=sys.stderr)
    uvicorn.Server(config).run(sockets=[listener])
