"""The session as tiers of labelled stretches, for annotation programs in which a tier's stretches never overlap.

What a person changes in such a program can be read back, so the file says of itself, on a tier of its own, which
session it is of and what it held when it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256

from pipeline.exports.clock import ms
from pipeline.exports.material import Material
from pipeline.exports.text import one_line
from pipeline.exports.wording import KINDS, headline, repair_line
from pipeline.intervals import HasTimes
from pipeline.records import Role

STAMP_TIER = "attune"
STAMP = re.compile(r"session (\S+), exported as ([0-9a-f]{12})(?:; (.+))?")
BLIND = "blind first pass: without what the tool marked, and without other people's verdicts"
REPAIRS = "repair attempts"
CANDIDATES: dict[str, str] = {title.lower(): kind for kind, title in KINDS.items()}  # tier -> kind of its moments


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
    """Turns and words of everybody who speaks, candidates by kind, repair attempts, verdicts, and the stamp last."""
    tiers = build_content(material)
    left_out = f"; {one_line(material.left_out)}" if material.left_out else ""
    stamp = f"session {one_line(material.about.session)}, exported as {hash_of(tiers)}{left_out}"
    return [*tiers, Tier(STAMP_TIER, (Label(0, max(1, ms(material.end_s)), stamp),))]


def build_content(material: Material) -> list[Tier]:
    """Every tier but the stamp."""
    tiers = [tier for role in _roles(material) for tier in _spoken(material, role)]
    for name, kind in CANDIDATES.items():
        chosen = [(m, headline(m)) for m in material.shown if m.kind == kind]
        if kind != "repair" or chosen:
            tiers.append(Tier(name, _lay(chosen)))
    tiers.append(Tier(REPAIRS, _lay((r, repair_line(r)) for r in material.findings.repairs)))
    for name in dict.fromkeys(judged.tier for judged in material.judged):
        tiers.append(Tier(name, _lay((judged, judged.text) for judged in material.judged if judged.tier == name)))
    return tiers


def hash_of(tiers: Sequence[Tier]) -> str:
    """Twelve hex digits that stand for what the tiers hold."""
    return sha256(json.dumps([astuple(tier) for tier in tiers]).encode()).hexdigest()[:12]


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
