"""From turns to findings: what is flagged, where it starts, why, and what stays quiet."""

from dataclasses import replace

import pytest

from pipeline.alliance.evidence import gather
from pipeline.alliance.markers import MarkersOptions, find_markers
from pipeline.alliance.moments import MomentsOptions, find_moments, link_repairs
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.records import Marker, Moment, Repair, Turn, Voice, Word
from tests.talk import CALM_SESSION, COMPLAINT, QUIET_SESSION, SESSION, SHUTTING_DOWN, VOICES, talk

BOTH = pytest.mark.parametrize("embedder", ["none", pytest.param("minilm", marks=pytest.mark.models)])


def find(lines, embedder="none", audit=False):
    turns = talk(*lines)
    markers = find_markers(turns, None, None, MarkersOptions(embedder=embedder))
    return turns, find_moments(markers, turns, None, VOICES, MomentsOptions(audit=audit))


def covers(moment, turns, lines, first_line):
    """Whether the moment lies over the part of the talk that begins with `first_line`."""
    at = next(i for i, turn in enumerate(turns) if turn.text == first_line[1])
    return moment.start <= turns[at + 3].end and moment.end >= turns[at].start


@BOTH
def test_a_complaint_is_flagged_with_its_reasons_and_its_repair(embedder):
    turns, found = find(SESSION, embedder)
    first = found.moments[0]
    assert first.kind == "confrontation"
    assert covers(first, turns, SESSION, COMPLAINT[0])
    assert 1 <= len(first.why) <= 4
    assert any("“" in reason for reason in first.why)
    assert any("usual" in reason for reason in first.why)
    assert first.repairs
    if embedder != "none":  # strategies are named by meaning
        assert {r.type for r in first.repairs} & {"exploratory", "both"}


@BOTH
def test_shutting_down_is_flagged_as_withdrawal(embedder):
    turns, found = find(QUIET_SESSION, embedder)
    first = found.moments[0]
    assert first.kind == "withdrawal"
    assert covers(first, turns, QUIET_SESSION, SHUTTING_DOWN[0])


@BOTH
def test_a_calm_session_stays_quiet_and_says_so(embedder):
    _, found = find(CALM_SESSION, embedder)
    assert found.moments == ()
    assert any("nothing crossed the line" in note for note in found.notes)


def test_a_moment_starts_with_a_turn_of_the_therapist():
    turns, found = find(SESSION)
    starts = {turn.start for turn in turns if turn.role == "therapist"}
    assert all(moment.start in starts for moment in found.moments)


def test_the_audit_clip_comes_last_and_away_from_every_flag():
    _, found = find(SESSION, audit=True)
    *flags, clip = found.moments
    assert clip.audit
    assert not any(flag.audit for flag in flags)
    assert all(clip.start > flag.end or clip.end < flag.start for flag in flags)
    assert find(SESSION, audit=True)[1] == found


def test_little_talk_needs_more_evidence():
    """The same evidence, after six turns of the client and after sixty."""
    few, many = client_turns(6), client_turns(60)
    seen = [marker(3, 0.3)]
    options = MomentsOptions(audit=False, stability_runs=0)
    assert not find_moments(seen, few, None, VOICES, options).moments
    assert find_moments(seen, many, None, VOICES, options).moments


@pytest.mark.parametrize(("language", "read"), [("en", True), ("de", False)])
def test_words_that_were_not_read_are_said_so_and_words_without_a_mark_are_not(language, read):
    turns = talk(*CALM_SESSION[:6])
    table = measure_turns(turns, None, None, TurnTableOptions(language=language))
    notes = find_moments([], turns, table, VOICES, MomentsOptions()).notes
    assert [note.startswith("the words were not read") for note in notes] == ([False] if read else [True, False])


def test_no_client_gives_no_moment_and_a_note():
    turns = [replace(turn, role="therapist") for turn in talk(*SESSION)]
    found = find_moments(
        find_markers(turns, None, None, MarkersOptions(embedder="none")), turns, None, [], MomentsOptions()
    )
    assert found.moments == ()
    assert "no client speech" in found.notes[0]


def test_an_unsure_role_asks_a_person():
    turns = talk(*SESSION)
    unsure = [Voice(0.0, 1.0, "t", "therapist", 0.6, "")]
    assert "who is the therapist" in find_moments([], turns, None, unsure, MomentsOptions()).notes[0]


def client_turns(n):
    words = (Word(0.0, 1.0, "word"),)
    return [Turn(10.0 * i, 10.0 * i + 5, "x", "client" if i % 2 else "therapist", words) for i in range(2 * n)]


def marker(turn, strength, modality="text", role="client", reliability=1.0):
    return Marker(0.0, 1.0, "wd_minimal_response", "withdrawal", role, turn, strength, reliability, modality)


def test_voice_alone_gives_no_evidence_and_with_words_is_capped():
    turns, options = client_turns(6), MomentsOptions()
    assert gather("withdrawal", [marker(3, 1.0, "voice")], turns, options).turns == ()
    words = gather("withdrawal", [marker(3, 0.1)], turns, options).log_odds[0]
    both = gather("withdrawal", [marker(3, 0.1), *[marker(3, 1.0, "voice")] * 1], turns, options).log_odds[0]
    assert 0.0 < both - words <= options.cap_voice + 1e-9


def test_doubtful_words_draw_evidence_back_to_the_base():
    turns, options = client_turns(6), MomentsOptions()
    sure, doubtful, none = (
        gather("withdrawal", [marker(3, 0.6, reliability=r)], turns, options).log_odds[0] for r in (1.0, 0.5, 0.0)
    )
    assert sure > doubtful > none
    assert none == pytest.approx(options.base)


@pytest.mark.parametrize(("count", "flagged"), [(1, False), (2, False), (3, True)])
def test_three_unanswered_invitations_flag_and_fewer_do_not(count, flagged):
    """The therapist invites, nobody answers, and invites again; the client talks only at the start."""
    lines = [("t", "How has it been since we met?"), ("c", "It has been all right I suppose, nothing much to tell.")]
    lines += [("t", "What is it like to sit here with me?")] + [("t", "I wonder what you feel just now?", 6.0)] * count
    turns = talk(*lines)
    markers = [m for m in find_markers(turns, None, None, MarkersOptions(embedder="none")) if m.modality == "timing"]
    silences = [m for m in markers if turns[m.turn].role == "therapist" and m.family == "withdrawal"]
    assert len(silences) == count
    found = find_moments(silences, turns, None, VOICES, MomentsOptions(audit=False))
    assert bool(found.moments) is flagged


def moment(start, peak, end):
    return Moment(start, end, peak, "withdrawal", "", 0.0, "some", (), (), "")


def attempt(start, end):
    return Repair(start, end, ("rs_redirect_refocus",), "immediate", "cannot tell", "")


@pytest.mark.parametrize(
    ("start", "end", "answered"),
    [
        (40, 70, 0),  # the second moment begins with the therapist's turn in which the attempt ends
        (85, 110, 1),  # begun while the second went on, after its peak
        (4, 6, 0),  # before any peak: the moment that had begun
        (450, 470, None),  # too long after both
    ],
)
def test_a_repair_answers_the_latest_moment_that_had_peaked(start, end, answered):
    linked = link_repairs([moment(0, 20, 35), moment(60, 80, 90)], [attempt(start, end)], 300.0)
    assert [k for k, m in enumerate(linked) if m.repairs] == ([] if answered is None else [answered])
