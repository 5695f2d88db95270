"""Word classes: counted where they stand close together, so that a long story is no louder than a short reply."""

import pytest

from pipeline.alliance import lexicon


def numbers(text, role="client"):
    return dict(zip(lexicon.class_names(role), lexicon.count_classes(text, role), strict=True))


def test_a_short_turn_counts_every_hit():
    found = numbers("you never listen, you never did, never")
    assert found["force_hits"] == 1.0
    assert found["second_person_hits"] == pytest.approx(2 / 3)


def test_the_same_words_spread_over_a_long_story_do_not_add_up():
    story = " ".join(["and then the bus came round by the shops"] * 4)
    spread = numbers(f"he never called {story} he never wrote {story} he never came {story}")
    close = numbers(f"{story} he never called, never wrote, never came {story}")
    assert spread["force_hits"] == pytest.approx(lexicon.IN_LONG / 3)
    assert close["force_hits"] == lexicon.IN_LONG < 1.0
    assert spread["force_density"] == pytest.approx(lexicon.DENSE * 3 / 117, abs=1e-3)


def test_hits_are_found_wherever_the_dense_stretch_lies():
    story = " ".join(["word"] * 70)
    for text in (f"never never {story}", f"{story} never never", f"{story} never never {story}"):
        assert numbers(text)["force_hits"] == pytest.approx(lexicon.IN_LONG * 2 / 3)


def test_the_therapists_words_have_their_own_classes():
    assert numbers("I'm sorry, I missed that", "therapist")["apology_hits"] > 0
    assert "apology_hits" not in numbers("I'm sorry")
