"""Speaker scores on talk whose errors are put in by hand."""

import pytest

from pipeline.evaluate.speakers import (
    DerSeconds,
    SpeakerCounts,
    match_people,
    score_cp,
    score_der,
    score_speakers,
    talk_share_error,
    talk_shares,
)
from pipeline.records import Speech, Turn, Word

TRUE = [Speech(0, 10, "D"), Speech(10, 20, "P")]


def turn(start: float, text: str, speaker: str) -> Turn:
    words = tuple(Word(start + i, start + i + 0.9, token) for i, token in enumerate(text.split()))
    return Turn(start, words[-1].end, speaker, "client", words)


def reference(*turns: tuple[float, str, str]) -> list[tuple[Word, ...]]:
    return [
        tuple(Word(start + i, start + i + 0.9, token, speaker=speaker) for i, token in enumerate(text.split()))
        for start, text, speaker in turns
    ]


def test_names_do_not_matter_to_der():
    assert score_der(TRUE, [Speech(0, 10, "x"), Speech(10, 20, "y")]).rate == 0


def test_der_counts_each_kind_in_seconds():
    found = score_der(TRUE, [Speech(0, 9, "x"), Speech(10, 18, "y"), Speech(18, 20, "x"), Speech(20, 23, "y")])
    assert (found.total, found.missed, found.false_alarm, found.confusion) == (20, 1, 3, 2)
    assert found.rate == pytest.approx(6 / 20)


def test_the_collar_is_a_quarter_second_on_each_side():
    late = [Speech(0, 10.2, "x"), Speech(10.2, 20, "y")]
    assert score_der(TRUE, late).confusion == pytest.approx(0.2)
    assert score_der(TRUE, late, collar_s=0.25).confusion == 0
    later = [Speech(0, 10.3, "x"), Speech(10.3, 20, "y")]
    assert score_der(TRUE, later, collar_s=0.25).confusion == pytest.approx(0.05)


def test_each_of_two_at_once_counts():
    both = [Speech(0, 10, "D"), Speech(8, 20, "P")]
    one = [Speech(0, 10, "x"), Speech(10, 20, "y")]
    assert score_der(both, one).missed == pytest.approx(2)


def test_der_adds_up():
    a, b = DerSeconds(10, 1, 0, 0), DerSeconds(30, 0, 1, 2)
    assert (a + b).rate == pytest.approx(4 / 40)


def test_words_and_short_turns_given_to_the_wrong_person_are_counted():
    true = reference((0, "how did you sleep last night", "D"), (7, "badly", "P"), (9, "tell me more about it", "D"))
    right = [turn(0, "how did you sleep last night", "a"), turn(7, "badly", "b"), turn(9, "tell me more about it", "a")]
    swallowed = [
        turn(0, "how did you sleep last night badly", "a"),
        turn(9, "tell me more", "a"),
        turn(12, "about it", "b"),
    ]
    assert score_speakers(true, right) == SpeakerCounts(12, 0, 1, 0, 0, 12, 0)
    found = score_speakers(true, swallowed)
    assert (found.words, found.words_wrong, found.short, found.short_wrong) == (12, 3, 1, 1)


def test_a_misheard_word_is_found_by_its_time_and_a_missing_one_is_not_counted():
    true = reference((0, "yes I do", "D"), (5, "no", "P"), (8, "right", "P"))
    found = score_speakers(true, [turn(0, "yes I do", "a"), turn(5, "know", "b")])
    assert (found.words, found.words_wrong, found.short) == (4, 0, 2)


def test_a_short_turn_under_other_talk_that_nobody_wrote_was_given_to_nobody():
    true = reference((0, "how did you sleep last night", "D"), (2.1, "mm-hm", "P"), (7, "badly", "P"))
    found = score_speakers(true, [turn(0, "how did you sleep last night", "a"), turn(7, "badly", "b")])
    assert (found.words, found.words_wrong, found.short, found.short_wrong, found.short_unheard) == (7, 0, 1, 0, 1)


def test_nothing_heard_is_counted_as_nothing_heard():
    found = score_speakers(reference((0, "yes I do", "D")), [])
    assert (found.words, found.cp_words, found.cp_errors) == (0, 3, 3)


def test_people_pair_one_to_one_for_the_most_agreement():
    pairs = [("D", "x")] * 5 + [("P", "x")] * 4 + [("P", "y")] * 2 + [("D", "y")] * 3
    assert match_people(pairs) == {"x": "P", "y": "D"} or match_people(pairs) == {"x": "D", "y": "P"}
    assert match_people([("D", "x")] * 5 + [("P", "y")] + [("P", "x")] * 3) == {"x": "D", "y": "P"}
    assert match_people([]) == {}


def test_cpwer_takes_the_best_pairing_and_counts_what_is_left_over():
    assert score_cp({"D": "how are you", "P": "fine"}, {"1": "fine", "2": "how are you"}) == (4, 0)
    assert score_cp({"D": "how are you", "P": "fine"}, {"1": "how are you fine"}) == (4, 2)
    assert score_cp({"D": "how are you"}, {"1": "how are you", "2": "well"}) == (3, 1)


def test_talk_shares_add_to_one_and_errors_are_of_the_person():
    assert talk_shares(TRUE) == {"D": 0.5, "P": 0.5}
    assert talk_shares([]) == {}
    assert talk_share_error(TRUE, [Speech(0, 12, "x"), Speech(12, 20, "y")]) == pytest.approx(0.1)
    assert talk_share_error(TRUE, [Speech(0, 20, "x")]) == pytest.approx(0.5)
