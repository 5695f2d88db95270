"""The session at a glance: an SVG drawing with a lane for each kind of moment, for repairs and for each person."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.exports.clock import short
from pipeline.exports.markup import escape
from pipeline.exports.material import Material
from pipeline.exports.wording import KINDS, ROLES, headline, repair_line
from pipeline.intervals import HasTimes, Span, merge, overlap_s, total_s
from pipeline.records import Kind, Moment, Role

LANE = 32  # height of a lane of moments, pixels
VOICE = 34  # height of a lane of speech
AXIS = 26
TICKS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000)
MOST_TICKS = 9
MOST_BINS = 160  # bars of a lane of speech: about five pixels each
LEAST_BIN_S = 4.0


@dataclass(frozen=True)
class Lane:
    """One row of the drawing: its name for people, a note beside it, its height and its shapes in SVG."""

    name: str
    note: str
    height: int
    shapes: str


def draw_timeline(material: Material) -> str:
    """HTML: the names of the lanes, and beside them the drawing, as wide as the page allows."""
    if not material.end_s:
        return ""
    lanes = _lanes(material)
    height = sum(lane.height for lane in lanes) + AXIS
    rows, at = [], 0
    for lane in lanes:
        rows.append(
            f'<line class=rule x1=0 x2="100%" y1={at + lane.height} y2={at + lane.height} />'
            f'<svg y={at} width="100%" height={lane.height} overflow=visible>{lane.shapes}</svg>'
        )
        at += lane.height
    names = "".join(
        f"<div class=lane-{lane.height}><b>{escape(lane.name)}</b> <span>{escape(lane.note)}</span></div>"
        for lane in lanes
    )
    return (
        f"<div class=lanes><div class=lane-names>{names}</div>"
        f'<svg id=drawing class=drawing width="100%" height={height} role=group aria-label="Course of the session" '
        f'data-length="{material.end_s:.3f}">{_shades(material, at)}{"".join(rows)}{_axis(material.end_s, at)}'
        f"<line id=playhead class=playhead x1=0 x2=0 y1=0 y2={at} visibility=hidden /></svg></div>"
    )


def _lanes(material: Material) -> list[Lane]:
    kinds: tuple[Kind, ...] = ("withdrawal", "confrontation")
    spoken = {turn.role for turn in material.turns}
    roles: list[Role] = ["therapist", "client", *(["other"] if "other" in spoken else [])]
    return [
        *(_moment_lane(kind, material) for kind in kinds),
        _repair_lane(material),
        *(_voice_lane(role, material) for role in roles),
    ]


def _moment_lane(kind: Kind, material: Material) -> Lane:
    ranked = [(rank, m) for rank, m in enumerate(material.shown, start=1) if m.kind == kind]
    return Lane(KINDS[kind], "", LANE, "".join(_moment(rank, m, material.end_s) for rank, m in ranked))


def _moment(rank: int, moment: Moment, end_s: float) -> str:
    what = escape(f"Moment {rank}, {short(moment.start)} to {short(moment.end)}. {headline(moment)}")
    middle = (moment.start + moment.end) / 2
    return (
        f'<a href="#m{rank}" aria-label="{what}"><title>{what}</title>'
        f"<rect class={moment.kind} {_span(moment, end_s)} y=13 height=6 rx=3 />"
        f'<svg x="{_percent(middle, end_s)}" y=16 overflow=visible class="badge {moment.kind}">{SHAPES[moment.kind]}'
        f"<text y=4.5 text-anchor=middle>{rank}</text></svg></a>"
    )


# so that kinds differ without colour
SHAPES: dict[str, str] = {
    "withdrawal": "<circle r=11 />",
    "confrontation": "<rect x=-10.5 y=-10.5 width=21 height=21 rx=2 />",
    "repair": '<path d="M0-13 13 0 0 13-13 0Z" />',
}


def _repair_lane(material: Material) -> Lane:
    shapes = []
    for rank, moment in enumerate(material.shown, start=1):
        if moment.kind == "repair":
            shapes.append(_moment(rank, moment, material.end_s))
    for repair in material.findings.repairs:
        what = escape(f"{short(repair.start)}. {repair_line(repair)}")
        shapes.append(
            f"<g class=repair><title>{what}</title><rect {_span(repair, material.end_s)} y=14.5 height=3 rx=1.5 />"
            f'<svg x="{_percent(repair.start, material.end_s)}" y=16 overflow=visible>'
            f'<path d="M0-7 7 0 0 7-7 0Z" /></svg></g>'
        )
    count = len(material.findings.repairs)
    return Lane("Possible repair attempts", str(count) if count else "", LANE, "".join(shapes))


def _voice_lane(role: Role, material: Material) -> Lane:
    floor = {r: merge(t for t in material.turns if t.role == r and not t.backchannel) for r in ROLES}
    spoken = sum(total_s(spans) for spans in floor.values())
    share = f"{100 * total_s(floor[role]) / spoken:.0f} % of the talking" if floor[role] else "not heard"
    bars = "".join(_bars(floor[role], material.end_s, hanging=role != "therapist"))
    return Lane(ROLES[role], share, VOICE, f"<g class={role}>{bars}</g>")


def _bars(floor: list[Span], end_s: float, *, hanging: bool) -> Iterator[str]:
    """A bar for each stretch of the session, as high as the share of it in which the person holds the floor.

    The therapist's bars stand on the line between the two lanes and the client's hang from it.
    """
    bin_s = max(LEAST_BIN_S, end_s / MOST_BINS)
    at, k = 0.0, 0
    while at < end_s:
        stretch = Span(at, min(end_s, at + bin_s))
        while k < len(floor) and floor[k].end <= at:
            k += 1
        # the spans are merged and in order, so that only those from k on can reach into the stretch
        inside = itertools.takewhile(lambda span, end=stretch.end: span.start < end, itertools.islice(floor, k, None))
        height = (VOICE - 3) * sum(overlap_s(span, stretch) for span in inside) / (stretch.end - stretch.start)
        if height > 0.0:
            y = 0.5 if hanging else VOICE - height - 0.5
            yield (
                f'<rect x="{_percent(at, end_s)}" width="{92 * (stretch.end - at) / end_s:.3f}%" '
                f'y="{y:.1f}" height="{height:.1f}" />'
            )
        at += bin_s


def _shades(material: Material, height: int) -> str:
    return "".join(
        f"<rect class=shade {_span(moment, material.end_s)} y=0 height={height} />" for moment in material.shown
    )


def _axis(end_s: float, y: int) -> str:
    step = next((s for s in TICKS_S if end_s / s <= MOST_TICKS), TICKS_S[-1])
    marks = []
    for k in range(int(end_s // step) + 1):
        at = k * step
        anchor = "start" if k == 0 else "end" if at > 0.97 * end_s else "middle"
        x = _percent(at, end_s)
        marks.append(f'<line class=tick x1="{x}" x2="{x}" y1={y} y2={y + 5} />')
        marks.append(f'<text class=tick-time x="{x}" y={y + 19} text-anchor={anchor}>{short(at)}</text>')
    return "".join(marks)


def _percent(at: float, end_s: float) -> str:
    return f"{100 * at / end_s:.3f}%"


def _span(item: HasTimes, end_s: float) -> str:
    width = max(0.08, 100 * (item.end - item.start) / end_s)  # never thinner than a hair, percent
    return f'x="{_percent(item.start, end_s)}" width="{width:.3f}%"'
