"""Every gate fires on what it is for and stays quiet on what only resembles it."""

import pytest

from pipeline.alliance import gates
from pipeline.records import Turn, Word


def turn(text, role="client", confidence=1.0, start=0.0):
    words = tuple(Word(start + k * 0.3, start + k * 0.3 + 0.3, w, confidence) for k, w in enumerate(text.split()))
    return Turn(start, start + 0.3 * max(1, len(words)), role, role, words)


ADDRESSED = [
    "You never listen to me.",
    "I don't think you get it.",
    "These sessions are a waste of time.",
    "I hate that homework.",
    "Are you even writing this down?",
    "This isn't helping.",
]
NOT_ADDRESSED = [
    "My boss never listens to me.",
    "He never listens, and you know, he just walks off.",
    "When you get older, it rains.",
    "She said you never listen.",
    'He goes "you never help me" and then he left.',
    "It was raining and the bus was late.",
]


@pytest.mark.parametrize("text", ADDRESSED)
def test_talk_to_the_therapist_or_about_therapy_passes_the_target_gate(text):
    assert gates.is_addressed(text)


@pytest.mark.parametrize("text", NOT_ADDRESSED)
def test_talk_about_others_does_not_pass_the_target_gate(text):
    assert not gates.is_addressed(text)


@pytest.mark.parametrize(
    ("text", "cue", "reported"),
    [
        ("I said to him you never listen", "you never", True),
        ("She was like, you always do this", "you always", True),
        ('And he said "you are no help" again', "no help", True),
        ("You never listen", "You never", False),
        ("I said no. You never listen", "You never", False),
        ("I don't think you get it", "you get", False),
        ("He thinks you never listen", "you never", True),
    ],
)
def test_reported_speech_is_told_from_ones_own(text, cue, reported):
    assert gates.is_reported(text, text.index(cue)) is reported


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("I said to him you never listen", "I said to him"),
        ('He told me "get out". I left.', "He told me I left."),
        ("I told you it hurts", "I told you it hurts"),
        ("You said it would help", "You said it would help"),
        ("It hurts when I walk", "It hurts when I walk"),
    ],
)
def test_what_others_said_is_left_out_of_ones_own_words(text, own):
    assert gates.spoken_by_self(text) == own


@pytest.mark.parametrize("text", ["you know how it is", "thank you", "when you get older", "if you ask anyone"])
def test_the_you_of_people_in_general_is_not_counted(text):
    assert "you" not in gates.without_generic_you(text).split()


def test_a_you_for_the_therapist_is_counted():
    assert "you" in gates.without_generic_you("you said that, you know").split()


OPEN = ["What was that like for you?", "Tell me more about that.", "It sounds like that hurt.", "How do you feel?"]
CLOSED = ["How old were you?", "What time is your appointment?", "Which day?", "Did you take the bus?", "Mm-hm."]


@pytest.mark.parametrize("text", OPEN)
def test_open_invitations(text):
    assert gates.is_open_invitation(text)


@pytest.mark.parametrize("text", CLOSED)
def test_questions_with_short_ordinary_answers_are_no_open_invitation(text):
    assert not gates.is_open_invitation(text)


@pytest.mark.parametrize("text", ["How old were you?", "What was your dose?", "When is the next one?"])
def test_questions_for_facts(text):
    assert gates.is_factual_question(text)


@pytest.mark.parametrize("text", ["How did that feel, and how long has it hurt?", "What is it like?"])
def test_questions_for_feelings_are_not_questions_for_facts(text):
    assert not gates.is_factual_question(text)


@pytest.mark.parametrize(
    "text",
    ["Maybe we could try the worksheet again.", "I think part of you is scared of her.", "The idea is to notice it."],
)
def test_interventions(text):
    assert gates.is_intervention(text)


@pytest.mark.parametrize("text", ["Mm-hm.", "Okay, and then?", "Where did that happen?"])
def test_ordinary_prompts_are_no_interventions(text):
    assert not gates.is_intervention(text)


@pytest.mark.parametrize("text", ["Same time next week?", "Is there parking?", "Can you hear me?"])
def test_logistics(text):
    assert gates.is_logistics(text)


@pytest.mark.parametrize("text", ["I don't trust you.", "She died in spring."])
def test_work_is_not_logistics(text):
    assert not gates.is_logistics(text)


@pytest.mark.parametrize(
    "text", ["Yeah.", "I guess.", "I don't know, fine.", "Okay, yeah, sure, whatever.", "[laughs] No."]
)
def test_replies_that_give_nothing_are_minimal(text):
    assert gates.is_minimal(text)


@pytest.mark.parametrize("text", ["I guess I miss her most at night.", "No, it was my sister who called."])
def test_short_replies_with_content_are_not_minimal(text):
    assert not gates.is_minimal(text)


def test_laughter_counts_as_shared_only_when_both_laugh():
    both = [turn("So that happened [laughs]"), turn("[laughs] Oh no.", "therapist", start=2.0)]
    alone = [turn("So he hit me [laughs]"), turn("That sounds painful.", "therapist", start=2.0)]
    assert gates.is_shared_laughter(both, 0)
    assert not gates.is_shared_laughter(alone, 0)


def test_doubtful_words_never_reach_a_pattern():
    assert gates.sure_text(turn("you never listen", confidence=0.3)) == ""
    assert gates.sure_text(turn("you never listen")) == "you never listen"
    assert gates.word_reliability(turn("you never listen", confidence=0.3)) == 0.0
    assert gates.word_reliability(turn("you never listen", confidence=0.7)) == pytest.approx(0.8)


def test_what_speaks_against_a_turn_is_said():
    others = [
        turn("How many tablets?", "therapist"),
        turn("My boss never listens, the appointment is at four", start=2),
    ]
    said = " ".join(gates.speaks_against(others, 0, 1))
    assert "other people" in said
    assert "arrangements" in said
    assert "fact" in said
    assert gates.speaks_against([turn("What is it like?", "therapist"), turn("You never listen", start=2)], 0, 1) == []


@pytest.mark.parametrize(
    "text",
    [
        "Are you sleeping?",
        "how was that for you",
        "so what does that do for you",
        "and do you take it with food",
        "would you say",
    ],
)
def test_questions_are_known_without_their_mark(text):
    assert gates.is_question(text)


@pytest.mark.parametrize("text", ["So the week is one thing and the weekend another.", "That took courage.", "Go on."])
def test_statements_are_no_questions(text):
    assert not gates.is_question(text)
