"""Speech to words: chunks of voice activity, an engine, and nothing that nobody said.

Whisper invents words in silence and repeats itself after long ones. So it only hears stretches with voice activity,
packed to at most 30 s with the silences between them left out; it never reads its own earlier text; a chunk whose text
repeats itself is decoded again; and a word that no voice activity supports is dropped.

Times in seconds from the recording's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from types import ModuleType
from typing import TYPE_CHECKING

from pipeline.intervals import Span, covered_s, gaps, merge, overlap_s, within
from pipeline.records import Activity, AttuneError, Audio, Given, Word
from pipeline.speech.chunks import RATE_HZ, Chunk, Cuts, Packing, cut_out, pack_chunks, padded, place_span
from pipeline.speech.engines import faster_whisper, openai_whisper
from pipeline.speech.engines.sphinx_align import LANGUAGE as ALIGNED_LANGUAGE
from pipeline.speech.engines.sphinx_align import Aligner
from pipeline.speech.engines.whisper_options import EngineOptions
from pipeline.speech.word_edges import tighten
from pipeline.speech.word_times import choose_times, may_be_unsaid

if TYPE_CHECKING:
    import numpy as np

    from pipeline.speech.engines.whisper_align import HeardWord

# engine name -> its module: `transcribe_chunks` and `find_language`, both of (chunks, engine options)
ENGINES: dict[str, ModuleType] = {"openai_whisper": openai_whisper, "faster_whisper": faster_whisper}
LANGUAGE_CHUNKS = 4  # the longest, heard to find the language once per recording
RETRIES = 2  # a chunk in which speech was left out is heard in halves, and those in halves again


@dataclass(frozen=True)
class TranscribeOptions:
    engine: str = "openai_whisper"  # or "faster_whisper", an extra
    model: str = "whisper-base"  # weights in the catalogue; larger ones come with `attune models add`
    language: str = "en"  # a code, for the steps after it too, which read English only; or "" to find it out each time
    verbatim: bool = True  # keep hesitation sounds (um, uh); more are written than were said: never report exact counts
    batch_size: int = 8  # chunks decoded together; more take more memory
    beams: int = 5  # texts followed at once; 1 is greedy: faster and less accurate
    precision: str = ""  # "float32", "bfloat16", "float16", "int8"; "" takes what is fast and safe on this machine
    max_chunk_s: float = 29.0  # Whisper hears 30 s at most; seconds
    align: bool = True  # word times by forced alignment too, where the language is English; else the recogniser's alone
    bridge_s: float = 1.0  # a silence up to this long stays inside the sound Whisper hears; seconds
    pad_s: float = 0.2  # silence kept around each stretch of speech; seconds
    max_wordless_s: float = 2.2  # speech in which no word begins for this long is heard again in shorter chunks
    support_s: float = 0.2  # a word further than this from all voice activity is dropped; seconds
    min_confidence: float = 0.0  # words below this are dropped; 0 to 1
    overlap_confidence: float = 0.5  # factor on the confidence of words where two people speak at once


Heard = tuple[Chunk, "list[HeardWord]"]  # a chunk and its words


def transcribe_models(options: TranscribeOptions, given: list[Given] | None) -> tuple[str, ...]:
    """The weights it needs: none where somebody has a transcript already."""
    return () if _has_text(given) else (options.model,)


def transcribe(
    audio: Audio | None, activity: list[Activity], given: list[Given] | None, options: TranscribeOptions
) -> list[Word]:
    """The words spoken, in order of start.

    audio     may be None where `given` has text
    activity  where somebody speaks: no word is written elsewhere
    given     lines that somebody already has; where they have text, the words are theirs and no model is asked
    returns   words with confidence; words where two people speak at once have theirs multiplied by
              `options.overlap_confidence`. Where the options name no language, each word has the one that was found
    raises    AttuneError for an unknown engine or language, or weights that are missing
    """
    if _has_text(given):
        return words_of_lines(given)
    if audio is None or not activity:
        return []
    if options.engine not in ENGINES:
        raise AttuneError(
            f"there is no engine {options.engine!r}; known: {', '.join(ENGINES)}",
            mend="set engine in the [words] table of the settings to one of these",
            code="engine-unknown",
        )
    chunks = pack_chunks(activity, audio.mono, _packing(options))
    told = options.language
    if not told:
        options = replace(options, language=_find_language(audio.mono, chunks, options))
    heard = [part for parts in _hear(audio.mono, chunks, activity, options) for part in parts]
    words = [place_word(word, chunk) for chunk, found in heard for word in found]
    words = tighten(words, activity, audio.mono, RATE_HZ)
    if options.align and options.language == ALIGNED_LANGUAGE:
        own = [(chunk, len(found)) for chunk, found in heard]
        words = _align(words, own, audio.mono, padded(merge(activity), options.support_s, len(audio.mono) / RATE_HZ))
    if not told:
        words = [replace(word, language=options.language) for word in words]
    return keep_supported(sorted(words, key=lambda w: (w.start, w.end)), activity, options)


def _find_language(samples: np.ndarray, chunks: Sequence[Chunk], options: TranscribeOptions) -> str:
    longest = sorted(chunks, key=lambda chunk: -chunk.duration_s)[:LANGUAGE_CHUNKS]
    return ENGINES[options.engine].find_language(Cuts(samples, longest), _tell(options))


def _align(
    words: Sequence[Word], chunks: Sequence[tuple[Chunk, int]], samples: np.ndarray, spoken: Sequence[Span]
) -> list[Word]:
    """The words with the likelier of the recogniser's times and those of forced alignment.

    chunks  each with how many of the words are its own, in their order
    spoken  where a word may be: alignment that puts one elsewhere does not count
    """
    aligner, left, timed = Aligner(), iter(words), []
    for chunk, count in chunks:
        own = list(islice(left, count))
        texts, unsaid = [word.text for word in own], [may_be_unsaid(word) for word in own]
        spans = aligner.align(cut_out(samples, chunk), texts, unsaid) if own else []
        places = [span and place_span(span, chunk) for span in spans]
        timed += choose_times(own, [place if place and within(spoken, place) else None for place in places])
    return timed


def _hear(
    samples: np.ndarray,
    chunks: Sequence[Chunk],
    activity: Sequence[Activity],
    options: TranscribeOptions,
    retries: int = RETRIES,
) -> list[list[Heard]]:
    """What was heard in each chunk; in parts, where the recogniser left out less of the speech so."""
    whole = list(zip(chunks, _listen(samples, chunks, options), strict=True))
    left_out = [wordless_s([heard], activity, options.max_wordless_s) for heard in whole]
    halves = [
        _halves(chunk, activity, samples, options) if retries and lost else []
        for chunk, lost in zip(chunks, left_out, strict=True)
    ]
    shorter = [half for own in halves for half in own]
    again = iter(_hear(samples, shorter, activity, options, retries - 1) if shorter else ())
    heard = []
    for one, lost, own in zip(whole, left_out, halves, strict=True):
        parts = [part for _ in own for part in next(again)]
        better = parts and wordless_s(parts, activity, options.max_wordless_s) < lost
        heard.append(parts if better else [one])
    return heard


def _listen(samples: np.ndarray, chunks: Sequence[Chunk], options: TranscribeOptions) -> list[list[HeardWord]]:
    """The engine's words for every chunk, in the chunks' order. Long chunks run together, so that batches end alike."""
    order = sorted(range(len(chunks)), key=lambda i: (-chunks[i].duration_s, i))
    heard: list[list[HeardWord]] = [[] for _ in chunks]
    if chunks:
        found = ENGINES[options.engine].transcribe_chunks(Cuts(samples, [chunks[i] for i in order]), _tell(options))
        for i, words in zip(order, found, strict=True):
            heard[i] = words
    return heard


def _packing(options: TranscribeOptions) -> Packing:
    return Packing(options.max_chunk_s, options.bridge_s, options.pad_s)


def _tell(options: TranscribeOptions) -> EngineOptions:
    return EngineOptions(
        model=options.model,
        language=options.language,
        verbatim=options.verbatim,
        batch_size=options.batch_size,
        beams=options.beams,
        precision=options.precision,
    )


def wordless_s(heard: Sequence[Heard], activity: Sequence[Activity], max_wordless_s: float) -> float:
    """Seconds of speech that the recogniser left out: stretches over `max_wordless_s` in which no word begins."""
    total = 0.0
    for chunk, words in heard:
        starts = [place_word(word, chunk).start for word in words]
        for piece in chunk.pieces:
            marks = [piece.start, *(at for at in starts if piece.start < at < piece.end), piece.end]
            spoken = within(activity, piece)
            stretches = (covered_s(Span(a, b), spoken) for a, b in pairwise(marks))
            total += sum(stretch for stretch in stretches if stretch > max_wordless_s)
    return total


def _halves(chunk: Chunk, activity: Sequence[Activity], samples: np.ndarray, options: TranscribeOptions) -> list[Chunk]:
    """The same sound in chunks half as long: what Whisper skips in a long one it often hears in a short one."""
    inside = [
        Activity(max(a.start, piece.start), min(a.end, piece.end), a.people)
        for piece in chunk.pieces
        for a in within(activity, piece)
    ]
    packing = replace(_packing(options), max_s=max(chunk.duration_s / 2 + 1.0, 5.0))
    halves = pack_chunks(inside, samples, packing)
    return [Chunk(tuple(_clip(piece, chunk) for piece in half.pieces)) for half in halves]


def _clip(piece: Span, chunk: Chunk) -> Span:
    """The part of a piece that the chunk heard too: a word at the chunk's edge would be written twice."""
    own = within(chunk.pieces, piece)
    return Span(max(piece.start, own[0].start), min(piece.end, own[-1].end))


def _has_text(given: list[Given] | None) -> bool:
    return any(line.text for line in given or [])


def words_of_lines(lines: Sequence[Given]) -> list[Word]:
    """The words of a transcript: the file's own times where it has them, else spread over the line by characters."""
    words = []
    for line in lines:
        if line.words:
            words += [replace(word, speaker=word.speaker or line.speaker) for word in line.words]
        elif line.text:
            words += _spread(line)
    return sorted(words, key=lambda w: (w.start, w.end))


def _spread(line: Given) -> list[Word]:
    """A word's share of the line is its number of characters and the space after it."""
    texts = line.text.split()
    rate = (line.end - line.start) / max(1, sum(len(text) + 1 for text in texts))
    words, at = [], line.start
    for text in texts:
        end = at + (len(text) + 1) * rate
        words.append(Word(at, end, text, 1.0, line.speaker))
        at = end
    return words


def place_word(word: HeardWord, chunk: Chunk) -> Word:
    """A word of a chunk at its place in the recording: inside the piece that holds most of it."""
    place = place_span(word, chunk)
    return Word(round(place.start, 3), round(place.end, 3), word.text, round(word.probability, 4))


def keep_supported(words: Sequence[Word], activity: Sequence[Activity], options: TranscribeOptions) -> list[Word]:
    """The words that voice activity supports, doubtful where two people speak at once."""
    kept = []
    for word in words:
        near = within(activity, Span(word.start - options.support_s, word.end + options.support_s))
        if not near:
            continue
        crossed = covered_s(word, [a for a in near if a.people > 1])
        if crossed > (word.end - word.start) / 2:
            word = replace(word, confidence=round(word.confidence * options.overlap_confidence, 4))
        if word.confidence >= options.min_confidence:
            kept.append(word)
    return kept


def find_untranscribed(words: Sequence[Word], activity: Sequence[Activity], min_s: float = 1.0) -> list[Span]:
    """Voice activity of at least `min_s` seconds without a word, in order: shown to people, never silent."""
    return [
        span
        for stretch in merge(activity)
        for span in gaps(within(words, stretch), stretch)
        if span.end - span.start >= min_s and overlap_s(span, stretch)
    ]
