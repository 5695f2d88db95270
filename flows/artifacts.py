"""What Prefect's pages show of a night: a table of session ids, steps and codes. No name, path or word."""

from __future__ import annotations

from collections.abc import Sequence

KEY = "attune-night"


def keep_night(rows: Sequence[dict[str, str]], told: str) -> None:
    """Keep the night's table as a Prefect artifact of a flow run of its own; its earlier versions stay behind it."""
    from prefect import flow
    from prefect.artifacts import create_table_artifact
    from prefect.states import Completed

    @flow(name="summary", flow_run_name="summary", persist_result=False)
    def summary():
        create_table_artifact(table=list(rows), key=KEY, description=told)
        return Completed(message=told)

    summary()
