"""Trained heads: small linear models that say how far a turn stands out, and what kind of line it is.

Two layers, both a weighted sum in natural-log odds. The line head reads one turn with its neighbours; beside it the
kind heads say how far the turn resembles each marker of a family, because a family is many things: a denial and a long
story away from the point have little in common. The course head reads the line heads' log-odds of the turns around,
and the kinds: a rupture is several turns long, and a repair tends to follow it. The naming heads say which marker or
strategy a line is closest to. Weights come from `pipeline.alliance.train` and lie in `data/heads.npz`; nothing but
numpy is needed to use them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.alliance.features import KINDS, Features, feature_names, measure_features
from pipeline.alliance.timing import Course
from pipeline.records import AttuneError, Turn

SHIPPED = Path(__file__).with_name("data") / "heads.npz"
FAMILIES = ("withdrawal", "confrontation", "repair")
ROLE = {"withdrawal": "client", "confrontation": "client", "repair": "therapist"}
VARIANTS = {  # what is looked at -> the set of heads trained on just that
    "timing": ("timing",),
    "words": ("words",),
    "timing+words": ("timing", "words"),
    "words+meaning": ("words", "meaning"),
    "timing+words+meaning": ("timing", "words", "meaning"),
}
REACH = 3  # turns of the same role to each side that the course head reads
AFTER_S, BEFORE_S = 90.0, 120.0  # how far ahead a repair, how far back a rupture is looked for
USUAL, USUAL_SHARE = -4.0, 0.5  # median log-odds of an ordinary session; how far a session is moved to it
LEAST_USUAL = 10  # turns that a median needs
LINE_SHARE = 0.3  # of the line head in the final log-odds; chosen with each author in turn left out
WITH_KINDS = ("withdrawal", "confrontation")
KIND_SCALE = 10.0  # brings kind scores, 0 to 1, to the spread of log-odds
ABSENT = -4.0  # log-odds where there is no such turn: well below any ordinary turn


@dataclass(frozen=True)
class Head:
    """log-odds = bias + (x - mean) . weight: the bias is what an average turn gets, each product one contribution."""

    bias: float
    mean: np.ndarray
    weight: np.ndarray

    def contributions(self, values: np.ndarray) -> np.ndarray:
        return (values - self.mean) * self.weight

    def log_odds(self, values: np.ndarray) -> np.ndarray:
        return self.bias + (values - self.mean) @ self.weight


@dataclass(frozen=True)
class Kinds:
    """How far a turn resembles each marker of one family: about 0 where it does not, about 1 where it does.

    ids      of the markers
    weight   shape (len(ids), columns)
    usual    median over sessions of the session's median score
    """

    ids: tuple[str, ...]
    bias: np.ndarray
    mean: np.ndarray
    weight: np.ndarray
    usual: np.ndarray

    def raw(self, values: np.ndarray) -> np.ndarray:
        """Shape (turns, len(ids))."""
        return (self.bias - self.mean @ self.weight.T) + values @ self.weight.T

    def scores(self, values: np.ndarray) -> np.ndarray:
        """The raw scores, lowered by what the session's median exceeds the usual: some people talk like that all along,
        hedging or agreeing from beginning to end. A session below the usual is not raised."""
        raw = self.raw(values)
        if len(raw) < LEAST_USUAL:
            return raw
        return raw - np.maximum(0.0, np.median(raw, axis=0) - self.usual)


@dataclass(frozen=True)
class Heads:
    """The heads of one variant, by family; kinds only for WITH_KINDS."""

    line: dict[str, Head]
    course: dict[str, Head]
    kinds: dict[str, Kinds]


@dataclass(frozen=True)
class Naming:
    """Which catalogue entry a line is closest to: weights an entry over this turn and the other's before."""

    ids: tuple[str, ...]
    bias: np.ndarray
    weight: np.ndarray

    def log_odds(self, vectors: np.ndarray) -> np.ndarray:
        """Shape (turns, ids); `vectors` are the turn's embedding and that of the other's turn before, side by side."""
        return self.bias + vectors @ self.weight.T


@dataclass(frozen=True)
class Scores:
    """Log-odds of one family for one role's turns: `line` before, `course` after looking at the turns around.

    turns   indices into the session's turns
    """

    turns: np.ndarray
    line: np.ndarray
    course: np.ndarray


def variant_of(timing: bool, words: bool, meaning: bool) -> str:
    """Name of the heads for what may be looked at; "" where nothing may."""
    kinds = tuple(k for k, on in (("timing", timing), ("words", words), ("meaning", words and meaning)) if on)
    return next((name for name, wanted in VARIANTS.items() if wanted == kinds), "")


def measure_both(turns: Sequence[Turn], course: Sequence[Course], vectors: np.ndarray | None) -> dict[str, Features]:
    """The features of both roles, by role."""
    return {role: measure_features(turns, course, vectors, role) for role in ("client", "therapist")}


def of_variant(features: dict[str, Features], variant: str, width: int) -> dict[str, Features]:
    """Only the columns of the variant's kinds; `width` is that of the embeddings in them, 0 without."""
    kinds = VARIANTS[variant]
    if kinds == KINDS:
        return features
    cut = {}
    for role, rows in features.items():
        keep = [name.split(":")[0] in kinds for name in feature_names(role, width)]
        cut[role] = Features(rows.turns, rows.values[:, keep])
    return cut


def score_turns(turns: Sequence[Turn], features: dict[str, Features], heads: Heads) -> dict[str, Scores]:
    """Both layers for every family.

    features   as `measure_both` gives them, cut with `of_variant` to what these heads were trained on
    """
    line = {f: against_usual(heads.line[f].log_odds(features[ROLE[f]].values)) for f in FAMILIES}
    kinds = {f: heads.kinds[f].scores(features[ROLE[f]].values) for f in WITH_KINDS}
    where = {family: features[ROLE[family]].turns for family in FAMILIES}
    scores = {}
    for family in FAMILIES:
        rows = course_rows(turns, where, line, kinds, family)
        blend = _blend(line[family], heads.course[family].log_odds(rows))
        scores[family] = Scores(turns=where[family], line=line[family], course=blend)
    return scores


def against_usual(line: np.ndarray) -> np.ndarray:
    """Log-odds moved half-way to the same median in every session, because some people talk like that all along."""
    return line - USUAL_SHARE * (np.median(line) - USUAL) if len(line) >= LEAST_USUAL else line


def _blend(line: np.ndarray, course: np.ndarray) -> np.ndarray:
    """The course, drawn towards the line itself: without that, the turns beside a strong line outshine it."""
    return LINE_SHARE * line + (1.0 - LINE_SHARE) * course


def course_rows(
    turns: Sequence[Turn],
    where: dict[str, np.ndarray],
    line: dict[str, np.ndarray],
    kinds: dict[str, np.ndarray],
    family: str,
) -> np.ndarray:
    """What the course head reads, a row for every turn of the family's role.

    Line log-odds of all three families for the nearest turns (REACH to each side, edges repeated), the strongest
    repair within AFTER_S after and before, the strongest rupture within BEFORE_S before, and the session's own 90th
    percentiles, because some people talk like that all the time; and, for a family with kinds, those of this turn and
    the stronger of those beside it.
    """
    start = np.array([turn.start for turn in turns])
    mine = where[family]
    columns = [_nearest(where[other], line[other], mine) for other in FAMILIES]
    away = start[where["repair"]][None, :] - start[mine][:, None]
    columns.append(_most(line["repair"], (away >= 0) & (away <= AFTER_S)))
    columns.append(_most(line["repair"], (away < 0) & (away >= -AFTER_S)))
    for other in WITH_KINDS:
        away = start[where[other]][None, :] - start[mine][:, None]
        columns.append(_most(line[other], (away < 0) & (away >= -BEFORE_S)))
    for other in WITH_KINDS:
        usual = float(np.quantile(line[other], 0.9)) if len(line[other]) else ABSENT
        columns.append(np.full((len(mine), 1), usual))
    if family in kinds:
        columns += _kind_columns(kinds[family])
    return np.concatenate(columns, axis=1)


def _kind_columns(kinds: np.ndarray) -> list[np.ndarray]:
    scaled = KIND_SCALE * kinds
    beside = np.maximum(np.vstack([scaled[:1], scaled[:-1]]), np.vstack([scaled[1:], scaled[-1:]]))
    own, with_them = scaled.max(axis=1, keepdims=True), np.maximum(scaled, beside).max(axis=1, keepdims=True)
    return [scaled, beside, own, with_them]


def _nearest(where: np.ndarray, line: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Line log-odds of the nearest turns to each side, shape (len(mine), 2 REACH + 1)."""
    steps = np.arange(-REACH, REACH + 1)
    if not len(where):
        return np.full((len(mine), len(steps)), ABSENT)
    at = np.searchsorted(where, mine)[:, None] + steps[None, :]
    return line[np.clip(at, 0, len(where) - 1)].astype(np.float64)


def _most(line: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The greatest among the marked ones of each row, shape (rows, 1)."""
    best = np.where(among, line[None, :], -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isneginf(best), ABSENT, best)[:, None]


def naming_rows(turns: Sequence[Turn], course: Sequence[Course], vectors: np.ndarray) -> np.ndarray:
    """Embedding of every turn beside that of the other's turn before (zeros where there is none)."""
    before = [vectors[row.before] if row.before is not None else np.zeros(vectors.shape[1]) for row in course]
    return np.concatenate([vectors, np.array(before, dtype=np.float32).reshape(vectors.shape)], axis=1)


def save_heads(path: Path, heads: dict[str, Heads], naming: dict[str, Naming]) -> None:
    """Write all variants and the naming heads: same weights, same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for variant, sets in heads.items():
        for layer in ("line", "course"):
            for family, head in getattr(sets, layer).items():
                at = f"{variant}/{layer}/{family}"
                arrays[f"{at}/bias"] = np.float32(head.bias)
                arrays[f"{at}/mean"] = head.mean.astype(np.float32)
                arrays[f"{at}/weight"] = head.weight.astype(np.float32)
        for family, kinds in sets.kinds.items():
            at = f"{variant}/kinds/{family}"
            arrays[f"{at}/ids"] = _as_bytes(kinds.ids)
            arrays[f"{at}/bias"] = kinds.bias.astype(np.float32)
            arrays[f"{at}/mean"] = kinds.mean.astype(np.float32)
            arrays[f"{at}/weight"] = kinds.weight.astype(np.float32)
            arrays[f"{at}/usual"] = kinds.usual.astype(np.float32)
    for family, names in naming.items():
        arrays[f"naming/{family}/ids"] = _as_bytes(names.ids)
        arrays[f"naming/{family}/bias"] = names.bias.astype(np.float32)
        arrays[f"naming/{family}/weight"] = names.weight.astype(np.float32)
    np.savez_compressed(path, **arrays)


def _as_bytes(ids: Sequence[str]) -> np.ndarray:
    return np.frombuffer(json.dumps(ids).encode(), dtype=np.uint8)


@dataclass(frozen=True)
class Model:
    """Everything that was trained: heads by variant, naming by family."""

    heads: dict[str, Heads]
    naming: dict[str, Naming]


@cache
def load_model(path: Path = SHIPPED) -> Model:
    """The trained heads.

    raises   AttuneError when the file is missing or not one of ours
    """
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        return build_model(arrays)
    except (OSError, ValueError, KeyError) as error:
        raise AttuneError(
            f"the trained heads ({path.name}) cannot be read ({type(error).__name__})",
            mend="install the program again, or train them anew with: attune train",
            code="heads-unreadable",
        ) from error


def build_model(arrays: dict[str, np.ndarray]) -> Model:
    """The trained heads from their arrays, as `save_heads` names them. Raises KeyError where one is missing."""

    def head(at: str) -> Head:
        return Head(float(arrays[f"{at}/bias"]), arrays[f"{at}/mean"], arrays[f"{at}/weight"])

    def kinds(at: str) -> Kinds:
        ids = tuple(json.loads(arrays[f"{at}/ids"].tobytes()))
        return Kinds(ids, *(arrays[f"{at}/{name}"] for name in ("bias", "mean", "weight", "usual")))

    heads = {
        variant: Heads(
            line={family: head(f"{variant}/line/{family}") for family in FAMILIES},
            course={family: head(f"{variant}/course/{family}") for family in FAMILIES},
            kinds={family: kinds(f"{variant}/kinds/{family}") for family in WITH_KINDS},
        )
        for variant in VARIANTS
    }
    naming = {
        family: Naming(
            ids=tuple(json.loads(arrays[f"naming/{family}/ids"].tobytes())),
            bias=arrays[f"naming/{family}/bias"],
            weight=arrays[f"naming/{family}/weight"],
        )
        for family in FAMILIES
    }
    return Model(heads, naming)
