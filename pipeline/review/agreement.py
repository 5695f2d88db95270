"""How far people agree with each other and with the tool. Counts first; every share comes with its interval."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.review.verdicts import Answer, Verdict, same_place

ANSWERS: tuple[Answer, ...] = ("agree", "disagree", "unsure")
Z = 1.959964  # two-sided 95 % point of the normal distribution


@dataclass(frozen=True)
class Agreement:
    """Two people's answers to the same clips.

    same   clips with the same answer, of `both`
    kappa  Cohen's (1960): agreement beyond what the two people's own rates would give; None where it is not defined
    ac1    Gwet's (2008): agreement beyond chance that stays meaningful where nearly all answers are one; None likewise
    """

    first: str
    second: str
    both: int
    same: int
    kappa: float | None
    ac1: float | None


@dataclass(frozen=True)
class Precision:
    """How often people agreed with the tool.

    share      agreed / (agreed + disagreed), None where nobody decided
    low, high  Wilson's 95 % interval of the share
    """

    of: str
    agreed: int
    disagreed: int
    unsure: int
    share: float | None
    low: float
    high: float


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two raters' answers, item by item; None without items or where chance alone gives 1."""
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[answer] * second[answer] for answer in first) / n**2
    return None if math.isclose(expected, 1.0) else (observed - expected) / (1 - expected)


def gwet_ac1(pairs: Sequence[tuple[str, str]], categories: Sequence[str] = ANSWERS) -> float | None:
    """Gwet's AC1 of two raters' answers; chance is sum(p (1 - p)) / (q - 1) over the q categories. None without items.

    raises   ValueError for fewer than two categories, or an answer that is none of them
    """
    if len(categories) < 2 or {answer for pair in pairs for answer in pair} - set(categories):
        raise ValueError(f"answers must be among at least two categories, not {categories}")
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    rates = [sum((a == c) + (b == c) for a, b in pairs) / (2 * n) for c in categories]
    expected = sum(rate * (1 - rate) for rate in rates) / (len(categories) - 1)
    return (observed - expected) / (1 - expected)


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0.0, 1.0) where n is 0."""
    if n == 0:
        return 0.0, 1.0
    p, z2 = hits / n, Z * Z
    middle, half = p + z2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))


def measure_agreement(verdicts: Sequence[Verdict]) -> list[Agreement]:
    """For every two people who judged the same clips: their agreement. Missed moments and consensus are left out.

    verdicts  those that stand, of any sessions
    """
    own: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.subject != "missed" and verdict.rater_role != "consensus":
            own[verdict.rater].append(verdict)
    names = sorted(own)
    found = []
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            pairs = pair_answers(own[first], own[second])
            if pairs:
                same = sum(a == b for a, b in pairs)
                found.append(Agreement(first, second, len(pairs), same, cohen_kappa(pairs), gwet_ac1(pairs)))
    return found


def pair_answers(first: Sequence[Verdict], second: Sequence[Verdict]) -> list[tuple[str, str]]:
    """The answers of two people to the same clips, each clip once."""
    pairs, left = [], list(second)
    for a in first:
        match = next((b for b in left if same_clip(a, b)), None)
        if match:
            left.remove(match)
            pairs.append((a.answer, match.answer))
    return pairs


def same_clip(a: Verdict, b: Verdict) -> bool:
    """Whether two verdicts, of whomever, are about one clip."""
    return (a.session, a.flag_kind) == (b.session, b.flag_kind) and same_place(a.place, b.place)


def measure_precision(verdicts: Sequence[Verdict], of: str = "this clinic") -> Precision:
    """How often people agreed with what the tool chose. Audit clips and missed moments are no choice of its own.

    Where a consensus was reached about a clip it counts alone; otherwise each person's verdict counts.
    """
    flags = [v for v in verdicts if v.subject == "flag"]
    settled = [v for v in flags if v.rater_role == "consensus"]
    counted = settled + [v for v in flags if v not in settled and not any(same_clip(v, s) for s in settled)]
    count = Counter(v.answer for v in counted)
    decided = count["agree"] + count["disagree"]
    share = count["agree"] / decided if decided else None
    return Precision(
        of, count["agree"], count["disagree"], count["unsure"], share, *wilson_interval(count["agree"], decided)
    )


def precision_by_marker(verdicts: Sequence[Verdict]) -> list[Precision]:
    """`measure_precision` for each closest marker, the most judged first."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.subject == "flag":
            groups[verdict.marker].append(verdict)
    found = [measure_precision(group, marker) for marker, group in groups.items()]
    return sorted(found, key=lambda p: (-(p.agreed + p.disagreed + p.unsure), p.of))
