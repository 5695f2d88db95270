"""Rupture coding practice: the session in bins of 60 s and of 5 minutes, with what was possibly seen and empty boxes.

Laid out as observers code ruptures and repairs: markers by 5-minute segment, then 1 to 5 by a person. The tool never
fills in a box and gives no rating. No word of the session is in it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.exports.clock import hms, short
from pipeline.exports.markup import escape
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.spreadsheet import csv_writer
from pipeline.exports.tables import Columns, Table
from pipeline.exports.wording import NOT_A_RISK_TOOL, marker_label

FINE_S, COARSE_S = 60.0, 300.0
SEEN = ("withdrawal", "confrontation", "repair", "therapist")  # what may have been seen, a column each
HEADINGS = ("Moving away", "Moving against", "Repair", "Therapist")
BOXES = ("withdrawal_1_5", "confrontation_1_5", "resolution_1_5", "therapist_contribution_1_5")
BOX_HEADINGS = ("Withdrawal", "Confrontation", "Resolved", "Therapist's part")
COLUMN = {
    "withdrawal": "withdrawal",
    "confrontation": "confrontation",
    "resolution": "repair",
    "therapist_contribution": "therapist",
}
# least strength times reliability of a marker: where the moments step's own thresholds lie, as a share of the odds;
# the therapist's own moves are known by their patterns alone and count from half strength
LEAST = {"withdrawal": 0.2, "confrontation": 0.31, "resolution": 0.18, "therapist_contribution": 0.5}
HOW_TO = (
    "A draft for practice. “Possibly seen” is where fixed rules found something like a marker in words, timing or "
    "voice: it may be wrong, and it misses what only the picture shows. Watch, strike out, add. The boxes are yours: "
    "withdrawal and confrontation from 1 = no effect on the alliance to 5 = a strong one, resolved and therapist's "
    "part from 1 = not at all to 5 = wholly. The tool rates nothing."
)
COLUMNS: Columns = {
    "start": float,
    "end": float,
    "start_hms": str,
    "end_hms": str,
    **{f"possible_{name}": str for name in SEEN},
    "moments": str,
    **dict.fromkeys(BOXES, str),
    "note": str,
}


@dataclass(frozen=True)
class Bin:
    """One stretch, half-open.

    seen     column of `SEEN` -> markers possibly seen: (label, times in seconds), the first seen first
    moments  ranks of the moments that lie over it
    """

    start: float
    end: float
    seen: dict[str, list[tuple[str, list[float]]]]
    moments: tuple[int, ...]


def build_bins(material: Material, length_s: float) -> list[Bin]:
    """The whole session in bins of `length_s`, the last one as long as is left; none for a session of no length.

    A marker belongs to the bin in which it starts.
    """
    end_s = material.end_s
    count = math.ceil(end_s / length_s)
    found: list[dict[str, dict[str, list[float]]]] = [defaultdict(lambda: defaultdict(list)) for _ in range(count)]
    for start, column, label in sorted(_seen(material)):
        if 0 <= start < end_s:
            found[int(start / length_s)][column][label].append(start)
    return [
        Bin(
            k * length_s,
            min(end_s, (k + 1) * length_s),
            {name: list(seen[name].items()) for name in SEEN if name in seen},
            _ranks(material, k * length_s, (k + 1) * length_s),
        )
        for k, seen in enumerate(found)
    ]


def _seen(material: Material) -> list[tuple[float, str, str]]:
    """(start, column, label) of every marker that is strong enough; from the moments where the markers are not known,
    and never from the clip drawn at random."""
    if material.markers:
        return [
            (marker.start, COLUMN[marker.family], marker_label(marker.marker))
            for marker in material.markers
            if marker.family in COLUMN and marker.strength * marker.reliability >= LEAST[marker.family]
        ]
    moments = [(moment.start, moment.kind, marker_label(moment.marker)) for moment in material.shown]
    repairs = [
        (repair.start, "repair", marker_label(name))
        for repair in material.findings.repairs
        for name in repair.strategies
    ]
    return moments + repairs


def _ranks(material: Material, start: float, end: float) -> tuple[int, ...]:
    shown = enumerate(material.shown, start=1)
    return tuple(rank for rank, moment in shown if moment.start < end and moment.end > start)


def _table(material: Material, length_s: float) -> Table:
    return Table(COLUMNS, [_row(bin) for bin in build_bins(material, length_s)])


def _row(bin: Bin) -> dict[str, object]:
    return {
        "start": bin.start,
        "end": bin.end,
        "start_hms": hms(bin.start),
        "end_hms": hms(bin.end),
        **{f"possible_{name}": "; ".join(_line(*pair) for pair in bin.seen.get(name, ())) for name in SEEN},
        "moments": "; ".join(map(str, bin.moments)),
        **dict.fromkeys(BOXES, ""),
        "note": "",
    }


def _line(label: str, times: Sequence[float]) -> str:
    return f"{label} ({', '.join(dict.fromkeys(map(short, times)))})"


write_fine_csv = csv_writer(lambda material: _table(material, FINE_S))
write_coarse_csv = csv_writer(lambda material: _table(material, COARSE_S))


# -------------------------------------------------------------------------------------------------- on paper

STYLE = """
@page { size: A4 landscape; margin: 12mm; }
:root { color-scheme: light; }
body { margin: 0 auto; padding: 28px; max-width: 1180px; background: #fff; color: #1e2630;
  font: 14px/1.4 system-ui, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; overflow-wrap: anywhere; }
h1, h2 { font-family: Georgia, "Liberation Serif", serif; font-weight: 600; line-height: 1.15; margin: 0 0 6px; }
h1 { font-size: 28px; }
h2 { font-size: 20px; margin-top: 26px; }
p { margin: 0 0 8px; max-width: 92ch; }
.fields span { display: inline-block; margin-right: 26px; }
.fields i { display: inline-block; width: 170px; border-bottom: 1px solid #56606c; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
col.time { width: 92px; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border: 1px solid #b9b2a4; padding: 4px 7px; text-align: left; vertical-align: top; }
thead th { background: #efeae0; font-size: 12.5px; overflow-wrap: normal; }
@media print { thead th { font-size: 10.5px; } }
tbody th { font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
ul { margin: 0; padding: 0; list-style: none; }
.box, .boxes { width: 112px; white-space: nowrap; }
.coarse tbody tr { height: 78px; }
.box b { display: inline-block; width: 14px; text-align: center; font-weight: 400; font-size: 11px; color: #56606c;
  border: 1px solid #8d8778; border-radius: 3px; margin-right: 3px; line-height: 15px; }
.over { font-size: 12px; color: #56606c; display: block; font-weight: 400; }
.last { margin-top: 18px; font-weight: 600; }
@media print { body { padding: 0; max-width: none; font-size: 11.5px; } .fine { break-before: page; } }
"""


def write_bins_page(material: Material, options: ExportOptions) -> bytes:
    """Both tables on one page to print: 5 minutes first, then 60 s; nothing in it asks for anything from anywhere."""
    title = f"Rupture coding practice, session {escape(material.about.session)}"
    fields = "".join(f"<span>{name} <i></i></span>" for name in ("Coder", "Date"))
    coarse, fine = (_table_html(build_bins(material, length)) for length in (COARSE_S, FINE_S))
    whole = f"<table><tbody><tr><th>Whole session</th>{_boxes(BOX_HEADINGS)}</tr></tbody></table>"
    return (
        '<!doctype html>\n<html lang=en>\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name=viewport content="width=device-width">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{title}</h1>\n<p>{HOW_TO}</p>\n<p class=fields>{fields}</p>\n"
        f"<section class=coarse><h2>Every 5 minutes</h2>{coarse}</section>\n<h2>As a whole</h2>{whole}\n"
        f"<section class=fine><h2>Every 60 seconds</h2>{fine}</section>\n"
        f"<p class=last>{escape(NOT_A_RISK_TOOL)}</p>\n</body>\n</html>\n"
    ).encode()


def _table_html(bins: Sequence[Bin]) -> str:
    heads = "".join(f"<th scope=col>{name}</th>" for name in (*HEADINGS, *BOX_HEADINGS))
    rows = "".join(
        f"<tr><th scope=row>{short(bin.start)}–{short(bin.end)}{_moments(bin)}</th>"
        + "".join(f"<td>{_items(bin.seen.get(name, ()))}</td>" for name in SEEN)
        + f"{_boxes()}</tr>"
        for bin in bins
    )
    return (
        f"<table><colgroup><col class=time><col span={len(SEEN)}><col span={len(BOXES)} class=boxes></colgroup>"
        f"<thead><tr><th></th><th colspan={len(SEEN)}>Possibly seen</th><th colspan={len(BOXES)}>Yours, 1 to 5"
        f"</th></tr><tr><th scope=col>Time</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _moments(bin: Bin) -> str:
    if not bin.moments:
        return ""
    word = "moment" if len(bin.moments) == 1 else "moments"
    return f"<span class=over>{word} {', '.join(map(str, bin.moments))}</span>"


def _items(seen: Sequence[tuple[str, list[float]]]) -> str:
    return f"<ul>{''.join(f'<li>{escape(_line(*pair))}</li>' for pair in seen)}</ul>" if seen else ""


def _boxes(names: Sequence[str] = ("",) * len(BOXES)) -> str:
    cells = "".join(f"<b>{n}</b>" for n in range(1, 6))
    return "".join(f"<td class=box>{f'<span class=over>{name}</span>' if name else ''}{cells}</td>" for name in names)
