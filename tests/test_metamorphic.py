"""What must change when the talk changes, and what must not."""

import re
from dataclasses import replace

import pytest

from pipeline.alliance.markers import MarkersOptions, find_markers
from pipeline.alliance.moments import MomentsOptions, find_moments
from tests.talk import COMPLAINT, QUIET_SESSION, SESSION, SHUTTING_DOWN, VOICES, talk

MODELS = pytest.param("minilm", marks=pytest.mark.models)
BOTH = pytest.mark.parametrize("embedder", ["none", MODELS])


def most(turns, family, embedder):
    """The family's strongest marker from words."""
    found = find_markers(turns, None, None, MarkersOptions(embedder=embedder))
    return max((m.strength for m in found if m.family == family), default=0.0)


def flags(turns, embedder="none"):
    markers = find_markers(turns, None, None, MarkersOptions(embedder=embedder))
    return find_moments(markers, turns, None, VOICES, MomentsOptions(audit=False)).moments


def rewritten(change):
    """The session with the client's part of the complaint changed."""
    spoken = {line[1] for line in COMPLAINT if line[0] == "c"}
    return talk(*[(line[0], change(line[1]), *line[2:]) if line[1] in spoken else line for line in SESSION])


def to_the_boss(text):
    text = re.sub(r"\byou're\b", "my boss is", text, flags=re.IGNORECASE)
    return re.sub(r"\byou\b", "my boss", text, flags=re.IGNORECASE)


@BOTH
def test_a_complaint_about_the_boss_is_less_than_one_to_the_therapist(embedder):
    assert most(rewritten(to_the_boss), "confrontation", embedder) < most(talk(*SESSION), "confrontation", embedder)


@BOTH
def test_a_reported_complaint_is_less_than_ones_own(embedder):
    reported = rewritten(lambda text: f'I said to him "{text}"')
    assert most(reported, "confrontation", embedder) < most(talk(*SESSION), "confrontation", embedder)


def test_a_longer_wait_is_more_withdrawal():
    def waiting(seconds):
        return talk(*[(w, text, seconds) if (w, text, *g) in SHUTTING_DOWN and g else (w, text, *g) for w, text, *g in
                      QUIET_SESSION])  # fmt: skip

    def shown(turns):
        found = find_markers(turns, None, None, MarkersOptions(text=False))
        return sum(m.strength for m in found if m.family == "withdrawal" and m.modality == "timing")

    assert shown(waiting(6.0)) > shown(waiting(0.4))


def test_a_longer_silence_of_the_client_adds_a_silence():
    def silence(gap):
        turns = talk(*SHUTTING_DOWN[:1], ("t", "Take your time.", gap), *SHUTTING_DOWN[1:])
        found = find_markers(turns, None, None, MarkersOptions(embedder="none"))
        return sum(m.why.startswith("a silence of") for m in found)

    assert silence(6.0) == silence(0.5) + 1


def test_a_later_start_of_the_recording_moves_every_flag_and_nothing_else():
    now, later = flags(talk(*SESSION)), flags(talk(*SESSION, shift=10.0))
    assert len(now) == len(later) > 0
    for a, b in zip(now, later, strict=True):
        assert (b.start - a.start, b.peak - a.peak) == (pytest.approx(10.0), pytest.approx(10.0))
        assert (a.kind, a.marker) == (b.kind, b.marker)


def test_swapped_roles_change_what_is_found():
    turns = talk(*SESSION)
    other = {"client": "therapist", "therapist": "client"}
    swapped = [replace(turn, role=other[turn.role]) for turn in turns]
    peaks = {(round(m.peak), m.kind) for m in flags(turns)}
    assert peaks
    assert {(round(m.peak), m.kind) for m in flags(swapped)} != peaks


def test_a_few_wrong_words_change_little():
    turns = talk(*SESSION)
    rough = [
        replace(turn, words=tuple(replace(w, text="um" if k % 20 == 7 else w.text) for k, w in enumerate(turn.words)))
        for turn in turns
    ]
    before, after = flags(turns), flags(rough)
    assert before[0].kind == after[0].kind
    assert abs(before[0].peak - after[0].peak) <= 30.0


def test_capitals_and_punctuation_change_little():
    turns = talk(*SESSION)
    bare = [
        replace(turn, words=tuple(replace(w, text=re.sub(r"[^\w']", "", w.text.lower())) for w in turn.words))
        for turn in turns
    ]
    assert abs(flags(turns)[0].peak - flags(bare)[0].peak) <= 30.0


def test_another_language_is_judged_by_timing_alone():
    turns = talk(*QUIET_SESSION)
    found = find_markers(turns, None, None, MarkersOptions(language="de"))
    assert found
    assert {m.modality for m in found} == {"timing"}
    assert all(m.words == "" for m in found)


def test_the_same_session_gives_the_same_findings():
    assert flags(talk(*SESSION)) == flags(talk(*SESSION))
