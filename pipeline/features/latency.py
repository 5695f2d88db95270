"""Latency and overlap: how long each person lets the other wait, what the reply answers, and how two voices meet.

Seconds. Backchannels hold no floor: nobody's latency is counted from one. A turn of a person who is neither therapist
nor client is treated like any other turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.features import questions
from pipeline.records import Turn

BREAK_S = 60.0  # a longer silence is a break in the session, not an answer
OVERLAP_S = 0.15  # a shorter one is a smooth change of speaker (Heldner & Edlund 2010: many changes lie within 0.2 s)
COMPETES_S = 0.5  # an overlap longer than this competes for the floor


@dataclass(frozen=True)
class Reply:
    """How one turn meets what came before.

    latency_s   start minus the other's end; negative where it began before the other had ended.
                NaN where nobody was waiting: the first turn, a turn after one's own, a backchannel, after a break
    answers     the kind of turn it answers (`questions.KINDS`); "" where latency_s is NaN or the language is not read
    answers_turn  index of that turn, or -1
    pause_before_s  silence before the turn, whoever spoke last; 0.0 for the first
    overlap_s   seconds of this turn during which an earlier turn of the other still went on
    overlap     "", "backchannel", "interruption, holder yields", "interruption, holder goes on" or "collaborative"
    """

    latency_s: float
    answers: str
    answers_turn: int
    pause_before_s: float
    overlap_s: float
    overlap: str


def measure_replies(turns: Sequence[Turn], kinds: Sequence[str]) -> list[Reply]:
    """One `Reply` a turn.

    turns   in order of start
    kinds   what each turn asks ("" where not known)
    raises  ValueError, naming the two turns, when `turns` is not in order
    """
    check_order(turns)
    rows = []
    last_floor = -1  # the last turn that held the floor
    latest_end = turns[0].start if turns else 0.0
    for i, turn in enumerate(turns):
        waiting = last_floor if last_floor >= 0 and turns[last_floor].speaker != turn.speaker else -1
        if turn.backchannel:
            waiting = -1
        latency = turn.start - turns[waiting].end if waiting >= 0 else float("nan")
        if latency > BREAK_S:
            waiting, latency = -1, float("nan")
        under = _spoken_over(turns, i)
        shared = max(0.0, min(turns[under].end, turn.end) - turn.start) if under >= 0 else 0.0
        rows.append(
            Reply(
                latency_s=latency,
                answers=kinds[waiting] if waiting >= 0 else "",
                answers_turn=waiting,
                pause_before_s=max(0.0, turn.start - latest_end),
                overlap_s=shared,
                overlap=_overlap_kind(turn, turns[under] if under >= 0 else None, shared),
            )
        )
        latest_end = max(latest_end, turn.end)
        if not turn.backchannel:
            last_floor = i
    return rows


def check_order(turns: Sequence[Turn]) -> None:
    """raises ValueError, naming the first two turns that are not in order of start."""
    for i in range(1, len(turns)):
        if turns[i].start < turns[i - 1].start:
            before, after = turns[i - 1].start, turns[i].start
            raise ValueError(f"turn {i} starts at {after:.2f} s, before turn {i - 1} at {before:.2f} s")


def _spoken_over(turns: Sequence[Turn], i: int) -> int:
    """The other's turn, begun earlier, that lasts longest into turn i; -1 where none does."""
    others = (j for j in range(max(0, i - 8), i) if turns[j].speaker != turns[i].speaker)
    over = [j for j in others if turns[j].end > turns[i].start]
    return max(over, key=lambda j: turns[j].end, default=-1)


def _overlap_kind(turn: Turn, holder: Turn | None, shared_s: float) -> str:
    """By form alone. Competing needs more than 0.5 s; shorter overlap that takes the floor is collaborative."""
    if holder is None or shared_s < OVERLAP_S:
        return ""
    if turn.backchannel:
        return "backchannel"
    if shared_s <= COMPETES_S and turn.end > holder.end:
        return "collaborative"
    if turn.end <= holder.end:
        return "interruption, holder goes on"
    left = holder.end - turn.start
    return "interruption, holder yields" if left <= 2.0 or _breaks_off(holder) else "interruption, holder goes on"


def _breaks_off(turn: Turn) -> bool:
    return turn.text.rstrip().endswith(("-", "—", "–", "...", "…"))


def is_minimal(text: str, agreement_only: float, words: int = 3) -> bool:
    """A reply of at most `words` words, or of nothing but tokens of agreement."""
    return len(questions.plain(text).split()) <= words or agreement_only == 1.0
