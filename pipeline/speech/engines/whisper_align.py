"""When each word was spoken, from where Whisper listened while it wrote the word.

The alignment heads of Whisper's cross-attention follow time. Their attention, sharpened and smoothed as in
openai-whisper's `timing.py`, is cut into one run of frames for each token by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FRAME_S = 0.02  # one audio frame of Whisper's encoder
SMOOTH_FRAMES = 7  # width of the median filter over time, as in openai-whisper


@dataclass(frozen=True)
class HeardWord:
    """A word in a chunk, times in seconds from the chunk's start, punctuation attached.

    probability  0 to 1, mean over the word's tokens
    """

    start: float
    end: float
    text: str
    probability: float


def align_tokens(attention: np.ndarray, n_frames: int) -> np.ndarray:
    """The frame at which each token begins, and where the last one ends: int (tokens + 1,), in order.

    attention  float32 (heads, tokens + 1, F), the last row the end mark's
    n_frames   frames of the chunk that hold sound; attention beyond them is ignored

    Tokens share the frames evenly where there are more tokens than frames, which no real speech has.
    """
    import numpy as np

    n_rows = attention.shape[1]
    if n_rows > n_frames:
        return np.linspace(0, n_frames, n_rows).astype(int)
    return _best_runs(_sharpen(attention[:, :, :n_frames]))


def _sharpen(attention: np.ndarray) -> np.ndarray:
    """(tokens, frames): each frame normalised over tokens, smoothed over time, averaged over heads."""
    import numpy as np

    share = attention / np.maximum(attention.sum(-1, keepdims=True), 1e-9)
    spread = share.std(axis=1, keepdims=True)
    share = (share - share.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9)
    half = SMOOTH_FRAMES // 2
    if share.shape[-1] > half:
        padded = np.pad(share, ((0, 0), (0, 0), (half, half)), mode="reflect")
        windows = np.stack([padded[..., at : at + share.shape[-1]] for at in range(SMOOTH_FRAMES)])
        share = np.partition(windows, half, axis=0)[half]
    return share.mean(axis=0)


def _best_runs(score: np.ndarray) -> np.ndarray:
    """Cut the frames into consecutive runs, one for each row and none empty, with the highest total score.

    score    (rows, frames), no more rows than frames
    returns  the first frame of every row's run
    """
    import numpy as np

    n_rows, n_frames = score.shape
    best = np.full(n_rows, -np.inf)
    best[0] = score[0, 0]
    entered = np.zeros((n_frames, n_rows), dtype=bool)
    before = np.full(n_rows, -np.inf)
    for frame in range(1, n_frames):
        before[1:] = best[:-1]
        entered[frame] = before > best
        best = np.where(entered[frame], before, best) + score[:, frame]
    starts = np.zeros(n_rows, dtype=int)
    row = n_rows - 1
    for frame in range(n_frames - 1, 0, -1):
        if entered[frame, row]:
            starts[row] = frame
            row -= 1
    return starts


def build_words(
    tokenizer, tokens: Sequence[int], probabilities: Sequence[float], attention: np.ndarray, n_frames: int
) -> list[HeardWord]:
    """The words of one chunk with their times.

    A pause after a punctuation mark belongs to the mark, so a word ends where its own sound does.
    """
    import numpy as np
    from whisper.timing import WordTiming, merge_punctuations

    if not tokens:
        return []
    starts = align_tokens(attention, n_frames) * FRAME_S
    texts, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    timings, at = [], 0
    for text, group in zip(texts[:-1], groups[:-1], strict=True):
        to = at + len(group)
        timings.append(WordTiming(text, group, starts[at], starts[to], float(np.mean(probabilities[at:to]))))
        at = to
    merge_punctuations(timings, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    return [
        HeardWord(float(t.start), float(t.end), t.word.strip(), t.probability)
        for t in timings
        if any(letter.isalnum() for letter in t.word)
    ]
