"""Coded scripts for scoring: which heads may judge a script, its voice table, and its located near-misses.

A script is never judged by heads that were trained on it or on another script of the same hand. Those that the shipped
heads have seen are recognised by their lines, under any name, and judged by heads fitted anew without that author.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.alliance import train
from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.heads import Model, load_model
from pipeline.alliance.scripts import NEAR_MISSES, SHIPPED, Script, load_scripts
from pipeline.records import AttuneError

if TYPE_CHECKING:
    import pandas as pd

SAME_LINES = 0.2  # of a script's longer lines: from here it counts as one that was trained on
LONG_LINE = 5  # words
SHIPPED_HEADS = "shipped heads"


def find_authors(scripts: Sequence[Script], trained_on: Sequence[Script]) -> list[str]:
    """For each script the author in the training data whose lines it shares, or "" for a script held back."""
    lines: dict[str, str] = {}
    for known in trained_on:
        lines.update({text: known.author for text in _long_lines(known)})
    authors = []
    for script in scripts:
        mine = _long_lines(script)
        shared = Counter(lines[text] for text in mine if text in lines)
        known = shared.total() >= SAME_LINES * max(1, len(mine))
        authors.append(shared.most_common(1)[0][0] if known and shared else "")
    return authors


def _long_lines(script: Script) -> set[str]:
    return {turn.text for turn in script.turns if len(turn.words) >= LONG_LINE}


class Judges:
    """The model that may judge each script; those without an author are fitted when first asked for.

    embed   the sentence encoder
    """

    def __init__(self, scripts: Sequence[Script], embed: train.Embed) -> None:
        self._trained_on = load_scripts(SHIPPED)
        self._embed = embed
        self._options = train.TrainOptions()
        self._as_written: list[train.Prepared] = []
        self._copies: list[train.Prepared] = []
        self._models: dict[tuple[str, str], Model] = {}
        self._fittings: dict[str, train.Fitting] = {}
        self.author = dict(zip([s.fingerprint for s in scripts], find_authors(scripts, self._trained_on), strict=True))

    def judge(self, script: Script, variant: str) -> Model:
        """The shipped heads for a script held back, otherwise heads of this variant fitted without its author."""
        author = self.author[script.fingerprint]
        if not author:
            return load_model()
        if (author, variant) not in self._models:
            self._models[author, variant] = self._fit(author, variant)
        return self._models[author, variant]

    def prepared(self, author: str) -> list[train.Prepared]:
        """The training scripts as written, without those of an author."""
        if not self._as_written:
            self._as_written = [train.prepare(script, self._embed) for script in self._trained_on]
        return [item for item in self._as_written if item.script.author != author]

    def _fitting(self, variant: str) -> train.Fitting:
        if variant not in self._fittings:
            if not self._copies:
                scripts = train.copies_of(self._trained_on, self._options)
                self._copies = [train.prepare(script, self._embed) for script in scripts]
            self._fittings[variant] = train.Fitting(self.prepared("") + self._copies, variant, self._options)
        return self._fittings[variant]

    def _fit(self, author: str, variant: str) -> Model:
        without = self.prepared(author)
        if not without:
            raise AttuneError(
                "all training scripts are by the author of the script to be scored",
                mend="add coded scripts by other people to the training data",
                code="no-scripts",
            )
        naming = next((m.naming for (who, _), m in self._models.items() if who == author), None)
        naming = naming or train.fit_naming(without, load_catalogue(), self._embed, self._options)
        return Model({variant: self._fitting(variant).heads(without=author)}, naming)


def build_voice_table(script: Script) -> pd.DataFrame:
    """The script's delivery as the columns of a turn table that are read from it: robust z against the speaker."""
    import pandas as pd

    values = np.array(script.delivery, dtype=float).reshape(len(script.turns), 4)
    names = ("level_db_z", "pitch_st_z", "pitch_range_st_z", "articulation_rate_z")
    floors = (1.5, 0.5, 0.15, 0.1)  # dB, semitones, ratios: smaller spreads are taken for these
    table = {name: np.full(len(values), np.nan) for name in names}
    for role in {turn.role for turn in script.turns}:
        mine = np.array([turn.role == role for turn in script.turns])
        for k, (name, floor) in enumerate(zip(names, floors, strict=True)):
            middle = np.median(values[mine, k])
            spread = max(1.4826 * np.median(np.abs(values[mine, k] - middle)), floor)
            table[name][mine] = np.clip((values[mine, k] - middle) / spread, -4.0, 4.0)
    return pd.DataFrame(table)


def load_near_misses(folder: Path) -> dict[str, list[int]]:
    """Turns of the client that only look like a rupture, by script id; empty where the folder names none."""
    path = folder / NEAR_MISSES
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {name: [row["turn"] for row in found if _is_lure(row)] for name, found in rows.items()}


def _is_lure(row: dict) -> bool:
    return row["speaker"] == "client" and not row.get("inside_event")


def left_out_authors(judges: Judges) -> Iterable[str]:
    """Authors whose scripts are judged by heads fitted without them, in order."""
    return sorted({author for author in judges.author.values() if author})
