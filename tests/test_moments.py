"""From turns to findings: what is flagged, where it starts, and what stays quiet."""

import pytest

from pipeline.alliance.markers import MarkersOptions, find_markers, markers_models
from pipeline.alliance.moments import MomentsOptions, find_moments
from pipeline.records import Turn, Voice, Word

VOICES = [Voice(0.0, 600.0, "A", "therapist", 0.95, ""), Voice(0.0, 600.0, "B", "client", 0.95, "")]


def talk(*lines: tuple[str, str] | tuple[str, str, float]) -> list[Turn]:
    """Turns from ("t" | "c", text[, gap in seconds]); 2.7 words a second, 0.3 s between turns."""
    turns, at = [], 0.0
    for who, text, *gap in lines:
        start = at + (gap[0] if gap else 0.3)
        step = 1 / 2.7
        words = tuple(Word(start + k * step, start + (k + 1) * step, w) for k, w in enumerate(text.split()))
        at = words[-1].end
        turns.append(Turn(start, at, who, "therapist" if who == "t" else "client", words))
    return turns


ORDINARY = [
    ("t", "How has the week been since we met?"),
    ("c", "Pretty full, my sister came down and we took the kids to the lake and it was good to get out."),
    ("t", "It sounds like that was a welcome break."),
    ("c", "It was, I slept properly for once and I noticed I wasn't checking the phone every minute."),
] * 5
COMPLAINT = [
    ("t", "I think part of you might be avoiding the forms because of what they bring up."),
    ("c", "You keep saying that, but you're not listening to me. These forms are pointless and this isn't helping."),
    ("t", "I'm sorry, I pushed that too hard. What is it like to hear me say that?"),
    ("c", "Annoying, honestly, because I did try them and it made the evening worse, so I stopped."),
]


def test_options_name_the_weights_they_need():
    assert markers_models(MarkersOptions(), None) == ("minilm",)
    assert markers_models(MarkersOptions(embedder="none"), None) == ()
    assert markers_models(MarkersOptions(text=False), None) == ()


@pytest.mark.parametrize("embedder", ["none", pytest.param("minilm", marks=pytest.mark.models)])
def test_a_complaint_is_found_from_the_therapists_turn_before(embedder):
    turns = talk(*ORDINARY, *COMPLAINT, *ORDINARY)
    markers = find_markers(turns, None, None, MarkersOptions(embedder=embedder))
    found = find_moments(markers, turns, None, VOICES, MomentsOptions(audit=False))
    assert [m.kind for m in found.moments] == ["confrontation"]
    start = found.moments[0].start
    assert turns[len(ORDINARY) - 2].start <= start <= turns[len(ORDINARY)].start
    assert start in {turn.start for turn in turns if turn.role == "therapist"}
    assert found.moments[0].why
    assert found.moments[0].repairs
