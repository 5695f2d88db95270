"""The words people read: neutral, from the catalogue, never a judgement."""

from __future__ import annotations

from pipeline.alliance.catalogue import load_catalogue
from pipeline.exports.text import one_line
from pipeline.records import Moment, Repair

NOT_A_RISK_TOOL = "This tool does not look for suicide, violence or safeguarding risk."
KINDS = {"withdrawal": "Possible withdrawal", "confrontation": "Possible confrontation", "repair": "Possible repair"}
ROLES = {"therapist": "Therapist", "client": "Client", "other": "Other"}
BANDS = {"stronger": "stronger evidence", "some": "some evidence", "weak": "weak evidence"}


def marker_label(marker: str) -> str:
    """The catalogue's short neutral words for a marker; the id itself where the catalogue does not know it."""
    entry = load_catalogue().entries.get(marker)
    return one_line(entry.label if entry else marker)


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
