"""Decisions in session.toml: only the lines concerned change; what depends on them is made again."""

import os
import sys
import tomllib
from threading import get_native_id

import pytest

from pipeline.records import AttuneError
from pipeline.review import decisions
from pipeline.review.jobs import CALM, Jobs
from pipeline.review.remake import remake
from pipeline.session import Session, is_ready, open_session, run_session
from pipeline.speech.corrections import Correction
from pipeline.steps import MOMENTS, TURNS, VOICES
from tests.e2e.harness import write_dialogue

PEOPLES = """# agreed with the client on Monday
[consent]
state = "given"   # by letter

[voices]
# the microphones were on the wrong side
swap = false
"""


def test_a_swap_changes_one_line_of_a_file_that_people_wrote(tmp_path):
    path = tmp_path / decisions.FILE
    path.write_text(PEOPLES)
    assert decisions.swap_roles(tmp_path) is True
    assert path.read_text() == PEOPLES.replace("swap = false", "swap = true")
    assert decisions.swap_roles(tmp_path) is False
    assert path.read_text() == PEOPLES


def test_a_new_file_says_what_it_is(tmp_path):
    assert decisions.swap_roles(tmp_path) is True
    text = (tmp_path / decisions.FILE).read_text()
    assert text.startswith("# What a person decided")
    assert tomllib.loads(text) == {"voices": {"swap": True}}


def test_corrections_are_added_read_and_taken_back(tmp_path):
    (tmp_path / decisions.FILE).write_text(PEOPLES)
    first = Correction(1.0, 2.0, "role", "therapist", of="client")
    second = Correction(3.0, 4.5, "words", text='"quoted" \\ text\nwith [brackets] = 1')
    for correction in (first, second):
        decisions.add_correction(tmp_path, correction)
    assert decisions.load_decisions(tmp_path) == (False, [first, second])
    assert decisions.remove_last_correction(tmp_path)
    assert decisions.load_decisions(tmp_path)[1] == [first]
    assert decisions.remove_last_correction(tmp_path)
    assert not decisions.remove_last_correction(tmp_path)
    text = (tmp_path / decisions.FILE).read_text()
    assert tomllib.loads(text) == tomllib.loads(PEOPLES)
    assert "# by letter" in text


def test_words_that_were_given_to_a_voice_follow_it_when_roles_are_swapped(tmp_path):
    decisions.add_correction(tmp_path, Correction(1.0, 2.0, "role", "therapist", of="client"))
    decisions.add_correction(tmp_path, Correction(3.0, 4.0, "words", text="yes", of="therapist"))
    decisions.swap_roles(tmp_path)
    found = decisions.load_decisions(tmp_path)[1]
    assert [(c.role, c.of) for c in found] == [("client", "therapist"), (None, "client")]


def test_nonsense_is_neither_written_nor_written_over(tmp_path):
    with pytest.raises(ValueError, match="no stretch"):
        decisions.add_correction(tmp_path, Correction(2.0, 1.0, "words", text="a"))
    (tmp_path / decisions.FILE).write_text("this is [not toml")
    with pytest.raises(AttuneError) as caught:
        decisions.swap_roles(tmp_path)
    assert caught.value.code == "settings-unreadable"
    assert (tmp_path / decisions.FILE).read_text() == "this is [not toml"


def test_a_swap_makes_again_what_depends_on_it(tmp_path):
    settings = {"markers": {"embedder": "none"}}
    opened = open_session(tmp_path / "store", None, [write_dialogue(tmp_path / "a.json")], settings)
    run_session(opened)
    before = {turn.start: turn.role for turn in opened.load(TURNS)}
    decisions.swap_roles(opened.folder)
    told = []
    remake(Session(opened.folder, settings), lambda done, says: told.append((done, says)))
    after = {turn.start: turn.role for turn in opened.load(TURNS)}
    assert set(before.values()) == {"therapist", "client"}
    assert all(after[start] != role for start, role in before.items())
    assert {voice.confidence for voice in opened.load(VOICES)} == {1.0}
    assert opened.load(MOMENTS) is not None
    assert is_ready(Session(opened.folder, settings))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == pytest.approx(1.0)
    assert "lay out the turns" in [says for _, says in told]


def test_a_job_that_goes_wrong_says_so_without_telling_what_it_read():
    jobs = Jobs()

    def known(tell):
        raise AttuneError("the disk that holds the store is full", mend="make room", code="disk-full")

    def unknown(tell):
        raise RuntimeError("the client said it")

    jobs.start("a", known)
    jobs.start("b", unknown)
    jobs.wait()
    assert jobs.of("a").problem == "the disk that holds the store is full. make room."
    assert jobs.of("b").problem == "It stopped unexpectedly (RuntimeError)."
    assert jobs.of("c") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there has a thread a priority of its own")
def test_work_that_nobody_waits_for_gives_way():
    found = []
    for calm in (True, False):
        jobs = Jobs(calm=calm)
        jobs.start("a", lambda tell: found.append(os.getpriority(os.PRIO_PROCESS, get_native_id())))
        jobs.wait()
    own = os.getpriority(os.PRIO_PROCESS, os.getpid())
    assert found == [max(own, CALM), own]


def test_what_waits_is_not_asked_for_twice():
    jobs, ran = Jobs(), []
    jobs.start("a", lambda tell: (tell(0.5, "half"), ran.append(1)))
    jobs.wait()
    assert ran == [1]
    assert (jobs.of("a").state, jobs.of("a").done, jobs.of("a").says) == ("done", 1.0, "half")
