"""The folder and its receipts, with small steps of the tests' own."""

import errno
import os
from dataclasses import dataclass, replace

import pytest

from pipeline import formats, session
from pipeline.records import About, AttuneError, Word
from pipeline.session import Session, is_ready, load_receipt, open_session, run_one, run_session, run_step, state_of
from pipeline.steps import RECORDING, Step
from tests.e2e.harness import write_dialogue


@dataclass(frozen=True)
class Options:
    text: str = "hello"


@dataclass(frozen=True)
class Batches:
    batch_size: int = 16


calls = []


def first_words(recording, options):
    calls.append("words")
    return [Word(0.0, 1.0, options.text)]


def shout(words, options):
    calls.append("given")
    return [replace(word, text=word.text.upper()) for word in words]


FIRST = Step("first", "", ("words.jsonl",), (RECORDING,), first_words, Options())
SECOND = Step("second", "", ("loud.json",), (FIRST,), lambda words, options: shout(words, options), Options())


@pytest.fixture
def made(tmp_path):
    """A session whose recording lies beside it."""
    calls.clear()
    recording = tmp_path / "client name.wav"
    recording.write_bytes(b"sound")
    folder = tmp_path / "store" / "sessions" / "0123456789ab"
    (folder / "receipts").mkdir(parents=True)
    formats.write_atomic(folder / "about.json", formats.dump("about.json", About(folder.name, str(recording), 5.0)))
    return Session(folder, {})


def run_both(made):
    return [run_step(made, FIRST), run_step(made, SECOND)]


def test_a_second_run_does_nothing(made):
    assert run_both(made) == ["made", "made"]
    assert run_both(made) == ["reused", "reused"]
    assert calls == ["words", "given"]


def test_a_changed_option_remakes_what_depends_on_it(made):
    run_both(made)
    changed = Session(made.folder, {"first": {"text": "bye"}})
    assert run_both(changed) == ["made", "made"]
    assert formats.load(made.folder / "loud.json")[0]["text"] == "BYE"


def test_identical_bytes_stop_the_ripple(made):
    run_both(made)
    again = replace(FIRST, version=2)
    second = replace(SECOND, reads=(again,))
    assert run_step(made, again) == "made"
    assert run_step(made, second) == "reused"


def test_the_sessions_own_decisions_win_over_the_clinics_settings(made):
    (made.folder / "session.toml").write_text('[first]\ntext = "mine"\n')
    clinic = Session(made.folder, {"first": {"text": "clinic"}})
    assert clinic.options(FIRST).text == "mine"


def test_a_missing_artefact_is_made_again(made):
    run_both(made)
    (made.folder / "loud.json").unlink()
    assert run_both(made) == ["reused", "made"]


def test_an_edited_artefact_is_not_overwritten(made):
    run_both(made)
    path = made.folder / "words.jsonl"
    path.write_bytes(path.read_bytes().replace(b"hello", b"hallo"))
    with pytest.raises(AttuneError) as caught:
        run_step(made, FIRST)
    assert caught.value.code == "artefact-edited"
    assert b"hallo" in path.read_bytes()


def test_a_damaged_receipt_only_costs_the_step(made):
    run_both(made)
    (made.folder / "receipts" / "first.json").write_bytes(b"{")
    assert run_both(made) == ["made", "reused"]


def test_a_run_cut_off_before_the_receipt_is_made_again(made, monkeypatch):
    """As after a kill between the artefact's and the receipt's rename: an old receipt must not vouch for new bytes."""
    run_both(made)
    changed = Session(made.folder, {"first": {"text": "bye"}})
    real = formats.write_atomic

    def cut_off(path, content):
        if path.parent.name == "receipts":
            raise KeyboardInterrupt
        real(path, content)

    monkeypatch.setattr(formats, "write_atomic", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run_step(changed, FIRST)
    monkeypatch.setattr(formats, "write_atomic", real)
    assert state_of(changed, FIRST) == "stale"
    assert run_both(changed) == ["made", "made"]


def test_a_step_that_is_made_again_at_this_moment_is_no_edited_one(made, monkeypatch):
    """Another process looks between two of its receipts: the new artefact is there, the old receipt is read already."""
    run_both(made)
    changed = Session(made.folder, {"first": {"text": "bye"}})
    real = session.models.sha256_of

    def meanwhile(path):
        monkeypatch.setattr(session.models, "sha256_of", real)
        run_step(changed, FIRST)
        return real(path)

    monkeypatch.setattr(session.models, "sha256_of", meanwhile)
    assert state_of(made, FIRST) == "stale"
    assert state_of(changed, FIRST) == "fresh"


def test_why_a_step_is_made_again_is_told(made, monkeypatch):
    def begun(opened, step):
        told = []
        run_step(opened, step, told.append)
        return [event.why for event in told if event.outcome is None]

    assert begun(made, FIRST) == [""]
    assert begun(made, FIRST) == []
    assert begun(made, replace(FIRST, version=2)) == ["version"]
    changed = Session(made.folder, {"first": {"text": "bye"}})
    assert begun(changed, replace(FIRST, version=2)) == ["options"]
    assert begun(changed, SECOND) == [""]
    assert begun(made, FIRST) == ["version"]
    assert begun(made, SECOND) == ["inputs"]
    (made.folder / "loud.json").unlink()
    assert begun(made, SECOND) == ["missing"]


def test_a_program_whose_steps_differ_has_another_mark(monkeypatch):
    mark = session.program_mark()
    assert mark == session.program_mark()
    for other in (replace(session.STEPS[0], version=99), replace(session.STEPS[0], options=Options())):
        monkeypatch.setattr(session, "STEPS", (other, *session.STEPS[1:]))
        assert session.program_mark() != mark
        monkeypatch.undo()
    monkeypatch.setattr(session, "program_version", lambda: "99.0")
    assert session.program_mark() != mark


def test_a_step_without_sound_is_skipped_where_it_needs_some(tmp_path, made):
    silent = replace(FIRST, needs_sound=True)
    formats.write_atomic(made.folder / "about.json", formats.dump("about.json", About(made.id, "", 5.0)))
    assert run_step(Session(made.folder, {}), silent) == "skipped"


def test_the_receipt_says_what_was_seen(made):
    run_both(made)
    receipt = load_receipt(made, SECOND)
    assert receipt.inputs == {"words.jsonl": load_receipt(made, FIRST).outputs["words.jsonl"]}
    assert receipt.options == {"text": "hello"}


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk-full"), (errno.EROFS, "store-read-only"), (errno.EIO, "store-unreachable")],
)
def test_what_the_disk_refuses_is_told_plainly(made, monkeypatch, number, code):
    def refuse(path, content):
        raise OSError(number, "refused", str(path))

    monkeypatch.setattr(formats, "write_atomic", refuse)
    with pytest.raises(AttuneError) as caught:
        run_step(made, FIRST)
    assert caught.value.code == code
    assert "client" not in str(caught.value)


def test_an_unexpected_error_stays_in_the_sessions_folder(made):
    def stumble(recording, options):
        raise RuntimeError("I hate Mondays")

    with pytest.raises(AttuneError) as caught:
        run_one(made, replace(FIRST, make=stumble))
    assert caught.value.code == "unexpected"
    assert "Mondays" not in str(caught.value)
    assert "Mondays" in made.problem.message


def test_memory_that_runs_out_is_no_crash(made):
    def greedy(recording, options):
        raise MemoryError

    with pytest.raises(AttuneError) as caught:
        run_one(made, replace(FIRST, make=greedy))
    assert caught.value.code == "out-of-memory"


def test_a_recording_that_moved_is_said_so(made, tmp_path):
    (tmp_path / "client name.wav").unlink()
    with pytest.raises(AttuneError) as caught:
        run_step(made, FIRST)
    assert caught.value.code == "recording-gone"


def test_two_machines_may_have_the_same_share_in_different_places(tmp_path):
    """Each opened the other's sessions anew, noted its own place, and made again what links to the recording."""
    import numpy as np
    import soundfile

    ours, theirs = tmp_path / "Z", tmp_path / "Volumes" / "clinic" / "share"
    (ours / "in").mkdir(parents=True)
    soundfile.write(ours / "in" / "talk.wav", 0.01 * np.random.default_rng(0).standard_normal(16000 * 5), 16000)
    write_dialogue(ours / "in" / "talk.json")
    plain = {"markers": {"embedder": "none"}}

    def opened(share):
        return open_session(share / "store", share / "in" / "talk.wav", [share / "in" / "talk.json"], plain)

    run_session(opened(ours))
    noted = (opened(ours).folder / "about.json").read_bytes()
    theirs.parent.mkdir(parents=True)
    ours.rename(theirs)
    there = opened(theirs)
    assert (there.folder / "about.json").read_bytes() == noted
    assert there.about.recording == str(theirs / "in" / "talk.wav")
    assert is_ready(there)
    (there.folder / "audio.flac").unlink()
    outcomes = run_session(opened(theirs))
    assert [step for step, outcome in outcomes.items() if outcome == "made"] == ["audio"]
    assert (there.folder / "about.json").read_bytes() == noted
    (theirs / "in" / "talk.wav").rename(theirs / "in" / "renamed.wav")
    moved = open_session(theirs / "store", theirs / "in" / "renamed.wav", [], plain)
    assert moved.noted.recording == moved.about.recording == str(theirs / "in" / "renamed.wav")
    assert moved.noted.store == str(theirs / "store")


def test_a_new_run_clears_half_files_and_the_old_problem(made):
    left = made.folder / "words.jsonl.1234abcd.part"
    forgotten, being_written = (made.folder / f"session.toml.{of}.part" for of in ("00000000", "ffffffff"))
    for part in (left, forgotten, being_written):
        part.write_bytes(b"half")
    os.utime(forgotten, (0, 0))
    session.note_problem(made, "first", AttuneError("x", mend="y", code="z"))
    with session.working(made):
        assert not left.exists()
        assert not forgotten.exists()
        assert being_written.exists(), "a decision that somebody takes at this moment"
        assert made.problem is None


def test_a_damaged_problem_is_one_that_a_run_clears(made):
    run_both(made)
    (made.folder / "problem.json").write_bytes(b"{")
    assert made.problem.code == "problem-unreadable"
    with session.working(made):
        assert made.problem is None


def test_memory_that_runs_out_is_met_with_smaller_batches(made):
    tried = []

    def hungry(recording, options):
        tried.append(options.batch_size)
        if options.batch_size > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")
        return [Word(0.0, 1.0, "hello")]

    step = replace(FIRST, make=hungry, options=Batches())
    assert run_step(made, step) == "made"
    assert tried == [16, 8, 4, 2]
    receipt = load_receipt(made, step)
    assert (receipt.options, receipt.note) == ({"batch_size": 16}, "batch_size 2 for lack of memory")
    assert run_step(made, step) == "reused", "how a step was run is not what it made"


def test_where_a_worker_has_died_batches_begin_at_one(made, monkeypatch):
    tried = []
    monkeypatch.setenv(session.SMALL_BATCHES, "1")
    run_step(made, replace(FIRST, make=lambda r, o: tried.append(o.batch_size) or [], options=Batches()))
    assert tried == [1]


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), True),
        (RuntimeError("shapes do not match"), False),
        (OSError(errno.EIO, "Input/output error"), False),
    ],
)
def test_how_libraries_say_that_memory_ran_out(error, is_so):
    assert session.is_out_of_memory(error) == is_so


def test_a_store_that_went_away_is_not_the_recordings_fault(made, tmp_path):
    run_both(made)
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(AttuneError) as caught:
        run_one(made, FIRST)
    assert caught.value.code == "store-unreachable"
    assert not (tmp_path / "store").exists()


def test_a_share_that_does_not_answer_is_told_from_a_damaged_artefact(made, monkeypatch):
    run_both(made)

    def refuse(path):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setitem(formats._READERS, ".jsonl", refuse)
    (made.folder / "loud.json").unlink()
    with pytest.raises(AttuneError) as caught:
        run_one(made, SECOND)
    assert caught.value.code == "store-unreachable"


@pytest.mark.parametrize(("content", "code"), [(None, "no-such-file"), (b"", "empty-file")])
def test_nothing_to_open_is_said_before_any_folder_is_made(tmp_path, content, code):
    path = tmp_path / "recording.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AttuneError) as caught:
        session.open_session(tmp_path / "store", path, [], {})
    assert caught.value.code == code
    assert not (tmp_path / "store").exists()


def test_an_error_keeps_its_way_out_when_it_crosses_from_a_child_process():
    import pickle

    error = pickle.loads(pickle.dumps(AttuneError("wrong", mend="mend it", code="a-code")))
    assert (str(error), error.mend, error.code) == ("wrong", "mend it", "a-code")


def test_a_word_put_right_remakes_the_turns_and_taken_back_gives_them_back(tmp_path):
    """A person's correction counts as an input of the turns, and of nothing before them."""
    from pipeline.steps import ACTIVITY, SPEECH, TURNS, VOICES, WORDS

    first = session.open_session(tmp_path, None, [write_dialogue(tmp_path / "talk.json")], {})
    table = (ACTIVITY, WORDS, SPEECH, VOICES, TURNS)
    assert [run_step(first, step) for step in table] == ["made"] * 5
    before = (first.folder / "turns.jsonl").read_bytes()
    fix = '[[corrections]]\nstart = 0.0\nend = 0.4\nkind = "words"\ntext = "Where"\n'
    (first.folder / "session.toml").write_text(fix)
    assert [run_step(Session(first.folder, {}), step) for step in table] == [*["reused"] * 4, "made"]
    assert formats.load(first.folder / "turns.jsonl")[0].words[0].text == "Where"
    (first.folder / "session.toml").unlink()
    assert run_step(Session(first.folder, {}), TURNS) == "made"
    assert (first.folder / "turns.jsonl").read_bytes() == before
