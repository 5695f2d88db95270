"""Recordings that leave when their session is ready: cut off anywhere, nothing is lost and every link leads on."""

import errno
import os
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

from pipeline import departures
from pipeline.arrivals import Look, look_at
from pipeline.departures import Departure, Players, move_away
from pipeline.lock import hold
from pipeline.records import AttuneError
from pipeline.review.media import find_recording
from pipeline.session import Session, is_ready, open_session, run_session
from tests.e2e.harness import write_dialogue

SETTINGS = {"markers": {"embedder": "none"}}
NAME = "Jane/first session.wav"


class CutOffError(BaseException):
    """What stands for kill -9: nothing catches it."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a recording whose session is ready, and a copy of all of it to begin anew from."""
    root = tmp_path_factory.mktemp("clinic") / "now"
    (root / "in" / "Jane").mkdir(parents=True)
    (root / "in" / "ready").mkdir()
    recording = root / "in" / NAME
    noise = np.random.default_rng(0).standard_normal(16000 * 3).astype("float32")
    soundfile.write(recording, 0.05 * noise, 16000)
    transcript = write_dialogue(recording.with_suffix(".json"))
    run_session(open_session(root / "store", recording, [transcript], SETTINGS))
    shutil.copytree(root, root.parent / "before")
    return root


@pytest.fixture
def clinic(made):
    shutil.rmtree(made)
    shutil.copytree(made.parent / "before", made)
    return made


def only_session(clinic) -> Session:
    (folder,) = (clinic / "store" / "sessions").iterdir()
    return Session(folder, SETTINGS)


def departure(clinic, name=NAME, to="in/ready", **more) -> Departure:
    (look,) = (look for look in look_at(clinic / "in", lambda file: True) if look.file == clinic / "in" / name)
    return Departure(look, clinic / "in", clinic / to, **more)


def move(clinic, **more) -> bool:
    return move_away(only_session(clinic), departure(clinic, **more), Players())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def check_settled(clinic, place, content):
    """The session leads to its recording in that place, is up to date, and so are its links."""
    session = only_session(clinic)
    assert session.about.recording == str(place)
    assert find_recording(session) == place
    assert place.read_bytes() == content
    assert is_ready(session)
    page = (session.folder / "summary.html").read_text()
    assert f"ready/Jane/{quote(place.name)}" in page
    assert "in/Jane/first%20session" not in page


def test_the_session_and_its_links_follow_the_recording(clinic):
    content = (clinic / "in" / NAME).read_bytes()
    assert "in/Jane/first%20session.wav" in (only_session(clinic).folder / "summary.html").read_text()
    assert move(clinic)
    check_settled(clinic, clinic / "in" / "ready" / NAME, content)
    assert not (clinic / "in" / NAME).exists()
    assert set(run_session(only_session(clinic)).values()) == {"reused"}
    (only_session(clinic).folder / "audio.flac").unlink()
    assert run_session(only_session(clinic))["audio"] == "made", "the sound can be read again from there"


def _cut_off_at(patch, count):
    """Let everything that changes a name go through `count` times, and then no more. Returns the names of the calls."""
    calls = []
    for name in ("link", "replace", "unlink", "mkdir", "open"):
        real = getattr(os, name)

        def counting(*args, real=real, name=name, **more):
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **more)
            if len(calls) == count:
                raise CutOffError
            calls.append(name)
            return real(*args, **more)

        patch.setattr(os, name, counting)
    return calls


DISKS = {"one": None, "two": errno.EXDEV, "no second names": errno.EPERM}


def be(disk, patch):
    """Let the two folders lie on two disks, or on disks that know no second names."""
    real = os.link

    def link(source, name, **more):
        if disk == "two" and source.parent == name.parent:
            return real(source, name, **more)
        raise OSError(DISKS[disk], disk)

    if DISKS[disk]:
        patch.setattr(departures.os, "link", link)


@pytest.mark.parametrize("disk", DISKS)
def test_cut_off_anywhere_it_goes_on(made, monkeypatch, disk):
    """As after kill -9 or a power cut: at no moment is there no recording, and the next try brings it to its end."""
    content, cuts = (made.parent / "before" / "in" / NAME).read_bytes(), 0
    with_it = (made / "in" / "Jane" / "first session.json",)
    be(disk, monkeypatch)
    for count in range(1000):
        shutil.rmtree(made)
        shutil.copytree(made.parent / "before", made)
        with monkeypatch.context() as patch:
            calls = _cut_off_at(patch, count)
            try:
                assert move(made, with_it=with_it)
                break
            except CutOffError:
                cuts += 1
        place = Path(only_session(made).about.recording)
        assert place.read_bytes() == content, f"cut off before call {count + 1}, after {calls[-3:]}"
        if (made / "in" / NAME).exists():
            run_session(only_session(made))  # what the next look finds is brought up to date first
            assert move(made, with_it=with_it)
        check_moved(made, content)
    assert cuts > 10, "it must have been cut off in many places"
    check_moved(made, content)


def check_moved(clinic, content):
    place = Path(only_session(clinic).about.recording)
    check_settled(clinic, place, content)
    left = [path for path in (clinic / "in").rglob("*") if path.suffix in (".wav", ".part") and path != place]
    assert [path.stat().st_size for path in left] in ([], [0]), "at most an empty file that took the name"


def test_another_disk_gets_a_copy_that_was_read_back(clinic, monkeypatch):
    content, when = (clinic / "in" / NAME).read_bytes(), (clinic / "in" / NAME).stat().st_mtime_ns
    be("two", monkeypatch)
    assert move(clinic)
    place = clinic / "in" / "ready" / NAME
    check_settled(clinic, place, content)
    assert place.stat().st_mtime_ns == when
    assert not list((clinic / "in").rglob("*.part"))


def test_a_copy_that_went_wrong_leaves_the_recording_where_it_is(clinic, monkeypatch):
    def half(file, part):
        part.write_bytes(file.read_bytes()[:100])

    before = files(clinic)
    be("two", monkeypatch)
    monkeypatch.setattr(departures.shutil, "copyfile", half)
    with pytest.raises(AttuneError) as caught:
        move(clinic)
    assert caught.value.code == "not-moved"
    assert not [name for name in files(clinic).keys() - before.keys() if "lock" not in name]
    assert only_session(clinic).about.recording == str(clinic / "in" / NAME)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second disk")
def test_a_real_second_disk(clinic, monkeypatch):
    shelf = Path("/dev/shm") / f"attune-test-{os.getpid()}"
    shelf.mkdir()
    try:
        if shelf.stat().st_dev == clinic.stat().st_dev:
            pytest.skip("they are one disk")
        content = (clinic / "in" / NAME).read_bytes()
        assert move_away(only_session(clinic), _to(clinic, shelf), Players())
        assert find_recording(only_session(clinic)) == shelf / NAME
        assert (shelf / NAME).read_bytes() == content
    finally:
        shutil.rmtree(shelf)


def _to(clinic, folder) -> Departure:
    return Departure(departure(clinic).file, clinic / "in", folder)


@pytest.mark.parametrize("disk", DISKS)
def test_what_is_there_already_is_never_written_over(clinic, monkeypatch, disk):
    content = (clinic / "in" / NAME).read_bytes()
    taken = clinic / "in" / "ready" / NAME
    taken.parent.mkdir()
    taken.write_bytes(b"another recording of that name")
    be(disk, monkeypatch)
    assert move(clinic)
    assert taken.read_bytes() == b"another recording of that name"
    assert find_recording(only_session(clinic)) == taken.with_name("first session (2).wav")
    assert taken.with_name("first session (2).wav").read_bytes() == content


def test_the_folder_itself_under_another_name_is_refused(clinic):
    """As where a share is mounted twice: to take the old name away would take the file away."""
    before = files(clinic / "in")
    (clinic / "again").symlink_to(clinic / "in")
    with pytest.raises(AttuneError) as caught:
        move(clinic, to="again")
    assert caught.value.code == "not-moved"
    assert files(clinic / "in") == before


def test_a_folder_that_is_gone_is_not_made_anew(clinic):
    (clinic / "in" / "ready").rmdir()
    with pytest.raises(AttuneError) as caught:
        move(clinic)
    assert caught.value.code == "not-moved"
    assert not (clinic / "in" / "ready").exists(), "as where a share is not mounted"


def test_a_file_that_changed_meanwhile_stays(clinic):
    wanted = departure(clinic)
    (clinic / "in" / NAME).write_bytes(b"recorded anew")
    with pytest.raises(AttuneError) as caught:
        move_away(only_session(clinic), wanted, Players())
    assert caught.value.code == "recording-changed"
    assert (clinic / "in" / NAME).read_bytes() == b"recorded anew"


def test_a_session_that_is_not_ready_keeps_its_recording(clinic):
    (only_session(clinic).folder / "turns.jsonl").unlink()
    with pytest.raises(AttuneError) as caught:
        move(clinic)
    assert caught.value.code == "not-ready"
    assert (clinic / "in" / NAME).is_file()


def test_a_session_at_which_somebody_is_at_work_is_left(clinic):
    with hold(only_session(clinic).folder / "lock"), pytest.raises(AttuneError) as caught:
        move(clinic)
    assert caught.value.code == "session-held"
    assert (clinic / "in" / NAME).is_file()


def test_a_recording_that_another_machine_moved_is_no_fault(clinic):
    wanted = departure(clinic)
    assert move_away(only_session(clinic), wanted, Players())
    assert not move_away(only_session(clinic), wanted, Players())


def test_a_link_stays(clinic):
    real = (clinic / "in" / NAME).rename(clinic / "elsewhere.wav")
    (clinic / "in" / NAME).symlink_to(real)
    look = Look(clinic / "in" / NAME, real.stat().st_size, real.stat().st_mtime_ns)
    assert not move_away(only_session(clinic), Departure(look, clinic / "in", clinic / "in" / "ready"), Players())
    assert real.is_file()


def test_a_session_of_two_recordings_follows_too(clinic):
    """The same file may be one of the two of another session."""
    second = clinic / "in" / "other person.wav"
    soundfile.write(second, 0.05 * np.random.default_rng(1).standard_normal(16000 * 3).astype("float32"), 16000)
    transcript = clinic / "in" / "Jane" / "first session.json"
    first = only_session(clinic)
    pair = open_session(clinic / "store", second, [transcript], SETTINGS, second=clinic / "in" / NAME, offset_s=0.0)
    run_session(pair)
    assert move_away(first, departure(clinic), Players())
    pair = Session(pair.folder, SETTINGS)
    assert pair.about.second == str(clinic / "in" / "ready" / NAME)
    assert pair.about.recording == str(second)
    assert is_ready(pair)
    assert find_recording(pair) == second


def test_its_transcript_goes_with_it(clinic):
    transcript = clinic / "in" / "Jane" / "first session.json"
    told = transcript.read_bytes()
    assert move(clinic, with_it=(transcript,))
    assert not transcript.exists()
    assert (clinic / "in" / "ready" / "Jane" / "first session.json").read_bytes() == told
