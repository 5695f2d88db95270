"""Turns against talk whose speakers are known because the test wrote it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intervals import merge
from pipeline.records import Speech, Voice, Word
from pipeline.speech.turns import UNKNOWN, TurnsOptions, attribute_words, build_turns, limit_confidence, tighten

OPTIONS = TurnsOptions()
VOICES = [Voice(0, 99, "a", "therapist", 0.9, ""), Voice(0, 99, "b", "client", 0.9, "")]


def say(text: str, start: float, speaker: str | None = None, each_s: float = 0.3, gap_s: float = 0.05) -> list[Word]:
    return [
        Word(start + i * each_s, start + (i + 1) * each_s - gap_s, token, speaker=speaker)
        for i, token in enumerate(text.split())
    ]


def summary(turns) -> list[tuple[str, str, bool]]:
    return [(turn.speaker, turn.text, turn.backchannel) for turn in turns]


# ------------------------------------------------------------------------------------------ words to speakers


def test_words_go_to_the_speech_that_covers_them():
    words = say("how are you", 0.0) + say("fine thanks", 2.0)
    speech = [Speech(0.0, 1.0, "a"), Speech(2.0, 3.0, "b")]
    assert [word.speaker for word in attribute_words(words, speech)] == ["a", "a", "a", "b", "b"]


def test_an_edge_in_the_middle_of_a_phrase_moves_to_the_end_of_the_sentence():
    words = say("how are you?", 0.0) + say("fine thanks", 0.9)
    late = [Speech(0.0, 1.05, "a"), Speech(1.05, 3.0, "b")]  # the edge falls inside "fine"
    early = [Speech(0.0, 0.78, "a"), Speech(0.78, 3.0, "b")]  # the edge falls inside "you?"
    for speech in (late, early):
        assert [word.speaker for word in attribute_words(words, speech)] == ["a", "a", "a", "b", "b"]


def test_a_blip_of_the_other_inside_a_phrase_is_no_change_of_speaker():
    words = say("one two three four five", 0.0)
    speech = [Speech(0.0, 0.6, "a"), Speech(0.6, 0.8, "b"), Speech(0.8, 2.0, "a")]
    assert {word.speaker for word in attribute_words(words, speech)} == {"a"}


def test_a_word_outside_all_speech_goes_to_the_nearest():
    words = [Word(3.2, 3.4, "mm")]
    assert attribute_words(words, [Speech(0.0, 1.0, "a"), Speech(3.5, 4.0, "b")])[0].speaker == "b"


def test_a_word_is_never_surer_than_the_speech_it_lies_in():
    speech = [Speech(0, 1, "a"), Speech(1, 2, "a", 0.4), Speech(2, 3, "a", 0.9), Speech(1, 3, "b")]
    words = [Word(t, t + 0.4, "word", 0.8, "a") for t in (0.3, 1.3, 2.3, 1.8, 7.0)] + [Word(1.3, 1.7, "mm", 0.8, "b")]
    limited = [word.confidence for word in limit_confidence(words, speech)]
    assert limited == [0.8, 0.4, 0.8, 0.65, 0.8, 0.8]


def test_turns_carry_the_doubt_of_their_speech():
    words = say("how are you", 0.0) + say("fine thanks", 2.0)
    turns = build_turns(words, [Speech(0.0, 1.0, "a"), Speech(2.0, 3.0, "b", 0.3)], VOICES, OPTIONS)
    assert [word.confidence for turn in turns for word in turn.words] == [1.0, 1.0, 1.0, 0.3, 0.3]


def test_the_silence_before_a_word_is_cut_off_and_its_times_stay_inside_it():
    heard = merge([Speech(0.0, 1.0, "a"), Speech(4.7, 5.0, "b")])
    late = tighten(Word(1.0, 4.95, "no"), heard)
    assert (late.start, late.end) == (4.7, 4.95)
    assert tighten(Word(0.2, 0.6, "well"), heard) == Word(0.2, 0.6, "well")
    assert tighten(Word(2.0, 2.3, "um"), heard) == Word(2.0, 2.3, "um")


def test_a_short_answer_stretched_over_the_pause_before_it_goes_to_who_gave_it():
    words = [*say("are you in pain", 0.0), Word(1.2, 2.9, "no"), Word(2.9, 4.4, "okay")]
    speech = [Speech(0.0, 1.15, "a"), Speech(2.6, 2.95, "b"), Speech(4.0, 4.5, "a")]
    assert [word.speaker for word in attribute_words(words, speech)][-3:] == ["a", "b", "a"]


BOTH = [Speech(0.0, 2.0, "a"), Speech(0.85, 1.2, "b")]


def who_says(text: str, speech: list[Speech], speaker: str | None = None) -> list[str]:
    words = say(text, 0.0)
    words[3] = Word(words[3].start, words[3].end, words[3].text, speaker=speaker)
    return [word.speaker for word in attribute_words(words, speech)]


def test_a_short_reply_over_the_others_talk_goes_back_to_who_spoke_it():
    assert who_says("a small thing. Please. It is", BOTH) == ["a", "a", "a", "b", "a", "a"]


def test_the_rest_of_what_is_said_at_once_stays_where_it_was():
    speech = [Speech(0.0, 2.0, "a"), Speech(0.85, 1.45, "b")]
    assert who_says("a small thing. Please. It is", speech) == ["a", "a", "a", "b", "a", "a"], "b goes on over 'It'"


def test_a_word_of_a_sentence_that_somebody_talks_over_is_no_reply():
    assert set(who_says("a small thing please it is", BOTH)) == {"a"}


def test_a_reply_is_taken_from_nobody_who_says_only_that_or_is_known_to_have_said_it():
    alone = [Speech(0.0, 0.8, "a"), Speech(0.88, 1.2, "a"), Speech(0.85, 1.2, "b"), Speech(1.22, 2.0, "a")]
    assert set(who_says("a small thing. Please. It is", alone)) == {"a"}
    assert set(who_says("a small thing. Please. It is", BOTH, speaker="a")) == {"a"}


def test_words_that_know_their_speaker_keep_it():
    words = say("well yes", 0.0, speaker="b")
    assert {word.speaker for word in attribute_words(words, [Speech(0.0, 2.0, "a")])} == {"b"}


def test_without_speech_all_words_belong_to_one_unknown_speaker():
    turns = build_turns(say("hello there", 0.0), [], [], OPTIONS)
    assert [(turn.speaker, turn.role) for turn in turns] == [(UNKNOWN, "other")]


# ------------------------------------------------------------------------------------------ turns


def test_roles_come_from_the_voices_and_a_stranger_is_other():
    words = say("hello", 0.0, "a") + say("hi", 1.0, "b") + say("tea anyone", 2.0, "c")
    assert [turn.role for turn in build_turns(words, [], VOICES, OPTIONS)] == ["therapist", "client", "other"]


def test_a_backchannel_is_a_turn_of_its_own_and_does_not_cut_the_other_turn():
    words = say("and then I went", 0.0, "b") + say("Mm-hm.", 1.25, "a") + say("all the way home", 1.6, "b")
    turns = build_turns(words, [], VOICES, OPTIONS)
    assert summary(turns) == [("b", "and then I went all the way home", False), ("a", "Mm-hm.", True)]
    assert turns[0].start < turns[1].start < turns[1].end < turns[0].end


def test_a_short_answer_to_a_question_is_no_backchannel():
    words = say("Did you sleep?", 0.0, "a") + say("Yeah.", 1.1, "b") + say("And did you eat?", 1.8, "a")
    turns = build_turns(words, [], VOICES, OPTIONS)
    assert [(speaker, back) for speaker, _, back in summary(turns)] == [("a", False), ("b", False), ("a", False)]


def test_yeah_after_a_finished_sentence_is_an_answer_and_mm_hm_is_not():
    finished = say("That was a hard week.", 0.0, "a")
    after = say("So let us look.", 2.4, "a")
    yeah = build_turns(finished + say("Yeah.", 1.7, "b") + after, [], VOICES, OPTIONS)
    hum = build_turns(finished + say("Mm-hm.", 1.7, "b") + after, [], VOICES, OPTIONS)
    assert [back for _, _, back in summary(yeah)] == [False, False, False]
    assert [back for _, _, back in summary(hum)] == [False, True]


def test_content_words_are_never_a_backchannel():
    words = say("and then I went", 0.0, "b") + say("to Leeds?", 1.25, "a") + say("no, to York", 1.9, "b")
    assert not any(turn.backchannel for turn in build_turns(words, [], VOICES, OPTIONS))


def test_therapist_pause_therapist_stays_two_turns():
    words = say("How was that?", 0.0, "a") + say("Take your time.", 4.2, "a")
    turns = build_turns(words, [], VOICES, OPTIONS)
    assert [turn.text for turn in turns] == ["How was that?", "Take your time."]
    assert turns[1].start - turns[0].end > 3.0


def test_a_pause_for_thought_stays_inside_the_turn():
    words = say("I was", 0.0, "b") + say("afraid", 2.0, "b")
    assert len(build_turns(words, [], VOICES, OPTIONS)) == 1


def test_talk_of_two_at_once_does_not_shred_their_turns():
    a = say("I think we should really stop here", 0.0, "a", each_s=0.4)
    b = say("no wait please let me finish", 0.7, "b", each_s=0.4)
    assert [turn.text for turn in build_turns(a + b, [], VOICES, OPTIONS)] == [
        "I think we should really stop here",
        "no wait please let me finish",
    ]


def test_an_answer_that_fits_in_the_others_pause_ends_the_others_turn():
    words = say("how are you", 0.0, "a") + say("good", 0.95, "b") + say("so what now", 1.3, "a")
    assert [turn.speaker for turn in build_turns(words, [], VOICES, OPTIONS)] == ["a", "b", "a"]


TIMES = st.floats(0, 60, allow_nan=False).map(lambda x: round(x, 3))
WORDS = st.lists(
    st.builds(
        lambda start, length, text, speaker: Word(start, start + length, text, 1.0, speaker),
        TIMES,
        st.floats(0, 1.5).map(lambda x: round(x, 3)),
        st.sampled_from(["yeah", "Mm-hm.", "so?", "you", "went", "home.", "I"]),
        st.sampled_from([None, None, None, "a", "b", "c"]),
    ),
    max_size=40,
)
SPEECH = st.lists(
    st.builds(
        lambda start, length, speaker: Speech(start, start + length, speaker),
        TIMES,
        st.floats(0.05, 5).map(lambda x: round(x, 3)),
        st.sampled_from(["a", "b"]),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(WORDS, SPEECH)
def test_every_word_is_in_exactly_one_turn_in_order(words, speech):
    turns = build_turns(words, speech, VOICES, OPTIONS)
    assert sorted(word.text for turn in turns for word in turn.words) == sorted(word.text for word in words)
    assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)
    for turn in turns:
        starts = [word.start for word in turn.words]
        assert turn.words
        assert starts == sorted(starts)
        assert turn.start == starts[0]
        assert turn.start < turn.end
        assert all(word.end <= turn.end for word in turn.words)
        assert {word.speaker for word in turn.words} == {turn.speaker}


@settings(max_examples=100, deadline=None)
@given(WORDS, SPEECH)
def test_known_speakers_survive_and_arguments_are_left_alone(words, speech):
    before = (list(words), list(speech))
    found = attribute_words(words, speech)
    assert (words, speech) == before
    known = [word for word in words if word.speaker]
    assert all(word in found for word in known)
    assert all(word.speaker for word in found)
    assert len(found) == len(words)
