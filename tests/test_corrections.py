"""Corrections: the words somebody meant, and no others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import AttuneError, Turn, Voice, Word
from pipeline.speech.corrections import (
    Correction,
    apply_corrections,
    check_correction,
    lay_out_turns,
    read_corrections,
)
from pipeline.speech.turns import TurnsOptions


def turn(start, text, speaker, role, backchannel=False, step=0.4):
    words = tuple(
        Word(round(start + k * step, 3), round(start + k * step + 0.3, 3), word, 0.8, speaker)
        for k, word in enumerate(text.split())
    )
    return Turn(words[0].start, words[-1].end, speaker, role, words, backchannel)


TURNS = [
    turn(0.0, "How was the week for you?", "speaker_1", "therapist"),
    turn(3.0, "It was long and I was tired. What made it long?", "speaker_2", "client"),
    turn(12.0, "My sister came.", "speaker_2", "client"),
]


def said(turns):
    return [(t.role, t.text) for t in turns]


def test_words_given_to_the_other_person_make_a_turn_of_theirs():
    given_away = Correction(5.8, 7.5, "role", "therapist", of="client")
    corrected = apply_corrections(TURNS, [given_away])
    assert said(corrected) == [
        ("therapist", "How was the week for you?"),
        ("client", "It was long and I was tired."),
        ("therapist", "What made it long?"),
        ("client", "My sister came."),
    ]
    assert {t.speaker for t in corrected if t.role == "therapist"} == {"speaker_1"}


def test_a_whole_turn_given_away_joins_the_one_before():
    corrected = apply_corrections(TURNS[1:], [Correction(12.0, 13.2, "role", "therapist")])
    assert said(corrected) == [("client", TURNS[1].text), ("therapist", "My sister came.")]
    assert corrected[1].speaker == "therapist"  # nobody had that role, so it gets a speaker of its own


def test_a_word_put_right_keeps_its_time_and_is_sure():
    fixed = apply_corrections(TURNS, [Correction(12.4, 12.75, "words", text="sisters")])[-1]
    assert fixed.text == "My sisters came."
    assert (fixed.words[1].start, fixed.words[1].end, fixed.words[1].confidence) == (12.4, 12.7, 1.0)


def test_several_words_share_the_time_by_their_letters():
    fixed = apply_corrections(TURNS, [Correction(12.0, 12.9, "words", text="Both my sisters")])[-1]
    assert fixed.text == "Both my sisters came."
    starts = [word.start for word in fixed.words[:3]]
    lengths = [round(word.end - word.start, 3) for word in fixed.words[:3]]
    assert starts == sorted(starts)
    assert lengths[2] > lengths[0] > lengths[1]


def test_words_that_nobody_said_go():
    assert said(apply_corrections(TURNS, [Correction(12.0, 13.2, "words")]))[-1] == ("client", TURNS[1].text)


def test_only_the_person_meant_is_corrected_where_two_talk_at_once():
    over = [TURNS[1], turn(3.9, "Mm-hm.", "speaker_1", "therapist", backchannel=True)]
    corrected = apply_corrections(over, [Correction(3.8, 4.2, "words", text="loud", of="client")])
    texts = " / ".join(t.text for t in corrected)
    assert "Mm-hm." in texts
    assert "loud" in texts
    assert "long and" not in texts


def test_the_later_correction_wins():
    both = [Correction(12.0, 13.2, "role", "therapist"), Correction(12.0, 13.2, "role", "client")]
    assert said(apply_corrections(TURNS, both)) == said(TURNS)


def test_nothing_met_changes_nothing_at_all():
    assert apply_corrections(TURNS, [Correction(50.0, 60.0, "words", text="nothing")]) == TURNS
    assert apply_corrections([], [Correction(0.0, 1.0, "role", "client")]) == []


def test_a_turn_is_cut_at_the_chosen_word_and_joined_again():
    split = Correction(5.8, 6.1, "split", of="client")
    join = Correction(5.8, 6.1, "join", of="client")
    cut = apply_corrections(TURNS, [split])
    assert said(cut)[1:3] == [("client", "It was long and I was tired."), ("client", "What made it long?")]
    assert [(t.start, t.end) for t in cut[1:3]] == [(3.0, 5.7), (5.8, 7.3)]
    assert apply_corrections(TURNS, [split, join]) == TURNS
    assert apply_corrections(TURNS, [split, join, split]) == cut
    assert apply_corrections(cut, [split]) == cut  # once more changes nothing


def test_a_turn_joined_goes_over_what_the_other_said_between():
    between = [TURNS[1], turn(9.0, "I see what you mean.", "speaker_1", "therapist"), TURNS[2]]
    joined = apply_corrections(between, [Correction(12.0, 12.3, "join")])
    assert said(joined) == [("client", f"{TURNS[1].text} {TURNS[2].text}"), ("therapist", "I see what you mean.")]
    assert (joined[0].start, joined[0].end) == (TURNS[1].start, TURNS[2].end)


def test_a_first_turn_and_a_word_in_the_middle_have_nothing_to_join():
    for at in (0.0, 3.4):
        assert apply_corrections(TURNS, [Correction(at, at + 0.3, "join")]) == TURNS
    assert apply_corrections(TURNS, [Correction(3.0, 3.3, "split")]) == TURNS


def test_a_listening_sound_that_is_joined_to_talk_is_one_no_more():
    sound = turn(2.5, "Mm.", "speaker_2", "client", backchannel=True)
    joined = apply_corrections([TURNS[0], sound, TURNS[1]], [Correction(3.0, 3.3, "join", of="client")])
    assert [t.backchannel for t in joined] == [False, False]
    assert joined[1].text == f"Mm. {TURNS[1].text}"


def test_words_said_at_another_time_take_their_turn_with_them():
    later = apply_corrections(TURNS, [Correction(12.0, 13.2, "times", of="client", begins=20.0, ends=21.1)])
    assert said(later) == said(TURNS)
    assert [(w.start, w.end) for w in later[2].words] == [(20.0, 20.3), (20.4, 20.7), (20.8, 21.1)]
    assert (later[2].start, later[2].end) == (20.0, 21.1)
    assert {w.confidence for w in later[2].words} == {0.8}


def test_a_word_put_right_can_be_moved_too():
    both = [
        Correction(12.4, 12.7, "words", text="sisters"),
        Correction(12.4, 12.7, "times", begins=12.31, ends=12.74),
    ]
    assert apply_corrections(TURNS, both)[2].words[1] == Word(12.31, 12.74, "sisters", 1.0, "speaker_2")


EDGES = st.tuples(st.floats(0, 14), st.floats(0.05, 4), st.sampled_from(["split", "join"]))


@given(st.lists(EDGES, max_size=8))
@settings(max_examples=60, deadline=None)
def test_cutting_and_joining_never_loses_doubles_or_changes_a_word(edges):
    corrected = apply_corrections(TURNS, [Correction(at, at + length, kind) for at, length, kind in edges])
    words = sorted((w for t in corrected for w in t.words), key=lambda w: w.start)
    assert words == sorted((w for t in TURNS for w in t.words), key=lambda w: w.start)
    assert [t.start for t in corrected] == sorted(t.start for t in corrected)
    for t in corrected:
        assert (t.start, t.end) == (t.words[0].start, max(w.end for w in t.words))


@given(st.lists(st.tuples(st.floats(0, 14), st.floats(0.05, 4), st.sampled_from(["therapist", "client"])), max_size=6))
@settings(max_examples=60, deadline=None)
def test_giving_words_away_never_loses_or_doubles_one(stretches):
    corrections = [Correction(a, a + length, "role", role) for a, length, role in stretches]
    corrected = apply_corrections(TURNS, corrections)
    before = sorted((w.start, w.text) for t in TURNS for w in t.words)
    assert sorted((w.start, w.text) for t in corrected for w in t.words) == before
    assert [t.start for t in corrected] == sorted(t.start for t in corrected)
    assert apply_corrections(corrected, corrections) == corrected  # once more changes nothing


@pytest.mark.parametrize(
    "row",
    [
        {"start": 1.0, "end": 1.0, "kind": "words", "text": "a"},
        {"start": 2.0, "end": 1.0, "kind": "words", "text": "a"},
        {"start": 0.0, "end": 1.0, "kind": "role"},
        {"start": 0.0, "end": 1.0, "kind": "role", "role": "patient"},
        {"start": 0.0, "end": 1.0, "kind": "words", "role": "client"},
        {"start": 0.0, "end": 1.0, "kind": "words", "text": "a", "of": "nobody"},
        {"start": 0.0, "end": 1.0, "kind": "spelling"},
        {"start": 0.0, "end": float("inf"), "kind": "words"},
        {"start": 0.0, "kind": "words"},
        {"start": 0.0, "end": 1.0, "kind": "words", "txt": "a"},
        {"start": 0.0, "end": 1.0, "kind": "times"},
        {"start": 0.0, "end": 1.0, "kind": "times", "begins": 2.0},
        {"start": 0.0, "end": 1.0, "kind": "times", "begins": 2.0, "ends": 2.0},
        {"start": 0.0, "end": 1.0, "kind": "split", "begins": 2.0, "ends": 3.0},
        {"start": 0.0, "end": 1.0, "kind": "join", "role": "client"},
    ],
)
def test_what_does_not_fit_is_named(row):
    good = {"start": 0.0, "end": 1.0, "kind": "role", "role": "client"}
    with pytest.raises(AttuneError, match="correction 2") as caught:
        read_corrections([good, row])
    assert caught.value.code == "correction-unreadable"


def test_turns_are_laid_out_with_what_was_put_right():
    words = [word for t in TURNS for word in t.words]
    voices = [Voice(0, 9, "speaker_1", "therapist", 1.0, ""), Voice(0, 9, "speaker_2", "client", 1.0, "")]
    fix = [Correction(12.4, 12.75, "words", text="brother")]
    assert lay_out_turns(words, [], voices, None, TurnsOptions()) == TURNS
    assert lay_out_turns(words, [], voices, fix, TurnsOptions())[-1].text == "My brother came."


def test_a_good_row_is_read_as_written():
    row = {"start": 1, "end": 2.5, "kind": "words", "text": "so", "of": "client"}
    assert read_corrections([row]) == [Correction(1.0, 2.5, "words", None, "so", "client")]
    moved = {"start": 1, "end": 2.5, "kind": "times", "begins": 3, "ends": 4}
    assert read_corrections([moved]) == [Correction(1.0, 2.5, "times", begins=3.0, ends=4.0)]
    check_correction(Correction(0.0, 1.0, "role", "other"))
