"""Markers: every piece of evidence for a possible rupture or a repair attempt, each resting on one turn.

Three sorts. The trained heads give one marker a turn and family, whose strength is their odds as a share; silences
between two turns of the therapist and the client's voice give markers of their own modality; and the catalogue's
patterns, behind their gates, quote the words and say which marker a turn is closest to. What each adds is decided where
moments are formed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.alliance import explain, gates, heads, text, timing, voice
from pipeline.alliance.catalogue import Catalogue, load_catalogue
from pipeline.alliance.features import feature_names
from pipeline.records import Given, Marker, Turn, spoken_language

if TYPE_CHECKING:
    import pandas as pd

READ = "en"  # the language whose words are read here
MINIMAL = "wd_minimal_response"
FALLBACK = {"withdrawal": MINIMAL, "confrontation": "cf_reject_intervention", "repair": "rs_redirect_refocus"}
QUOTED_FROM = 0.3  # strength from which a turn's words are quoted with their closest marker
CONTEXT = ("therapist_contribution", "recovery")  # families known by their patterns alone, shown beside a moment


@dataclass(frozen=True)
class MarkersOptions:
    """What evidence is looked for."""

    embedder: str = "minilm"  # "minilm", or "none": word classes, gates and timing only
    language: str = READ  # the words are read only where this is "en"; timing needs no language
    text: bool = True  # read the words
    timing: bool = True  # look at silences, waits and short replies
    voice: bool = True  # look at the client's voice
    silence_s: float = 3.0  # a pause with the therapist on both sides counts from here
    voice_z: float = 2.0  # a voice feature is out of this client's range from here, robust z either way
    least: float = 0.02  # a turn is a marker of a family from this share of the odds


def markers_models(options: MarkersOptions, given: Sequence[Given] | None) -> tuple[str, ...]:
    """Names of the weights that these options need; `given` does not change them."""
    return ("minilm",) if _reads_meaning(replace(options, language=options.language or READ)) else ()


def _reads_words(options: MarkersOptions) -> bool:
    return options.text and options.language == READ


def _reads_meaning(options: MarkersOptions) -> bool:
    return _reads_words(options) and options.embedder != "none"


def find_markers(
    turns: list[Turn],
    turn_table: pd.DataFrame | None,
    windows: pd.DataFrame | None,
    options: MarkersOptions,
    model: heads.Model | None = None,
    embed: Callable[[Sequence[str]], np.ndarray] | None = None,
) -> list[Marker]:
    """Every marker in the session, in order of start, then of turn and name.

    turns       in order of start
    turn_table  one row a turn, or None; only the client's voice is read from it
    windows     the course of the session, or None; only its grey minutes are read: what lies there counts for nothing
    model       heads other than the shipped ones
    embed       a sentence encoder other than the shipped one
    """
    options = replace(options, language=spoken_language(options.language, (w for turn in turns for w in turn.words)))
    course = timing.measure_course(turns)
    catalogue = load_catalogue()
    cues = [text.find_cues(turns, course, i, catalogue) if _reads_words(options) else [] for i in range(len(turns))]
    vectors = (embed or _minilm)([gates.sure_text(turn) for turn in turns]) if _reads_meaning(options) else None
    found = _head_markers(turns, course, cues, vectors, options, model or heads.load_model())
    found += _context_markers(turns, cues, catalogue)
    if options.timing:
        found += [_silence_marker(silence) for silence in timing.find_silences(turns, options.silence_s)]
    if options.voice and turn_table is not None:
        found += voice.find_voice_markers(turns, turn_table, options.voice_z)
    return sorted(_without_grey(found, windows), key=lambda m: (m.start, m.turn, m.marker, m.modality))


def _without_grey(found: list[Marker], windows: pd.DataFrame | None) -> list[Marker]:
    """The markers, those in minutes too poor to assess with reliability 0 and the reason beside them."""
    if windows is None or not len(windows):
        return found
    minutes = windows[(windows["kind"] == "minute") & windows["grey"]]
    grey = list(zip(minutes["start"], minutes["end"], minutes["grey_why"], strict=True))
    kept = []
    for marker in found:
        why = next((why for start, end, why in grey if start <= marker.start < end), None)
        kept.append(marker if why is None else replace(marker, reliability=0.0, against=f"cannot tell here: {why}"))
    return kept


def _head_markers(
    turns: list[Turn],
    course: Sequence[timing.Course],
    cues: Sequence[list[text.Cue]],
    vectors: np.ndarray | None,
    options: MarkersOptions,
    model: heads.Model,
) -> list[Marker]:
    variant = heads.variant_of(options.timing, _reads_words(options), _reads_meaning(options))
    if not variant:
        return []
    width = 0 if vectors is None else vectors.shape[1]
    features = heads.of_variant(heads.measure_both(turns, course, vectors), variant, width)
    scores = heads.score_turns(turns, features, model.heads[variant])
    names_of = {role: _kept_names(role, width, variant) for role in features}
    found = []
    for family, score in scores.items():
        head, role = model.heads[variant].line[family], heads.ROLE[family]
        likeness = _likeness(family, turns, course, vectors, model)
        for k, i in enumerate(score.turns):
            strength = _share(float(score.course[k]))
            if strength >= options.least:
                seen = _Seen(
                    family,
                    strength,
                    names_of[role],
                    head.contributions(features[role].values[k]),
                    _closest(family, cues[i], likeness[i] if likeness is not None else None, model),
                )
                found.append(_head_marker(explain.Place(turns, course, int(i)), seen, cues[i]))
    return found


@dataclass(frozen=True)
class _Seen:
    """What a head saw in one turn: how far it stands out, the contributions by column, the closest entry."""

    family: str
    strength: float
    names: list[str]
    contributions: np.ndarray
    closest: str

    @property
    def modality(self) -> str:
        sums = {"timing": 0.0, "text": 0.0}
        for name, value in zip(self.names, self.contributions, strict=True):
            sums["timing" if name.startswith("timing:") else "text"] += float(value)
        words = any(not name.startswith("timing:") for name in self.names)
        return "text" if words and sums["text"] >= sums["timing"] else "timing"


def _head_marker(place: explain.Place, seen: _Seen, cues: Sequence[text.Cue]) -> Marker:
    turn, i = place.turn, place.index
    mine = [cue for cue in cues if cue.family == _family(seen.family)]
    against = [cue.against for cue in mine if cue.against]
    against += gates.speaks_against(place.turns, place.row.before, i)
    return Marker(
        start=turn.start,
        end=turn.end,
        marker=seen.closest,
        family=_family(seen.family),
        role=turn.role,
        turn=i,
        strength=seen.strength,
        reliability=round(gates.word_reliability(turn), 3),
        modality=seen.modality,
        words=mine[0].words if mine else "",
        why="\n".join(_why(place, seen)),
        against="; ".join(dict.fromkeys(against)),
    )


def _why(place: explain.Place, seen: _Seen) -> list[str]:
    """Measured reasons, and the words where they carry the weight: before the numbers for what is said against."""
    reasons = explain.find_reasons(seen.names, seen.contributions, place)
    if place.turn.role != "client" or seen.modality != "text" or seen.strength < QUOTED_FROM:
        return reasons
    quoted = explain.likeness_line(place, load_catalogue().entries[seen.closest].name)
    at = 0 if seen.family == "confrontation" else 1
    return [*reasons[:at], quoted, *reasons[at:]][: explain.MOST]


def _family(family: str) -> str:
    """The catalogue's name of a family of heads."""
    return "resolution" if family == "repair" else family


def _closest(family: str, cues: Sequence[text.Cue], likeness: np.ndarray | None, model: heads.Model) -> str:
    """The entry that the turn is closest to: by its words' likeness, where a gated pattern counts one unit of odds."""
    ids = model.naming[family].ids
    hits = {cue.marker: cue.strength for cue in cues if cue.marker in ids}
    if likeness is None:
        return max(hits, key=lambda name: (hits[name], name)) if hits else FALLBACK[family]
    return max(ids, key=lambda name: (likeness[ids.index(name)] + (name in hits), name))


def _likeness(
    family: str,
    turns: Sequence[Turn],
    course: Sequence[timing.Course],
    vectors: np.ndarray | None,
    model: heads.Model,
) -> np.ndarray | None:
    return None if vectors is None else model.naming[family].log_odds(heads.naming_rows(turns, course, vectors))


def _kept_names(role: str, width: int, variant: str) -> list[str]:
    return [name for name in feature_names(role, width) if name.split(":")[0] in heads.VARIANTS[variant]]


def _minilm(texts: Sequence[str]) -> np.ndarray:
    from pipeline import models
    from pipeline.alliance.embed import embed

    return embed(texts, models.weights("minilm"))


def _share(log_odds: float) -> float:
    """Log-odds as a share, kept off 0 and 1 so that it can be turned back."""
    return round(min(0.9995, max(0.0005, 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, log_odds)))))), 4)


def _context_markers(turns: list[Turn], cues: Sequence[list[text.Cue]], catalogue: Catalogue) -> list[Marker]:
    found = []
    for i, turn in enumerate(turns):
        for cue in cues[i]:
            entry = catalogue.entries[cue.marker]
            if entry.family in CONTEXT:
                found.append(
                    Marker(
                        start=turn.start,
                        end=turn.end,
                        marker=entry.id,
                        family=entry.family,
                        role=turn.role,
                        turn=i,
                        strength=cue.strength,
                        reliability=round(gates.word_reliability(turn), 3),
                        modality="text",
                        words=cue.words,
                        why=f"“{cue.words}”: like the marker “{entry.name.lower()}”",
                        against=cue.against,
                    )
                )
    return found


def _silence_marker(silence: timing.Silence) -> Marker:
    seconds = silence.end - silence.start
    return Marker(
        start=silence.start,
        end=silence.end,
        marker=MINIMAL,
        family="withdrawal",
        role="client",
        turn=silence.turn,
        strength=1.0 if silence.invited else 0.5,
        reliability=1.0,
        modality="timing",
        why=f"a silence of {seconds:.1f} s with the therapist speaking before and after",
        against="" if silence.invited else "the pause does not follow an open invitation",
    )
