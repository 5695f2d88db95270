"""What every Whisper engine is told, and the limits they share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.records import AttuneError

RATE_HZ = 16000
# Hesitation sounds are evidence, and Whisper drops them unless the text before the window has some. It goes on as that
# text was written: without a capital and stops here, it writes none, and hears worse.
FILLER_PROMPT = "Um, uh, hmm, er."
MAX_COMPRESSION = 2.4  # text that packs better than this is a loop; openai-whisper's own threshold
MAX_RUN = 5  # the same one to four words more often than this, one after the other, are a loop that packs too little
RUN_WORDS = 4
NO_REPEAT_TOKENS = 5  # the last retry writes no run of this many tokens twice
MIN_NO_SPEECH, MAX_SILENCE_LOGPROB = 0.6, -1.0  # openai-whisper's own rule for a window without speech


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is told; the same for all of them.

    model       name of the weights
    language    code such as "en"; an engine's `find_language` finds it out
    verbatim    ask for hesitation sounds
    batch_size  chunks decoded together; openai-whisper shares them out to two batches where there are two cores
    beams       texts followed at once; 1 is greedy
    precision   number format, or "" for the engine's best on this machine
    """

    model: str
    language: str = "en"
    verbatim: bool = True
    batch_size: int = 8
    beams: int = 5
    precision: str = ""


def check_language(language: str, multilingual: bool) -> None:
    """Raises AttuneError for a language that Whisper, or weights that are not multilingual, do not know."""
    from whisper.tokenizer import LANGUAGES

    if language not in LANGUAGES:
        raise AttuneError(
            f"Whisper knows no language {language!r}",
            mend="give a code such as 'en', 'de' or 'fr', or '' to have the language found out",
            code="language-unknown",
        )
    if not multilingual and language != "en":
        raise AttuneError(
            f"these weights know English only, not {language!r}",
            mend="choose multilingual weights, such as whisper-base",
            code="language-unknown",
        )


def is_loop(text: str) -> bool:
    """Whether the text repeats itself as no speaker does: it packs too well, or holds a run of the same few words.

    A run of one word among other talk, "no no no ..." to the end of its chunk, packs no better than talk does.
    """
    from whisper.utils import compression_ratio

    return compression_ratio(text) > MAX_COMPRESSION or longest_run(text) > MAX_RUN


def longest_run(text: str) -> int:
    """How often at most one to `RUN_WORDS` words come one after the other; case and punctuation do not count."""
    words = [word for word in (re.sub(r"\W", "", w) for w in text.lower().split()) if word]
    longest = min(1, len(words))
    for n in range(1, RUN_WORDS + 1):
        same = 0
        for before, word in zip(words, words[n:], strict=False):
            same = same + 1 if word == before else 0
            longest = max(longest, same // n + 1)
    return longest


def is_silence(no_speech: float, logprob: float) -> bool:
    """Whether Whisper itself doubts both that anybody speaks and its own text.

    no_speech  its probability that the chunk holds no speech
    logprob    natural logarithm, mean over the tokens of its text
    """
    return no_speech > MIN_NO_SPEECH and logprob < MAX_SILENCE_LOGPROB
