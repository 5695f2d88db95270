"""Words by kind: counts on lines whose words are known."""

import math

import pytest

from pipeline.features.language import measure_language, missing_columns
from pipeline.features.questions import kind_of
from pipeline.features.wordlists import NEEDED, languages, load_lists
from pipeline.records import Turn, Word


def turn(text, who="C", confidence=1.0):
    words = tuple(Word(k * 0.3, k * 0.3 + 0.2, w, confidence) for k, w in enumerate(text.split()))
    return Turn(0.0, max(0.3 * len(words), 0.1), who, {"C": "client", "T": "therapist"}[who], words)


def row(text, **options):
    return {name: values[0] for name, values in measure_language([turn(text, **options)], "en").items()}


@pytest.mark.parametrize(
    ("text", "column", "count"),
    [
        ("I told my brother that we're done", "first_person_share", 3),
        ("he said they'd call her", "third_person_share", 3),
        ("no, I can't, I never could", "negation_share", 3),
        ("I guess it's sort of fine", "hedges_share", 2),
        ("I always feel completely alone", "certainty_share", 2),
        ("I always feel completely alone", "feeling_share", 2),
        ("in here, right now, between us", "here_and_now_share", 3),
        ("the homework and this session", "therapy_share", 2),
    ],
)
def test_shares_are_of_the_turns_words(text, column, count):
    assert row(text)[column] == pytest.approx(count / len(text.replace(",", "").split()))


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("You never listen.", "you_therapist"),
        ("When you get older it hurts.", "you_generic"),
        ("It was, you know, fine.", "you_generic"),
        ("He said to me, you never listen.", "you_quoted"),
        ("She goes “you always do this”.", "you_quoted"),
        ("He said no. I think you never listen.", "you_therapist"),
    ],
)
def test_who_you_is(text, who):
    measured = row(text)
    kinds = ("you_therapist", "you_generic", "you_quoted")
    assert {kind: measured[kind] for kind in kinds} == {kind: float(kind == who) for kind in kinds}


def test_disfluency_and_laughter():
    measured = row("um I've I've been, uh, it was a, a different wee— [laughs] week. Yeah, yeah.")
    assert measured["fillers"] == 2
    assert measured["repetitions"] == 2
    assert measured["false_starts"] == 1
    assert measured["laughter_read"] == 1


def test_agreement_without_more():
    assert row("Yeah, okay, um, sure.")["agreement_only"] == 1.0
    assert row("Yeah, I will try that.")["agreement_only"] == 0.0
    assert math.isnan(row("")["agreement_only"])


def test_doubtful_words_are_not_counted():
    assert row("I feel sad", confidence=0.3)["feeling_share"] != row("I feel sad")["feeling_share"]


def test_similarity_to_the_other_and_to_the_topic():
    turns = [
        turn("Tell me about the garden and your brother", "T"),
        turn("The garden was my brother's idea"),
        turn("The parking was full again"),
    ]
    measured = measure_language(turns, "en")
    assert math.isnan(measured["similarity_other"][0])
    assert measured["similarity_other"][1] > 0.5
    assert measured["similarity_other"][2] == 0.0
    assert 0.0 < measured["similarity_topic"][1] <= 1.0


def test_variety_needs_twenty_words():
    assert math.isnan(row("one two three")["lexical_variety"])
    assert row(" ".join(f"w{k}" for k in range(25)))["lexical_variety"] == 1.0
    assert row("well " * 25)["lexical_variety"] == pytest.approx(1 / 20)


def test_a_language_without_lists_says_so_in_the_same_columns():
    english = measure_language([turn("hello there")], "en")
    swahili = measure_language([turn("habari yako")], "sw")
    assert swahili["language_lists"] == ["not available"]
    assert set(english) == set(swahili) == set(missing_columns())
    assert math.isnan(swahili["feeling_share"][0])
    assert measure_language([turn("x")], "../etc")["language_lists"] == ["not available"]


def test_every_list_has_a_source_and_lower_case_words():
    assert "en" in languages()
    for code in languages():
        for name in NEEDED:
            words = load_lists(code)[name]
            assert words.source, name
            assert words.words, name
            assert all(word == word.lower().strip() and "’" not in word for word in words.words), name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("What was that like for you?", "open question"),
        ("Right. So how did the week go", "open question"),
        ("Tell me a bit more about that.", "open question"),
        ("What steps could you take?", "open question"),
        ("How many times a week?", "closed question"),
        ("Did you sleep?", "closed question"),
        ("Have you spoken to her since", "closed question"),
        ("So you felt left out of it.", "reflection"),
        ("It sounds like that was a lot.", "reflection"),
        ("You're comfortable with that?", "reflection"),
        ("What was it like? Was it bad?", "closed question"),
        ("We have ten minutes left.", "statement"),
        ("Mm-hmm.", "statement"),
    ],
)
def test_what_a_turn_asks(text, kind):
    assert kind_of(text) == kind
