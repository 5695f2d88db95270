"""Repair attempts: found, typed, followed by what the client did; never called resolved."""

import pytest

from pipeline.alliance import timing
from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.repair import engagement_after, find_repairs
from pipeline.records import Marker
from tests.talk import ORDINARY, talk

SHORT = [("t", "What comes up for you there?"), ("c", "Dunno.", 3.0), ("t", "Say more?"), ("c", "Not really.", 3.0)]
TRY = [("t", "I wonder if I pushed you just then, and how that was?")]
LONG = [line for line in ORDINARY if line[0] == "c"][:3]
BACK = [part for line in LONG for part in (line, ("t", "And what else do you notice there?"))]
THIN = [part for _ in range(3) for part in (("c", "Yeah, okay.", 0.3), ("t", "What do you make of that?"))]


def after(lines):
    """Engagement after the attempt in ordinary talk, short replies, an attempt and then `lines`."""
    talked = talk(*ORDINARY, *SHORT, *TRY, *lines)
    course = timing.measure_course(talked)
    attempt = talked[len(ORDINARY) + len(SHORT)]
    return engagement_after(talked, course, attempt.start, attempt.end)


def test_a_client_who_talks_as_before_is_back_near_usual():
    assert after(BACK) == ("back near usual", "")


def test_thin_agreement_is_named_and_never_back_near_usual():
    engagement, note = after(THIN)
    assert engagement in ("not seen", "partly")
    assert "agreement without elaboration" in note


def test_too_few_turns_cannot_be_told():
    assert after(BACK[:1])[0] == "cannot tell"


def strategy(turns, i, name, strength):
    return Marker(turns[i].start, turns[i].end, name, "resolution", "therapist", i, strength, 1.0, "text")


@pytest.fixture
def session():
    turns = talk(*ORDINARY, *TRY, *BACK, *ORDINARY)
    return turns, timing.measure_course(turns)


def repairs(session, *markers):
    turns, course = session
    return find_repairs([strategy(turns, *m) for m in markers], turns, course, load_catalogue(), 0.1, 0.3)


def test_neighbouring_strategies_are_one_attempt_of_both_types(session):
    (found,) = repairs(session, (12, "rs_acknowledge_contribution", 0.6), (14, "rs_change_task_goal", 0.5))
    assert found.type == "both"
    assert found.strategies == ("rs_acknowledge_contribution", "rs_change_task_goal")
    assert found.words.startswith("I wonder if I pushed")


def test_distant_strategies_are_two_attempts(session):
    assert len(repairs(session, (0, "rs_rationale", 0.6), (12, "rs_invite_feelings", 0.6))) == 2


def test_an_attempt_must_reach_its_peak_somewhere(session):
    assert repairs(session, (12, "rs_invite_feelings", 0.2)) == []
    assert repairs(session, (12, "rs_invite_feelings", 0.05), (14, "rs_invite_feelings", 0.05)) == []


@pytest.mark.parametrize(("name", "kind"), [("rs_invite_feelings", "exploratory"), ("rs_rationale", "immediate")])
def test_the_type_follows_the_strategy(session, name, kind):
    assert repairs(session, (12, name, 0.6))[0].type == kind
