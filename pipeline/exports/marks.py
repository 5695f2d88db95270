"""The moments as marks in a sound or video editor: Audacity labels and a CMX 3600 edit list."""

from __future__ import annotations

import math

from pipeline.exports.clock import timecode
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import file_name, one_line
from pipeline.exports.wording import headline, repair_line


def write_audacity(material: Material, options: ExportOptions) -> bytes:
    """A label track: start, end, text; moments and repair attempts in order of time."""
    marks = [(m.start, m.end, headline(m)) for m in material.shown]
    marks += [(r.start, r.end, repair_line(r)) for r in material.findings.repairs]
    return b"".join(f"{start:.6f}\t{end:.6f}\t{one_line(text)}\n".encode() for start, end, text in sorted(marks))


def write_edl(material: Material, options: ExportOptions) -> bytes:
    """The moments one after the other, in order of time, each from its lead-in on: a reel for supervision.

    The time code counts whole frames at `options.edl_frames_per_s`; set it to that of the recording.
    """
    rate = options.edl_frames_per_s
    lines = [f"TITLE: {one_line(material.about.session)}", "FCM: NON-DROP FRAME"]
    at = 0
    for number, moment in enumerate(sorted(material.shown, key=lambda m: (m.start, m.end)), start=1):
        first = int(max(0.0, moment.start - options.pre_roll_s) * rate)
        last = max(first + 1, math.ceil(moment.end * rate - 1e-6))  # a part of a frame is kept whole
        times = [timecode(frames, rate) for frames in (first, last, at, at + last - first)]
        at += last - first
        lines.append(f"{number:03d}  AX       AA/V  C        {' '.join(times)}")
        if material.about.recording:
            lines.append(f"* FROM CLIP NAME: {file_name(material.about.recording)}")
        lines.append(f"* COMMENT: {headline(moment)}")
    return "\n".join(lines).encode() + b"\n"
