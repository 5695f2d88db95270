"""The list of sessions: what waits, how far it is judged, and what a person should know before opening one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipeline.exports.text import file_name
from pipeline.records import AttuneError, Findings
from pipeline.review import folders, verdict_store
from pipeline.review.verdicts import Verdict, attach, current_verdicts
from pipeline.review.view import NOTHING, clips
from pipeline.session import Session
from pipeline.settings import Tables
from pipeline.steps import MOMENTS

NO_CONSENT = ("withdrawn", "refused", "none", "no", "not given", "revoked")


def list_sessions(store: Path, settings: Tables, rater: str) -> list[dict[str, Any]]:
    """One row a session, the newest first. A session that cannot be read is a row with the reason and the way out."""
    judged = current_verdicts(verdict_store.load_events(store))
    rows = [
        _row(store, key, settings, [v for v in judged if v.session == key], rater)
        for key in folders.list_folders(store)
    ]
    return sorted(rows, key=lambda row: (row["date"], row["id"]), reverse=True)


def _row(store: Path, key: str, settings: Tables, verdicts: list[Verdict], rater: str) -> dict[str, Any]:
    row: dict[str, Any] = {"id": key, "date": "", "name": "", "length_s": 0.0, "state": "ready", "problem": None}
    row |= {
        "clips": 0,
        "judged": 0,
        "raters": sorted({v.rater for v in verdicts}),
        "notes": [],
        "decided": [],
        "due": [],
    }
    try:
        session = folders.open_folder(store, key, settings)
        row |= {
            "date": recorded_at(session),
            "name": " and ".join(file_name(p) for p in (session.about.recording, session.about.second) if p),
            "length_s": session.about.duration_s,
        }
        row["decided"], row["due"] = _decided(session), _due(session, datetime.now(UTC).astimezone().date())
        problem = session.problem
        if problem:
            row |= {"state": "stopped", "problem": [problem.message.splitlines()[0], problem.mend]}
        if not (session.folder / MOMENTS.makes[0]).is_file():
            return row if problem else row | {"state": "unfinished"}
        return row | _progress(session.load(MOMENTS), verdicts, rater)
    except AttuneError as error:
        return row | {"state": "unreadable", "problem": [str(error).splitlines()[0], error.mend]}
    except (OSError, ValueError):
        return row | {
            "state": "unreadable",
            "problem": ["the session's folder cannot be read", "process the recording again"],
        }


def recorded_at(session: Session) -> str:
    """When the recording was last written, or else when the session was opened; local time, ISO 8601 to the minute."""
    path = Path(session.about.recording)
    try:
        at = path.stat().st_mtime if session.about.recording else 0.0
    except OSError:
        at = 0.0
    at = at or (session.folder / "about.json").stat().st_mtime
    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(timespec="minutes")


def _progress(findings: Findings, verdicts: list[Verdict], rater: str) -> dict[str, Any]:
    shown = clips(findings)
    own = [v for v in verdicts if v.rater == rater and v.rater_role != "consensus"]
    return {
        "state": "ready",
        "clips": len(shown),
        "judged": len(set(attach(own, shown).values())),
        "notes": [note for note in findings.notes if not note.startswith(NOTHING)],
    }


def _due(session: Session, today: date) -> list[str]:
    """What a person should see to: a day to delete the session by that has passed, consent that was not given or was
    taken back."""
    retention, consent = (session.decisions.get(table, {}) for table in ("retention", "consent"))
    days = retention.values() if isinstance(retention, dict) else ()
    found = [f"this session was to be deleted by {day}" for day in days if isinstance(day, date) and _day(day) < today]
    said = consent.values() if isinstance(consent, dict) else ()
    if any(value is False or str(value).lower() in NO_CONSENT for value in said):
        found.append("consent was not given, or was taken back")
    return found


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _decided(session: Session) -> list[str]:
    """Consent and retention as somebody wrote them into session.toml, one line each."""
    found = []
    for table in ("consent", "retention"):
        rows = session.decisions.get(table, {})
        if isinstance(rows, dict):
            found += [f"{table}: {key.replace('_', ' ')} {value}" for key, value in rows.items()]
    return found
