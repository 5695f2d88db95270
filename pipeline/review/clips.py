"""A moment as a clip of its own: an MP4 cut exactly, and its captions beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.exports import ExportOptions, Material
from pipeline.exports.webvtt import write_transcript
from pipeline.intervals import Span, within
from pipeline.records import AttuneError, Findings, Turn
from pipeline.review import copies, media
from pipeline.session import Session
from pipeline.steps import AUDIO, EXPORTS, TURNS

LONGEST_S = 900.0  # a clip is minutes; the whole session is the recording itself


def make_clip(session: Session, start: float, end: float) -> dict[str, bytes]:
    """clip.mp4 and clip.vtt of a stretch of the session, seconds.

    raises   AttuneError for a stretch that is none, and for a session with nothing to play
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
    found = media.playing(session)
    picture = found[0] if found and found[1].startswith("video") else None
    with TemporaryDirectory(dir=session.folder) as folder:  # never outside the store
        copy = Path(folder) / "clip.mp4"
        copies.write_clip(picture, session.folder / AUDIO.makes[0], *stretch, copy)
        film = copy.read_bytes()
    return {
        "clip.mp4": film,
        "clip.vtt": write_captions(session.load(TURNS), stretch, session.options(EXPORTS), session),
    }


def write_captions(turns: Sequence[Turn], stretch: Span, options: ExportOptions, session: Session) -> bytes:
    """WebVTT of the words within the stretch, on the clip's own clock."""
    shown = [turn for turn in (_cut(turn, stretch) for turn in within(turns, stretch)) if turn]
    about = replace(session.about, recording="", duration_s=stretch.end - stretch.start)
    return write_transcript(Material(about, tuple(shown), Findings((), (), ()), ()), options)


def _cut(turn: Turn, stretch: Span) -> Turn | None:
    length = stretch.end - stretch.start
    words = tuple(
        replace(word, start=max(0.0, word.start - stretch.start), end=min(length, word.end - stretch.start))
        for word in within(turn.words, stretch)
    )
    if not words:
        return None
    return replace(turn, start=words[0].start, end=max(word.end for word in words), words=words)
