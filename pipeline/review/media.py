"""What a session plays, and the making of it: the waveform and the review copy, once, in `review/` of its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import msgspec

from pipeline import models
from pipeline.formats import write_atomic
from pipeline.records import AttuneError
from pipeline.review import copies, peaks
from pipeline.session import Session, id_of, load_receipt, storing
from pipeline.steps import AUDIO

FOLDER = "review"
PEAKS = "peaks.u8"
MADE = "made.json"
RECORDING_ITSELF = "recording"
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class Made:
    """What lies in `review/`, and from which sound it was made.

    version   of the way in which copies are made, `copies.VERSION` at the time
    plays     name of the copy; "recording" where the recording itself is played; "" while there is none
    picture   whether there is one
    problem   why there is no picture although the recording may have one; or ""
    whole     whether nothing is left to make
    tried     how the recording lay there, where there is a problem with it: once it lies otherwise it is tried again
    """

    version: int
    sound: str
    plays: str = ""
    picture: bool = False
    problem: str = ""
    whole: bool = False
    tried: str = ""


def load_made(session: Session) -> Made:
    """What stands; an empty record where nothing does, where it was made otherwise or from another sound, and where
    a recording with which there was a problem has come back."""
    fresh = Made(copies.VERSION, _sound_hash(session))
    try:
        found = msgspec.json.decode((session.folder / FOLDER / MADE).read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return fresh
    same = (found.version, found.sound) == (fresh.version, fresh.sound)
    if found.problem and found.tried != _lies(session):
        return fresh
    if found.plays not in ("", RECORDING_ITSELF, copies.SOUND, copies.PICTURE):
        return fresh  # a name from elsewhere leads nowhere
    there = found.plays in ("", RECORDING_ITSELF) or (session.folder / FOLDER / found.plays).is_file()
    return found if same and there and (session.folder / FOLDER / PEAKS).is_file() else fresh


def _sound_hash(session: Session) -> str:
    receipt = load_receipt(session, AUDIO)
    return receipt.outputs[AUDIO.makes[0]] if receipt else ""


def _lies(session: Session) -> str:
    """How the recordings lie where they were: size and time of each, "-" for one that is gone."""
    found = []
    for place in filter(None, (session.about.recording, session.about.second)):
        try:
            stat = Path(place).stat()
            found.append(f"{stat.st_size} {stat.st_mtime_ns}")
        except OSError:
            found.append("-")
    return ", ".join(found)


def has_sound(session: Session) -> bool:
    return (session.folder / AUDIO.makes[0]).is_file()


def prepare(session: Session, tell: Tell = lambda done, says: None, *, picture: bool = True) -> None:
    """Make what is missing: waveform, then the sound, then the picture; the page can play after each.

    picture  False to leave a picture that must be copied or written for later
    raises   AttuneError for a full or read-only disk
    """
    with _one_at_a_time(session.id):
        made = load_made(session)
        if has_sound(session) and not made.whole and (picture or not made.plays):
            _prepare(session, made, tell, picture)


@lru_cache(maxsize=1024)
def _one_at_a_time(session: str) -> Lock:
    return Lock()


def _prepare(session: Session, made: Made, tell: Tell, picture: bool) -> None:
    flac, folder = session.folder / AUDIO.makes[0], session.folder / FOLDER
    with storing():
        folder.mkdir(exist_ok=True)
        tell(0.0, "drawing the waveform")
        if not made.plays:
            write_atomic(folder / PEAKS, peaks.load_peaks(flac))
            _keep(session, made)
        plan, problem = _plan(session)
        if plan == "as it is":
            _keep(session, Made(made.version, made.sound, RECORDING_ITSELF, True, whole=True))
            return
        if made.plays != copies.SOUND:
            copies.write_sound(flac, folder / copies.SOUND, lambda done: tell(done, "making a copy that seeks exactly"))
        tried = _lies(session) if problem else ""
        sound = Made(made.version, made.sound, copies.SOUND, problem=problem, whole=plan == "sound", tried=tried)
        _keep(session, sound)
        if plan != "sound" and picture:
            _prepare_picture(session, plan, sound, tell)


def _plan(session: Session) -> tuple[copies.Plan, str]:
    """How the session is played, and why without a picture. Of two recordings neither holds the whole sound, so none is
    played as it is: the first one's picture comes with the sound of both."""
    try:
        plan = copies.plan_copy(copies.load_facts(find_recording(session)))
    except AttuneError as error:
        return "sound", str(error)
    return "copy picture" if plan == "as it is" and session.about.second else plan, ""


def _prepare_picture(session: Session, plan: copies.Plan, sound: Made, tell: Tell) -> None:
    says = "copying the picture" if plan == "copy picture" else "making a picture that this browser can play"
    copy = session.folder / FOLDER / copies.PICTURE
    flac = session.folder / AUDIO.makes[0]
    try:
        copies.write_picture(find_recording(session), flac, plan, copy, lambda done: tell(done, says))
    except (AttuneError, ValueError) as error:  # PyAV's own errors are ValueErrors and OSErrors
        why = str(error) if isinstance(error, AttuneError) else "the picture cannot be decoded"
        _keep(session, Made(sound.version, sound.sound, sound.plays, problem=why, whole=True, tried=_lies(session)))
        return
    _keep(session, Made(sound.version, sound.sound, copies.PICTURE, True, whole=True))
    (session.folder / FOLDER / copies.SOUND).unlink(missing_ok=True)


def _keep(session: Session, made: Made) -> None:
    write_atomic(session.folder / FOLDER / MADE, msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")


def find_recording(session: Session) -> Path:
    """Where the recording lies, the first of two, once the bytes are known to be those the session is named after.

    That is what keeps a folder that came from elsewhere from naming any other file of this machine as its recording.

    raises   AttuneError where it is gone or is another file
    """
    paths = [Path(place) for place in (session.about.recording, session.about.second) if place]
    if not session.about.recording or not all(path.is_file() for path in paths):
        raise AttuneError("the recording is no longer where it was", mend="put it back", code="recording-gone")
    stats = [(path, path.stat()) for path in paths]
    if id_of(*(_hash(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)) != session.id:
        raise AttuneError(
            "the file where the recording was is another one",
            mend="put the recording back, or process it from its new place",
            code="recording-changed",
        )
    return paths[0]


@lru_cache(maxsize=256)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    return models.sha256_of(path)


def playing(session: Session) -> tuple[Path, str] | None:
    """The file to play and its media type; None where there is no sound.

    Until a copy is made it is the session's own FLAC: every frame of it says where it lies, so it seeks exactly too,
    but it is large and has no picture.

    raises   AttuneError where the recording itself is played and has gone
    """
    made = load_made(session)
    if not made.plays:
        return (session.folder / AUDIO.makes[0], "audio/flac") if has_sound(session) else None
    if made.plays == RECORDING_ITSELF:
        path = find_recording(session)
        return path, "video/mp4"
    path = session.folder / FOLDER / made.plays
    return path, "video/mp4" if made.picture else "audio/mp4"


def find_picture(session: Session) -> tuple[Path | None, str]:
    """The file with the session's picture: what the page plays, or the recording itself where nothing was made yet.

    returns  (None, "") for a session that has none, (None, why) where it may have one that cannot be had
    """
    try:
        found = playing(session)
        if found and found[1].startswith("video"):
            return found[0], ""
        recording = find_recording(session)
        return (recording, "") if copies.load_facts(recording).picture else (None, "")
    except AttuneError as error:
        return None, str(error)
