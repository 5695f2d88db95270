"""Coded scripts: written sessions with the delivery of every turn, and the ruptures and repairs in them.

A script is a JSON file: `turns` (speaker, text, gap, rate and, for speaking, level, pitch and range) and `events`
(kind "rupture" with a type, or "repair", each with its first and last turn). Times are made from the delivery: a turn
lasts max(0.35, words / (2.7 * rate)) seconds and starts `gap` after the previous end, never before 0.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.records import AttuneError, Turn, Word

SHIPPED = Path(__file__).with_name("data") / "scripts"
NEAR_MISSES = "near_misses.json"
WORDS_PER_S = 2.7  # 162 words a minute at rate 1.0
SHORTEST_S = 0.35

CODED_AS = {  # what coders write -> catalogue id
    "denial": "wd_denial",
    "minimal response": "wd_minimal_response",
    "abstract communication": "wd_abstract",
    "avoidant storytelling/topic shifting": "wd_avoid_shift",
    "deferential/appeasing": "wd_deferential",
    "content/affect split": "wd_content_affect_split",
    "self-criticism/hopelessness": "wd_selfcrit_hopeless",
    "complaints about therapist": "cf_complaint_therapist",
    "rejects intervention": "cf_reject_intervention",
    "complaints about activities/tasks": "cf_complaint_activities",
    "complaints about parameters": "cf_complaint_parameters",
    "complaints about progress": "cf_complaint_progress",
    "defends self against therapist": "cf_defend_self",
    "controls/pressures therapist": "cf_control_pressure",
    "clarifies misunderstanding": "rs_clarify_misunderstanding",
    "changes tasks/goals": "rs_change_task_goal",
    "illustrates tasks/rationale": "rs_rationale",
    "invites thoughts/feelings about therapist or therapy": "rs_invite_feelings",
    "invites discussion of therapist/therapy": "rs_invite_feelings",
    "acknowledges own contribution": "rs_acknowledge_contribution",
    "discloses internal experience of interaction": "rs_disclose_experience",
    "discloses internal experience": "rs_disclose_experience",
    "links to patterns with therapist": "rs_link_here_pattern",
    "links to larger patterns": "rs_link_outside_pattern",
    "links to patterns in other relationships": "rs_link_outside_pattern",
    "validates defensive posture": "rs_validate_defence",
    "redirects/refocuses": "rs_redirect_refocus",
}


@dataclass(frozen=True)
class Event:
    """One coded event.

    kind         "withdrawal", "confrontation" or "repair"
    first, last  indices of its first and last turn
    labels       catalogue ids of its markers or strategies; a name that the catalogue lacks is left out
    answers      id of the rupture that a repair answers, or ""
    """

    id: str
    kind: str
    first: int
    last: int
    labels: tuple[str, ...]
    answers: str = ""


@dataclass(frozen=True)
class Script:
    """One coded session.

    author        letters and digit before the running number: scripts of one hand share habits
    fingerprint   hash of who says what, by which a script is recognised under another name
    delivery      for each turn level in dB, pitch in semitones, pitch range as a ratio, rate as a ratio, all against
                  the speaker's own usual; 0 or 1 where the file does not say
    """

    id: str
    author: str
    turns: tuple[Turn, ...]
    events: tuple[Event, ...]
    fingerprint: str
    delivery: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def ruptures(self) -> list[Event]:
        return [event for event in self.events if event.kind != "repair"]

    @property
    def repairs(self) -> list[Event]:
        return [event for event in self.events if event.kind == "repair"]


def load_scripts(folder: Path) -> list[Script]:
    """Every script of a folder, in order of name.

    raises   AttuneError when there is none, or naming the file and field that does not fit
    """
    files = [path for path in sorted(folder.glob("*.json")) if path.name != NEAR_MISSES]
    if not files:
        raise AttuneError(
            "there are no coded scripts (*.json) in the folder given",
            mend="give a folder of scripts, each with `turns` and `events`",
            code="no-scripts",
        )
    return [_load(path) for path in files]


def _load(path: Path) -> Script:
    try:
        return build_script(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AttuneError(
            f"{path.name} is not a coded script ({type(error).__name__}: {error})",
            mend="every turn needs speaker, text, gap and rate; every event kind, first_turn and last_turn",
            code="script-wrong",
        ) from error


def build_script(row: dict) -> Script:
    """A script from its parsed JSON. Raises KeyError, TypeError or ValueError where it does not fit."""
    turns = build_turns(row["turns"])
    events = tuple(_event(event, len(turns)) for event in row.get("events", ()))
    lines = "".join(f"{turn.role}\t{turn.text}\n" for turn in turns)
    return Script(
        id=row["id"],
        author=author_of(row["id"]),
        turns=turns,
        events=events,
        fingerprint=hashlib.sha256(lines.encode()).hexdigest()[:16],
        delivery=tuple(_delivery(turn) for turn in row["turns"]),
    )


def _delivery(row: dict) -> tuple[float, float, float, float]:
    pitch_st = 12.0 * math.log2(float(row.get("pitch", 1.0)))
    return float(row.get("level_db", 0.0)), pitch_st, float(row.get("range", 1.0)), float(row["rate"])


def author_of(script: str) -> str:
    """The group of scripts by one hand: the id without its last digit ("a01" is "a", "d01" is "d0", "d21" is "d2")."""
    letters, digits = re.fullmatch(r"([A-Za-z_-]*)(\d*).*", script).groups()
    return f"{letters}{digits[0]}" if letters == "d" and digits else letters or script


def build_turns(rows: list[dict]) -> tuple[Turn, ...]:
    """Turns with times made from the delivery, words spread evenly over each turn."""
    turns, at = [], 0.0
    for row in rows:
        words = row["text"].split()
        start = max(0.0, at + float(row["gap"]))
        at = start + max(SHORTEST_S, len(words) / (WORDS_PER_S * float(row["rate"])))
        turns.append(_turn(row["speaker"], words, round(start, 3), round(at, 3)))
    return tuple(turns)


def _turn(speaker: str, words: list[str], start: float, end: float) -> Turn:
    if speaker not in ("therapist", "client"):
        raise ValueError(f"speaker {speaker!r}; expected therapist or client")
    step = (end - start) / max(1, len(words))
    timed = tuple(Word(start + k * step, start + (k + 1) * step, word) for k, word in enumerate(words))
    return Turn(start, end, speaker, speaker, timed)


def _event(row: dict, turns: int) -> Event:
    kind = row["type"] if row["kind"] == "rupture" else row["kind"]
    first, last = int(row["first_turn"]), int(row["last_turn"])
    if kind not in ("withdrawal", "confrontation", "repair") or not 0 <= first <= last < turns:
        raise ValueError(f"event {row['id']}: {kind}, turns {first} to {last} of {turns}")
    coded = row.get("markers", row.get("strategies", ()))
    labels = tuple(dict.fromkeys(CODED_AS[name] for name in coded if name in CODED_AS))
    return Event(row["id"], kind, first, last, labels, row.get("of") or "")
