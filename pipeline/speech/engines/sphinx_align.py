"""When each word of a known text was spoken, by forced alignment: CMU PocketSphinx and its model of US English.

Whisper's attention says about where a word is; hidden Markov models over phones find its edges. They know only the
words of their dictionary and lose their place where the text is not what was said, so what they say is a second
opinion: `pipeline.speech.word_times` decides. Times in seconds from the start of the sound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.intervals import Span

if TYPE_CHECKING:
    import numpy as np
    from pocketsphinx import Decoder

LANGUAGE = "en"
RATE_HZ = 16000
FRAME_S = 0.01
# Beams of 1e-60 and 1e-40 lost their way in a chunk of each of five interviews; these in none, for an eighth more time.
STATE_BEAM, WORD_BEAM = 1e-120, 1e-80
# How likely a sound is, is worked out for every other frame, with the usual 4 nearest Gaussians of each codebook: 0.72
# of the time of every frame with 2, the same 95th percentile and 1 ms more in the middle (five interviews, 5,215
# words). With 2 for every other frame, 0.61 of the time, that percentile is 0.06 s worse.
EVERY, NEAREST = 2, 4
SKIPPED = 1e-3  # how likely a word that may be left out was not said
SEARCH = "words"
LETTERS = re.compile(r"[a-z]+(?:'[a-z]+)*|'[a-z]+")  # a dictionary's word: letters and apostrophes
OTHER_APOSTROPHES = str.maketrans("’‘`", "'''")


class Aligner:
    """One decoder with its dictionary: 0.1 s to make, about 35 MB. Not for two threads at once."""

    def __init__(self) -> None:
        import pocketsphinx

        self._decoder: Decoder = pocketsphinx.Decoder(
            samprate=RATE_HZ,
            lm=None,
            lw=1.0,  # with the next: the text is known, so nothing weighs words against sound
            wip=1.0,
            pip=1.0,
            beam=STATE_BEAM,
            pbeam=STATE_BEAM,
            wbeam=WORD_BEAM,
            ds=EVERY,
            topn=NEAREST,
            bestpath=False,
            loglevel="FATAL",  # its messages would name words
        )

    def align(self, samples: np.ndarray, texts: Sequence[str], optional: Sequence[bool]) -> list[Span | None]:
        """Where each word lies in the sound, in order; None for a word that was not found, or that no dictionary has.

        samples   float32, (n,), 16 kHz mono
        texts     the words said, in order, as written
        optional  for each word, whether it may not have been said

        All None where the text does not fit the sound at all.
        """
        parts = [(i, part) for i, text in enumerate(texts) for part in self._known_parts(text)]
        if not parts or not len(samples):
            return [None] * len(texts)
        found = self._search(samples, [part for _, part in parts], [optional[i] for i, _ in parts])
        spans: list[Span | None] = [None] * len(texts)
        for at, (i, _) in enumerate(parts):
            if at in found:
                spans[i] = Span(spans[i].start if spans[i] else found[at].start, found[at].end)
        return spans

    def _known_parts(self, text: str) -> list[str]:
        """The dictionary's words in a written word ("follow-up" has two); none where one of them is unknown."""
        text = text.lower().translate(OTHER_APOSTROPHES)
        parts = LETTERS.findall(text)
        unknown = any(letter.isdigit() for letter in text) or any(not self._decoder.lookup_word(p) for p in parts)
        return [] if unknown else parts

    def _search(self, samples: np.ndarray, words: Sequence[str], optional: Sequence[bool]) -> dict[int, Span]:
        """Place in `words` -> its stretch of the sound."""
        import numpy as np

        steps = [(i, i + 1, 1.0, word) for i, word in enumerate(words)]
        steps += [(i, i + 1, SKIPPED) for i, skippable in enumerate(optional) if skippable]
        decoder = self._decoder
        decoder.add_fsg(SEARCH, decoder.create_fsg(SEARCH, 0, len(words), steps))
        decoder.activate_search(SEARCH)
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        return _in_place(list(decoder.seg() or ()), words, optional)


def _in_place(segments: Sequence, words: Sequence[str], optional: Sequence[bool]) -> dict[int, Span]:
    """The decoder's segments as places in `words`; empty where it did not reach the end of them."""
    found: dict[int, Span] = {}
    at = 0
    for segment in segments:
        word = re.sub(r"\(\d+\)$", "", segment.word)  # "the(2)" is another way to say it
        if word[0] in "<[(":  # silence, noise, a word left out
            continue
        while at < len(words) and words[at] != word and optional[at]:
            at += 1
        if at == len(words) or words[at] != word:
            return {}
        found[at] = Span(segment.start_frame * FRAME_S, (segment.end_frame + 1) * FRAME_S)
        at += 1
    return found if all(optional[at:]) else {}
