"""The words people read: neutral, from the catalogue, never a judgement."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pipeline.exports.text import one_line
from pipeline.records import Moment, Repair

NOT_A_RISK_TOOL = "This tool does not look for suicide, violence or safeguarding risk."
KINDS = {"withdrawal": "Possible withdrawal", "confrontation": "Possible confrontation", "repair": "Possible repair"}
ROLES = {"therapist": "Therapist", "client": "Client", "other": "Other"}
BANDS = {"stronger": "stronger evidence", "some": "some evidence", "weak": "weak evidence"}


@cache
def _labels() -> dict[str, str]:
    """Marker id -> its words for people, from the catalogue's data alone: an export needs none of its rules."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    bank = yaml.load((files("pipeline.alliance") / "markers.yaml").read_text(encoding="utf-8"), Loader=loader)
    return {row["id"]: row["supervisor_label"] for row in bank["markers"]}


def marker_label(marker: str) -> str:
    """The catalogue's short neutral words for a marker; the id itself where the catalogue does not know it."""
    return one_line(_labels().get(marker, marker))


def headline(moment: Moment) -> str:
    """One line for a moment: "Possible withdrawal: playing down a feeling"."""
    label = marker_label(moment.marker)
    return f"{KINDS[moment.kind]}: {label}" if label else KINDS[moment.kind]


def strategies(repair: Repair) -> str:
    """The therapist's moves of a repair attempt, most certain first."""
    return ", ".join(marker_label(name) for name in repair.strategies)


def repair_line(repair: Repair) -> str:
    """One line for a repair attempt: its type, its moves and the client's engagement afterwards."""
    kind = "immediate and exploratory" if repair.type == "both" else one_line(repair.type)
    return f"Possible repair attempt ({kind}): {strategies(repair)}; engagement afterwards: {repair.engagement}"
