"""Which verdicts may be given to somebody who still has to judge."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.review.agreement import same_clip
from pipeline.review.whose import verdicts_for
from tests.test_review_verdicts import verdict

several = st.lists(
    st.builds(
        verdict,
        rater=st.sampled_from("abc"),
        at=st.sampled_from([10.0, 100.0, 200.0]),
        subject=st.sampled_from(["flag", "audit", "missed"]),
        session=st.sampled_from("st"),
        rater_role=st.sampled_from(["supervisor", "trainee", "consensus"]),
    ),
    max_size=12,
)


@given(several)
def test_nothing_leads_and_nothing_of_ones_own_is_left_out(standing):
    own = [v for v in standing if v.rater == "a"]
    assert verdicts_for(standing, "a", everyone=False) == own
    found = verdicts_for(standing, "a", everyone=True)
    assert [v for v in found if v.rater == "a"] == own
    assert [v for v in standing if v in found] == found
    judged = [v for v in own if v.subject != "missed"]
    for other in (v for v in found if v.rater != "a"):
        assert any(v.session == other.session and (other.subject == "missed" or same_clip(v, other)) for v in judged)


def test_of_a_clip_judged_by_both_everybodys_verdict_is_given():
    mine, theirs = verdict("a", at=10.0), verdict("b", at=12.0, answer="disagree")
    common = verdict("b", at=10.0, rater_role="consensus")
    elsewhere, added = verdict("b", at=100.0), verdict("b", at=300.0, subject="missed")
    assert verdicts_for([mine, theirs, common, elsewhere, added], "a", everyone=True) == [mine, theirs, common, added]
    assert verdicts_for([theirs, elsewhere, added], "", everyone=True) == []
