"""Roles from words written to be one or the other."""

from dataclasses import replace

import pytest

from pipeline.records import Given, Speech, Word
from pipeline.speech import voices as voices_module
from pipeline.speech.voices import (
    UNSURE,
    VoicesOptions,
    assign_roles,
    doubtful_share,
    measure_style,
    therapist_evidence,
)

OPTIONS = VoicesOptions()
ASKS = (
    "What brought you in, and how do you feel when you say that? Where do you notice it in your body, would you say? "
)
TELLS = "I don't know, I just felt that I had done something wrong and I went home and I cried because I was so tired. "


def talk(*lines: tuple[str, str]) -> list[Word]:
    words = [(speaker, token) for speaker, text in lines for token in text.split()]
    return [Word(i / 2, i / 2 + 0.4, token, speaker=speaker) for i, (speaker, token) in enumerate(words)]


def roles(voices) -> dict[str, str]:
    return {voice.speaker: voice.role for voice in voices}


def test_who_says_you_and_asks_is_the_therapist():
    voices = assign_roles(talk(("x", ASKS), ("y", TELLS)), [], None, OPTIONS)
    assert roles(voices) == {"x": "therapist", "y": "client"}
    assert all(voice.confidence > 0.9 for voice in voices)
    assert '"you" 5 and "I" 0' in voices[0].why


def test_who_speaks_first_or_most_does_not_matter():
    voices = assign_roles(talk(("y", TELLS * 5), ("x", ASKS), ("y", TELLS)), [], None, OPTIONS)
    assert roles(voices) == {"x": "therapist", "y": "client"}


@pytest.mark.parametrize(("told", "found", "sure"), [("", "en", True), ("", "de", False), ("de", "en", False)])
def test_a_language_that_the_recogniser_found_counts_where_none_is_told(told, found, sure):
    words = [replace(word, language=found) for word in talk(("x", ASKS), ("y", TELLS * 2))]
    voices = assign_roles(words, [], None, VoicesOptions(language=told))
    assert all((voice.confidence > UNSURE) == sure for voice in voices)


@pytest.mark.parametrize("language", ["de", ""])
def test_words_of_another_language_are_not_guessed_from(language):
    voices = assign_roles(talk(("x", ASKS), ("y", TELLS * 2)), [], None, VoicesOptions(language=language))
    assert roles(voices) == {"x": "therapist", "y": "client"}, "who talks more is the first guess"
    assert {voice.confidence for voice in voices} == {UNSURE}
    assert all("not read" in voice.why for voice in voices)


def test_words_without_a_speaker_are_taken_from_the_speech():
    words = [Word(w.start, w.end, w.text) for w in talk(("x", ASKS), ("y", TELLS))]
    change = len(ASKS.split()) / 2
    speech = [Speech(0, change, "s1"), Speech(change, 100, "s2")]
    assert roles(assign_roles(words, speech, None, OPTIONS)) == {"s1": "therapist", "s2": "client"}


def test_voices_too_alike_ask_for_a_person():
    words = [Word(w.start, w.end, w.text) for w in talk(("x", ASKS), ("y", TELLS))]
    change = len(ASKS.split()) / 2
    clear = [Speech(0, change, "s1"), Speech(change, 100, "s2")]
    alike = [Speech(0, change, "s1", 0.3), Speech(change, 100, "s2")]
    assert all(voice.confidence > 0.75 for voice in assign_roles(words, clear, None, OPTIONS))
    voices = assign_roles(words, alike, None, OPTIONS)
    assert roles(voices) == {"s1": "therapist", "s2": "client"}
    assert all(voice.confidence <= UNSURE for voice in voices)
    assert all(f"sound alike: {change / 100:.0%} of the speech" in voice.why for voice in voices)


def test_talk_at_once_makes_no_voices_alike():
    speech = [Speech(0, 10, "a"), Speech(4, 8, "b", 0.5), Speech(10, 14, "b"), Speech(14, 15, "b", 0.2)]
    assert doubtful_share(speech) == pytest.approx(1 / 11)
    assert doubtful_share([]) == 0.0


def test_curly_apostrophes_and_contractions_count():
    assert (measure_style("You’re sure I’ve told you?").you, measure_style("I’m, I'd, i").i) == (2, 3)


def test_evidence_is_antisymmetric_and_zero_for_equals():
    a, b = measure_style(ASKS), measure_style(TELLS)
    assert therapist_evidence(a, b) == -therapist_evidence(b, a) > 1
    assert therapist_evidence(a, a) == 0


def test_everyday_words_decide_where_you_and_i_say_nothing_and_are_named():
    asks = "So would that be okay, or can we talk about your week and how it was? " * 3
    tells = "My sister was there but she said she had to go, and then he was late and that was that. " * 3
    voices = assign_roles(talk(("x", asks), ("y", tells)), [], None, OPTIONS)
    assert roles(voices) == {"x": "therapist", "y": "client"}
    assert 'support it most: "' in voices[0].why
    assert '"you"' not in voices[0].why.split("support it most")[1], "told by themselves"


def test_everyday_words_that_say_otherwise_are_told(monkeypatch):
    monkeypatch.setattr(voices_module, "load_role_words", lambda: {"you": 0.0, "brought": -0.1})
    voices = assign_roles(talk(("x", ASKS), ("y", TELLS)), [], None, OPTIONS)
    assert roles(voices) == {"x": "therapist", "y": "client"}
    assert all("does not support it" in voice.why for voice in voices)


def test_a_few_words_are_never_sure():
    voices = assign_roles(talk(("x", "How are you?"), ("y", "I am fine")), [], None, OPTIONS)
    assert all(voice.confidence <= UNSURE for voice in voices)
    assert "too few words" in voices[0].why


def test_speech_without_words_is_unsure():
    voices = assign_roles([], [Speech(0, 5, "a"), Speech(5, 9, "b")], None, OPTIONS)
    assert sorted(voice.role for voice in voices) == ["client", "therapist"]
    assert all(voice.confidence <= 0.5 for voice in voices)


def test_stated_roles_win_over_the_words():
    given = [Given(0, 1, "y", "therapist", "..."), Given(1, 2, "x", "client", "...")]
    voices = assign_roles(talk(("x", ASKS), ("y", TELLS)), [], given, OPTIONS)
    assert roles(voices) == {"x": "client", "y": "therapist"}
    assert {voice.confidence for voice in voices} == {1.0}


def test_one_stated_role_leaves_the_other_to_the_other():
    given = [Given(0, 1, "x", "client", "...")]
    assert roles(assign_roles(talk(("x", ASKS), ("y", TELLS)), [], given, OPTIONS)) == {"x": "client", "y": "therapist"}
    given = [Given(0, 1, "y", "therapist", "...")]
    assert roles(assign_roles(talk(("x", ASKS), ("y", TELLS)), [], given, OPTIONS)) == {"y": "therapist", "x": "client"}


def test_a_swap_turns_measured_and_stated_roles():
    words = talk(("x", ASKS), ("y", TELLS))
    swapped = VoicesOptions(swap=True)
    assert roles(assign_roles(words, [], None, swapped)) == {"x": "client", "y": "therapist"}
    given = [Given(0, 1, "x", "therapist"), Given(1, 2, "y", "client")]
    voices = assign_roles(words, [], given, swapped)
    assert roles(voices) == {"x": "client", "y": "therapist"}
    assert voices[0].why == "A person has decided the roles of this session."


def test_a_third_person_is_kept_apart():
    words = talk(("x", ASKS * 2), ("y", TELLS * 2), ("z", "Sorry, the room is booked."))
    assert roles(assign_roles(words, [], None, OPTIONS)) == {"x": "therapist", "y": "client", "z": "other"}


def test_one_voice_alone_is_unsure_and_no_voice_is_nothing():
    (voice,) = assign_roles(talk(("x", ASKS)), [], None, OPTIONS)
    assert (voice.role, voice.confidence <= 0.5) == ("client", True)
    assert assign_roles([], [], None, OPTIONS) == []


def test_voices_span_where_they_are_heard_in_order():
    speech = [Speech(2.0, 3.0, "b"), Speech(0.5, 1.0, "a"), Speech(8.0, 9.0, "a")]
    assert [(v.speaker, v.start, v.end) for v in assign_roles([], speech, None, OPTIONS)] == [
        ("a", 0.5, 9.0),
        ("b", 2, 3),
    ]
