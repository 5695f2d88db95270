"""The session as tiers of labelled stretches, for annotation programs in which a tier's stretches never overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.exports.clock import ms
from pipeline.exports.material import Material
from pipeline.exports.text import one_line
from pipeline.exports.wording import KINDS, headline, repair_line
from pipeline.intervals import HasTimes
from pipeline.records import Role


@dataclass(frozen=True)
class Label:
    """Text over a stretch of time, whole milliseconds; `end_ms` is after `start_ms`."""

    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class Tier:
    """A named row of labels in order of time, none overlapping another. `role` is set where one person speaks on it."""

    name: str
    labels: tuple[Label, ...]
    role: Role | None = None


def build_tiers(material: Material) -> list[Tier]:
    """Turns and words of everybody who speaks, the candidates by kind, and the repair attempts."""
    tiers = [tier for role in _roles(material) for tier in _spoken(material, role)]
    for kind, title in KINDS.items():
        chosen = [(m, headline(m)) for m in material.shown if m.kind == kind]
        if kind != "repair" or chosen:
            tiers.append(Tier(title.lower(), _lay(chosen)))
    return [*tiers, Tier("repair attempts", _lay((r, repair_line(r)) for r in material.findings.repairs))]


def _roles(material: Material) -> list[Role]:
    spoken = {turn.role for turn in material.turns}
    return [role for role in ("therapist", "client", "other") if role != "other" or role in spoken]


def _spoken(material: Material, role: Role) -> list[Tier]:
    turns = [turn for turn in material.turns if turn.role == role]
    words = [(word, word.text) for turn in turns for word in turn.words]
    return [
        Tier(f"{role} turns", _lay((turn, turn.text) for turn in turns), role),
        Tier(f"{role} words", _lay(words), role),
    ]


def _lay(items: Iterable[tuple[HasTimes, str]]) -> tuple[Label, ...]:
    """Labels in order; one that begins before the last has ended begins at that end, and where no time is left its
    text joins the last one's, so that no word is lost. Items without text are left out."""
    labels: list[Label] = []
    for item, raw in sorted(items, key=lambda pair: (pair[0].start, pair[0].end)):
        text = one_line(raw)
        last = labels[-1] if labels else Label(0, 0, "")
        start, end = max(ms(item.start), last.end_ms), ms(item.end)
        if not text:
            continue
        if end > start:
            labels.append(Label(start, end, text))
        elif labels:
            labels[-1] = Label(last.start_ms, last.end_ms, f"{last.text} {text}")
        else:
            labels.append(Label(start, start + 1, text))
    return tuple(labels)
