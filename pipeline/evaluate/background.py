"""How often moments are flagged in ordinary therapy talk, and whether talk of low quality is told from high.

Reads the AnnoMI table (one row an utterance of a demonstration session of motivational interviewing, with the session's
quality and, for the client, change, sustain or neutral talk). It holds no rupture codes: nothing here says that a
rupture was rightly found. Sustain talk, arguing for staying as one is, resembles confrontation and is counted apart.

Its times are whole seconds, too coarse for who waited how long, so turns are laid out one after another at an ordinary
speed; hours are those of the recordings.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.alliance import train
from pipeline.alliance.markers import MarkersOptions, find_markers
from pipeline.alliance.moments import MomentsOptions, find_moments
from pipeline.alliance.scripts import build_turns
from pipeline.evaluate.moments import DRAWS, SEED, VOICES, area
from pipeline.records import AttuneError, Marker, Turn

COLUMNS = ("transcript_id", "mi_quality", "interlocutor", "timestamp", "utterance_text", "client_talk_type")
GAP_S = 0.3
LISTENING = re.compile(
    r"^(?:(?:mm+|mhm+|mm-?hmm?|hmm+|uh-?huh|yeah|yes|yep|right|okay|ok|oh|sure|i see)[\s,.!?—-]*){1,3}$", re.IGNORECASE
)
SOUND = re.compile(r"^(?:(?:mm+|mhm+|mm-?hmm?|hmm*|uh-?huh|ah|aha|oh|huh)[\s,.!—-]*){1,3}$", re.IGNORECASE)
LEAST_MIN = 1.0  # shorter sessions are measured over this
TARGETS = {"flags_per_hour_high_outside_sustain": 1.5, "auc_low_against_high": 0.80}


@dataclass(frozen=True)
class Background:
    """One session: its quality, length, turns, and for each turn whether it is sustain talk."""

    quality: str
    hours: float
    turns: tuple[Turn, ...]
    sustain: tuple[bool, ...]


@dataclass(frozen=True)
class Measured:
    """One session measured: flags in and outside sustain talk, and moves against per minute."""

    quality: str
    hours: float
    flags: int
    outside: int
    moves_against_per_min: float


def load_background(path: Path) -> list[Background]:
    """The sessions of the table, in order of appearance.

    raises   AttuneError naming the column that is missing
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise AttuneError(
                f"the table has no column {missing[0]!r}",
                mend=f"give the AnnoMI table, with the columns {', '.join(COLUMNS)}",
                code="table-wrong",
            )
        sessions: dict[str, list[dict]] = {}
        for row in reader:
            sessions.setdefault(row["transcript_id"], []).append(row)
    return [build_background(rows) for rows in sessions.values()]


def build_background(rows: Sequence[dict]) -> Background:
    """One session from its rows; utterances of one person in a row become one turn."""
    lines: list[dict] = []
    for k, row in enumerate(rows):
        holds_on = row["client_talk_type"] == "sustain"
        held = [line for line in lines if not line["backchannel"]]
        listening = _is_listening(rows, k)
        if not listening and held and held[-1]["speaker"] == row["interlocutor"]:
            held[-1]["text"] += f" {row['utterance_text'].lstrip('-— ')}"
            held[-1]["sustain"] = held[-1]["sustain"] or holds_on
        else:
            line = {"speaker": row["interlocutor"], "text": row["utterance_text"], "gap": GAP_S, "rate": 1.0}
            lines.append({**line, "backchannel": listening, "sustain": holds_on})
    turns = tuple(
        replace(turn, backchannel=line["backchannel"]) for turn, line in zip(build_turns(lines), lines, strict=True)
    )
    sustain = [line["sustain"] for line in lines]
    last = turns[-1].end - turns[-1].start
    seconds = _seconds(rows[-1]["timestamp"]) - _seconds(rows[0]["timestamp"]) + last
    return Background(rows[0]["mi_quality"], max(seconds, 60 * LEAST_MIN) / 3600, turns, tuple(sustain))


def _is_listening(rows: Sequence[dict], k: int) -> bool:
    """A listening sound while the other goes on, by the rule that turns are laid out with: "mm-hmm" between two
    utterances of the other, unless it answers a question; words such as "yeah" only inside a sentence, which this
    table marks with a dash before or after the break."""
    said = rows[k]["utterance_text"].strip()
    if not LISTENING.match(said):
        return False
    before = rows[k - 1]["utterance_text"].rstrip() if k else ""
    after = rows[k + 1]["utterance_text"].lstrip() if k + 1 < len(rows) else ""
    if before.endswith(("-", "—")) or after.startswith(("-", "—")):
        return True
    mine = rows[k]["interlocutor"]
    both = 0 < k < len(rows) - 1 and rows[k - 1]["interlocutor"] == rows[k + 1]["interlocutor"] != mine
    return both and bool(SOUND.match(said)) and not before.endswith("?")


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def evaluate_background(path: Path, embed: train.Embed | None = None, options: MomentsOptions | None = None) -> dict:
    """{"sessions", "high", "low": rates by quality, "auc_low_against_high", its "interval", "targets"}.

    raises   AttuneError where the file is no such table or holds sessions of one quality only
    """
    embed, options = embed or train.minilm(), options or MomentsOptions()
    measured = [_measure(session, embed, options) for session in load_background(Path(path))]
    by_quality = {q: [m for m in measured if m.quality == q] for q in ("high", "low")}
    if not all(by_quality.values()):
        raise AttuneError(
            "the table needs sessions of high and of low quality (column mi_quality)",
            mend="give the whole AnnoMI table",
            code="table-wrong",
        )
    rates = {quality: _rates(rows) for quality, rows in by_quality.items()}
    return {
        "sessions": len(measured),
        **rates,
        "flags_per_hour_high_outside_sustain": rates["high"]["flags_per_hour_outside_sustain"],
        "auc_low_against_high": _separation(measured),
        "interval": _interval(measured),
        "targets": TARGETS,
    }


def _measure(session: Background, embed: train.Embed, options: MomentsOptions) -> Measured:
    turns = list(session.turns)
    markers = find_markers(turns, None, None, MarkersOptions(), embed=embed)
    flags = [m for m in find_moments(markers, turns, None, VOICES, options).moments if not m.audit]
    return Measured(
        quality=session.quality,
        hours=session.hours,
        flags=len(flags),
        outside=sum(not _in_sustain(flag.peak, session) for flag in flags),
        moves_against_per_min=moves_against(markers) / max(LEAST_MIN, 60 * session.hours),
    )


def _in_sustain(peak: float, session: Background) -> bool:
    return any(
        holds_on and turn.start < peak <= turn.end
        for turn, holds_on in zip(session.turns, session.sustain, strict=True)
    )


def moves_against(markers: Sequence[Marker]) -> float:
    """Moves against the other, by strength: the client's confrontation and the therapist's pushing."""
    return sum(m.strength for m in markers if m.family == "confrontation" or m.marker == "tc_moves_against")


def _rates(rows: Sequence[Measured]) -> dict[str, float]:
    hours = sum(row.hours for row in rows)
    return {
        "sessions": len(rows),
        "hours": round(hours, 2),
        "flags_per_hour": round(sum(row.flags for row in rows) / hours, 2),
        "flags_per_hour_outside_sustain": round(sum(row.outside for row in rows) / hours, 2),
        "moves_against_per_min": round(float(np.median([row.moves_against_per_min for row in rows])), 3),
    }


def _separation(rows: Sequence[Measured]) -> float | None:
    return area([(int(row.quality == "low"), row.moves_against_per_min) for row in rows])


def _interval(rows: Sequence[Measured]) -> list[float]:
    rng = np.random.default_rng(SEED)
    draws = [_separation([rows[k] for k in rng.integers(0, len(rows), len(rows))]) for _ in range(DRAWS)]
    return [round(float(v), 3) for v in np.quantile([d for d in draws if d is not None], (0.025, 0.975))]


def render_background(result: dict) -> str:
    """The result for the terminal."""
    lines = [
        f"{result['sessions']} sessions of ordinary talk (no rupture codes: this counts flags, it cannot judge them)"
    ]
    for quality in ("high", "low"):
        row = result[quality]
        lines.append(
            f"  {quality:5} quality: {row['sessions']} sessions, {row['hours']:.1f} h; flags per hour "
            f"{row['flags_per_hour']:.2f}, outside sustain talk {row['flags_per_hour_outside_sustain']:.2f}; "
            f"moves against per minute, median {row['moves_against_per_min']:.3f}"
        )
    low, high = result["interval"]
    found = f"{result['auc_low_against_high']:.3f} [{low:.3f}, {high:.3f}]"
    lines.append(f"  low against high by moves against per minute: AUC {found}")
    lines += [f"  target {name}: {result[name]:g} (wanted {target:g})" for name, target in result["targets"].items()]
    return "\n".join(lines)
