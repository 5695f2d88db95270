"""ELAN annotation file (EAF 3.0)."""

from __future__ import annotations

import mimetypes
from xml.etree import ElementTree

from pipeline.exports.links import relative_link
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.text import file_name
from pipeline.exports.tiers import Tier, build_tiers

NO_DATE = "1970-01-01T00:00:00+00:00"  # the form wants one; a real one would give other bytes at every run
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def write_eaf(material: Material, options: ExportOptions) -> bytes:
    """Tiers of turns, words, candidates and repair attempts, with the recording linked by a relative path.

    The absolute path is left out on purpose: it may hold a name, and breaks as soon as the folder moves.
    """
    ElementTree.register_namespace("xsi", XSI)
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "attune",
            "DATE": NO_DATE,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{XSI}}}noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    _add_header(root, material)
    order = ElementTree.SubElement(root, "TIME_ORDER")
    tiers = build_tiers(material)
    slots = _add_slots(order, tiers)
    made = 0
    for tier in tiers:
        made = _add_tier(root, tier, slots, made)
    ElementTree.SubElement(
        root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="stretch", TIME_ALIGNABLE="true"
    )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


def _add_header(root: ElementTree.Element, material: Material) -> None:
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if material.plays:
        link = relative_link(material.plays, material.folder)
        kind = mimetypes.guess_type(file_name(material.plays))[0] or "application/octet-stream"
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=link, MIME_TYPE=kind, RELATIVE_MEDIA_URL=link)


def _add_slots(order: ElementTree.Element, tiers: list[Tier]) -> dict[int, str]:
    """One slot for every time used, in order; the id for each time in milliseconds."""
    times = sorted({at for tier in tiers for label in tier.labels for at in (label.start_ms, label.end_ms)})
    slots = {at: f"ts{number}" for number, at in enumerate(times, start=1)}
    for at, slot in slots.items():
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(at))
    return slots


def _add_tier(root: ElementTree.Element, tier: Tier, slots: dict[int, str], made: int) -> int:
    """Adds the tier; returns how many annotations there are now."""
    who = {"PARTICIPANT": tier.role} if tier.role else {}
    row = ElementTree.SubElement(root, "TIER", LINGUISTIC_TYPE_REF="stretch", TIER_ID=tier.name, **who)
    for number, label in enumerate(tier.labels, start=made + 1):
        annotation = ElementTree.SubElement(
            ElementTree.SubElement(row, "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=f"a{number}",
            TIME_SLOT_REF1=slots[label.start_ms],
            TIME_SLOT_REF2=slots[label.end_ms],
        )
        ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = label.text
    return made + len(tier.labels)
