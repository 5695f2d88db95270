"""Everyday words that tell therapist from client."""

import json

import pytest

from pipeline.alliance.scripts import SHIPPED as SCRIPTS
from pipeline.alliance.scripts import load_scripts
from pipeline.commands.train import said_by, train_role_words
from pipeline.records import AttuneError
from pipeline.speech.role_words import SHIPPED, fit_role_words, load_role_words, weigh_words

HELD_OUT = SCRIPTS.with_name("held_out")


def evidence(a: str, b: str, weights=None) -> float:
    return sum(weigh_words(a, b, load_role_words() if weights is None else weights).values())


@pytest.mark.parametrize("script", load_scripts(HELD_OUT), ids=lambda script: script.id)
def test_roles_of_sessions_not_learned_from(script):
    assert evidence(said_by(script, "therapist"), said_by(script, "client")) > 1.0


def test_evidence_turns_with_the_people_and_says_nothing_of_equals_or_silence():
    a, b = "So how would that be for you?", "My brother's fine, but he doesn't know."
    assert evidence(a, b) == pytest.approx(-evidence(b, a)) != 0
    assert evidence(a, a) == 0
    assert evidence("", "") == 0


def test_a_curly_apostrophe_and_capitals_change_nothing():
    assert evidence("You’ve SAID", "no") == evidence("you've said", "no")


def test_only_words_common_to_many_sessions_count():
    sessions = [(f"so {k * 'rare '}", "but my my") for k in (1, 0, 0, 0)]
    weights = fit_role_words(sessions)
    assert set(weights) == {"so", "but", "my"}
    assert weights["so"] > 0 > weights["my"]


def test_the_shipped_weights_are_those_of_the_shipped_scripts(tmp_path):
    train_role_words(SCRIPTS, tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert list(again) == list(shipped)
    assert again == pytest.approx(shipped, abs=0.005)


@pytest.mark.parametrize("content", ["", "[1]", '{"so": "much"}'])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, content):
    path = tmp_path / "role_words.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AttuneError, match=r"role_words\.json") as raised:
        load_role_words(path)
    assert "attune train" in raised.value.mend
