"""Learning from a clinic's own verdicts, with restraint: how much may move depends on how much was judged.

    fewer than 40 flags judged          nothing moves; the counts are shown
    from 40, at least 15 of each sort   a calibrated share beside each flag's score (Platt 1999), drawn to the score's
                                        own meaning by the weight of 40 verdicts; no flag changes
    from 200                            the weights of evidence as well: the most probable ones under a normal prior
                                        centred on the program's own (spread 0.5, natural-log units), none below 0

Everything here is a function of its arguments alone: the same verdicts give the same numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Literal

from pipeline.alliance.calibration import SILENCE, VOICE, Calibration
from pipeline.alliance.moments import FAMILIES, MomentsOptions

if TYPE_CHECKING:
    import numpy as np

Stage = Literal["counts", "shares", "weights"]

LEAST_SHARES, LEAST_OF_EACH, LEAST_WEIGHTS = 40, 15, 200  # flags judged
PRIOR_VERDICTS = 40.0  # what the score's own meaning counts against the verdicts
SPREAD = 0.5  # of a weight around the program's own, natural-log units
SPREAD_LEVEL = 2.0  # of how readily this clinic agrees at all: left nearly free, or the weights would take its place
OLDER = 0.7  # share of the sessions, by date, that a check is fitted on
LEAST_CLIENTS = 2  # a client can only be left out where there is another
LEAST_KEPT = 10  # flags of a family behind a threshold
LEAST_MOVE = 0.005  # a smaller move of a weight is none: what its kind was never judged for, but for rounding


@dataclass(frozen=True)
class Judged:
    """A clip that people have judged, with the evidence in it by the program's own weights.

    day       when it was recorded, ISO 8601: what older and newer means
    client    whose session; the session's own id where the clinic names nobody
    audit     whether it was drawn at random rather than flagged
    agreed    share of the people who decided that said there is a moment here, 0 to 1
    fits      the same, and of this family
    band      of the flag, "" for an audit clip or where it is no longer known
    log_odds  of the strongest turn in it; None where the session's evidence is gone
    terms     kind of evidence -> log-odds that it adds to an ordinary turn
    """

    session: str
    client: str
    day: str
    family: str
    audit: bool
    agreed: float
    fits: float
    band: str
    log_odds: float | None
    terms: dict[str, float]

    @property
    def flagged(self) -> bool:
        return not self.audit


@dataclass(frozen=True)
class Scale:
    """Agreement as log-odds: intercept + slope * a flag's log-odds. As the program comes: slope 1, intercept 0."""

    slope: float = 1.0
    intercept: float = 0.0

    def share(self, log_odds: float) -> float:
        return _share(self.intercept + self.slope * log_odds)


@dataclass(frozen=True)
class Weights:
    """Fitted weights in natural-log units, by kind of evidence, and the level of each family.

    default   the program's own: for a marker, what evidence adds that just reaches its family's threshold; for voice
              and silence what the options say
    """

    fitted: dict[str, float]
    default: dict[str, float]
    level: dict[str, float]

    def factor(self, kind: str) -> float:
        if kind not in self.fitted:
            return 1.0
        move = self.fitted[kind] - self.default[kind]
        return self.fitted[kind] / self.default[kind] if abs(move) >= LEAST_MOVE else 1.0

    def above_base(self, row: Judged) -> float:
        """The log-odds above an ordinary turn that these weights give a clip."""
        return sum(self.factor(kind) * value for kind, value in row.terms.items())

    def share(self, row: Judged) -> float:
        """How often people agree with such a clip, by these weights."""
        return _share(self.level[row.family] + self.above_base(row))


@dataclass(frozen=True)
class Check:
    """How the program's own weights and the fitted ones do on clips that neither had seen.

    loss_before, loss_after    mean log loss, both with the clinic's own scale; lower is better
    error                      standard error of the difference of the two, clip by clip
    flags_before, flags_after  flags that each would show, and `agreed_...` how many of them people agreed with
    """

    of: str
    clips: int
    loss_before: float
    loss_after: float
    error: float
    flags_before: int
    agreed_before: float
    flags_after: int
    agreed_after: float

    @property
    def better(self) -> bool:
        """Whether the fitted weights do better by more than chance would often have it: one standard error."""
        return self.clips > 1 and self.loss_before - self.loss_after > self.error


@dataclass(frozen=True)
class Learned:
    """What the verdicts teach.

    stage    how far they reach: "counts", "shares" or "weights"
    why      why they reach no further, one sentence, or ""
    reached  for each family, whether a threshold gives the precision that was asked for
    """

    stage: Stage
    why: str
    scale: Scale
    weights: Weights | None
    calibration: Calibration
    checks: tuple[Check, ...]
    reached: dict[str, bool]


def learn(rows: Sequence[Judged], options: MomentsOptions, precision: float) -> Learned:
    """Everything that the verdicts allow.

    precision   share of the flags that people should agree with
    """
    flags = [row for row in rows if row.flagged]
    why = _too_few(flags)
    if why:
        return Learned("counts", why, Scale(), None, Calibration(), (), {})
    scale = fit_scale([row for row in flags if row.band != "weak"])
    known = [row for row in rows if row.log_odds is not None]
    why = _too_few_for_weights(known)
    if why:
        return Learned("shares", why, scale, None, Calibration(), (), {})
    weights = fit_weights(known, options)
    calibration, reached = build_calibration(known, weights, options, precision)
    checks = check(known, options, precision)
    if not (checks[0].loss_after < checks[0].loss_before and checks[1].better):
        why = "on clips that they had not seen, the fitted weights are not clearly better than the program's own"
        return Learned("shares", why, scale, weights, Calibration(), checks, reached)
    return Learned("weights", "", scale, weights, calibration, checks, reached)


def _too_few(flags: Sequence[Judged]) -> str:
    agreed, disagreed = count_sides(flags)
    if len(flags) < LEAST_SHARES:
        return f"{len(flags)} flags are judged, and nothing moves below {LEAST_SHARES}"
    if min(agreed, disagreed) < LEAST_OF_EACH:
        return f"{agreed} agreed and {disagreed} disagreed, and nothing moves below {LEAST_OF_EACH} of each"
    return ""


def _too_few_for_weights(known: Sequence[Judged]) -> str:
    flags = [row for row in known if row.flagged]
    if len(flags) < LEAST_WEIGHTS:
        return f"{len(flags)} flags are judged in sessions that are still here; weights move from {LEAST_WEIGHTS} on"
    if len({row.client for row in known}) < LEAST_CLIENTS:
        return "all verdicts are about one client, so that none can be left out to check"
    return ""


def count_sides(flags: Sequence[Judged]) -> tuple[int, int]:
    """(agreed, disagreed); a clip that people are divided about counts as neither."""
    return sum(row.agreed > 0.5 for row in flags), sum(row.agreed < 0.5 for row in flags)


# ------------------------------------------------------------------------------------------------- the scale


def fit_scale(flags: Sequence[Judged]) -> Scale:
    """Platt's logistic curve through the verdicts; `PRIOR_VERDICTS` more of them, spread over the same flags, say what
    the score says by itself. The slope is never below 0."""
    import numpy as np

    known = [row for row in flags if row.log_odds is not None]
    if not known:
        return Scale()
    x = np.array([row.log_odds for row in known], dtype=float)
    own, each = 1.0 / (1.0 + np.exp(-x)), PRIOR_VERDICTS / len(known)
    target = (np.array([row.agreed for row in known]) + each * own) / (1.0 + each)
    slope, intercept = _minimise(
        np.stack([x, np.ones_like(x)], axis=1),
        target,
        np.full(len(x), 1.0 + each),
        start=np.array([1.0, 0.0]),
        precision=np.zeros(2),
        least=np.array([0.0, -np.inf]),
    )
    return Scale(round(slope, 4), round(intercept, 4))


def _minimise(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, start: np.ndarray, precision: np.ndarray, least: np.ndarray
) -> list[float]:
    """Coefficients of a logistic regression with a normal prior at `start` and lower bounds; no constant of its own."""
    import numpy as np
    from scipy.optimize import minimize

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z, away = x @ w, w - start
        value = np.sum(weight * (np.logaddexp(0.0, z) - y * z)) + 0.5 * np.sum(precision * away**2)
        slope = x.T @ (weight * (1.0 / (1.0 + np.exp(-z)) - y)) + precision * away
        return float(value), slope

    bounds = [(None if math.isinf(low) else low, None) for low in least]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-8, "maxiter": 2000}
    )
    return [float(value) for value in found.x]


def _share(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, log_odds))))


# ----------------------------------------------------------------------------------------------- the weights


def fit_weights(rows: Sequence[Judged], options: MomentsOptions) -> Weights:
    """The most probable weights of evidence. A kind that no judged clip rests on keeps the program's own weight.

    rows   with their evidence: flags, and audit clips, by which what lies below the line is known
    """
    import numpy as np

    kinds = sorted({kind for row in rows for kind in row.terms})
    default = {kind: _default_weight(kind, rows, options) for kind in kinds}
    columns = [*kinds, *FAMILIES]
    x = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        x[i, len(kinds) + FAMILIES.index(row.family)] = 1.0
        for kind, value in row.terms.items():
            x[i, kinds.index(kind)] = value / default[kind]
    found = _minimise(
        x,
        np.array([row.fits for row in rows]),
        np.ones(len(rows)),
        start=np.array([*default.values(), *[options.base] * len(FAMILIES)]),
        precision=np.array([SPREAD**-2] * len(kinds) + [SPREAD_LEVEL**-2] * len(FAMILIES)),
        least=np.array([0.0] * len(kinds) + [-np.inf] * len(FAMILIES)),
    )
    fitted = {kind: round(value, 4) for kind, value in zip(kinds, found, strict=False)}
    level = {family: round(found[len(kinds) + k], 4) for k, family in enumerate(FAMILIES)}
    return Weights(fitted, {kind: round(value, 4) for kind, value in default.items()}, level)


def _default_weight(kind: str, rows: Sequence[Judged], options: MomentsOptions) -> float:
    if kind in (VOICE, SILENCE):
        return options.voice_weight if kind == VOICE else options.silence_weight
    family = next(row.family for row in rows if kind in row.terms)
    return options.threshold(family) - options.base


def own_weights(rows: Sequence[Judged], options: MomentsOptions) -> Weights:
    """The program's own weights, all scaled alike to these clips: what fitted weights are compared with."""
    import numpy as np

    default = {kind: _default_weight(kind, rows, options) for kind in sorted({k for row in rows for k in row.terms})}
    slope, *levels = _minimise(
        np.array([[sum(row.terms.values()), *(float(row.family == family) for family in FAMILIES)] for row in rows]),
        np.array([row.fits for row in rows]),
        np.ones(len(rows)),
        start=np.array([1.0, *[options.base] * len(FAMILIES)]),
        precision=np.array([0.0, *[SPREAD_LEVEL**-2] * len(FAMILIES)]),
        least=np.array([0.0, *[-np.inf] * len(FAMILIES)]),
    )
    scaled = {kind: slope * value for kind, value in default.items()}
    return Weights(scaled, default, dict(zip(FAMILIES, levels, strict=True)))


def build_calibration(
    rows: Sequence[Judged], weights: Weights, options: MomentsOptions, precision: float
) -> tuple[Calibration, dict[str, bool]]:
    """(factors and moves of the thresholds, whether each family's threshold gives the precision asked for)."""
    factors = {kind: round(weights.factor(kind), 4) for kind in weights.fitted}
    moves, reached = {}, {}
    for family in FAMILIES:
        mine = [row for row in rows if row.flagged and row.family == family]
        line, reached[family] = find_threshold(mine, weights, options.base, options.threshold(family), precision)
        moves[family] = round(line - options.threshold(family), 3)
    kept = {kind: factor for kind, factor in factors.items() if factor != 1.0}
    return Calibration(kept, moves["withdrawal"], moves["confrontation"]), reached


def find_threshold(
    flags: Sequence[Judged], weights: Weights, base: float, threshold: float, precision: float
) -> tuple[float, bool]:
    """(threshold, whether it gives the precision): the lowest one above which people agree often enough.

    It starts where the present threshold comes to lie under the new weights, and never goes below: nothing there was
    flagged, so nothing there was judged. It stays there where no threshold reaches the precision with at least
    `LEAST_KEPT` flags above it.
    """
    before = sum(sum(row.terms.values()) for row in flags)
    if len(flags) < LEAST_KEPT or before <= 0:
        return threshold, False
    lowest = base + (threshold - base) * sum(weights.above_base(row) for row in flags) / before
    ranked = sorted(((base + weights.above_base(row), weights.share(row)) for row in flags), reverse=True)
    best, agreed = None, 0.0
    for k, (line, share) in enumerate(ranked, 1):
        agreed += share
        below = ranked[k][0] if k < len(ranked) else -math.inf
        if k >= LEAST_KEPT and agreed / k >= precision and line >= lowest and below < line:
            best = line if below >= lowest else lowest
    return (lowest, False) if best is None else (math.floor(round(1000 * best, 6)) / 1000, True)


# ------------------------------------------------------------------------------------------------ the checks


def check(rows: Sequence[Judged], options: MomentsOptions, precision: float) -> tuple[Check, ...]:
    """Fitted on older sessions and tried on newer ones; and each client in turn left out of the fit."""
    sessions = sorted({(row.day, row.session) for row in rows})
    older = {session for _, session in sessions[: max(1, round(OLDER * len(sessions)))]}
    newer = _Tally("newer sessions")
    newer.add([r for r in rows if r.session in older], [r for r in rows if r.session not in older], options, precision)
    by_client: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        by_client[row.client].append(row)
    others = _Tally("clients left out")
    for client in sorted(by_client):
        others.add([row for row in rows if row.client != client], by_client[client], options, precision)
    return newer.result(), others.result()


class _Tally:
    """Adds up one check over its folds."""

    def __init__(self, of: str) -> None:
        self.of = of
        self.losses: list[tuple[float, float]] = []
        self.before: list[float] = []
        self.after: list[float] = []

    def add(self, seen: Sequence[Judged], unseen: Sequence[Judged], options: MomentsOptions, precision: float) -> None:
        own, fitted = own_weights(seen, options), fit_weights(seen, options)
        calibration, _ = build_calibration(seen, fitted, options, precision)
        for row in unseen:
            self.losses.append((_loss(own.share, row), _loss(fitted.share, row)))
            if row.flagged:
                self.before.append(row.fits)
                line = options.threshold(row.family) + calibration.move(row.family)
                if options.base + fitted.above_base(row) >= line:
                    self.after.append(row.fits)

    def result(self) -> Check:
        gains = [before - after for before, after in self.losses]
        n = max(1, len(gains))
        return Check(
            self.of,
            len(gains),
            round(sum(before for before, _ in self.losses) / n, 4),
            round(sum(after for _, after in self.losses) / n, 4),
            round(stdev(gains) / math.sqrt(n), 4) if len(gains) > 1 else 0.0,
            len(self.before),
            sum(self.before),
            len(self.after),
            sum(self.after),
        )


def _loss(share: Callable[[Judged], float], row: Judged) -> float:
    p = min(1 - 1e-6, max(1e-6, share(row)))
    return -(row.fits * math.log(p) + (1 - row.fits) * math.log(1 - p))
