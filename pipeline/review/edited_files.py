"""Annotation files read back: ELAN's .eaf and Praat's TextGrid, as tiers of labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from pipeline.exports.text import one_line
from pipeline.exports.tiers import BLIND, STAMP, STAMP_TIER, Label
from pipeline.records import AttuneError

SUFFIXES = (".eaf", ".textgrid")  # in small letters
EAF_LABELS = ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")
Tiers = Mapping[str, tuple[Label, ...]]


def load_tiers(path: Path) -> Tiers:
    """The labels of every tier, in order of time; stretches without text are left out. Times are rounded to the
    millisecond.

    raises   AttuneError for another kind of file, one that cannot be read, and two tiers of one name
    """
    readers = dict(zip(SUFFIXES, (_read_eaf, _read_textgrid), strict=True))
    if path.suffix.lower() not in readers:
        raise AttuneError(
            f"a file that ends in {path.suffix!r} is not read back",
            mend="give the .eaf or the .TextGrid that attune export wrote and ELAN or Praat changed",
            code="format-unknown",
        )
    if not path.is_file():
        raise AttuneError("there is no such file", mend="check the path", code="no-such-file")
    tiers: dict[str, tuple[Label, ...]] = {}
    for name, labels in readers[path.suffix.lower()](path):
        if name in tiers:
            raise AttuneError(
                f"there are two tiers {name!r}", mend="give one of them another name", code="annotation-unreadable"
            )
        spoken = (Label(label.start_ms, label.end_ms, one_line(label.text)) for label in labels)
        tiers[name] = tuple(
            sorted((label for label in spoken if label.text), key=lambda label: (label.start_ms, label.end_ms))
        )
    return tiers


def read_stamp(tiers: Tiers) -> tuple[str, str, bool]:
    """(id of the session, hash of what was exported, whether in a blind first pass), as the file says of itself.

    raises   AttuneError (code "not-exported-here") for a file that does not say
    """
    for label in tiers.get(STAMP_TIER, ()):
        found = STAMP.fullmatch(label.text)
        if found:
            return found[1], found[2], found[3] == BLIND
    raise AttuneError(
        f"the file does not say which session it is of: it has no tier {STAMP_TIER!r} as attune export writes it",
        mend="export the session again, and make the changes in that file; leave that tier as it is",
        code="not-exported-here",
    )


def _unreadable(why: str) -> AttuneError:
    return AttuneError(
        f"the file cannot be read: {why}", mend="save it again in ELAN or Praat", code="annotation-unreadable"
    )


def _read_eaf(path: Path) -> list[tuple[str, list[Label]]]:
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError, OSError) as error:
        raise _unreadable("it is no XML") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise _unreadable("it is no ELAN document")
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    rows = {row.get("ANNOTATION_ID"): row for kind in EAF_LABELS for row in root.iter(kind)}
    return [
        (
            tier.get("TIER_ID", ""),
            [_eaf_label(tier, row, slots, rows) for kind in EAF_LABELS for row in tier.iter(kind)],
        )
        for tier in root.iter("TIER")
    ]


def _eaf_label(
    tier: ElementTree.Element,
    row: ElementTree.Element,
    slots: Mapping[str | None, str | None],
    rows: Mapping[str | None, ElementTree.Element],
) -> Label:
    """A label; one on a tier below another has no time of its own but that of the label it belongs to."""
    timed, above = row, set()
    while timed is not None and timed.tag == "REF_ANNOTATION" and timed.get("ANNOTATION_ID") not in above:
        above.add(timed.get("ANNOTATION_ID"))
        timed = rows.get(timed.get("ANNOTATION_REF"))
    names = ("TIME_SLOT_REF1", "TIME_SLOT_REF2")
    start, end = (slots.get(timed.get(name)) for name in names) if timed is not None else (None, None)
    if not (start and end and start.isdigit() and end.isdigit()):
        raise _unreadable(f"a label on tier {tier.get('TIER_ID')!r} has no time")
    return Label(int(start), int(end), row.findtext("ANNOTATION_VALUE") or "")


def _read_textgrid(path: Path) -> list[tuple[str, list[Label]]]:
    import parselmouth
    from parselmouth.praat import call

    try:
        grid = parselmouth.read(str(path))
        if grid.class_name != "TextGrid":
            raise _unreadable("it is no TextGrid")
        return [
            (call(grid, "Get tier name", tier), _praat_labels(grid, tier))
            for tier in range(1, call(grid, "Get number of tiers") + 1)
        ]
    except parselmouth.PraatError as error:
        raise _unreadable("Praat does not know it") from error


def _praat_labels(grid: object, tier: int) -> list[Label]:
    from parselmouth.praat import call

    if not call(grid, "Is interval tier", tier):
        name = call(grid, "Get tier name", tier)
        raise _unreadable(f"{name!r} is a tier of points, and a point has no beginning and end; draw intervals")
    labels = []
    for number in range(1, call(grid, "Get number of intervals", tier) + 1):
        text = call(grid, "Get label of interval", tier, number)
        if text.strip():
            times = (
                call(grid, name, tier, number) for name in ("Get start time of interval", "Get end time of interval")
            )
            labels.append(Label(*(round(1000 * at) for at in times), text))
    return labels
