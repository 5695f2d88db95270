"""RTTM and CTM, the line formats of speech research: who speaks when, and every word with its time."""

from __future__ import annotations

from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import one_line, token
from pipeline.intervals import Span, merge
from pipeline.records import Turn

PAUSE_S = 0.5  # a longer silence inside a turn is left out of its speech


def write_rttm(material: Material, options: ExportOptions) -> bytes:
    """One line a stretch of speech, in order of start. The name is the role; anybody else keeps the speaker's label."""
    session = token(material.about.session)
    stretches = [(span, _name(turn)) for turn in material.turns for span in _speech(turn)]
    return b"".join(
        f"SPEAKER {session} 1 {span.start:.3f} {span.end - span.start:.3f} <NA> <NA> {name} <NA> <NA>\n".encode()
        for span, name in sorted(stretches)
    )


def write_ctm(material: Material, options: ExportOptions) -> bytes:
    """One line a word, in order of start: session, channel 1, start, length, word, confidence."""
    session = token(material.about.session)
    words = [word for turn in material.turns for word in turn.words if one_line(word.text)]
    return b"".join(
        f"{session} 1 {w.start:.3f} {max(0.0, w.end - w.start):.3f} {token(w.text)} {w.confidence:.3f}\n".encode()
        for w in sorted(words, key=lambda w: (w.start, w.end))
    )


def _speech(turn: Turn) -> list[Span]:
    spans = merge(turn.words, gap=PAUSE_S) if turn.words else [Span(turn.start, turn.end)]
    return [span for span in spans if span.end > span.start]


def _name(turn: Turn) -> str:
    return turn.role if turn.role != "other" else token(turn.speaker)
