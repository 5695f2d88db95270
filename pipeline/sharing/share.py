"""A de-identified copy of a session, in a folder of its own: texts, page, sound, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.exports import ExportOptions, Material, build_exports, write_formats
from pipeline.formats import write_atomic
from pipeline.records import About, AttuneError, Findings, Turn, spoken_language
from pipeline.review import copies, media
from pipeline.session import Session, storing
from pipeline.sharing.identify import Found, find_identifying, is_small
from pipeline.sharing.redact import Redactor, redact_voices
from pipeline.sharing.report import ENGLISH, Picture, build_report, write_words
from pipeline.sharing.sound import find_spans, write_bleeped
from pipeline.sharing.vocabulary import Vocabulary
from pipeline.steps import AUDIO, EXPORTS, MOMENTS, TURN_TABLE, TURNS, VOICES, WORDS

NAME = "shared"  # stands for the session's id, by which the recording could be known again
REPORT = "REPORT.txt"
TAKEN_OUT = "shared_words.csv"
COARSE = 9  # what is left of a picture: so many squares from top to bottom


@dataclass(frozen=True)
class Shared:
    """What was made. `words` is where the words that were taken out are listed, inside the session's own folder."""

    report: str
    files: tuple[Path, ...]
    words: Path


def share_session(
    session: Session,
    folder: Path,
    vocabulary: Vocabulary,
    also: Sequence[str] = (),
    picture: Picture = "drop",
    names: Sequence[str] = (),
) -> Shared:
    """Write the copy into `folder`, which must be new or empty.

    also     words and phrases that are to go in any case
    picture  "drop" leaves it out, "blur" makes it so coarse that a face is a few squares
    names    the same as `also`, and what sounds like one of them where the recogniser doubts what it heard
    raises   OSError where `folder` cannot be written; AttuneError for a folder that holds something, for a picture to
             blur that cannot be had, and for a session in another language where no list of one's own is given
    """
    check_empty(folder)
    turns: list[Turn] = session.load(TURNS)
    language = spoken_language(session.options(WORDS).language, (word for turn in turns for word in turn.words))
    check_language(language, [*also, *names])
    small = is_small(turns)
    found = find_identifying(turns, vocabulary, also, names, small)
    redactor = Redactor(found, vocabulary, [*also, *names], small)
    film, kind = _picture(session, picture)
    sound = media.has_sound(session)
    name = f"recording.{'mp4' if film else 'm4a'}" if sound else ""
    report = build_report(found, vocabulary, kind, sound=sound, small=small, language=language)
    texts = _texts(session, turns, redactor, name) | {REPORT: report.encode()}
    words = session.folder / "exports" / TAKEN_OUT
    folder.mkdir(parents=True, exist_ok=True)
    with storing():
        words.parent.mkdir(exist_ok=True)
        write_atomic(words, write_words(found, turns, redactor))
    if sound:
        _write_recording(session, turns, found, film, folder / name)
    for file, content in texts.items():
        write_atomic(folder / file, content)
    made = [*([name] if name else []), *texts]
    return Shared(report, tuple(folder / file for file in made), words)


def check_empty(folder: Path) -> None:
    """Raises AttuneError for a folder that holds anything: what lies there is not known to name nobody."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AttuneError(
            "the place for the copy holds something already", mend="name a new or empty folder", code="not-empty"
        )


def check_language(language: str, own: Sequence[str]) -> None:
    """Raises AttuneError for a language whose names the rules do not know, unless a list of one's own is given."""
    if language not in ENGLISH and not own:
        raise AttuneError(
            f"the rules that look for names are those of English, and this session's language is {language!r}",
            mend="give a list of the names and places that are said, with --names FILE; what else is not looked for in "
            "that language, the report says",
            code="language-not-read",
        )


def _picture(session: Session, wish: Picture) -> tuple[Path | None, Picture]:
    """(the film to make coarse, or None; what becomes of the picture)."""
    film, problem = media.find_picture(session)
    if wish == "blur" and film is None and problem:
        raise AttuneError(
            f"the picture cannot be blurred: {problem}",
            mend="put the recording back, or leave out --picture",
            code="no-picture",
        )
    if film is None:
        return None, "drop" if problem else "none"
    return (film, "blur") if wish == "blur" else (None, "drop")


def _texts(session: Session, turns: Sequence[Turn], redactor: Redactor, recording: str) -> dict[str, bytes]:
    options: ExportOptions = session.options(EXPORTS)
    findings: Findings = session.load(MOMENTS)
    said = redactor.turns(turns)
    shown = redactor.findings(findings, turns, said)
    voices = redact_voices(session.load(VOICES), turns)
    about = About(NAME, recording, session.about.duration_s)
    table = session.load(TURN_TABLE) if (session.folder / TURN_TABLE.makes[0]).is_file() else None
    files = build_exports(about, said, shown, voices, table, options)
    return files | write_formats(Material(about, tuple(said), shown, tuple(voices)), ["srt"], options)


def _write_recording(
    session: Session, turns: Sequence[Turn], found: Sequence[Found], film: Path | None, path: Path
) -> None:
    with TemporaryDirectory(dir=session.folder) as place:  # never outside the store until it is bleeped
        bleeped = Path(place) / "bleeped.flac"
        write_bleeped(session.folder / AUDIO.makes[0], find_spans(found, turns), bleeped)
        copies.write_clip(film, bleeped, 0.0, session.about.duration_s, path, _coarse if film else None)


def _coarse(picture: Any, at: float) -> Any:
    """The picture as a few squares, smoothed: what is smaller than a square is gone."""
    from PIL import Image

    width = max(1, round(COARSE * picture.width / picture.height))
    small = picture.resize((width, COARSE), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.BICUBIC)
