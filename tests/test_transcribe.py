"""Words from sound: chunks cover the speech and nothing else, words land where they were said, none is invented."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intervals import Span, covered_s, merge
from pipeline.records import Activity, AttuneError, Audio, Given, Word
from pipeline.speech import transcribe as transcribe_module
from pipeline.speech.chunks import Chunk, Packing, cut_out, pack_chunks
from pipeline.speech.engines import whisper_align
from pipeline.speech.engines.whisper_align import HeardWord
from pipeline.speech.engines.whisper_options import is_loop, longest_run
from pipeline.speech.transcribe import (
    ENGINES,
    RETRIES,
    TranscribeOptions,
    _hear,
    find_untranscribed,
    keep_supported,
    place_word,
    transcribe,
    transcribe_models,
    wordless_s,
    words_of_lines,
)
from tests.made_speech import make_music, make_noise, make_tone, silence, whisper_like

RATE = 16000
OPTIONS = TranscribeOptions()
PACKING = Packing(OPTIONS.max_chunk_s, OPTIONS.bridge_s, OPTIONS.pad_s)
TINY = TranscribeOptions(model="whisper-tiny.en", precision="float32", batch_size=4)


# ---------------------------------------------------------------------------------------------- given lines


def test_given_words_keep_their_own_times_and_get_the_lines_speaker():
    line = Given(0, 4, "T", text="how are you", words=(Word(0.5, 1, "how"), Word(1, 1.2, "are"), Word(1.2, 2, "you")))
    words = transcribe(None, [], [line], OPTIONS)
    assert [(w.start, w.end, w.text, w.speaker) for w in words] == [
        (0.5, 1, "how", "T"),
        (1, 1.2, "are", "T"),
        (1.2, 2, "you", "T"),
    ]


def test_a_line_without_word_times_is_spread_by_characters():
    words = words_of_lines([Given(10, 20, "C", text="I suppose so.")])
    assert [w.text for w in words] == ["I", "suppose", "so."]
    assert [round(w.start, 3) for w in words] == [
        10,
        pytest.approx(10 + 20 / 14, abs=1e-3),
        pytest.approx(17.143, abs=1e-3),
    ]
    assert words[-1].end == pytest.approx(20)
    assert all(w.confidence == 1.0 and w.speaker == "C" for w in words)


def test_no_model_is_needed_for_a_given_transcript():
    assert transcribe_models(OPTIONS, [Given(0, 1, "A", text="hello")]) == ()
    assert transcribe_models(OPTIONS, [Given(0, 1, "A")]) == transcribe_models(OPTIONS, None) == ("whisper-base",)


# ---------------------------------------------------------------------------------------------- chunks


@st.composite
def talk(draw):
    """Voice activity of up to a few minutes, in order, none overlapping, with the sound's length."""
    at, activity = draw(st.floats(0, 3)), []
    for _ in range(draw(st.integers(1, 12))):
        end = at + draw(st.floats(0.1, 50))
        activity.append(Activity(round(at, 2), round(end, 2), draw(st.integers(1, 2))))
        at = end + draw(st.floats(0.02, 12))
    return activity, round(activity[-1].end + draw(st.floats(0, 2)), 2)


@settings(max_examples=60, deadline=None)
@given(talk())
def test_chunks_cover_all_speech_once_and_fit_what_whisper_hears(case):
    activity, length_s = case
    samples = np.zeros(round(length_s * RATE), dtype=np.float32)
    chunks = pack_chunks(activity, samples, PACKING)
    pieces = [piece for chunk in chunks for piece in chunk.pieces]
    assert all(chunk.duration_s <= OPTIONS.max_chunk_s + 1e-6 for chunk in chunks)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(pieces))
    spoken = [Span(a.start, min(a.end, len(samples) / RATE)) for a in activity]
    assert all(covered_s(span, pieces) == pytest.approx(span.end - span.start, abs=1e-3) for span in spoken)
    for piece in pieces:
        assert covered_s(piece, merge(activity, OPTIONS.bridge_s)) >= piece.end - piece.start - 2 * OPTIONS.pad_s - 1e-6
    for chunk in chunks:
        assert len(cut_out(samples, chunk)) <= 30 * RATE


@pytest.mark.parametrize(("end", "cut"), [(48, 20.2), (50, 25.1)], ids=["the longer silence", "fewer chunks"])
def test_a_long_stretch_is_cut_in_its_silence(end, cut):
    activity = [Activity(0, 20), Activity(20.4, 25), Activity(25.2, end)]
    first, second = pack_chunks(activity, np.zeros(end * RATE, dtype=np.float32), PACKING)
    assert first.pieces[-1].end == second.pieces[0].start == pytest.approx(cut)


def test_chunks_end_where_silence_is_left_out_anyway():
    """First come, first packed would take the fourth stretch into the first chunk, and cut after a breath."""
    activity = [Activity(0, 8), Activity(8.5, 16), Activity(18, 25), Activity(25.4, 32), Activity(32.5, 40)]
    chunks = pack_chunks(activity, np.zeros(40 * RATE, dtype=np.float32), PACKING)
    assert [(chunk.pieces[0].start, chunk.pieces[-1].end) for chunk in chunks] == [(0, 16.2), (17.8, 40)]


def test_no_fewer_chunks_would_hold_the_speech():
    """Six stretches of 9 s: three fit a chunk, and two chunks hold them all."""
    activity = [Activity(10 * i, 10 * i + 9) for i in range(6)]
    chunks = pack_chunks(activity, np.zeros(60 * RATE, dtype=np.float32), Packing(29.0, 0.5, 0.1))
    assert [len(chunk.pieces) for chunk in chunks] == [3, 3]


def test_a_stretch_without_silence_is_cut_where_it_is_quietest():
    samples = np.full(40 * RATE, 0.1, dtype=np.float32)
    samples[22 * RATE : round(22.2 * RATE)] = 0.001
    chunks = pack_chunks([Activity(0, 40)], samples, PACKING)
    assert chunks[0].pieces[0].end == pytest.approx(22.1, abs=0.06)


def test_a_word_lands_where_it_was_said():
    chunk = Chunk((Span(10, 12), Span(60, 63)))
    assert place_word(HeardWord(0.5, 1.0, "one", 0.9), chunk) == Word(10.5, 11.0, "one", 0.9)
    assert place_word(HeardWord(2.5, 3.0, "two", 0.9), chunk) == Word(60.5, 61.0, "two", 0.9)
    # across the seam: the piece that holds most of it
    assert place_word(HeardWord(1.9, 2.6, "late", 0.9), chunk) == Word(60.0, 60.6, "late", 0.9)
    assert place_word(HeardWord(1.2, 2.1, "soon", 0.9), chunk) == Word(11.2, 12.0, "soon", 0.9)


# ---------------------------------------------------------------------------------------------- support


def test_words_without_voice_activity_are_dropped_and_crossed_ones_doubted():
    activity = [Activity(0, 2), Activity(2, 3, people=2)]
    words = [Word(0.5, 1, "yes", 0.8), Word(2.2, 2.8, "right", 0.8), Word(9, 9.5, "you", 0.9)]
    kept = keep_supported(words, activity, OPTIONS)
    assert [(w.text, w.confidence) for w in kept] == [("yes", 0.8), ("right", 0.4)]


def test_speech_without_words_is_listed():
    activity = [Activity(0, 5), Activity(8, 12), Activity(20, 20.5)]
    words = [Word(0.2, 0.5, "so"), Word(0.5, 4.6, "well")]
    assert find_untranscribed(words, activity) == [Span(8, 12)]
    assert find_untranscribed([], activity, min_s=0.1) == [Span(0, 5), Span(8, 12), Span(20, 20.5)]


# ---------------------------------------------------------------------------------------------- engines


def test_an_unknown_engine_names_the_known_ones():
    with pytest.raises(AttuneError, match="openai_whisper, faster_whisper"):
        transcribe(Audio(silence(2)[None], RATE), [Activity(0, 1)], None, TranscribeOptions(engine="siri"))


@pytest.mark.models
@pytest.mark.parametrize("engine", ENGINES)
def test_a_language_that_is_found_out_is_written_down(acted, engine):
    audio, activity = acted
    told = TranscribeOptions(engine=engine, beams=1)
    words = transcribe(audio, activity, None, replace(told, language=""))
    assert {word.language for word in words} == {"en"}
    assert [replace(word, language="") for word in words] == transcribe(audio, activity, None, told)


def test_a_missing_extra_names_the_install_line(monkeypatch):
    from pipeline.speech.engines import faster_whisper

    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    faster_whisper._load_pipeline.cache_clear()
    with pytest.raises(AttuneError) as caught:
        transcribe(Audio(silence(2)[None], RATE), [Activity(0, 1)], None, TranscribeOptions(engine="faster_whisper"))
    assert "pip install" in caught.value.mend


def test_no_speech_means_no_words_and_no_model(monkeypatch):
    monkeypatch.setitem(ENGINES, "openai_whisper", None)
    assert transcribe(Audio(silence(60)[None], RATE), [], None, OPTIONS) == []


def test_frames_are_cut_where_attention_moves_on():
    score = np.full((3, 50), -1.0)
    score[0, :20], score[1, 20:23], score[2, 23:] = 1, 1, 1
    assert whisper_align._best_runs(score).tolist() == [0, 20, 23]


@given(st.integers(1, 8), st.integers(8, 40), st.integers(0, 2**32 - 1))
def test_every_token_gets_frames_in_order(rows, frames, seed):
    starts = whisper_align._best_runs(np.random.default_rng(seed).normal(size=(rows, frames)))
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    assert starts[-1] < frames


@pytest.mark.models
@pytest.mark.parametrize("language", ["xx", "de"])
def test_a_language_these_weights_do_not_know_is_refused(language):
    options = TranscribeOptions(model="whisper-tiny.en", language=language)
    with pytest.raises(AttuneError, match=language):
        transcribe(Audio(make_noise(3, -30.0)[None], RATE), [Activity(0, 2)], None, options)


@pytest.fixture(scope="module")
def acted(root):
    """40 s of an acted session, and where somebody speaks in them."""
    from pipeline.speech.activity import ActivityOptions, find_activity
    from pipeline.speech.audio import AudioOptions, decode_recording

    samples = decode_recording(root / "sample_audio" / "acted_session_2.m4a", AudioOptions()).mono[: 40 * RATE]
    audio = Audio(samples[None], RATE)
    return audio, find_activity(audio, None, ActivityOptions())


@pytest.mark.models
def test_reading_weights_draws_no_random_numbers():
    """Parameters that the weights replace are not filled first; and every one of them is replaced."""
    import torch

    from pipeline.speech.engines.whisper_weights import load_whisper

    before = torch.get_rng_state()
    first, second = load_whisper("whisper-tiny.en"), load_whisper("whisper-tiny.en")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.nn.Linear(2, 2).weight.abs().sum() > 0, "others are filled as ever"
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.models
@pytest.mark.parametrize(
    ("beams", "pad_s", "bridge_s", "places"), [(1, 0.2, 1.0, 1), (3, 0.2, 1.0, 1), (3, 0.4, 2.0, 1), (3, 0.2, 1.0, 64)]
)
def test_the_search_is_openai_whispers_own(acted, monkeypatch, beams, pad_s, bridge_s, places):
    """Float32, without timestamps: the tokens and the scores that `whisper.decode` gives, chunk by chunk.

    Also where the search grows by blocks of places, as it does in bfloat16.
    """
    import whisper

    from pipeline.speech.engines import whisper_decode
    from pipeline.speech.engines.openai_whisper import build_rules, build_tokenizer, mel_spectrograms
    from pipeline.speech.engines.whisper_decode import Listening, decode, encode, load_model
    from pipeline.speech.engines.whisper_weights import load_whisper

    monkeypatch.setattr(whisper_decode, "places_at_once", lambda model: places)
    audio, activity = acted
    model = load_model("whisper-tiny.en", "float32")
    packing = Packing(max_s=12.0, pad_s=pad_s, bridge_s=bridge_s)
    chunks = [cut_out(audio.mono, c) for c in pack_chunks(activity, audio.mono, packing)]
    mel = mel_spectrograms(model, chunks)
    rules = build_rules(build_tokenizer(model, "en"), verbatim=True)
    ours = decode(model, Listening(model, encode(model, mel)), rules, beams)
    options = whisper.DecodingOptions(
        language="en",
        prompt="Um, uh, hmm, er.",
        without_timestamps=True,
        fp16=False,
        beam_size=beams if beams > 1 else None,
    )
    whole = load_whisper("whisper-tiny.en")
    theirs = [whisper.decode(whole, one, options) for one in mel]
    assert [list(d.tokens) for d in ours] == [list(d.tokens) for d in theirs]
    assert [d.logprob for d in ours] == pytest.approx([d.avg_logprob for d in theirs], abs=1e-4)
    assert [d.no_speech for d in ours] == pytest.approx([d.no_speech_prob for d in theirs], abs=1e-3)


@pytest.mark.models
def test_batches_side_by_side_give_the_words_of_one_after_the_other(acted, monkeypatch):
    from pipeline import cores
    from pipeline.speech.engines.openai_whisper import transcribe_chunks
    from pipeline.speech.engines.whisper_options import EngineOptions

    audio, activity = acted
    packing = Packing(max_s=8.0, pad_s=0.2, bridge_s=1.0)
    chunks = [cut_out(audio.mono, c) for c in pack_chunks(activity, audio.mono, packing)]
    assert len(chunks) > 3
    # Sums in float32 depend on the number of threads of an operation: one in both.
    options = EngineOptions(model="whisper-tiny.en", language="en", precision="float32", beams=2, batch_size=4)
    heard = {}
    for n in (1, 2):
        monkeypatch.setattr(cores, "usual_threads", lambda n=n: n)
        heard[n] = transcribe_chunks(chunks, options)
    assert [[word.text for word in own] for own in heard[2]] == [[word.text for word in own] for own in heard[1]]
    assert any(heard[1])


@pytest.mark.parametrize("frames", [1, 499, 1500])
def test_attention_in_blocks_is_attention(frames):
    import torch

    from pipeline.speech.engines.whisper_decode import _attention_in_blocks

    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, frames, 128)
    ours, _ = _attention_in_blocks(2, query, key, value)
    by_head = [x.view(2, frames, 2, 64).transpose(1, 2) for x in (query, key, value)]
    theirs = torch.nn.functional.scaled_dot_product_attention(*by_head).transpose(1, 2).flatten(2)
    torch.testing.assert_close(ours, theirs)


def test_the_last_retry_forbids_what_would_complete_a_loop():
    import torch

    from pipeline.speech.engines.whisper_decode import _forbid_repeats, _Search

    logits = torch.zeros(1, 2, 10)
    beams = [[1, 2, 3, 4, 1, 2], [1, 2]]  # "1 2 3" stands in the first already; the second is too short to repeat
    _forbid_repeats(logits, [_Search(0, 0.0, beams, [0.0, 0.0], {})], 3)
    assert torch.isinf(logits[0]).nonzero().tolist() == [[0, 3]]


def test_speech_in_which_no_word_begins_is_counted():
    chunk = Chunk((Span(10, 14), Span(60, 66)))
    activity = [Activity(10, 14), Activity(60, 61), Activity(63, 66)]
    words = [HeardWord(at, at + 0.3, "word", 0.9) for at in (0.0, 1.5, 3.0, 4.0, 5.0, 7.5, 9.0)]
    assert wordless_s([(chunk, words)], activity, 2.2) == 0.0
    # nothing after 61 although somebody speaks from 63 to 66
    assert wordless_s([(chunk, words[:-2])], activity, 2.2) == pytest.approx(3.0)
    assert wordless_s([(chunk, [])], activity, 2.2) == pytest.approx(8.0)


def test_a_chunk_with_speech_left_out_is_heard_again_in_parts_while_that_brings_more(monkeypatch):
    samples, heard = np.zeros(20 * RATE, dtype=np.float32), []

    def listen(samples, chunks, options):
        heard.append([round(chunk.duration_s) for chunk in chunks])
        full = [HeardWord(at, at + 0.3, "word", 0.9) for at in np.arange(0.0, 20.0, 0.5)]
        return [full if chunk.duration_s < 8 else full[:2] for chunk in chunks]

    monkeypatch.setattr(transcribe_module, "_listen", listen)
    chunk = Chunk((Span(0, 20),))
    ((first, *rest),) = _hear(samples, [chunk], [Activity(0, 20)], TranscribeOptions())
    assert first[0].duration_s < 8
    assert len(heard) == 1 + RETRIES
    assert sum(part.duration_s for part, _ in (first, *rest)) == pytest.approx(20)
    monkeypatch.setattr(transcribe_module, "_listen", lambda samples, chunks, options: [[] for _ in chunks])
    assert _hear(samples, [chunk], [Activity(0, 20)], TranscribeOptions()) == [[(chunk, [])]], "no part brings more"


@pytest.mark.models
def test_both_engines_write_the_same_words(acted):
    pytest.importorskip("faster_whisper")
    audio, activity = acted
    ours, theirs = (
        transcribe(audio, activity, None, TranscribeOptions(engine, "whisper-tiny.en", precision="float32", beams=1))
        for engine in ENGINES
    )
    assert len(ours) > 40
    assert [w.text for w in ours] == [w.text for w in theirs]
    assert np.median([abs(a.start - b.start) for a, b in zip(ours, theirs, strict=True)]) < 0.1


@pytest.mark.models
def test_words_and_times_of_acted_speech(acted, root):
    """Words as written for the actors, each near where it was spoken; the same again from the same input."""
    import json

    from pipeline.evaluate.words import score_words, word_time_errors

    audio, activity = acted
    rows = json.loads((root / "sample_audio" / "acted_session_2.words.json").read_text(encoding="utf-8"))
    reference = [Word(row["start"], row["end"], row["word"]) for row in rows if row["end"] <= 40]
    words = transcribe(audio, activity, None, OPTIONS)
    assert words == transcribe(audio, activity, None, OPTIONS)
    assert all(a.start <= b.start for a, b in pairwise(words))
    assert all(0 <= w.start <= w.end <= 40 and 0 <= w.confidence <= 1 for w in words)
    assert score_words(" ".join(w.text for w in reference), words).wer < 0.15
    errors = word_time_errors(reference, words)
    assert np.median(errors) < 0.06
    assert np.percentile(errors, 95) < 0.3


@pytest.mark.models
@pytest.mark.parametrize("verbatim", [True, False])
def test_nothing_is_invented_around_a_long_pause(acted, verbatim):
    """The same talk with 45 s of room tone in its middle gives no word inside the pause."""
    from pipeline.speech.activity import ActivityOptions, find_activity

    audio, activity = acted
    cut = next(
        round((a.end + b.start) / 2 * RATE) for a, b in pairwise(activity) if a.end > 12 and b.start - a.end > 0.3
    )
    pause = make_noise(45, -65.0)
    samples = np.concatenate([audio.mono[:cut], pause, audio.mono[cut : 25 * RATE]])
    paused = Audio(samples[None], RATE)
    options = TranscribeOptions(model="whisper-tiny.en", precision="float32", verbatim=verbatim)
    words = transcribe(paused, find_activity(paused, None, ActivityOptions()), None, options)
    at = cut / RATE
    assert not [w.text for w in words if w.end > at + 0.5 and w.start < at + 44.5]
    assert [w for w in words if w.start > at + 45]


@pytest.mark.models
@pytest.mark.parametrize(
    "sound",
    [silence(8), make_noise(8, -55.0), make_tone(50.0, 8, -30.0)],
    ids=["digital silence", "room", "hum"],
)
def test_the_engine_writes_no_loop_even_where_activity_is_wrong(sound):
    """Told that somebody speaks where nobody does, at most a word or two comes of it, and never a loop."""
    words = transcribe(Audio(sound[None], RATE), [Activity(0, 8)], None, TINY)
    assert len(words) <= 6


@pytest.mark.models
@pytest.mark.parametrize(
    "sound",
    [silence(20), make_noise(20, -55.0), make_tone(50.0, 20, -30.0), make_music(20)],
    ids=["digital silence", "room", "hum", "music"],
)
def test_no_word_where_nobody_speaks(sound):
    assert hear(sound) == []


@pytest.mark.models
@pytest.mark.parametrize("kind", ["whispering", "crosstalk"])
def test_hard_speech_gives_no_word_in_the_silence_around_it(acted, kind):
    speech = acted[0].mono[: 20 * RATE]
    hard = whisper_like(speech) if kind == "whispering" else speech + 0.7 * acted[0].mono[20 * RATE : 40 * RATE]
    room = [make_noise(10, -65.0, seed) for seed in (1, 2)]
    words = hear(np.concatenate([room[0], hard, room[1]]))
    assert words, "people do speak"
    assert not [w.text for w in words if w.start < 9.5 or w.end > 30.5]


def hear(sound: np.ndarray) -> list[Word]:
    """The words, by voice activity and recogniser as they ship, small weights."""
    from pipeline.speech.activity import ActivityOptions, find_activity

    audio = Audio(sound[None].astype(np.float32), RATE)
    return transcribe(audio, find_activity(audio, None, ActivityOptions()), None, TINY)


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("", 0),
        ("I said no.", 1),
        ("No, no, no, that is not it.", 3),
        ("Uh, no. No no no no no NO no", 8),
        ("thank you. Thank you thank you, and yes and yes", 3),
        ("I do not know I do not know", 2),
    ],
)
def test_a_run_of_the_same_words_is_counted(text, run):
    assert longest_run(text) == run


def test_a_run_among_other_talk_is_a_loop_although_it_packs_like_talk():
    talk = "Do you have any allergies to medications that you know of, or to any food, pollen, dust or pets? "
    assert not is_loop(talk + "No, no, no, none.")
    assert is_loop(talk + "No " * 8)
