"""Training of the heads: from the coded scripts and the bank of markers to one small file and its receipt.

Deterministic: same scripts, same bank, same weights of the sentence encoder, same file. Every figure in the receipt is
from scripts of an author whose scripts the heads had not seen. Run with: attune train
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.alliance import gates, timing
from pipeline.alliance.catalogue import BANK, Catalogue, load_catalogue
from pipeline.alliance.features import Features, feature_names
from pipeline.alliance.heads import (
    FAMILIES,
    ROLE,
    SHIPPED,
    USUAL,
    VARIANTS,
    WITH_KINDS,
    Head,
    Heads,
    Kinds,
    Naming,
    Scores,
    against_usual,
    course_rows,
    measure_both,
    naming_rows,
    of_variant,
    save_heads,
    score_turns,
)
from pipeline.alliance.ridge import Ridge
from pipeline.alliance.scripts import SHIPPED as SCRIPTS
from pipeline.alliance.scripts import Event, Script, load_scripts
from pipeline.records import Turn, Word

Embed = Callable[[Sequence[str]], np.ndarray]
FULL = "timing+words+meaning"
ROLES = ("client", "therapist")
SOUNDS = ("Mm-hmm.", "Yeah.", "Okay.", "Right.", "Mm.", "Yeah, yeah.", "Uh-huh.")
FILLERS = ("um,", "uh,", "you know,", "I mean,", "like,", "kind of", "sort of", "well,", "yeah,", "I guess")
LONG_TURN = 14  # words from which a turn may hold a listening sound
LINE_SPREAD = 12.0  # brings a ridge regression of 0 and 1 to about the spread of log-odds
VECTOR = re.compile(r"meaning:.*\d")  # columns that are embeddings
LISTENING = re.compile(r"^(?:mm+|mhm|mm-?hmm?|uh-?huh|yeah|yes|yep|right|okay|ok|oh|sure|i see)[.,!?]*$", re.IGNORECASE)


@dataclass(frozen=True)
class TrainOptions:
    """How the heads are fitted. Chosen by leaving out one author at a time."""

    ridge_named: float = 0.1  # penalty of line and kind heads on the named features, in variances of a column
    ridge_meaning: float = 1.0  # the same on the embeddings
    c_course: float = 0.01  # inverse strength of the L2 penalty of the course head
    c_naming: float = 0.3  # the same for the naming heads
    inner_groups: int = 4  # groups of authors whose line log-odds the course head learns from, each from the others
    word_errors: float = 0.08  # share of words that a rough copy gets wrong, as recognised speech would
    fillers: float = 0.06  # share of words with a filler before them in a loose copy
    listening: float = 0.5  # share of long turns with a listening sound inside in a loose copy
    seed: int = 11  # of the rough copies


@dataclass(frozen=True)
class Prepared:
    """A script ready for fitting: its features, and for each family the label of every row."""

    script: Script
    features: dict[str, Features]
    labels: dict[str, np.ndarray]
    naming: np.ndarray


def prepare(script: Script, embed: Embed) -> Prepared:
    """Measure a script's turns and read its labels: a row is positive inside an event of the family."""
    turns = list(script.turns)
    course = timing.measure_course(turns)
    vectors = embed([gates.sure_text(turn) for turn in turns])
    features = measure_both(turns, course, vectors)
    inside = {family: np.zeros(len(turns), dtype=int) for family in FAMILIES}
    for event in script.events:
        inside[event.kind][event.first : event.last + 1] = 1
    labels = {family: inside[family][features[ROLE[family]].turns] for family in FAMILIES}
    return Prepared(script, features, labels, naming_rows(turns, course, vectors))


def roughen(script: Script, options: TrainOptions) -> Script:
    """The script as a recogniser and a diarizer might hand it on; events stay where they are.

    Words are lost or wrong, notes in brackets go, half of the turns lose capitals and punctuation, edges move by a
    tenth of a second, and listening sounds close to the other's talk become backchannels.
    """
    rng = random.Random(f"{options.seed} {script.fingerprint}")
    spoken = [re.sub(r"[^\w' ]+", " ", turn.text.lower()).split() for turn in script.turns]
    pool = [word for words in spoken for word in words]
    turns = tuple(_rough_turn(turn, pool, rng, options) for turn in script.turns)
    return replace(script, turns=tuple(_with_backchannels(turns, rng)))


def _rough_turn(turn: Turn, pool: Sequence[str], rng: random.Random, options: TrainOptions) -> Turn:
    text = re.sub(r"\[[^\]]*\]", " ", turn.text)
    if rng.random() < 0.5:
        text = re.sub(r"[^\w' ]+", " ", text.lower())
    words = []
    for word in text.split():
        chance = rng.random()
        if chance < options.word_errors / 2:
            continue
        words.append(rng.choice(pool) if chance < options.word_errors else word)
    start = max(0.0, turn.start + rng.gauss(0.0, 0.1))
    end = max(start + 0.1, turn.end + rng.gauss(0.0, 0.1))
    return _spoken(turn, words, start, end)


def _with_backchannels(turns: Sequence[Turn], rng: random.Random) -> list[Turn]:
    marked = []
    for i, turn in enumerate(turns):
        over = i > 0 and turn.start < turns[i - 1].end + 0.1
        listening = over and len(turn.words) == 1 and bool(LISTENING.match(turn.text))
        marked.append(replace(turn, backchannel=True) if listening and rng.random() < 0.6 else turn)
    return marked


def loosen(script: Script, options: TrainOptions) -> Script:
    """The script with the looseness of unrehearsed talk: listening sounds inside long turns, fillers, restarts.

    A listening sound cuts the other's long turn in two and is a turn of its own; events keep their turns.
    """
    rng = random.Random(f"loose {options.seed} {script.fingerprint}")
    turns: list[Turn] = []
    first, last = [], []
    for turn in script.turns:
        first.append(len(turns))
        turns += _loose_turns(turn, rng, options)
        last.append(len(turns) - 1)
    events = tuple(replace(event, first=first[event.first], last=last[event.last]) for event in script.events)
    return replace(script, turns=tuple(turns), events=events)


def _loose_turns(turn: Turn, rng: random.Random, options: TrainOptions) -> list[Turn]:
    words = _with_fillers([word.text for word in turn.words], rng, options)
    if len(words) < LONG_TURN or rng.random() > options.listening:
        return [_spoken(turn, words, turn.start, turn.end)]
    cut = rng.randrange(5, len(words) - 4)
    middle = turn.start + (turn.end - turn.start) * cut / len(words)
    other = {"client": "therapist", "therapist": "client"}[turn.role]
    listener = replace(turn, role=other, speaker=other)
    return [
        _spoken(turn, words[:cut], turn.start, middle),
        _spoken(listener, rng.choice(SOUNDS).split(), middle, middle + 0.35),
        _spoken(turn, words[cut:], middle + 0.4, max(turn.end, middle + 0.8)),
    ]


def _with_fillers(words: Sequence[str], rng: random.Random, options: TrainOptions) -> list[str]:
    loose: list[str] = []
    for word in words:
        chance = rng.random()
        if chance < options.fillers and len(words) > 3:
            loose += rng.choice(FILLERS).split()
        elif chance < 1.5 * options.fillers:
            loose.append(f"{word}-")
        loose.append(word)
    return loose


def _spoken(turn: Turn, words: Sequence[str], start: float, end: float) -> Turn:
    step = (end - start) / max(1, len(words))
    timed = tuple(Word(start + k * step, start + (k + 1) * step, word) for k, word in enumerate(words))
    return replace(turn, start=start, end=end, words=timed)


def fit_heads(prepared: Sequence[Prepared], variant: str, options: TrainOptions) -> Heads:
    """Line, kind and course heads of one variant."""
    return Fitting(prepared, variant, options).heads()


class Fitting:
    """Scripts to fit one variant's heads on, with any author left out.

    Columns are standardised over all authors, also one left out; nothing else of that author is read.
    """

    def __init__(self, prepared: Sequence[Prepared], variant: str, options: TrainOptions) -> None:
        self._items = [_cut(item, variant) for item in prepared]
        self._options = options
        self._ridge = {role: _ridge(self._items, role, variant_names(role, variant), options) for role in ROLES}

    def heads(self, without: str = "") -> Heads:
        """The heads of all authors but one. The course head learns from line log-odds and kinds of authors left out."""
        items = [item for item in self._items if item.script.author != without]
        authors = {item.script.author for item in items}
        groups = _author_groups(sorted(authors), self._options.inner_groups)
        line_of: dict[int, dict[str, np.ndarray]] = {}
        kinds_of: dict[int, dict[str, np.ndarray]] = {}
        for group in groups:
            rest = authors - group or authors
            lines, kinds = self._lines(rest), self._kinds(rest)
            for k, item in enumerate(items):
                if item.script.author in group:
                    values = {f: item.features[ROLE[f]].values for f in FAMILIES}
                    line_of[k] = {f: against_usual(lines[f].log_odds(values[f])) for f in FAMILIES}
                    kinds_of[k] = {f: kinds[f].scores(values[f]) for f in WITH_KINDS}
        course = {family: _fit_course(items, line_of, kinds_of, family, self._options) for family in FAMILIES}
        return Heads(line=self._lines(authors), course=course, kinds=self._kinds(authors))

    def _lines(self, authors: set[str]) -> dict[str, Head]:
        """The line heads, from these authors."""
        lines = {}
        for role, ridge in self._ridge.items():
            weight, bias = ridge.fit(authors)
            mean = ridge.mean.astype(np.float32)
            for k, family in enumerate(_families_of(role)):
                towards = (LINE_SPREAD * weight[:, k]).astype(np.float32)
                lines[family] = Head(LINE_SPREAD * float(bias[k]) + USUAL, mean, towards)
        return lines

    def _kinds(self, authors: set[str]) -> dict[str, Kinds]:
        fitted = {}
        for role, ridge in self._ridge.items():
            weight, bias = ridge.fit(authors)
            values = [item.features[role].values for item in self._items if item.script.author in authors]
            at = len(_families_of(role))
            for family, ids in _kind_ids(role).items():
                mine = slice(at, at + len(ids))
                at += len(ids)
                mean, towards = ridge.mean.astype(np.float32), weight[:, mine].T.astype(np.float32)
                plain = Kinds(ids, bias[mine], mean, towards, np.zeros(len(ids)))
                medians = [np.median(plain.raw(rows), axis=0) for rows in values]
                fitted[family] = replace(plain, usual=np.median(medians, axis=0))
        return fitted


def _families_of(role: str) -> list[str]:
    return [family for family in FAMILIES if ROLE[family] == role]


def _kind_ids(role: str) -> dict[str, tuple[str, ...]]:
    """The catalogue's ids by family, for the role's families that have kinds."""
    return {f: tuple(e.id for e in load_catalogue().of_family(f)) for f in _families_of(role) if f in WITH_KINDS}


def _ridge(items: Sequence[Prepared], role: str, names: Sequence[str], options: TrainOptions) -> Ridge:
    """One role's regression, by author: "is this turn in an event of the family" and "is it this marker"."""
    vector = np.array([bool(VECTOR.fullmatch(name)) for name in names])
    by_author: dict[str, list[Prepared]] = {}
    for item in items:
        by_author.setdefault(item.script.author, []).append(item)
    rows = {
        author: (
            np.concatenate([item.features[role].values for item in mine]),
            np.concatenate([_targets(item, role) for item in mine]),
        )
        for author, mine in by_author.items()
    }
    return Ridge(rows, np.where(vector, options.ridge_meaning, options.ridge_named))


def _targets(item: Prepared, role: str) -> np.ndarray:
    """The families' labels, then 1.0 where a turn lies in an event of the family coded with the marker."""
    columns = [item.labels[family].astype(float) for family in _families_of(role)]
    where = item.features[role].turns
    for family, ids in _kind_ids(role).items():
        for name in ids:
            column = np.zeros(len(where))
            for event in item.script.events:
                if event.kind == family and name in event.labels:
                    column[(where >= event.first) & (where <= event.last)] = 1.0
            columns.append(column)
    return np.array(columns).T


def _cut(item: Prepared, variant: str) -> Prepared:
    """The script with the columns that the variant's heads read."""
    return replace(item, features=of_variant(item.features, variant, _width(item)))


def _width(item: Prepared) -> int:
    return item.naming.shape[1] // 2


def variant_names(role: str, variant: str) -> list[str]:
    """Names of the columns that a variant's heads read."""
    from pipeline.alliance.embed import WIDTH

    return [name for name in feature_names(role, WIDTH) if name.split(":")[0] in VARIANTS[variant]]


def _author_groups(authors: Sequence[str], count: int) -> list[set[str]]:
    return [set(authors[k::count]) for k in range(min(count, len(authors)))]


def fit_logistic(x: np.ndarray, y: np.ndarray, c: float) -> Head:
    """L2-penalised logistic regression on standardised columns; a column that hardly varies is left at its scale."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = x.mean(0), np.maximum(x.std(0), 0.01)
    if len(set(y.tolist())) < 2:
        return Head(-8.0, mean, np.zeros_like(mean))
    model = LogisticRegression(C=c, max_iter=500).fit((x - mean) / scale, y)
    return Head(float(model.intercept_[0]), mean, model.coef_[0] / scale)


def _fit_course(
    items: Sequence[Prepared],
    line: dict[int, dict[str, np.ndarray]],
    kinds: dict[int, dict[str, np.ndarray]],
    family: str,
    options: TrainOptions,
) -> Head:
    rows = []
    for k, item in enumerate(items):
        where = {f: item.features[ROLE[f]].turns for f in FAMILIES}
        rows.append(course_rows(item.script.turns, where, line[k], kinds[k], family))
    y = np.concatenate([item.labels[family] for item in items])
    return fit_logistic(np.concatenate(rows), y, options.c_course)


def fit_plain(prepared: Sequence[Prepared]) -> dict[str, Head]:
    """A logistic head on the embedding of the turn alone: what the trained heads are compared with."""
    fitted = {}
    for family in FAMILIES:
        x = np.concatenate([item.naming[item.features[ROLE[family]].turns, : _width(item)] for item in prepared])
        fitted[family] = fit_logistic(x, np.concatenate([item.labels[family] for item in prepared]), 0.01)
    return fitted


def score_prepared(item: Prepared, heads: Heads, variant: str) -> dict[str, Scores]:
    """The heads' log-odds on a prepared script."""
    return score_turns(item.script.turns, _cut(item, variant).features, heads)


def fit_naming(
    prepared: Sequence[Prepared], catalogue: Catalogue, embed: Embed, options: TrainOptions
) -> dict[str, Naming]:
    """For each family one linear head an entry: the bank's examples and the coded turns with that label, against the
    same family's other examples and coded turns."""
    fitted = {}
    for family in FAMILIES:
        entries = catalogue.of_family("resolution" if family == "repair" else family)
        rows, labels = _bank_rows([(e.id, x.text, x.before) for e in entries for x in e.examples], embed)
        coded_rows, coded_labels = _coded_rows(prepared, family)
        x = np.concatenate([rows, *coded_rows])
        all_labels = labels + coded_labels
        heads = [
            fit_logistic(x, np.array([int(e.id in had) for had in all_labels]), options.c_naming / 100) for e in entries
        ]
        fitted[family] = Naming(
            ids=tuple(entry.id for entry in entries),
            bias=np.array([head.bias - head.mean @ head.weight for head in heads]),
            weight=np.array([head.weight for head in heads]),
        )
    return fitted


def _bank_rows(lines: Sequence[tuple[str, str, str]], embed: Embed) -> tuple[np.ndarray, list[set[str]]]:
    said = embed([gates.plain(text) for _, text, _ in lines])
    before = embed([gates.plain(text) for _, _, text in lines])
    return np.concatenate([said, before], axis=1), [{name} for name, _, _ in lines]


def _coded_rows(prepared: Sequence[Prepared], family: str) -> tuple[list[np.ndarray], list[set[str]]]:
    rows, labels = [], []
    for item in prepared:
        for event in item.script.events:
            if event.kind == family and event.labels:
                mine = _turns_of(event, item.script, ROLE[family])
                rows.append(item.naming[mine])
                labels += [set(event.labels)] * len(mine)
    return rows, labels


def _turns_of(event: Event, script: Script, role: str) -> list[int]:
    return [i for i in range(event.first, event.last + 1) if script.turns[i].role == role]


def prepare_all(
    scripts: Sequence[Script], embed: Embed, options: TrainOptions
) -> tuple[list[Prepared], list[Prepared]]:
    """(as written; as written, roughened and loosened): what is scored, and what is fitted on."""
    clean = [prepare(script, embed) for script in scripts]
    return clean, clean + [prepare(script, embed) for script in copies_of(scripts, options)]


def copies_of(scripts: Sequence[Script], options: TrainOptions) -> list[Script]:
    """Every script roughened, then every script loosened."""
    return [copy(script, options) for copy in (roughen, loosen) for script in scripts]


def train(folder: Path = SCRIPTS, out: Path = SHIPPED, options: TrainOptions | None = None, tell=print) -> dict:
    """Fit everything, write `out` and beside it the receipt (same name, .json); returns the receipt.

    folder   coded scripts; at least two authors
    tell     is told what happens, a line each
    """
    options = options or TrainOptions()
    scripts, embed, catalogue = load_scripts(folder), minilm(), load_catalogue()
    tell(f"{len(scripts)} scripts by {len({s.author for s in scripts})} authors")
    clean, rough = prepare_all(scripts, embed, options)
    heads = {variant: fit_heads(rough, variant, options) for variant in VARIANTS}
    naming = fit_naming(clean, catalogue, embed, options)
    save_heads(out, heads, naming)
    tell("fitted; now each author in turn is left out, for the receipt")
    receipt = {
        "data_sha256": data_hash(scripts),
        "seed": options.seed,
        "options": {name: getattr(options, name) for name in options.__dataclass_fields__},
        "scripts": sorted(script.fingerprint for script in scripts),
        "left_out_auc": left_out_auc(clean, rough, options),
    }
    out.with_suffix(".json").write_text(json.dumps(receipt, indent=1) + "\n", encoding="utf-8")
    return receipt


def minilm() -> Embed:
    """The shipped sentence encoder as a function of texts."""
    from pipeline import models
    from pipeline.alliance.embed import embed

    folder = models.weights("minilm")
    return lambda texts: embed(texts, folder)


def data_hash(scripts: Sequence[Script]) -> str:
    """Hash of the scripts, their events and the bank."""
    lines = "".join(f"{s.id} {s.fingerprint} {s.events!r}\n" for s in scripts)
    return hashlib.sha256(lines.encode() + BANK.read_bytes()).hexdigest()


def left_out_auc(clean: Sequence[Prepared], rough: Sequence[Prepared], options: TrainOptions) -> dict:
    """Area under the curve by family, over turns of authors left out, together and by author."""
    scores: dict[str, dict[str, list]] = {}
    fitting = Fitting(rough, FULL, options)
    for author in sorted({item.script.author for item in clean}):
        heads = fitting.heads(without=author)
        for item in clean:
            if item.script.author == author:
                for family, found in score_prepared(item, heads, FULL).items():
                    pairs = scores.setdefault(family, {}).setdefault(author, [])
                    pairs += list(zip(item.labels[family], found.course, strict=True))
    return {
        family: {"all": _auc([p for pairs in by.values() for p in pairs]), **{a: _auc(p) for a, p in by.items()}}
        for family, by in scores.items()
    }


def _auc(pairs: Sequence[tuple[int, float]]) -> float | None:
    from sklearn.metrics import roc_auc_score

    labels = [label for label, _ in pairs]
    return round(float(roc_auc_score(labels, [s for _, s in pairs])), 3) if len(set(labels)) == 2 else None
