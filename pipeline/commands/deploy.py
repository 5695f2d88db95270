"""`attune deploy`: the work pool, deployments, limits and schedule for several machines, on the clinic's own server."""

from __future__ import annotations

import argparse
import os
import re

from pipeline.commands import common
from pipeline.records import AttuneError

TELEMETRY = "DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pool", default="attune", metavar="NAME", help="the work pool (default: attune)")
    parser.add_argument("--machines", type=int, default=1, metavar="N", help="machines that work at night (default: 1)")
    parser.add_argument(
        "--models",
        type=int,
        metavar="N",
        help="steps that load models at a time, over all machines (default: one for each machine)",
    )
    parser.add_argument("--at", metavar="HH:MM", help="begin every day at that time (default: no schedule)")
    parser.add_argument("--timezone", default="", metavar="NAME", help="of that time (default: this machine's)")
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        raise AttuneError(
            "several machines need a Prefect server of your own, and PREFECT_API_URL names none",
            mend=f"{TELEMETRY} prefect server start --host 0.0.0.0; then set PREFECT_API_URL=http://THAT_MACHINE:4200/api",
            code="server-unnamed",
        )
    wanted = _wanted(args)
    from flows.environment import ALWAYS, DEFAULTS

    os.environ.update(ALWAYS)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", DEFAULTS["PREFECT_LOGGING_LEVEL"])
    import httpx

    from flows.deploy import deploy

    try:
        names = deploy(wanted)
    except (httpx.HTTPError, OSError, RuntimeError) as error:
        raise AttuneError(
            f"the Prefect server at {address} does not take it ({type(error).__name__})",
            mend="check that it runs and has the version of this machine's Prefect: attune doctor",
            code="server-unreachable",
        ) from error
    _tell(args, names, address)
    return 0


def _wanted(args: argparse.Namespace):
    """What the arguments ask for.

    raises   AttuneError for a number or a time that makes no sense
    """
    from flows.deploy import Deployment

    for name in ("machines", "models"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise AttuneError(f"--{name} is {getattr(args, name)}; it takes 1 or more", mend="change it", code="range")
    cron = ""
    if args.at:
        match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", args.at)
        if not match:
            raise AttuneError(f"{args.at!r} is no time of day", mend="write --at as 20:00", code="time-of-day")
        cron = f"{int(match[2])} {int(match[1])} * * *"
    models = args.models or args.machines
    return Deployment(args.pool, args.machines, models, cron, args.timezone or local_timezone())


def local_timezone() -> str:
    """The name of this machine's time zone; "UTC" where it has none that can be found."""
    if os.environ.get("TZ"):
        return os.environ["TZ"].lstrip(":")
    try:
        place = os.path.realpath("/etc/localtime")
    except OSError:
        return "UTC"
    return place.partition("zoneinfo/")[2] or "UTC"


def _tell(args: argparse.Namespace, names: list[str], address: str) -> None:
    start = f"prefect worker start --pool {args.pool} --type process"
    if args.json:
        common.print_json({"server": address, "pool": args.pool, "deployments": names, "start": start})
        return
    print(f"{address} now holds the pool {args.pool!r} and: {', '.join(names)}")
    print("On each machine, with the same version of attune, start (and keep running):")
    print(f"  {TELEMETRY} PREFECT_API_URL={address} \\")
    print(f"  ATTUNE_STORE=/share/store ATTUNE_FOLDER=/share/recordings {start}")
    print(f"A night at once: prefect deployment run {names[1]}")
