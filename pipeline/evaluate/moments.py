"""How well moments fit coded scripts, always beside what chance and simpler rules would do.

A flag hits a coded rupture when its peak lies within the tolerance of it; one flag a rupture, one rupture a flag, the
same family first.

    precision at 5     hits / flags, at most five flags a session, fewer where the program gives fewer
    recall at 5        hits / coded ruptures
    family right       of the hits
    onset error        seconds between the flag's start and the start of the therapist's turn before the rupture; median
    repairs found      of the coded attempts, those that overlap an attempt found
    repairs linked     of the attempts found whose rupture was flagged, those linked to that flag
    turn AUC           area under the curve over the turns of the family's role: inside a coded event or not

Sessions add up as counts. Intervals are 95 %, by resampling whole sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import numpy as np

from pipeline.alliance import gates, heads, text, timing, train
from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.features import GATED
from pipeline.alliance.markers import MarkersOptions, find_markers
from pipeline.alliance.moments import MomentsOptions, find_moments
from pipeline.alliance.scripts import Event, Script, load_scripts
from pipeline.evaluate.scripts import Judges, build_voice_table, left_out_authors, load_near_misses
from pipeline.records import Findings, Moment, Repair, Turn, Voice

PLACES = 5
WITHIN_S, CLOSE_S = 30.0, 10.0
APART_S = 60.0  # of the flags of the simpler rules
DRAWS = 1000
SEED = 5
TARGETS = {
    "auc_withdrawal": 0.88,
    "auc_confrontation": 0.92,
    "auc_repair": 0.88,
    "precision_at_5": 0.75,
    "recall_at_5": 0.75,
    "family_right": 0.90,
    "repairs_found": 0.80,
    "repairs_linked": 0.85,
    "flags_without_rupture": 1.0,
}
VOICES = [Voice(0.0, 1.0, "therapist", "therapist", 1.0, ""), Voice(0.0, 1.0, "client", "client", 1.0, "")]


@dataclass(frozen=True)
class Counts:
    """What one session adds; `a + b` adds sessions up."""

    sessions: int = 0
    flags: int = 0
    ruptures: int = 0
    hits: int = 0
    close: int = 0
    family: int = 0
    onset_s: tuple[float, ...] = ()
    calm_sessions: int = 0
    calm_flags: tuple[int, ...] = ()
    repairs: int = 0
    found: int = 0
    attempts: int = 0
    attempts_right: int = 0
    typed: int = 0
    linkable: int = 0
    linked: int = 0
    coded_links: int = 0
    lures: int = 0
    lured: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def rates(self) -> dict[str, float | None]:
        return {
            "precision_at_5": _share(self.hits, self.flags),
            "recall_at_5": _share(self.hits, self.ruptures),
            "precision_within_10_s": _share(self.close, self.flags),
            "recall_within_10_s": _share(self.close, self.ruptures),
            "family_right": _share(self.family, self.hits),
            "onset_error_s": round(median(abs(s) for s in self.onset_s), 1) if self.onset_s else None,
            "flags_without_rupture": _share(sum(self.calm_flags), self.calm_sessions),
            "most_flags_without_rupture": max(self.calm_flags, default=None),
            "repairs_found": _share(self.found, self.repairs),
            "repairs_precision": _share(self.attempts_right, self.attempts),
            "repairs_typed": _share(self.typed, self.found),
            "repairs_linked": _share(self.linked, self.linkable),
            "all_links": _share(self.linked, self.coded_links),
            "near_misses_flagged": _share(self.lured, self.lures),
        }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 3) if whole else None


@dataclass(frozen=True)
class Judged:
    """One session, judged: its counts, and (label, score) of every turn by family."""

    counts: Counts
    turns: dict[str, list[tuple[int, float]]] = field(default_factory=dict)


def evaluate_moments(
    folder: Path,
    ablate: bool = False,
    model: heads.Model | None = None,
    embed: train.Embed | None = None,
    options: MomentsOptions | None = None,
) -> dict:
    """Scores of a folder of coded scripts: {"sessions", "judged_by", "attune", "baselines", "ablations", "by_author"}.

    ablate    also without words, timing, voice, gates and embeddings
    model     heads to judge with, whatever they were trained on; by default the shipped ones, and heads fitted without
              the author where the shipped ones were trained on a script
    embed     another sentence encoder
    raises    AttuneError when there is no script or one does not fit
    """
    scripts = load_scripts(Path(folder))
    embed = _remember(embed or train.minilm())
    judges = Judges(scripts, embed)
    lures = load_near_misses(Path(folder))
    run = _Run(judges, model, embed, replace(options or MomentsOptions(), audit=False), lures)
    judged = [run.judge(script) for script in scripts]
    result = {
        "sessions": len(scripts),
        "ruptures": sum(len(script.ruptures) for script in scripts),
        "judged_by": judged_by(judges, model),
        "targets": TARGETS,
        "attune": summarise(judged, intervals=True),
        "baselines": {name: summarise([rule(run, s) for s in scripts]) for name, rule in BASELINES.items()},
        "by_author": {author: summarise(rows) for author, rows in _by_author(scripts, judged).items()},
    }
    if ablate:
        result["ablations"] = {name: summarise([run.judge(s, name) for s in scripts]) for name in ABLATIONS}
    return result


def judged_by(judges: Judges, model: heads.Model | None) -> str:
    """Which heads judge, in words."""
    authors = list(left_out_authors(judges))
    if model is not None:
        return "the heads given"
    if not authors:
        return "the shipped heads, which have seen none of these scripts"
    return f"heads fitted without the author of each script ({', '.join(authors)})"


def _remember(embed: train.Embed) -> train.Embed:
    """The encoder, running each text once."""
    known: dict[str, np.ndarray] = {}

    def remembered(texts: Sequence[str]) -> np.ndarray:
        new = [t for t in dict.fromkeys(texts) if t not in known]
        if new:
            known.update(zip(new, embed(new), strict=True))
        return np.array([known[t] for t in texts], dtype=np.float32)

    return remembered


def _by_author(scripts: Sequence[Script], judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    rows: dict[str, list[Judged]] = {}
    for script, item in zip(scripts, judged, strict=True):
        rows.setdefault(script.author, []).append(item)
    return rows


@dataclass(frozen=True)
class Ablation:
    """What is left out: options of the search for markers, whether the gates' columns count, whether voice is given."""

    markers: MarkersOptions = field(default_factory=MarkersOptions)
    gates: bool = True
    voice: bool = True


ABLATIONS = {
    "without words": Ablation(MarkersOptions(text=False)),
    "without timing": Ablation(MarkersOptions(timing=False)),
    "without voice": Ablation(MarkersOptions(voice=False), voice=False),
    "without gates": Ablation(gates=False),
    "without embeddings": Ablation(MarkersOptions(embedder="none")),
}


class _Run:
    """One evaluation: the judges and what all sessions share."""

    def __init__(
        self,
        judges: Judges,
        model: heads.Model | None,
        embed: train.Embed,
        options: MomentsOptions,
        lures: dict[str, list[int]],
    ) -> None:
        self.judges, self.model, self.embed, self.options, self.lures = judges, model, embed, options, lures
        self.plain: dict[str, dict[str, heads.Head]] = {}

    def judge(self, script: Script, ablation: str = "") -> Judged:
        left_out = ABLATIONS[ablation] if ablation else Ablation()
        look = left_out.markers
        variant = heads.variant_of(look.timing, look.text, look.text and look.embedder != "none")
        model = self.model or self.judges.judge(script, variant)
        if not left_out.gates:
            model = without_gates(model, variant)
        turns = list(script.turns)
        table = build_voice_table(script) if left_out.voice else None
        markers = find_markers(turns, table, None, look, model, self.embed)
        findings = find_moments(markers, turns, table, VOICES, self.options)
        scores = self._scores(script, model, variant)
        return Judged(count(script, findings, self.lures.get(script.id, [])), scores)

    def _scores(self, script: Script, model: heads.Model, variant: str) -> dict[str, list[tuple[int, float]]]:
        prepared = train.prepare(script, self.embed)
        found = train.score_prepared(prepared, model.heads[variant], variant)
        return {
            f: list(zip(prepared.labels[f].tolist(), found[f].course.tolist(), strict=True)) for f in heads.FAMILIES
        }


def without_gates(model: heads.Model, variant: str) -> heads.Model:
    """The heads with the gates' columns counting nothing."""
    sets = model.heads[variant]
    line, kinds = {}, {}
    for family, head in sets.line.items():
        names = train.variant_names(heads.ROLE[family], variant)
        keep = np.array([not GATED.search(name) for name in names])
        line[family] = heads.Head(head.bias, head.mean, head.weight * keep)
        if family in sets.kinds:
            kinds[family] = replace(sets.kinds[family], weight=sets.kinds[family].weight * keep)
    return heads.Model({variant: heads.Heads(line, sets.course, kinds)}, model.naming)


def count(script: Script, findings: Findings, lures: Sequence[int]) -> Counts:
    """One session's counts."""
    flags = [moment for moment in findings.moments if moment.kind != "repair" and not moment.audit][:PLACES]
    hits = match(flags, script, WITHIN_S)
    ruptures = script.ruptures
    return Counts(
        sessions=1,
        flags=len(flags),
        ruptures=len(ruptures),
        hits=len(hits),
        close=len(match(flags, script, CLOSE_S)),
        family=sum(flags[k].kind == ruptures[q].kind for k, q in hits.items()),
        onset_s=tuple(flags[k].start - _lead_start(script, ruptures[q]) for k, q in hits.items()),
        calm_sessions=int(not ruptures),
        calm_flags=() if ruptures else (len(flags),),
        lures=len(lures),
        lured=sum(
            any(k not in hits and f.start <= script.turns[t].start < f.end for k, f in enumerate(flags)) for t in lures
        ),
    ) + _count_repairs(script, findings, flags, hits)


def match(flags: Sequence[Moment], script: Script, tolerance_s: float) -> dict[int, int]:
    """{index of a flag: index of the rupture it hits}: one to one, flags in order of rank, same family first."""
    taken: dict[int, int] = {}
    for k, flag in enumerate(flags):
        near = []
        for q, event in enumerate(script.ruptures):
            start, end = _times(script, event)
            if q not in taken.values() and start - tolerance_s <= flag.peak <= end + tolerance_s:
                near.append((event.kind != flag.kind, abs(flag.peak - (start + end) / 2), q))
        if near:
            taken[k] = min(near)[2]
    return taken


def _times(script: Script, event: Event) -> tuple[float, float]:
    return script.turns[event.first].start, script.turns[event.last].end


def _lead_start(script: Script, event: Event) -> float:
    return max((t.start for t in script.turns[: event.first] if t.role == "therapist"), default=0.0)


def _count_repairs(script: Script, findings: Findings, flags: Sequence[Moment], hits: dict[int, int]) -> Counts:
    flag_of = {script.ruptures[q].id: flags[k] for k, q in hits.items()}
    found = {event.id: _overlapping(script, event, findings.repairs) for event in script.repairs}
    linkable = [e for e in script.repairs if found[e.id] and e.answers in flag_of]
    right = [r for r in findings.repairs if any(r in attempts for attempts in found.values())]
    return Counts(
        repairs=len(script.repairs),
        found=sum(bool(attempts) for attempts in found.values()),
        attempts=len(findings.repairs),
        attempts_right=len(right),
        typed=sum(any(_fits_type(r.type, e) for r in found[e.id]) for e in script.repairs),
        linkable=len(linkable),
        linked=sum(any(r in flag_of[e.answers].repairs for r in found[e.id]) for e in linkable),
        coded_links=sum(bool(event.answers) for event in script.repairs),
    )


def _overlapping(script: Script, event: Event, repairs: Sequence[Repair]) -> list[Repair]:
    start, end = _times(script, event)
    return [repair for repair in repairs if min(end, repair.end) > max(start, repair.start)]


def _fits_type(kind: str, event: Event) -> bool:
    """Whether the type found is the coded one; "both" fits where the coder named strategies of both."""
    entries = load_catalogue().entries
    coded = {entries[name].strategy_class for name in event.labels}
    return kind in coded or (kind == "both" and len(coded) > 1)


def summarise(judged: Sequence[Judged], intervals: bool = False) -> dict:
    """Rates and areas under the curve of the sessions together, with 95 % intervals if asked for."""
    total = sum((item.counts for item in judged), Counts())
    result: dict = {**total.rates, **_aucs(judged)}
    if intervals and len(judged) > 1:
        result["interval"] = _intervals(judged)
    return result


def _aucs(judged: Sequence[Judged]) -> dict[str, float | None]:
    found = {}
    for family in heads.FAMILIES:
        pairs = [pair for item in judged for pair in item.turns.get(family, ())]
        if pairs:
            found[f"auc_{family}"] = area(pairs)
    return found


def area(pairs: Sequence[tuple[int, float]]) -> float | None:
    """Area under the ROC curve of (label, score): the share of pairs in right order; None where a class is empty."""
    labels, scores = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    positive = int(labels.sum())
    if positive in (0, len(labels)):
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    negative = len(labels) - positive
    return round(float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative)), 3)


def _intervals(judged: Sequence[Judged]) -> dict[str, list[float]]:
    rng = np.random.default_rng(SEED)
    draws: dict[str, list[float]] = {}
    for draw in range(DRAWS):
        sample = [judged[k] for k in rng.integers(0, len(judged), len(judged))]
        rates = sum((item.counts for item in sample), Counts()).rates
        if draw < DRAWS // 10:  # areas are slow to draw
            rates |= _aucs(sample)
        for name, value in rates.items():
            if value is not None and name in TARGETS:
                draws.setdefault(name, []).append(value)
    return {name: [round(float(v), 3) for v in np.quantile(values, (0.025, 0.975))] for name, values in draws.items()}


# Simpler rules. Each gives every client turn a score; the best five that lie apart are its flags.

TurnScore = Callable[["_Run", Script], dict[int, float]]


def _judge_rule(run: _Run, script: Script, kinds: dict[str, dict[int, float]]) -> Judged:
    best = {i: max(scores.get(i, 0.0) for scores in kinds.values()) for i in set().union(*kinds.values())}
    family = {i: max(kinds, key=lambda kind: kinds[kind].get(i, -9e9)) for i in best}
    flags: list[Moment] = []
    for i in sorted(best, key=lambda i: (-best[i], i)):
        turn = script.turns[i]
        if len(flags) < PLACES and all(abs(turn.end - f.peak) >= APART_S for f in flags):
            flags.append(_flag(turn, family[i], best[i]))
    labels = _labels(script)
    turns = {
        kind: [(labels[kind][i], scores.get(i, 0.0)) for i, t in enumerate(script.turns) if t.role == heads.ROLE[kind]]
        for kind, scores in kinds.items()
    }
    return Judged(count(script, Findings(tuple(flags), (), ()), run.lures.get(script.id, [])), turns)


def _flag(turn: Turn, kind: str, score: float) -> Moment:
    return Moment(turn.start, turn.end, turn.end, kind, "", score, "", (), (), "")


def _labels(script: Script) -> dict[str, list[int]]:
    labels = {kind: [0] * len(script.turns) for kind in heads.FAMILIES}
    for event in script.events:
        for i in range(event.first, event.last + 1):
            labels[event.kind][i] = 1
    return labels


def _chance(run: _Run, script: Script) -> Judged:
    """Five client turns drawn at random, as often one family as the other."""
    rng = np.random.default_rng([SEED, int(script.fingerprint, 16) % 2**32])
    client = [i for i, turn in enumerate(script.turns) if turn.role == "client"]
    score = dict(zip(client, rng.random(len(client)).tolist(), strict=True))
    other = dict(zip(client, rng.random(len(client)).tolist(), strict=True))
    return _judge_rule(run, script, {"withdrawal": score, "confrontation": other})


def _grid(run: _Run, script: Script) -> Judged:
    """Five evenly spaced times."""
    end = max(turn.end for turn in script.turns)
    times = [(k + 0.5) * end / PLACES for k in range(PLACES)]
    flags = tuple(Moment(t, t, t, "withdrawal", "", 0.0, "", (), (), "") for t in times)
    return Judged(count(script, Findings(flags, (), ()), run.lures.get(script.id, [])))


def _longest_pause(run: _Run, script: Script) -> Judged:
    """The longest silences that follow the therapist; where the therapist breaks them, they count double."""
    score = {}
    for before, (i, turn) in zip(script.turns, list(enumerate(script.turns))[1:], strict=False):
        if before.role == "therapist":
            score[i] = (turn.start - before.end) * (2.0 if turn.role == "therapist" else 1.0)
    return _judge_rule(run, script, {"withdrawal": score})


def _you_and_no(run: _Run, script: Script) -> Judged:
    """Client turns with "you" and a negation."""
    from pipeline.alliance.lexicon import CLIENT

    score = {}
    for i, turn in enumerate(script.turns):
        if turn.role == "client":
            said = gates.plain(turn.text)
            you, no = (len(CLIENT[name].findall(said)) for name in ("second_person", "negation"))
            score[i] = min(you, no) + 0.01 * (you + no)
    return _judge_rule(run, script, {"confrontation": score})


def _patterns(run: _Run, script: Script) -> Judged:
    """The catalogue's patterns behind their gates, by weight of evidence."""
    turns, catalogue = list(script.turns), load_catalogue()
    course = timing.measure_course(turns)
    kinds: dict[str, dict[int, float]] = {"withdrawal": {}, "confrontation": {}}
    for i, turn in enumerate(turns):
        if turn.role == "client":
            for cue in text.find_cues(turns, course, i, catalogue):
                if cue.family in kinds:
                    weight = catalogue.entries[cue.marker].woe * cue.strength
                    kinds[cue.family][i] = kinds[cue.family].get(i, 0.0) + weight
    return _judge_rule(run, script, kinds)


def _plain_head(run: _Run, script: Script) -> Judged:
    """A logistic head on the embedding of the turn alone, fitted without the script's author."""
    author = run.judges.author[script.fingerprint]
    if author not in run.plain:
        run.plain[author] = train.fit_plain(run.judges.prepared(author))
    vectors = run.embed([gates.sure_text(turn) for turn in script.turns])
    kinds: dict[str, dict[int, float]] = {}
    for family in ("withdrawal", "confrontation"):
        scores = run.plain[author][family].log_odds(vectors)
        kinds[family] = {i: float(scores[i]) for i, turn in enumerate(script.turns) if turn.role == "client"}
    return _judge_rule(run, script, kinds)


BASELINES: dict[str, Callable[[_Run, Script], Judged]] = {
    "chance": _chance,
    "grid": _grid,
    "longest pause after the therapist": _longest_pause,
    "you + negation": _you_and_no,
    "patterns only": _patterns,
    "plain embedding head": _plain_head,
}

_COLUMNS = (
    ("precision_at_5", "P@5"),
    ("recall_at_5", "R@5"),
    ("precision_within_10_s", "P 10s"),
    ("recall_within_10_s", "R 10s"),
    ("family_right", "family"),
    ("onset_error_s", "onset s"),
    ("repairs_found", "rep"),
    ("repairs_linked", "link"),
    ("repairs_typed", "type"),
    ("flags_without_rupture", "calm"),
    ("near_misses_flagged", "lures"),
    ("auc_withdrawal", "AUC wd"),
    ("auc_confrontation", "AUC cf"),
    ("auc_repair", "AUC rep"),
)


def render_moments(result: dict) -> str:
    """The result as a table. "calm" is flags a session without ruptures, "lures" the share of near-misses flagged."""
    lines = [
        f"{result['sessions']} coded sessions, {result['ruptures']} ruptures; judged by {result['judged_by']}",
        "",
        f"{'':34}" + "".join(f"{label:>9}" for _, label in _COLUMNS),
        _row("attune", result["attune"]),
    ]
    for title in ("ablations", "baselines", "by_author"):
        lines += [""] + [_row(name, row) for name, row in result.get(title, {}).items()]
    lines += ["", "targets, with 95 % intervals by session:"]
    for name, target in result["targets"].items():
        low, high = result["attune"].get("interval", {}).get(name, (None, None))
        value = result["attune"].get(name)
        lines.append(f"  {name:24} {_number(value):>7}  [{_number(low)}, {_number(high)}]  target {target:g}")
    return "\n".join(lines)


def _row(name: str, row: dict) -> str:
    return f"{name:34}" + "".join(f"{_number(row.get(key)):>9}" for key, _ in _COLUMNS)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
