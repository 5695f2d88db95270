"""How near a turn's words are to what was said before: cosine of content-word vectors, 0 (no shared word) to 1.

Words are weighted by how rare they are among the session's turns (tf-idf). Lexical: two ways of saying one thing look
unlike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.records import Turn


def to_other(turns: Sequence[Turn], tokens: Sequence[Sequence[str]], recent: int) -> list[float]:
    """Each turn against the other person's last `recent` turns before it; NaN where either side has no content word."""
    rarity = _rarity(tokens)
    out = []
    for i, turn in enumerate(turns):
        said: list[str] = []
        taken = 0
        for j in range(i - 1, -1, -1):
            if turns[j].speaker != turn.speaker and not turns[j].backchannel:
                said += tokens[j]
                taken += 1
            if taken == recent:
                break
        out.append(_cosine(Counter(tokens[i]), Counter(said), rarity))
    return out


def to_topic(turns: Sequence[Turn], tokens: Sequence[Sequence[str]]) -> list[float]:
    """Each turn against everything said before it by anybody; NaN for the first words of the session."""
    rarity = _rarity(tokens)
    so_far: Counter[str] = Counter()
    out = []
    for words in tokens:
        out.append(_cosine(Counter(words), so_far, rarity))
        so_far.update(words)
    return out


def _rarity(tokens: Sequence[Sequence[str]]) -> dict[str, float]:
    turns_with = Counter(word for words in tokens for word in set(words))
    total = sum(1 for words in tokens if words)
    return {word: math.log((1 + total) / (1 + n)) + 1.0 for word, n in turns_with.items()}


def _cosine(a: Mapping[str, int], b: Mapping[str, int], rarity: Mapping[str, float]) -> float:
    if not a or not b:
        return float("nan")
    dot = sum(count * b.get(word, 0) * rarity[word] ** 2 for word, count in a.items())
    return dot / (_norm(a, rarity) * _norm(b, rarity))


def _norm(counts: Mapping[str, int], rarity: Mapping[str, float]) -> float:
    return math.sqrt(sum((count * rarity[word]) ** 2 for word, count in sorted(counts.items())))
