"""Praat TextGrid, long text form."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.exports.clock import ms
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.tiers import Label, Tier, build_tiers


def write_textgrid(material: Material, options: ExportOptions) -> bytes:
    """Interval tiers that cover the whole session; stretches without a label are empty intervals."""
    tiers = build_tiers(material)
    end = max([1, ms(material.end_s), *(tier.labels[-1].end_ms for tier in tiers if tier.labels)])
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_seconds(end)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, tier in enumerate(tiers, start=1):
        lines += _tier(number, tier, end)
    return "\n".join(lines).encode() + b"\n"


def _tier(number: int, tier: Tier, end: int) -> Iterator[str]:
    intervals = list(_filled(tier, end))
    yield f"    item [{number}]:"
    yield '        class = "IntervalTier"'
    yield f"        name = {_quoted(tier.name)}"
    yield "        xmin = 0"
    yield f"        xmax = {_seconds(end)}"
    yield f"        intervals: size = {len(intervals)}"
    for k, label in enumerate(intervals, start=1):
        yield f"        intervals [{k}]:"
        yield f"            xmin = {_seconds(label.start_ms)}"
        yield f"            xmax = {_seconds(label.end_ms)}"
        yield f"            text = {_quoted(label.text)}"


def _filled(tier: Tier, end: int) -> Iterator[Label]:
    at = 0
    for label in tier.labels:
        if label.start_ms > at:
            yield Label(at, label.start_ms, "")
        yield label
        at = label.end_ms
    if at < end:
        yield Label(at, end, "")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
