"""WebVTT: captions with voices, and the moments as chapters."""

from __future__ import annotations

from pipeline.exports.clock import ms, stamp
from pipeline.exports.cues import build_cues
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import one_line
from pipeline.exports.wording import NOT_A_RISK_TOOL, ROLES, headline


def write_transcript(material: Material, options: ExportOptions) -> bytes:
    """Captions in order of start, each in its speaker's voice."""
    blocks = [
        f"{stamp(cue.start_ms)} --> {stamp(cue.end_ms)}\n"
        f"<v {_escape(ROLES[cue.role])}>{chr(10).join(map(_escape, cue.lines))}</v>"
        for cue in build_cues(material.turns, options)
    ]
    return _file(blocks)


def write_moments(material: Material, options: ExportOptions) -> bytes:
    """A chapter a moment, in order of time; one that would run into the next is cut short, as players expect."""
    moments = sorted(material.shown, key=lambda moment: (moment.start, moment.end))
    starts = [ms(moment.start) for moment in moments]
    blocks = [f"NOTE {NOT_A_RISK_TOOL}"]
    for k, moment in enumerate(moments):
        after = starts[k + 1] if k + 1 < len(moments) else ms(moment.end)
        end = max(starts[k] + 1, min(ms(moment.end), after))
        blocks.append(f"{stamp(starts[k])} --> {stamp(end)}\n{_escape(headline(moment))}")
    return _file(blocks)


def _file(blocks: list[str]) -> bytes:
    return "\n\n".join(["WEBVTT", *blocks]).encode() + b"\n"


def _escape(text: str) -> str:
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
