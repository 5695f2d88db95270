"""The catalogue of markers: what is looked for, in the words shown to a supervisor.

`markers.yaml` is the data. Families: withdrawal and confrontation (client), resolution and therapist_contribution
(therapist), recovery (client, after a repair attempt). Names follow the 3RS; no 3RS score is ever given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.records import AttuneError

BANK = Path(__file__).with_name("markers.yaml")
FAMILIES = ("withdrawal", "confrontation", "resolution", "therapist_contribution", "recovery")
CONTEXTS = ("none", "open_invitation", "prior_intervention", "negative_content", "rupture_nearby")
SPEAKERS = ("client", "therapist")


@dataclass(frozen=True)
class Example:
    """An invented utterance; `before` is what the other said just before, or ""."""

    text: str
    before: str = ""


@dataclass(frozen=True)
class Entry:
    """One marker of the catalogue.

    woe       weight of evidence at full strength, natural-log units: an expert's guess, printed as such
    patterns  compiled, case-blind, searched in text with plain apostrophes
    """

    id: str
    name: str
    family: str
    speaker: str
    definition: str
    label: str
    needs_target: bool
    needs_context: str
    strategy_class: str
    woe: float
    patterns: tuple[re.Pattern[str], ...]
    examples: tuple[Example, ...]
    heldout: tuple[Example, ...]
    near_misses: tuple[Example, ...]


@dataclass(frozen=True)
class Negative:
    """An ordinary utterance that only resembles a marker; `tag` says what it is."""

    text: str
    before: str
    speaker: str
    tag: str
    traps: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """Every marker by id, in the order of the file, and the ordinary utterances."""

    entries: dict[str, Entry]
    negatives: tuple[Negative, ...]
    sources: tuple[str, ...]

    def of_family(self, family: str) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.family == family]


@cache
def load_catalogue(path: Path = BANK) -> Catalogue:
    """The bank, checked.

    raises   AttuneError naming the marker and the field that is wrong
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    bank = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    entries = [_entry(row) for row in bank["markers"]]
    catalogue = Catalogue(
        entries={entry.id: entry for entry in entries},
        negatives=tuple(_negative(row) for row in bank["negatives"]),
        sources=tuple(bank.get("sources", ())),
    )
    check_catalogue(catalogue, len(entries))
    return catalogue


def _entry(row: dict) -> Entry:
    try:
        patterns = tuple(re.compile(pattern, re.IGNORECASE) for pattern in row["patterns"])
    except re.error as error:
        raise _wrong(row["id"], "patterns", f"{error.pattern!r}: {error}") from error
    return Entry(
        id=row["id"],
        name=row["name"],
        family=row["family"],
        speaker=row["speaker"],
        definition=row["definition"],
        label=row["supervisor_label"],
        needs_target=bool(row.get("needs_target", False)),
        needs_context=row.get("needs_context") or "none",
        strategy_class=row.get("strategy_class") or "",
        woe=float(row["woe"]),
        patterns=patterns,
        examples=_examples(row.get("examples")),
        heldout=_examples(row.get("heldout")),
        near_misses=_examples(row.get("near_misses")),
    )


def _examples(rows: list[dict] | None) -> tuple[Example, ...]:
    return tuple(Example(row["t"], row.get("c", "")) for row in rows or ())


def _negative(row: dict) -> Negative:
    return Negative(row["t"], row.get("c", ""), row["speaker"], row["tag"], tuple(row.get("traps", ())))


def _wrong(marker: str, field: str, value: str) -> AttuneError:
    return AttuneError(
        f"markers.yaml, {marker}: {field} is {value}",
        mend="correct the entry; every field is explained at the top of the file",
        code="catalogue-wrong",
    )


def check_catalogue(catalogue: Catalogue, count: int) -> None:
    """Raises AttuneError at the first entry that breaks a rule of the file's header."""
    if len(catalogue.entries) != count:
        raise _wrong("ids", "id", "used twice")
    for entry in catalogue.entries.values():
        for field, value, known in (
            ("family", entry.family, FAMILIES),
            ("needs_context", entry.needs_context, CONTEXTS),
            ("speaker", entry.speaker, SPEAKERS),
        ):
            if value not in known:
                raise _wrong(entry.id, field, f"{value!r}; known: {', '.join(known)}")
        if not 0.0 <= entry.woe <= 5.0:
            raise _wrong(entry.id, "woe", f"{entry.woe}; expected 0 to 5")
        if entry.family == "resolution" and entry.strategy_class not in ("immediate", "exploratory"):
            raise _wrong(entry.id, "strategy_class", f"{entry.strategy_class!r}; expected immediate or exploratory")
        kept_back = {line.text for line in entry.heldout} & {line.text for line in entry.examples}
        if kept_back:
            raise _wrong(entry.id, "heldout", f"also an example: {sorted(kept_back)[0]!r}")
    for negative in catalogue.negatives:
        unknown = set(negative.traps) - set(catalogue.entries)
        if unknown:
            raise _wrong("negatives", "traps", f"{sorted(unknown)[0]!r}, which is no marker")


def describe(catalogue: Catalogue) -> list[dict]:
    """One row a marker for printing: id, name, family, label, definition, gates, weight, strategy class."""
    return [
        {
            "id": entry.id,
            "name": entry.name,
            "family": entry.family,
            "speaker": entry.speaker,
            "label": entry.label,
            "definition": entry.definition,
            "needs_target": entry.needs_target,
            "needs_context": entry.needs_context,
            "strategy_class": entry.strategy_class,
            "weight": entry.woe,
            "examples": len(entry.examples),
            "near_misses": len(entry.near_misses),
        }
        for entry in catalogue.entries.values()
    ]
