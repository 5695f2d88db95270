"""Every address the page asks for.

Answers are JSON unless they are files. Nothing here names a file or a client: sessions go by their id, clips by their
number in order of time. What changes something is a POST with JSON; `access.py` has seen to who may ask at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from pipeline.alliance.calibration_store import load_kept
from pipeline.exports import WRITERS as FORMATS
from pipeline.exports import unmarked_files, veiled_files
from pipeline.exports.wording import BANDS, KINDS, NOT_A_RISK_TOOL, ROLES, marker_label
from pipeline.records import AttuneError
from pipeline.review import agreement, clips, decisions, folders, judging, media, verdict_files, verdict_store
from pipeline.review.access import App, Gate, guard
from pipeline.review.jobs import Job, Jobs
from pipeline.review.listing import list_sessions, recorded_at
from pipeline.review.remake import remake
from pipeline.review.session_exports import Reader, export_session
from pipeline.review.verdicts import current_verdicts
from pipeline.review.view import Contents, build_judged, build_view
from pipeline.review.whose import verdicts_for
from pipeline.session import Session
from pipeline.settings import Tables
from pipeline.speech.corrections import Correction
from pipeline.steps import EXPORTS, MOMENTS, TURN_TABLE, TURNS, VOICES, WINDOWS

STATIC = Path(str(files("pipeline.review") / "static"))
AHEAD = 12  # sessions made ready to play while the list is looked at: a night's
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


class Given(msgspec.Struct, forbid_unknown_fields=True):
    """Words given to another person or put right, and turns cut or joined."""

    start: float
    end: float
    kind: str
    role: str | None = None
    text: str = ""
    of: str | None = None


class Who(msgspec.Struct, forbid_unknown_fields=True):
    rater: str


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


def build_app(store: Path, settings: Tables, gate: Gate) -> App:
    """The whole page behind its gate, as an ASGI application."""
    app = FastAPI(title="attune review", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.ahead, app.state.copies, app.state.remakes = Jobs(calm=True), Jobs(calm=True), Jobs()
    _serve_page(app)
    _serve_sessions(app, store, settings)
    _take_decisions(app, store, settings)
    _serve_results(app, store, settings)
    app.add_exception_handler(AttuneError, _told)
    app.add_exception_handler(msgspec.ValidationError, _misfit)
    app.add_exception_handler(msgspec.DecodeError, _misfit)
    app.add_exception_handler(ValueError, _misfit)
    return guard(app, gate)


def warm_up() -> None:
    """Load what the first session to be opened would otherwise wait for: about half a second of imports."""
    import io

    import pandas as pd

    table = io.BytesIO()
    pd.DataFrame({"start": [0.0]}).to_parquet(table)
    pd.read_parquet(table)
    judging.strategy_ids()


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, AttuneError)
    status = 404 if error.code == "no-such-session" else 409
    return _json({"problem": str(error).splitlines()[0], "mend": error.mend}, status)


async def _misfit(request: Request, error: Exception) -> Response:
    return _json({"problem": str(error) or "that does not fit", "mend": "reload the page and try again"}, 422)


# ------------------------------------------------------------------------------------------------- reading


def _serve_page(app: FastAPI) -> None:
    known = {path.name: path for path in STATIC.iterdir() if path.suffix in TYPES}

    @app.get("/")
    def page() -> Response:
        return _static(known["index.html"])

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        return _static(known[name]) if name in known else Response(status_code=404)


def _static(path: Path) -> Response:
    return Response(path.read_bytes(), media_type=TYPES[path.suffix])


def _serve_sessions(app: FastAPI, store: Path, settings: Tables) -> None:
    def opened(key: str) -> Session:
        return folders.open_folder(store, key, settings)

    @app.get("/api/words")
    def words() -> Response:
        return _json(
            {
                "limit": NOT_A_RISK_TOOL,
                "kinds": KINDS,
                "roles": ROLES,
                "bands": BANDS,
                "formats": [
                    [name, *(told_files(list(files)) for files in (whole, unmarked_files(name), veiled_files(name)))]
                    for name, whole in FORMATS.items()
                ],
                "moves": [[name, marker_label(name)] for name in judging.strategy_ids()],
            }
        )

    @app.get("/api/sessions")
    def sessions(rater: str = "") -> Response:
        rows = list_sessions(store, settings, judging.check_rater(rater))
        for row in [row for row in rows if row["state"] == "ready" and row["judged"] < row["clips"]][:AHEAD]:
            prepare_ahead(row["id"])
        return _json({"sessions": rows})

    def prepare_ahead(key: str) -> None:
        """So that the sound is there when the session is opened; a picture to be copied waits until then."""
        app.state.ahead.start(key, lambda tell: media.prepare(opened(key), tell, picture=False))

    @app.get("/api/sessions/{key}")
    def session(key: str) -> Response:
        found = opened(key)
        check_ready(found)
        contents = load_contents(found)
        app.state.copies.start(key, lambda tell: media.prepare(found, tell), "making the review copy")
        return _json(_session(found) | build_view(contents))

    @app.get("/api/sessions/{key}/state")
    def state(key: str) -> Response:
        found = opened(key)
        return _json(
            {
                "media": _media(found),
                "copy": _job(app.state.copies.of(key)),
                "remake": _job(app.state.remakes.of(key)),
            }
        )

    @app.get("/api/sessions/{key}/peaks")
    def peaks(key: str) -> Response:
        path = opened(key).folder / media.FOLDER / media.PEAKS
        content = path.read_bytes() if path.is_file() else b""
        return Response(content, media_type="application/octet-stream")

    @app.get("/api/sessions/{key}/media")
    def play(key: str) -> Response:
        found = media.playing(opened(key))
        return FileResponse(found[0], media_type=found[1]) if found else Response(status_code=404)

    @app.get("/api/sessions/{key}/judged")
    def judged(key: str, rater: str = "", everyone: bool = False) -> Response:
        return _json(_judged(store, opened(key), judging.check_rater(rater), everyone))


def told_files(names: list[str]) -> str:
    """What a format is made of, in a line: the names of its files, or how many of which sort."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{len(names)} tables, {', '.join(name.rsplit('.', 1)[0] for name in names)}"


def check_ready(session: Session) -> None:
    """Raises AttuneError, with the reason where one is known, for a session without moments.

    One that has moments is shown although its last run stopped: what was made before still stands.
    """
    if (session.folder / MOMENTS.makes[0]).is_file():
        return
    problem = session.problem
    if problem:
        raise AttuneError(problem.message.splitlines()[0], mend=problem.mend, code="session-stopped")
    raise AttuneError("the session is not ready", mend="wait until it is processed", code="session-not-ready")


def load_contents(session: Session) -> Contents:
    turns, voices, found = (session.load(step) for step in (TURNS, VOICES, MOMENTS))
    folders.check_times(session.about, turns, found)
    ends = [item.end for group in (turns, found.moments, found.repairs) for item in group]
    table, windows = (_table(session, step.makes[0]) for step in (TURN_TABLE, WINDOWS))
    return Contents(max([session.about.duration_s, *ends]), turns, voices, found, table, windows)


def _table(session: Session, name: str) -> Any:
    from pipeline import formats

    return formats.load(session.folder / name) if (session.folder / name).is_file() else None


def _session(session: Session) -> dict[str, Any]:
    swapped, corrections = decisions.load_decisions(session.folder)
    return {
        "id": session.id,
        "date": recorded_at(session),
        "end_s": load_end(session),
        "media": _media(session),
        "problem": [session.problem.message.splitlines()[0], session.problem.mend] if session.problem else None,
        "swapped": swapped,
        "corrections": len(corrections),
        "doubt_below": session.options(EXPORTS).doubt_below,
        "pre_roll_s": session.options(EXPORTS).pre_roll_s,
    }


def load_end(session: Session) -> float:
    """Where the session ends, seconds: its length, or where its last turn ends if that is later."""
    return max([session.about.duration_s, *(turn.end for turn in session.load(TURNS))])


def _media(session: Session) -> dict[str, Any]:
    made = media.load_made(session)
    return {
        "sound": media.has_sound(session),
        "version": made.plays or "flac",
        "picture": made.picture,
        "whole": made.whole,
        "problem": made.problem,
    }


def _job(job: Job | None) -> dict[str, Any] | None:
    return asdict(job) if job else None


def _judged(store: Path, session: Session, rater: str, everyone: bool) -> dict[str, Any]:
    standing = current_verdicts(verdict_store.load_events(store, session.id))
    notes = verdict_store.load_notes(session.folder)
    kept = load_kept(store)
    such = kept.such if kept else ()
    return build_judged(session.load(MOMENTS), standing, notes, rater, everyone=everyone, such=such)


# ------------------------------------------------------------------------------------------------ deciding


def _take_decisions(app: FastAPI, store: Path, settings: Tables) -> None:
    async def take(request: Request, key: str, kind: type, act: Callable[[Session, Any], Any]) -> Response:
        sent = msgspec.json.decode(await request.body(), type=kind)
        session = await run_in_threadpool(folders.open_folder, store, key, settings)
        return _json(await run_in_threadpool(act, session, sent))

    def again(session: Session) -> dict[str, Any]:
        app.state.remakes.start(session.id, lambda tell: remake(session, tell), "waiting for another session")
        swapped, corrections = decisions.load_decisions(session.folder)
        return {"swapped": swapped, "corrections": len(corrections)}

    @app.post("/api/sessions/{key}/verdicts")
    async def verdict(request: Request, key: str, everyone: bool = False) -> Response:
        def act(session: Session, sent: judging.Judgement) -> Any:
            given = judging.give_verdict(store, session, sent)
            return {"id": given.id, "mark": given.mark} | _judged(store, session, given.rater, everyone)

        return await take(request, key, judging.Judgement, act)

    @app.post("/api/sessions/{key}/undo")
    async def undo(request: Request, key: str, everyone: bool = False) -> Response:
        def act(session: Session, sent: Who) -> Any:
            rater = judging.check_rater(sent.rater)
            undone = judging.withdraw_last(store, session, rater)
            return {"undone": undone.id if undone else None} | _judged(store, session, rater, everyone)

        return await take(request, key, Who, act)

    @app.post("/api/sessions/{key}/swap")
    async def swap(request: Request, key: str) -> Response:
        def act(session: Session, sent: Nothing) -> Any:
            decisions.swap_roles(session.folder)
            return again(session)

        return await take(request, key, Nothing, act)

    @app.post("/api/sessions/{key}/corrections")
    async def correct(request: Request, key: str) -> Response:
        def act(session: Session, sent: Given) -> Any:
            decisions.add_correction(
                session.folder,
                Correction(sent.start, sent.end, sent.kind, sent.role, sent.text, sent.of),  # type: ignore[arg-type]
            )
            return again(session)

        return await take(request, key, Given, act)

    @app.post("/api/sessions/{key}/corrections/undo")
    async def uncorrect(request: Request, key: str) -> Response:
        def act(session: Session, sent: Nothing) -> Any:
            decisions.remove_last_correction(session.folder)
            return again(session)

        return await take(request, key, Nothing, act)


# ------------------------------------------------------------------------------------------------- results


def _serve_results(app: FastAPI, store: Path, settings: Tables) -> None:
    @app.get("/api/agreement")
    def agreements() -> Response:
        standing = current_verdicts(verdict_store.load_events(store))
        by_marker = [
            asdict(p) | {"of": marker_label(p.of) or "no marker"} for p in agreement.precision_by_marker(standing)
        ]
        return _json(
            {
                "clinic": asdict(agreement.measure_precision(standing)),
                "markers": by_marker,
                "raters": [asdict(a) for a in agreement.measure_agreement(standing)],
                "audited": sum(v.subject == "audit" for v in standing),
                "missed": sum(v.subject == "missed" for v in standing),
            }
        )

    @app.get("/api/verdicts{suffix}")
    def verdicts(suffix: str, rater: str = "", everyone: bool = False) -> Response:
        if suffix not in verdict_files.WRITERS:
            return Response(status_code=404)
        standing = current_verdicts(verdict_store.load_events(store))
        given = verdicts_for(standing, judging.check_rater(rater), everyone=everyone)
        return _download(verdict_files.WRITERS[suffix](given), f"verdicts{suffix}")

    @app.get("/api/sessions/{key}/export/{format}")
    def export(key: str, format: str, rater: str = "", everyone: bool = False, blind: bool = False) -> Response:
        session = folders.open_folder(store, key, settings)
        check_ready(session)
        reader = Reader(judging.check_rater(rater), everyone, blind)
        made = export_session(session, [format], session.options(EXPORTS), reader=reader)
        if len(made) == 1:
            name, content = next(iter(made.items()))
            return _download(content, f"{session.id}.{name}")
        return _download(_zipped(made), f"{session.id}.{format}.zip")

    @app.get("/api/sessions/{key}/clip")
    def clip(key: str, start: float, end: float) -> Response:
        session = folders.open_folder(store, key, settings)
        check_ready(session)
        return _download(_zipped(clips.make_clip(session, start, end)), f"{key}.clip.zip")


def _zipped(made: dict[str, bytes]) -> bytes:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in made.items():
            archive.writestr(name, content)
    return out.getvalue()


def _download(content: bytes, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)
