"""Everyday words that a therapist says more often than a client, or less: "so" and "would" against "my" and "but".

One weight a word, over the words that are common in coded sessions. A speaker's rate of each is compared with the
other's, as a log ratio; the weighted sum is natural-log evidence for who of the two is the therapist. The weights come
from a logistic regression on whole sessions and lie in `data/role_words.json`. Made again with: attune train
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from pipeline.records import AttuneError

SHIPPED = Path(__file__).with_name("data") / "role_words.json"
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
COMMON = 0.3  # share of the sessions that a word is said in; from 0.15 on the same sessions come out right
ADDED, PRIOR_WORDS = 0.5, 50  # to each count, and to the words said: a few words decide nothing
STRENGTH = 0.1  # inverse of the L2 penalty; 0.01 and less name 2 of 268 coded sessions wrongly, by authors left out
DECIMALS = 4


@cache
def load_role_words(path: Path = SHIPPED) -> Mapping[str, float]:
    """The weight of each word: above 0 speaks for the therapist.

    raises   AttuneError where the file is missing or not one of ours
    """
    try:
        weights = json.loads(path.read_text(encoding="utf-8"))
        return {str(word): float(weight) for word, weight in weights.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise AttuneError(
            f"the words that tell roles ({path.name}) cannot be read ({type(error).__name__})",
            mend="install the program again, or make them anew with: attune train",
            code="role-words-unreadable",
        ) from error


def weigh_words(a: str, b: str, weights: Mapping[str, float]) -> dict[str, float]:
    """What each word adds to the natural-log evidence that who said `a` rather than `b` is the therapist."""
    rates_a, rates_b = log_rates(a, weights), log_rates(b, weights)
    return {word: weight * (rates_a[word] - rates_b[word]) for word, weight in weights.items()}


def log_rates(text: str, vocabulary: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """Natural log of how often each word is said, for each word said."""
    said = find_words(text)
    counts, total = Counter(said), len(said) + PRIOR_WORDS
    return {word: math.log((counts[word] + ADDED) / total) for word in vocabulary}


def find_words(text: str) -> list[str]:
    """Small letters; curly apostrophes count as straight ones."""
    return WORD.findall(text.lower().replace("’", "'"))


def fit_role_words(sessions: Sequence[tuple[str, str]]) -> dict[str, float]:
    """The weights, in order of word.

    sessions   what the therapist and what the client said, one pair a session
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    spread = Counter(word for pair in sessions for word in set(find_words(" ".join(pair))))
    vocabulary = sorted(word for word, count in spread.items() if count >= COMMON * len(sessions))
    rates = [[list(log_rates(text, vocabulary).values()) for text in pair] for pair in sessions]
    apart = np.array([np.subtract(therapist, client) for therapist, client in rates])
    both_ways, is_therapist = np.concatenate([apart, -apart]), [1] * len(apart) + [0] * len(apart)
    model = LogisticRegression(C=STRENGTH, fit_intercept=False, max_iter=2000).fit(both_ways, is_therapist)
    return {word: round(float(w), DECIMALS) for word, w in zip(vocabulary, model.coef_[0], strict=True)}


def save_role_words(path: Path, weights: Mapping[str, float]) -> None:
    """Same weights, same bytes."""
    path.write_text(json.dumps(weights, indent=0) + "\n", encoding="utf-8")
