"""Speech to text by openai-whisper, decoded in batches. See `whisper_decode` for what makes it fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.cores import spread, workers
from pipeline.speech.engines.precision import best_precision
from pipeline.speech.engines.whisper_align import FRAME_S, HeardWord, build_words
from pipeline.speech.engines.whisper_decode import (
    Decoded,
    Listening,
    Model,
    Rules,
    attend,
    decode,
    encode,
    language_probabilities,
    load_model,
)
from pipeline.speech.engines.whisper_options import (
    FILLER_PROMPT,
    NO_REPEAT_TOKENS,
    RATE_HZ,
    EngineOptions,
    check_language,
    is_loop,
    is_silence,
)

if TYPE_CHECKING:
    import numpy as np
    import torch

BATCHES_AT_ONCE = 2  # they share `batch_size`: memory stays that of one


def transcribe_chunks(chunks: Sequence[np.ndarray], options: EngineOptions) -> list[list[HeardWord]]:
    """The words of every chunk, in the chunks' order.

    chunks   float32, 16 kHz mono, each no longer than 30 s
    raises   AttuneError for a language that Whisper or these weights do not know
    """
    model = load_model(options.model, options.precision or best_precision())
    tokenizer = build_tokenizer(model, options.language)
    at_once = workers(min(BATCHES_AT_ONCE, options.batch_size))
    size = options.batch_size // at_once

    def transcribe(first: int) -> list[list[HeardWord]]:
        return _transcribe_batch(model, tokenizer, chunks[first : first + size], options)

    batches = spread(transcribe, range(0, len(chunks), size), at_once)
    return [words for batch in batches for words in batch]


def _transcribe_batch(
    model: Model, tokenizer, chunks: Sequence[np.ndarray], options: EngineOptions
) -> list[list[HeardWord]]:
    listening = Listening(model, encode(model, mel_spectrograms(model, chunks)))
    decoded = _decode_checked(model, tokenizer, listening, options)
    texts = [
        () if is_silence(found.no_speech, found.logprob) else tuple(t for t in found.tokens if t < tokenizer.eot)
        for found in decoded
    ]
    prompt = tokenizer.sot_sequence_including_notimestamps
    return [
        build_words(tokenizer, text, probabilities, attention, max(1, round(len(chunk) / RATE_HZ / FRAME_S)))
        for text, chunk, (attention, probabilities) in zip(
            texts, chunks, attend(model, listening, prompt, texts, tokenizer.eot), strict=True
        )
    ]


def build_tokenizer(model: Model, language: str):
    """Whisper's tokenizer for these weights and this language."""
    from whisper.tokenizer import get_tokenizer

    multilingual, languages = model.is_multilingual, model.num_languages
    check_language(language, multilingual)
    return get_tokenizer(multilingual, num_languages=languages, language=language, task="transcribe")


def find_language(chunks: Sequence[np.ndarray], options: EngineOptions) -> str:
    """The likeliest language over all these chunks together; "en" for weights that know nothing else."""
    model = load_model(options.model, options.precision or best_precision())
    if not model.is_multilingual or not chunks:
        return "en"
    tokenizer = build_tokenizer(model, "en")
    listening = Listening(model, encode(model, mel_spectrograms(model, chunks)))
    likely = language_probabilities(model, listening, tokenizer.sot, tokenizer.all_language_tokens)
    return tokenizer.all_language_codes[int(likely.sum(axis=0).argmax())]


def mel_spectrograms(model: Model, chunks: Sequence[np.ndarray]) -> torch.Tensor:
    """Whisper's log-mel spectrograms, (B, mels, 3000), each chunk padded with silence to 30 s."""
    import torch
    from whisper.audio import log_mel_spectrogram, pad_or_trim

    return torch.stack([log_mel_spectrogram(pad_or_trim(c), n_mels=model.dims.n_mels) for c in chunks])


def _decode_checked(model: Model, tokenizer, listening: Listening, options: EngineOptions) -> list[Decoded]:
    """Every chunk decoded; those whose text repeats itself once more without the prompt, and if they still do, with
    repetition forbidden."""
    decoded = decode(model, listening, build_rules(tokenizer, options.verbatim), options.beams)
    for no_repeat in (0, NO_REPEAT_TOKENS):
        again = [i for i, found in enumerate(decoded) if repeats_itself(found, tokenizer)]
        if again:
            rules = build_rules(tokenizer, False, no_repeat)
            retried = decode(model, listening.select(again), rules, options.beams)
            for i, found in zip(again, retried, strict=True):
                decoded[i] = found
    return decoded


def repeats_itself(found: Decoded, tokenizer) -> bool:
    """Whether the text is a loop, or ran into the token limit."""
    return not found.finished or is_loop(tokenizer.decode(list(found.tokens)))


def build_rules(tokenizer, verbatim: bool, no_repeat: int = 0) -> Rules:
    """openai-whisper's own rules for text without timestamps; times come from attention.

    Timestamp tokens are not forbidden there either: forbidding them shifts every score a little, and with it the choice
    between close texts. The few that are written are dropped later.
    """
    marks = [tokenizer.transcribe, tokenizer.translate, tokenizer.sot, tokenizer.sot_prev, tokenizer.sot_lm]
    before = (tokenizer.sot_prev, *tokenizer.encode(f" {FILLER_PROMPT}")) if verbatim else ()
    return Rules(
        prompt=(*before, *tokenizer.sot_sequence_including_notimestamps),
        start=len(before),
        end=tokenizer.eot,
        no_speech=tokenizer.no_speech,
        suppressed=(*tokenizer.non_speech_tokens, *marks, tokenizer.no_speech),
        suppressed_first=(*tokenizer.encode(" "), tokenizer.eot),
        no_repeat=no_repeat,
    )
