"""SubRip captions."""

from __future__ import annotations

from pipeline.exports.clock import stamp
from pipeline.exports.cues import build_cues
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.wording import ROLES


def write_srt(material: Material, options: ExportOptions) -> bytes:
    """Numbered captions, the speaker's role before the words.

    SubRip has no escape, and players take <...> for markup: the signs become ‹ and ›.
    """
    blocks = [
        f"{number}\n{stamp(cue.start_ms, ',')} --> {stamp(cue.end_ms, ',')}\n{ROLES[cue.role]}: {_plain(cue.lines)}\n"
        for number, cue in enumerate(build_cues(material.turns, options), start=1)
    ]
    return "\n".join(blocks).encode()


def _plain(lines: tuple[str, ...]) -> str:
    return "\n".join(lines).replace("<", "‹").replace(">", "›")
