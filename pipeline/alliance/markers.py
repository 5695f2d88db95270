"""Markers: every piece of evidence for a possible rupture or a repair attempt, each resting on one turn.

Text, timing and voice are looked at apart, so that each can be left out and each is capped when moments are formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.alliance import gates, text, timing
from pipeline.alliance.catalogue import Catalogue, load_catalogue
from pipeline.records import Given, Marker, Turn

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class MarkersOptions:
    """What evidence is looked for."""

    embedder: str = "minilm"  # "minilm", or "none": patterns and timing only
    language: str = "en"  # the words are read only where this is "en"; timing needs no language
    text: bool = True  # read the words
    timing: bool = True  # look at silences and short replies
    voice: bool = True  # look at the client's voice
    silence_s: float = 3.0  # a pause with the therapist on both sides counts from here
    latency_z: float = 1.5  # a wait counts this far above the client's usual, robust z


def markers_models(options: MarkersOptions, given: Sequence[Given] | None) -> tuple[str, ...]:
    """Names of the weights that these options need; `given` does not change them."""
    return ("minilm",) if options.text and options.embedder != "none" and options.language == "en" else ()


def find_markers(
    turns: list[Turn], turn_table: pd.DataFrame | None, windows: pd.DataFrame | None, options: MarkersOptions
) -> list[Marker]:
    """Every marker in the session, in order of start, then of turn and name.

    turns       in order of start
    turn_table  one row a turn, or None; only the client's voice is read from it
    windows     not needed so far; part of the step's fixed signature
    """
    course = timing.measure_course(turns)
    catalogue = load_catalogue()
    found: list[Marker] = []
    if options.text and options.language == "en":
        found += _text_markers(turns, course, catalogue)
    if options.timing:
        found += _timing_markers(turns, course, options)
    return sorted(found, key=lambda m: (m.start, m.turn, m.marker, m.modality))


def _text_markers(turns: list[Turn], course: Sequence[timing.Course], catalogue: Catalogue) -> list[Marker]:
    found = []
    for i, turn in enumerate(turns):
        for cue in text.find_cues(turns, course, i, catalogue):
            entry = catalogue.entries[cue.marker]
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


def _timing_markers(turns: list[Turn], course: Sequence[timing.Course], options: MarkersOptions) -> list[Marker]:
    found = [_silence_marker(turns, silence) for silence in timing.find_silences(turns, options.silence_s)]
    for i, (turn, row) in enumerate(zip(turns, course, strict=True)):
        if turn.role == "client" and not turn.backchannel and row.invited:
            if row.latency_s is not None and row.latency_z >= options.latency_z:
                found.append(_latency_marker(turn, i, row))
            if row.short_run >= 2:
                found.append(_run_marker(turn, i, row))
    return found


def _timing(start: float, end: float, turn: int, role: str, strength: float, why: str, against: str = "") -> Marker:
    return Marker(
        start=start,
        end=end,
        marker="wd_minimal_response",
        family="withdrawal",
        role=role,
        turn=turn,
        strength=round(strength, 3),
        reliability=1.0,
        modality="timing",
        why=why,
        against=against,
    )


def _silence_marker(turns: list[Turn], silence: timing.Silence) -> Marker:
    seconds = silence.end - silence.start
    strength = 1.0 if silence.invited else 0.5
    against = "" if silence.invited else "the pause does not follow an open invitation"
    why = f"a silence of {seconds:.1f} s with the therapist speaking before and after"
    return _timing(silence.start, silence.end, silence.turn, "client", strength, why, against)


def _latency_marker(turn: Turn, i: int, row: timing.Course) -> Marker:
    why = f"reply after {row.latency_s:.1f} s to an open invitation; usual {row.usual_latency_s:.1f} s"
    return _timing(turn.start - row.latency_s, turn.end, i, "client", min(1.0, row.latency_z / 4.0), why)


def _run_marker(turn: Turn, i: int, row: timing.Course) -> Marker:
    why = f"{row.short_run} of the last 3 replies gave nothing to work with; usual {row.usual_words:.0f} words"
    return _timing(turn.start, turn.end, i, "client", 1.0 if row.short_run >= 3 else 0.7, why)
