"""A night as one flow run, for a schedule: what lies in the watched folder is brought up to date, then it ends.

Started on each machine by Prefect's process worker. Where the recordings and the store are comes from that worker's
environment, never from parameters, which Prefect keeps: `ATTUNE_FOLDER` and `ATTUNE_STORE`, and `ATTUNE_WATCH` for
further options of `attune watch`. The sessions are flow runs of their own; what this one prints is kept from Prefect's
logs, for it may name files.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

from prefect import flow
from prefect.states import Completed, Failed, State

from flows.environment import STORE

FOLDER, OPTIONS = "ATTUNE_FOLDER", "ATTUNE_WATCH"
LONGEST_S = 20 * 3600  # so that one night's run is over before the next begins


@flow(name="night", flow_run_name="night", persist_result=False, timeout_seconds=LONGEST_S)
def work_through_the_night() -> State:
    """Bring what lies in the folder up to date. Completed with counts; Failed with a code."""
    folder = os.environ.get(FOLDER)
    if not folder or not os.environ.get(STORE):
        return Failed(message="folder-unnamed" if not folder else "store-unnamed")
    command = [sys.executable, "-m", "pipeline.cli", "watch", folder, "--once", "--json", "--offline"]
    command += shlex.split(os.environ.get(OPTIONS, ""))
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return Failed(message=f"watch-ended-{done.returncode}")
    made, reused, stopped = (len(report[group]) for group in ("made", "reused", "stopped"))
    return Completed(message=f"{made} made, {reused} as they were, {stopped} stopped")
