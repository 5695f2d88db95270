"""Agreement between people, against published and hand-worked figures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.review.agreement import (
    ANSWERS,
    cohen_kappa,
    gwet_ac1,
    measure_agreement,
    measure_precision,
    pair_answers,
    precision_by_marker,
    wilson_interval,
)
from tests.test_review_verdicts import verdict

# Gwet (2008), table of 125 items with two raters and two categories: 118, 5, 2, 0
GWET = [("+", "+")] * 118 + [("+", "-")] * 5 + [("-", "+")] * 2


def test_kappa_and_ac1_of_the_paradox():
    assert cohen_kappa(GWET) == pytest.approx(-0.0234, abs=1e-3)
    assert gwet_ac1(GWET, "+-") == pytest.approx(0.9408, abs=1e-3)


def test_kappa_worked_by_hand():
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15  # observed .7, expected .5
    assert cohen_kappa(pairs) == pytest.approx(0.4)


def test_what_is_not_defined_is_none():
    assert cohen_kappa([]) is None
    assert gwet_ac1([]) is None
    assert cohen_kappa([("agree", "agree")] * 5) is None  # chance alone gives 1
    assert gwet_ac1([("agree", "agree")] * 5) == 1.0


def test_an_answer_of_no_category_is_refused():
    with pytest.raises(ValueError, match="categories"):
        gwet_ac1([("yes", "no")])


answers = st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS)), min_size=1, max_size=40)


@given(answers)
def test_the_order_of_the_two_people_does_not_matter(pairs):
    turned = [(b, a) for a, b in pairs]
    assert gwet_ac1(pairs) == pytest.approx(gwet_ac1(turned))
    kappa, other = cohen_kappa(pairs), cohen_kappa(turned)
    assert (kappa is None and other is None) or math.isclose(kappa, other, abs_tol=1e-12)
    assert kappa is None or kappa <= 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_interval_holds_the_share(hits, misses):
    low, high = wilson_interval(hits, hits + misses)
    assert 0.0 <= low <= high <= 1.0
    if hits + misses:
        assert low - 1e-9 <= hits / (hits + misses) <= high + 1e-9


def test_wilson_by_hand():
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)


def test_two_people_are_compared_clip_by_clip():
    both = [
        verdict("a", at=10.0, answer="agree"),
        verdict("a", at=100.0, answer="disagree"),
        verdict("a", at=200.0, answer="agree"),
        verdict("b", at=11.0, answer="agree"),
        verdict("b", at=101.0, answer="agree"),
        verdict("b", at=200.0, answer="agree", subject="missed", mark="x"),
    ]
    assert pair_answers(both[:3], both[3:5]) == [("agree", "agree"), ("disagree", "agree")]
    [found] = measure_agreement(both)
    assert (found.first, found.second, found.both, found.same) == ("a", "b", 2, 1)


def test_precision_counts_flags_only_and_lets_consensus_settle():
    judged = [
        verdict("a", at=10.0, answer="agree", marker="wd_denial"),
        verdict("b", at=10.0, answer="disagree", marker="wd_denial"),
        verdict("a", at=100.0, answer="disagree", marker="cf_complaint_activities"),
        verdict("a", at=200.0, answer="unsure", marker="wd_denial"),
        verdict("a", at=300.0, answer="disagree", subject="audit"),
        verdict("a", at=400.0, answer="agree", subject="missed", mark="x"),
        verdict("c", at=10.5, answer="agree", marker="wd_denial", rater_role="consensus"),
    ]
    whole = measure_precision(judged)
    assert (whole.agreed, whole.disagreed, whole.unsure, whole.share) == (1, 1, 1, 0.5)
    by_marker = {p.of: (p.agreed, p.disagreed, p.unsure) for p in precision_by_marker(judged)}
    assert by_marker == {"wd_denial": (1, 0, 1), "cf_complaint_activities": (0, 1, 0)}
    assert measure_precision([]).share is None
