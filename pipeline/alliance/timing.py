"""Timing of turns, as far as the alliance needs it: straight from the turns, nothing else.

Seconds throughout. Role-relative: "the other" of a client is the therapist and the reverse; turns of role "other"
and backchannels are passed over. A latency is signed: negative where the answer began before the other had ended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pipeline.alliance import gates
from pipeline.records import Turn

LONG_BREAK_S = 60.0  # a longer silence is a break in the session, not an answer


@dataclass(frozen=True)
class Course:
    """One turn in its place in the conversation.

    before, after, own_before   index of the other's turn before and after and of the own turn before; None at an edge
    latency_s                   from the end of the other's turn to this start; None where nobody was waiting
    pause_before_s              silence before this turn, whoever spoke last
    words                       number of words
    minimal                     a reply that gives nothing to work with
    invited                     the other's turn before was an open invitation
    challenged                  the other's turn before was a suggestion, interpretation, task or explanation
    log_words_z, latency_z      robust z against the same speaker's other turns
    short_run                   minimal replies among this and the two own turns before, when this one is minimal
    usual_words, usual_latency_s   the speaker's median over the session
    """

    before: int | None
    after: int | None
    own_before: int | None
    latency_s: float | None
    pause_before_s: float
    words: int
    minimal: bool
    invited: bool
    challenged: bool
    log_words_z: float
    latency_z: float
    short_run: int
    usual_words: float
    usual_latency_s: float


def robust_z(value: float, usual: Sequence[float], floor: float) -> float:
    """(value - median) / max(1.4826 MAD, floor), clipped to 4 either way; 0.0 with fewer than 5 values to compare."""
    if len(usual) < 5:
        return 0.0
    middle = median(usual)
    spread = max(1.4826 * median(abs(v - middle) for v in usual), floor)
    return max(-4.0, min(4.0, (value - middle) / spread))


def log_latency(latency_s: float) -> float:
    """log(1 + seconds waited); an answer that overlaps counts as no wait."""
    return math.log1p(max(0.0, latency_s))


def measure_course(turns: Sequence[Turn]) -> list[Course]:
    """One `Course` a turn, in the order of `turns` (which must be in order of start)."""
    texts = [gates.sure_text(turn) for turn in turns]
    links = _neighbours(turns)
    latency = [_latency(turns, i, link) for i, link in enumerate(links)]
    words = [len(turn.words) for turn in turns]
    usual = {role: _usual(turns, role, words, latency) for role in {turn.role for turn in turns}}
    minimal = [gates.is_minimal(text) for text in texts]
    rows = []
    for i, turn in enumerate(turns):
        before, after, own = links[i]
        log_words, log_lat = usual[turn.role]
        said = texts[before] if before is not None else ""
        rows.append(
            Course(
                before=before,
                after=after,
                own_before=own,
                latency_s=latency[i],
                pause_before_s=max(
                    0.0, turn.start - max((t.end for t in turns[max(0, i - 4) : i]), default=turn.start)
                ),
                words=words[i],
                minimal=minimal[i],
                invited=gates.is_open_invitation(said),
                challenged=gates.is_intervention(said),
                log_words_z=robust_z(math.log1p(words[i]), log_words, 0.35),
                latency_z=0.0 if latency[i] is None else robust_z(log_latency(latency[i]), log_lat, 0.25),
                short_run=_short_run(links, minimal, i),
                usual_words=math.expm1(median(log_words)) if log_words else 0.0,
                usual_latency_s=math.expm1(median(log_lat)) if log_lat else 0.0,
            )
        )
    return rows


def _neighbours(turns: Sequence[Turn]) -> list[tuple[int | None, int | None, int | None]]:
    """(other's turn before, other's turn after, own turn before) for every turn; backchannels are passed over."""
    last: dict[str, int] = {}
    before: list[tuple[int | None, int | None]] = []
    for i, turn in enumerate(turns):
        other = _other(turn.role)
        before.append((last.get(other), last.get(turn.role)))
        if not turn.backchannel:
            last[turn.role] = i
    nxt: dict[str, int] = {}
    after: list[int | None] = [None] * len(turns)
    for i in range(len(turns) - 1, -1, -1):
        after[i] = nxt.get(_other(turns[i].role))
        if not turns[i].backchannel:
            nxt[turns[i].role] = i
    return [(b, after[i], own) for i, (b, own) in enumerate(before)]


def _other(role: str) -> str:
    return {"client": "therapist", "therapist": "client"}.get(role, "")


def _latency(turns: Sequence[Turn], i: int, link: tuple[int | None, int | None, int | None]) -> float | None:
    before, _, own = link
    if before is None or (own is not None and own > before):
        return None
    wait = turns[i].start - turns[before].end
    return wait if wait <= LONG_BREAK_S else None


def _usual(turns: Sequence[Turn], role: str, words: list[int], latency: list[float | None]) -> tuple[list, list]:
    mine = [i for i, turn in enumerate(turns) if turn.role == role and not turn.backchannel]
    return [math.log1p(words[i]) for i in mine], [log_latency(latency[i]) for i in mine if latency[i] is not None]


def _short_run(links: list[tuple[int | None, int | None, int | None]], minimal: list[bool], i: int) -> int:
    if not minimal[i]:
        return 0
    run, at = 1, links[i][2]
    for _ in range(2):
        if at is None:
            break
        run += minimal[at]
        at = links[at][2]
    return run


@dataclass(frozen=True)
class Silence:
    """A silence with the therapist on both sides: nobody answered an invitation, or none was given.

    start, end   seconds
    turn         index of the therapist's turn after the silence
    invited      the therapist's turn before was an open invitation
    """

    start: float
    end: float
    turn: int
    invited: bool


def find_silences(turns: Sequence[Turn], least_s: float) -> list[Silence]:
    """Therapist, pause, therapist: silences of at least `least_s` seconds, in order."""
    found = []
    kept = [(i, turn) for i, turn in enumerate(turns) if not turn.backchannel and turn.role != "other"]
    for (_, first), (j, second) in pairwise(kept):
        if first.role == second.role == "therapist" and least_s <= second.start - first.end <= LONG_BREAK_S:
            found.append(Silence(first.end, second.start, j, gates.is_open_invitation(gates.sure_text(first))))
    return found


def floor_share(turns: Sequence[Turn], role: str, start: float, end: float) -> float | None:
    """Share of the talking time in `[start, end)` that belongs to `role`; None where nobody talks."""
    time = {role: 0.0}
    for turn in turns:
        shared = min(turn.end, end) - max(turn.start, start)
        if shared > 0:
            time[turn.role] = time.get(turn.role, 0.0) + shared
    total = sum(time.values())
    return time[role] / total if total > 0 else None
