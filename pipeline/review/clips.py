"""A moment as a clip of its own: a film, or sound alone, cut exactly; its captions beside it or in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from pipeline.exports import Material
from pipeline.exports.cues import build_cues
from pipeline.exports.srt import write_srt
from pipeline.exports.webvtt import write_transcript
from pipeline.intervals import Span, within
from pipeline.records import AttuneError, Findings, Turn
from pipeline.review import copies, media
from pipeline.review.burning import caption_drawer
from pipeline.session import Session
from pipeline.steps import AUDIO, EXPORTS, TURNS

LONGEST_S = 900.0  # a clip is minutes; the whole session is the recording itself
Captions = Literal["beside", "burnt"]


@dataclass(frozen=True)
class Clip:
    """What was cut.

    media       an MP4: a film where `picture`, otherwise sound alone
    captions    file suffix -> captions beside it, on the clip's own clock; none where they are in the picture
    no_picture  why there is none although the session may have one; "" otherwise
    """

    media: bytes
    picture: bool
    captions: dict[str, bytes]
    no_picture: str = ""

    @property
    def suffix(self) -> str:
        return ".mp4" if self.picture else ".m4a"


def make_clip(session: Session, start: float, end: float) -> dict[str, bytes]:
    """A stretch of the session, seconds, as files by name: clip.mp4, or clip.m4a without a picture, and clip.vtt.

    raises   as `cut_clip`
    """
    clip = cut_clip(session, start, end)
    return {f"clip{clip.suffix}": clip.media, "clip.vtt": clip.captions[".vtt"]}


def cut_clip(session: Session, start: float, end: float, captions: Captions = "beside") -> Clip:
    """A stretch of the session, seconds.

    raises   AttuneError for a stretch that is none, for a session with nothing to play, and for captions to burn in
             where there is no picture
    """
    stretch = Span(max(0.0, start), min(end, session.about.duration_s))
    if not start < end or not 0.0 < stretch.end - stretch.start <= LONGEST_S:  # `start < end` fails for NaN too
        raise AttuneError(
            f"a clip lasts up to {LONGEST_S / 60:.0f} minutes and lies in the session",
            mend="choose another beginning and end",
            code="clip-length",
        )
    if not media.has_sound(session):
        raise AttuneError("there is nothing to play", mend="process the recording itself", code="no-sound")
    picture, problem = media.find_picture(session)
    if captions == "burnt" and picture is None:
        raise AttuneError(
            f"there is no picture to burn captions into{f': {problem}' if problem else ''}",
            mend="leave the captions beside the clip",
            code="no-picture",
        )
    material, options = _material(session, stretch), session.options(EXPORTS)
    draw = caption_drawer(build_cues(material.turns, options), options.cue_line_chars) if captions == "burnt" else None
    with TemporaryDirectory(dir=session.folder) as folder:  # never outside the store
        copy = Path(folder) / "clip.mp4"
        copies.write_clip(picture, session.folder / AUDIO.makes[0], *stretch, copy, draw)
        film = copy.read_bytes()
    beside = {".vtt": write_transcript(material, options), ".srt": write_srt(material, options)}
    return Clip(film, picture is not None, {} if draw else beside, problem)


def _material(session: Session, stretch: Span) -> Material:
    """The words within the stretch, on the clip's own clock."""
    turns: Sequence[Turn] = session.load(TURNS)
    shown = [turn for turn in (_cut(turn, stretch) for turn in within(turns, stretch)) if turn]
    about = replace(session.about, recording="", duration_s=stretch.end - stretch.start)
    return Material(about, tuple(shown), Findings((), (), ()), ())


def _cut(turn: Turn, stretch: Span) -> Turn | None:
    length = stretch.end - stretch.start
    words = tuple(
        replace(word, start=max(0.0, word.start - stretch.start), end=min(length, word.end - stretch.start))
        for word in within(turn.words, stretch)
    )
    if not words:
        return None
    return replace(turn, start=words[0].start, end=max(word.end for word in words), words=words)
