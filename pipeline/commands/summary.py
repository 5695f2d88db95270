"""The table at the end of `attune process`: possible moments per session, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.common import clock, console
from pipeline.records import Findings, Moment
from pipeline.steps import MOMENTS

if TYPE_CHECKING:
    from pipeline.commands.process import Item


def shown(findings: Findings) -> list[Moment]:
    """The moments to print: the audit clip is not one of them."""
    return [moment for moment in findings.moments if not moment.audit]


def summary_rows(items: Sequence[Item]) -> list[dict[str, Any]]:
    """One row per file, for `--json`."""
    rows = []
    for item in items:
        row = {"file": str(item.file), "session": item.session.id if item.session else None, "state": item.state}
        if item.state == "ready":
            found = item.session.load(MOMENTS)
            row |= {"made": item.made, "moments": len(shown(found)), "notes": list(found.notes)}
            row["folder"] = str(item.session.folder)
        else:
            row |= {"code": item.code, "message": item.message, "mend": item.mend}
        rows.append(row)
    return rows


def print_summary(items: Sequence[Item], store: Path) -> None:
    out = console()
    ready = [item for item in items if item.state == "ready"]
    for item in ready:
        _print_session(out, item)
    for item in items:
        if item.state == "same":
            out.print(f"{item.name}: {item.message}", markup=False)
        elif item.state == "stopped":
            out.print(f"{item.name}: {item.message}\n  what to do: {item.mend}", style="yellow", markup=False)
    out.print(
        f"{len(ready)} ready, {sum(item.state == 'stopped' for item in items)} stopped; store: {store}", markup=False
    )
    if ready:
        out.print("These are candidates for a look, found by rules; a person decides what they were.", style="dim")


def _print_session(out, item: Item) -> None:
    from rich.table import Table
    from rich.text import Text

    found = item.session.load(MOMENTS)
    moments = shown(found)
    out.print(Text(f"\n{item.name}  session {item.session.id}, {clock(item.session.about.duration_s)}", style="bold"))
    for note in found.notes:
        out.print(f"  note: {note}", markup=False)
    if moments:
        table = Table(box=None, padding=(0, 1), pad_edge=True)
        for heading in ("", "time", "worth a look", "why", "repair attempt"):
            table.add_column(heading, style="bold" if heading == "time" else "", overflow="fold")
        for rank, moment in enumerate(moments, 1):
            table.add_row(*(Text(cell) for cell in _cells(rank, moment)))
        out.print(table)
    page = item.session.folder / "summary.html"
    out.print(Text(f"  page: {page}   words: attune show {item.session.id}", style="dim"))


def _cells(rank: int, moment: Moment) -> tuple[str, ...]:
    attempts = ", ".join(sorted({repair.type for repair in moment.repairs}))
    what = f"possible {moment.kind}" if moment.kind != "repair" else "possible repair attempt"
    repair = attempts or ("" if moment.kind == "repair" else "not seen")
    return str(rank), f"{clock(moment.start)}-{clock(moment.end)}", what, moment.why[0] if moment.why else "", repair
