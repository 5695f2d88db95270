"""Which verdicts somebody may be given who still has to judge: another person's must not lead them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.review.agreement import same_clip
from pipeline.review.verdicts import Verdict


def verdicts_for(standing: Sequence[Verdict], rater: str, *, everyone: bool) -> list[Verdict]:
    """The person's own verdicts; with `everyone`, other people's too where these cannot lead the person any more.

    That is where the person has judged the same clip, and for moments that others added where the person has judged a
    clip of that session: in a blind first pass they have not.

    standing  those that stand, of everybody, of any sessions, in order of time
    returns   in the same order
    """
    own = [verdict for verdict in standing if verdict.rater == rater]
    if not everyone:
        return own
    judged = [verdict for verdict in own if verdict.subject != "missed"]
    begun = {verdict.session for verdict in judged}

    def is_open(verdict: Verdict) -> bool:
        if verdict.rater == rater:
            return True
        if verdict.subject == "missed":
            return verdict.session in begun
        return any(same_clip(verdict, mine) for mine in judged)

    return [verdict for verdict in standing if is_open(verdict)]
