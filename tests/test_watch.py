"""What a watcher takes, in which order, and when it rests: with a crew that only notes what it is given."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.watch import IDLE_S, MOVE_TRIES, Plan, Voice, Watch, report_rows
from pipeline import night
from pipeline.arrivals import Arrivals, Known, Look, look_at
from pipeline.cli import build_parser, main
from pipeline.commands import watch as watch_command
from pipeline.commands.common import read_settings
from pipeline.commands.watch import Told
from pipeline.models import sha256_of
from pipeline.night import Job, QuietHours, build_report, is_quiet, next_job, read_quiet_hours, wait_s
from pipeline.records import AttuneError
from pipeline.session import Session
from pipeline.store import open_store


@dataclass
class NotingCrew:
    """Opens files at once; a job ends in the next round as `ends` says, "made" where that says nothing."""

    ends: dict = field(default_factory=dict)
    begun: list = field(default_factory=list)
    opened: list = field(default_factory=list)
    busy: list = field(default_factory=list)
    read: list = field(default_factory=list)
    restarts: int = 0
    without_prefect: int = 0
    reported: int = 0
    store_lost: bool = False
    rested: int = 0
    departures: list = field(default_factory=list)
    moves: list = field(default_factory=list)  # what is told of the next ones; then that they went well

    def move_away(self, session, departure):
        self.departures.append((session, departure))
        told = self.moves.pop(0) if self.moves else {"moved": True}
        if told.get("moved"):
            departure.file.file.rename(departure.place_of(departure.file.file))
        self.opened.append(told)

    def open(self, file, given, session=""):
        self.read.append((file.name, session))
        told = {"file": str(file), "session": session or sha256_of(file)[:12], "ready": False}
        self.opened.append(told | self.ends.get(file.name, {}))

    def begin(self, job):
        job.state = "running"
        self.busy.append(job)
        self.begun.append(job.session)
        return True

    def hear(self, timeout_s):
        ended, self.busy = self.busy, []
        for job in ended:
            ends = self.ends.get(job.session, [])
            code = ends.pop(0) if ends else ""
            if code:
                job.stop(code, "told", "mend")
            else:
                job.state, job.made = "made", ["turns"]
        return ended

    def rest(self):
        self.rested += 1

    def report(self, rows, told, counts):
        return False

    def dismiss_idle(self):
        pass

    def end(self):
        pass


@pytest.fixture
def place(tmp_path):
    """A folder to watch, a store, and what makes a watcher of them."""
    (tmp_path / "in").mkdir()
    open_store(tmp_path / "store")
    return tmp_path


def watcher(place, crew=None, **more) -> Watch:
    plan = Plan(
        folder=place / "in",
        store=place / "store",
        is_wanted=lambda file: file.suffix == ".wav",
        given=lambda file: [],
        session=lambda session: Session(place / "store" / "sessions" / session, {}),
        fetch=lambda names: None,
        every_s=0.01,
        settle_s=1.0,
        once=True,
    )
    local_time = more.pop("local_time", time.localtime)
    watch = Watch(replace(plan, **more), crew or NotingCrew(), Voice(), local_time)
    for n in range(9):  # the folders whose locks are asked
        (place / "store" / "sessions" / f"{n}").mkdir(parents=True, exist_ok=True)
    return watch


def arrive(place, name, content=b"sound", modified=None) -> Path:
    file = place / "in" / name
    file.write_bytes(content)
    (place / "store" / "sessions" / sha256_of(file)[:12]).mkdir(parents=True, exist_ok=True)
    if modified is not None:
        import os

        os.utime(file, (modified, modified))
    return file


def rounds(watch, *times_s):
    for now_s in times_s:
        watch.turn(now_s)


def test_a_file_is_taken_when_it_has_stayed_the_same(place):
    arrive(place, "a.wav")
    watch = watcher(place)
    rounds(watch, 0.0, 0.5)
    assert (watch.copying, watch.crew.begun) == (1, [])
    rounds(watch, 1.1, 1.2, 1.3)
    assert len(watch.crew.begun) == 1
    assert watch.is_done()


def test_a_file_that_grows_is_left(place):
    watch = watcher(place)
    for second in range(5):
        arrive(place, "a.wav", b"x" * (second + 1), modified=1e9)  # a copy that keeps the time of its source
        rounds(watch, float(second) * 0.9)
    assert watch.crew.read == []


def test_a_file_written_within_its_full_size_is_left(place):
    watch = watcher(place)
    for second in range(5):
        arrive(place, "a.wav", b"x" * 100, modified=1e9 + second)
        rounds(watch, float(second) * 0.9)
    assert watch.crew.read == []


def test_a_clock_that_is_set_hurries_nothing(place):
    arrive(place, "a.wav", modified=4e9)  # in the future
    arrive(place, "b.wav", b"old", modified=1e8)
    watch = watcher(place)
    rounds(watch, 0.0, 0.9)
    assert watch.crew.read == []
    rounds(watch, 1.1, 1.2, 1.3, 1.4)
    assert len(watch.crew.begun) == 2


def test_the_same_recording_twice_is_one_session(place):
    arrive(place, "a.wav")
    arrive(place, "copy.wav")
    watch = watcher(place)
    rounds(watch, 0.0, 1.1, 1.2, 1.3, 1.4)
    assert len(watch.crew.begun) == 1
    assert len(watch.report("done").made) == 1


def test_a_recording_is_read_once_for_its_name_and_never_changed(place):
    file = arrive(place, "a.wav", modified=1e9)
    before = (file.read_bytes(), file.stat().st_mtime_ns, sorted((place / "in").iterdir()))
    watch = watcher(place)
    rounds(watch, 0.0, 1.1, 1.2)
    again = watcher(place)
    rounds(again, 0.0, 1.1, 1.2)
    assert watch.crew.read == [("a.wav", "")]
    assert again.crew.read == [("a.wav", sha256_of(file)[:12])]
    assert (file.read_bytes(), file.stat().st_mtime_ns, sorted((place / "in").iterdir())) == before


def test_what_a_file_was_before_it_grew_is_forgotten(place):
    half = arrive(place, "a.wav", b"ha")
    session = sha256_of(half)[:12]
    watch = watcher(place, NotingCrew(ends={session: ["cut-off"]}))
    rounds(watch, 0.0, 1.1, 1.2)
    assert [job.code for job in watch.jobs.values()] == ["cut-off"]
    arrive(place, "a.wav", b"half no more")
    rounds(watch, 2.0, 3.1, 3.2, 3.3)
    assert [job.state for job in watch.jobs.values()] == ["made"]


def test_a_stopped_session_is_not_tried_again_and_again(place):
    session = sha256_of(arrive(place, "a.wav"))[:12]
    watch = watcher(place, NotingCrew(ends={session: ["not-media"] * 9}))
    rounds(watch, *(n / 2 for n in range(20)))
    assert watch.crew.begun == [session]


def test_a_fault_of_everything_is_waited_for(place):
    session = sha256_of(arrive(place, "a.wav"))[:12]
    other = sha256_of(arrive(place, "b.wav", b"b"))[:12]
    faults = []
    watch = watcher(place, NotingCrew(ends={session: ["disk-full"], other: ["disk-full"]}))
    watch.voice = Voice(on_fault=faults.append)
    rounds(watch, 0.0, 1.1, 1.2, 1.3)
    assert faults == ["disk-full"]
    assert len(watch.crew.begun) == 1, "nothing is begun while the disk is full"
    watch.retry_at = 0.0
    rounds(watch, 2.0, 2.1, 2.2)
    watch.retry_at = 0.0
    rounds(watch, 3.0, 3.1, 3.2, 3.3)
    assert {job.state for job in watch.jobs.values()} == {"made"}


def test_patience_ends_where_that_was_asked_for(place):
    session = sha256_of(arrive(place, "a.wav"))[:12]
    watch = watcher(place, NotingCrew(ends={session: ["disk-full"] * 99}), settle_s=0.0, patience_s=0.2)
    report = watch.run()
    assert [(row["session"], row["code"]) for row in report.stopped] == [(session, "disk-full")]
    assert report.stopped[0]["mend"]


def test_a_lost_store_is_not_made_anew(place):
    arrive(place, "a.wav")
    watch = watcher(place, settle_s=0.0, patience_s=0.2)
    watch._fail("store-unreachable", time.monotonic())
    (place / "store").rename(place / "away")
    watch.run()
    assert not (place / "store").exists()


def test_a_store_of_another_program_ends_the_watch(place):
    sessions = [sha256_of(arrive(place, f"{n}.wav", bytes([n])))[:12] for n in range(3)]
    watch = watcher(place, NotingCrew(ends={session: ["program-older"] for session in sessions}), settle_s=0.0)
    report = watch.run()
    assert {row["code"] for row in report.stopped} == {"program-older"}
    assert len(watch.crew.begun) == 1


@pytest.mark.parametrize("code", night.REFUSED)
def test_another_program_is_noticed_when_a_file_is_opened(place, code):
    for n in range(3):
        arrive(place, f"{n}.wav", bytes([n]))
    refused = {"code": code, "message": "told", "mend": "update attune", "session": ""}
    watch = watcher(place, NotingCrew(ends={"0.wav": refused}), settle_s=0.0)
    report = watch.run()
    assert [(row["code"], row["mend"]) for row in report.stopped] == [(code, "update attune")]
    assert watch.crew.read == [("0.wav", "")], "no other file is opened"


def test_a_session_held_elsewhere_comes_last_and_is_looked_at_again(place):
    held = sha256_of(arrive(place, "a.wav", modified=1e9))[:12]
    free = sha256_of(arrive(place, "b.wav", b"b", modified=2e9))[:12]
    watch = watcher(place, NotingCrew(ends={held: ["session-held"]}))
    rounds(watch, 0.0, 1.1, 1.2, 1.3)
    assert watch.crew.begun == [held, free]
    assert watch.jobs[held].state == "waiting"
    rounds(watch, watch.jobs[held].retry_at + 1.0)
    assert watch.jobs[held].state == "made"


def test_a_recording_that_vanished_is_given_some_time(place):
    session = sha256_of(arrive(place, "a.wav"))[:12]
    watch = watcher(place, NotingCrew(ends={session: ["recording-gone"] * 99}))
    rounds(watch, 0.0, 1.1, 1.2)
    assert watch.jobs[session].state == "waiting"
    for _ in range(9):
        rounds(watch, time.monotonic() + 1000.0)
    assert (watch.jobs[session].state, watch.jobs[session].code) == ("stopped", "recording-gone")


def test_pause_and_resume(place):
    arrive(place, "a.wav")
    watch = watcher(place)
    night.pause(place / "store", True)
    rounds(watch, 0.0, 1.1, 1.2, 1.3)
    assert watch.crew.begun == []
    assert watch.crew.rested > 0
    night.pause(place / "store", False)
    rounds(watch, 2.0)
    assert len(watch.crew.begun) == 1


def test_nothing_is_begun_in_quiet_hours(place):
    arrive(place, "a.wav")
    hour = [9]
    now = lambda: time.struct_time((2026, 11, 24, hour[0], 30, 0, 1, 328, 0))  # noqa: E731
    watch = watcher(place, quiet=(QuietHours(8 * 60, 18 * 60),), local_time=now)
    rounds(watch, 0.0, 1.1, 1.2)
    assert watch.crew.begun == []
    hour[0] = 18
    rounds(watch, 2.0)
    assert len(watch.crew.begun) == 1


def test_what_a_person_puts_first_comes_first(place):
    old, mid, new = (sha256_of(arrive(place, f"{n}.wav", bytes([n]), modified=1e9 + n))[:12] for n in range(3))
    watch = watcher(place)
    night.pause(place / "store", True)
    rounds(watch, 0.0, 1.1, 1.2, 1.3, 1.4)
    night.put_first(place / "store", new)
    night.pause(place / "store", False)
    rounds(watch, 2.0, 2.1, 2.2)
    assert watch.crew.begun == [new, old, mid]


def test_a_file_that_kills_the_opener_twice_is_left_out(place):
    arrive(place, "a.wav")
    watch = watcher(place, NotingCrew(ends={"a.wav": {"died": True}}))
    rounds(watch, 0.0, 1.1, 1.2, 1.3)
    assert [job.code for job in watch.jobs.values()] == ["worker-crashed"]
    assert len(watch.crew.read) == 2


def test_the_report_holds_no_name(place):
    session = sha256_of(arrive(place, "Jane Doe.wav"))[:12]
    arrive(place, "John Roe.wav", b"other")
    watch = watcher(place, NotingCrew(ends={session: ["not-media"]}), settle_s=0.0)
    report = watch.run()
    assert len(report.made) == len(report.stopped) == 1
    kept = "".join(p.read_text() + p.name for p in (place / "store" / "night").rglob("*") if p.is_file())
    kept += str(report_rows(report))
    for secret in ("Jane", "Doe", "John", "Roe", str(place)):
        assert secret not in kept
    assert session in kept


# ------------------------------------------------------------------------------------------------ told by a person


def tell(place, *words):
    return main(["watch", *words, "--store", str(place / "store")])


def test_pause_and_resume_from_the_command_line(place, capsys):
    arrive(place, "a.wav")
    watch = watcher(place)
    assert tell(place, "--pause") == 0
    assert "--resume" in capsys.readouterr().out
    rounds(watch, 0.0, 1.1, 1.2)
    assert watch.crew.begun == []
    assert tell(place, "--resume") == 0
    rounds(watch, 2.0)
    assert len(watch.crew.begun) == 1


def test_the_summary_says_what_was_made_reused_and_stopped_with_the_mend(place, capsys):
    made, reused, bad = (arrive(place, name, name.encode()) for name in ("new.wav", "old.wav", "bad.wav"))
    crew = NotingCrew(ends={"old.wav": {"ready": True}, sha256_of(bad)[:12]: ["not-media"]})
    watch = watcher(place, crew, settle_s=0.0)
    told = Told(place / "store", silent=False, prefect=True)
    watch.voice = Voice(on_job=told.on_job)
    told.print_summary(watch.run())
    summary = " ".join(capsys.readouterr().out.split())
    assert f"ready new.wav session {sha256_of(made)[:12]}" in summary
    assert f"as it was old.wav session {sha256_of(reused)[:12]}" in summary
    assert "stopped bad.wav: told what to do: mend" in summary
    assert "2 ready, of which 1 new; 1 stopped" in summary


def test_memory_is_given_back_when_nothing_is_left_to_do(place, monkeypatch):
    arrive(place, "a.wav")
    watch, dismissed = watcher(place), []
    watch.crew.dismiss_idle = lambda: dismissed.append(len(watch.crew.begun))
    rounds(watch, 0.0, 1.1, 1.2, 1.3)
    for _ in range(3):
        watch._rest_when_idle()
    assert dismissed == [], "not at once: the next recording may come"
    watch.idle_since -= IDLE_S + 1.0
    watch._rest_when_idle()
    assert dismissed == [1]


# ------------------------------------------------------------------------------------------------ those that leave


def leaving(place, crew=None, **more):
    (place / "ready").mkdir(exist_ok=True)
    return watcher(place, crew, ready=place / "ready", **more)


def test_recordings_stay_unless_told(place):
    file = arrive(place, "a.wav")
    watch = watcher(place, settle_s=0.0)
    assert watch.run().moved == 0
    assert (file.is_file(), watch.crew.departures) == (True, [])


def test_a_recording_leaves_when_its_session_is_ready(place):
    ready, bad = arrive(place, "a.wav"), arrive(place, "b.wav", b"b")
    crew = NotingCrew(ends={sha256_of(bad)[:12]: ["not-media"]})
    session = sha256_of(ready)[:12]
    watch = leaving(place, crew, settle_s=0.0)
    report = watch.run()
    assert (report.moved, report.unmoved) == (1, ())
    assert [s for s, _ in crew.departures] == [session]
    assert (ready.exists(), bad.exists(), (place / "ready" / "a.wav").exists()) == (False, True, True)


def test_the_second_name_of_a_recording_leaves_too(place):
    arrive(place, "a.wav", modified=1e9)
    watch = leaving(place)
    rounds(watch, 0.0, 1.1, 1.2, 1.3)
    arrive(place, "later.wav")
    rounds(watch, 2.0, 3.1, 3.2, 3.3)
    assert sorted(path.name for path in (place / "ready").iterdir()) == ["a.wav", "later.wav"]
    assert watch.moved == 2


def test_what_cannot_be_moved_is_tried_again_and_then_said(place):
    file = arrive(place, "a.wav")
    told = {"moved": False, "code": "not-moved", "message": "told", "mend": "mend"}
    said, notes = [], []
    watch = leaving(place, NotingCrew(moves=[{"died": True}, *[told] * 9]))
    watch.voice = Voice(on_unmoved=lambda *what: said.append(what), on_note=notes.append)
    for n in range(30):
        rounds(watch, 1000.0 * n)
        watch.to_leave = [replace(each, retry_at=0.0) for each in watch.to_leave]
    assert len(watch.crew.departures) == MOVE_TRIES
    session = sha256_of(file)[:12]
    assert said == [(session, file, "told", "mend")]
    assert watch.report("done").unmoved == ({"session": session, "code": "not-moved", "mend": "mend"},)
    assert notes == [f"{session} not moved not-moved"]
    assert watch.is_done()


def test_nothing_is_moved_while_paused(place):
    arrive(place, "a.wav")
    watch = leaving(place)
    rounds(watch, 0.0, 1.1, 1.2)
    night.pause(place / "store", True)
    rounds(watch, 1.3, 1.4, 1.5)
    assert watch.crew.departures == []
    assert not watch.is_done()
    night.pause(place / "store", False)
    rounds(watch, 2.0, 2.1)
    assert watch.moved == 1


def test_a_file_that_another_watcher_moved_meanwhile_is_no_fault(place):
    session = sha256_of(arrive(place, "a.wav"))[:12]
    gone = {"code": "no-such-file", "message": "told", "mend": "mend", "session": ""}
    watch = watcher(place, NotingCrew(ends={"a.wav": gone}))
    watch.turn(0.0)
    watch.turn(1.1)
    assert (watch.jobs, watch.is_done()) == ({}, True)
    watch.crew.ends = {}
    rounds(watch, 2.0, 2.1, 2.2, 2.3)
    assert [job.state for job in watch.jobs.values()] == ["made"], "it came back"
    assert watch.crew.begun == [session]


def test_a_transcript_leaves_with_the_last_recording_of_its_name(place):
    one, two = arrive(place, "a.wav", modified=1e9), arrive(place, "a.mp3", b"other", modified=2e9)
    told = place / "in" / "a.vtt"
    watch = leaving(place, is_wanted=lambda file: file.suffix in (".wav", ".mp3"), given=lambda file: [told])
    rounds(watch, *(1.0 + n / 100 for n in range(3)), *(2.5 + n for n in range(9)))
    assert [(departure.file.file, departure.with_it) for _, departure in watch.crew.departures] == [
        (one, ()),
        (two, (told,)),
    ]


def plan_of(place, *more):
    args = build_parser().parse_args(["watch", str(place / "in"), "--store", str(place / "store"), *more])
    return watch_command._plan(args, watch_command._options(args, {}), {})


def test_what_was_moved_inside_the_folder_is_not_looked_at(place):
    plan = plan_of(place, "--move-ready", "ready")
    assert plan.ready == place / "in" / "ready"
    assert plan.ready.is_dir()
    (place / "in" / "ready" / "Jane").mkdir()
    (place / "in" / "ready" / "Jane" / "a.wav").touch()
    (place / "in" / "b.wav").touch()
    assert [look.file.name for look in look_at(plan.folder, plan.is_wanted, plan.apart)] == ["b.wav"]
    assert not plan.is_wanted(place / "in" / "ready" / "Jane" / "a.wav")


def test_recordings_may_go_to_any_other_folder(place):
    assert plan_of(place, "--move-ready", "../done").ready.resolve() == place / "done"
    assert plan_of(place, "--move-ready", str(place / "archive")).ready == place / "archive"
    assert plan_of(place).ready is None


@pytest.mark.parametrize("folder", [".", "..", "not there/ready"])
def test_a_folder_that_cannot_take_recordings_is_named(place, folder):
    with pytest.raises(AttuneError, match="recordings cannot be moved to") as caught:
        plan_of(place, "--move-ready", folder)
    assert "move_ready" in caught.value.mend
    assert not (place / "in" / "not there").exists(), "as where a share is not mounted"


# ------------------------------------------------------------------------------------------------ the pure parts


def test_hidden_files_and_the_unwanted_are_left_out(tmp_path):
    for name in ("a.wav", ".b.wav", "c.txt", ".hidden/d.wav", "sub/e.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = [look.file.name for look in look_at(tmp_path, lambda file: file.suffix == ".wav")]
    assert sorted(found) == ["a.wav", "e.wav"]


def test_a_folder_that_is_gone_is_an_error_not_an_empty_folder(tmp_path):
    with pytest.raises(OSError, match="gone"):
        look_at(tmp_path / "gone", lambda file: True)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 5.0)), min_size=1, max_size=30))
def test_settled_means_unchanged_for_that_long(steps):
    """Against the definition, over any course of sizes and times."""
    arrivals, history, now = Arrivals(3.0), [], 0.0
    for size, passed in steps:
        now += passed
        history.append((now, size))
        settled = bool(arrivals.settled([Look(Path("a"), size, 0)], now))
        same_since = next((at for i, (at, _) in enumerate(history) if all(s == size for _, s in history[i:])), now)
        assert settled == (now - same_since >= 3.0)


def test_a_fingerprint_is_the_same_on_every_machine_and_tells_no_name():
    one, two = Path("/mnt/share/in"), Path("//server/in")
    a, b = (Look(root / "Jane" / "a.wav", 5, 7).fingerprint(root) for root in (one, two))
    assert a == b
    assert "Jane" not in a
    assert a != Look(one / "Jane" / "a.wav", 6, 7).fingerprint(one)


def test_what_is_known_survives_damage(tmp_path):
    known = Known(tmp_path / "night" / "known")
    known.note("f" * 24, "0123456789ab")
    assert known.find("f" * 24) == "0123456789ab"
    (tmp_path / "night" / "known" / ("f" * 24)).write_bytes(b"\xff")
    assert known.find("f" * 24) is None


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_quiet_hours_pass_midnight(start, end, minute):
    span, rest = QuietHours(start, end), QuietHours(end, start)
    if start != end:
        assert span.holds(minute) != rest.holds(minute), "a day is the span and the rest of it"


@pytest.mark.parametrize("text", ["8-18", "25:00-06:00", "22:00", "", "08:60-09:00", "22:00-06:00-07:00"])
def test_what_is_no_time_of_day_is_said_so(text):
    with pytest.raises(AttuneError) as caught:
        read_quiet_hours(text)
    assert "08:00-18:00" in caught.value.mend


def test_the_command_line_wins_over_the_settings_and_those_over_the_defaults(tmp_path, monkeypatch):
    settings = tmp_path / "attune.toml"
    settings.write_text('[watch]\nworkers = 3\nquiet = "08:00-12:00,13:00-18:00"\nprefect = false\n')
    monkeypatch.setenv("ATTUNE_WATCH_MODEL_SLOTS", "2")
    args = build_parser().parse_args(["watch", "in", "--workers", "4", "--settle", "0"])
    options = watch_command._options(args, read_settings(settings))
    assert (options.workers, options.model_slots, options.settle_s, options.prefect) == (4, 2, 0.0, False)
    assert options.every_s == night.WatchOptions().every_s
    assert night.read_all_quiet_hours(options.quiet) == (QuietHours(480, 720), QuietHours(780, 1080))
    assert night.read_all_quiet_hours("") == ()


def test_an_unknown_setting_of_the_night_is_named(tmp_path):
    settings = tmp_path / "attune.toml"
    settings.write_text("[watch]\nworkerz = 3\n")
    with pytest.raises(AttuneError, match=r"'workerz' in \[watch\].*workers"):
        read_settings(settings)


def test_quiet_hours_are_read():
    assert read_quiet_hours(" 22:00 - 6:30") == QuietHours(22 * 60, 6 * 60 + 30)
    assert is_quiet([read_quiet_hours("22:00-6:30")], time.struct_time((2026, 1, 1, 23, 0, 0, 0, 1, 0)))


def test_the_order_of_jobs():
    jobs = [Job("a", 0), Job("b", 1, first=True), Job("c", 2, state="made"), Job("d", 3, retry_at=9.0)]
    assert next_job(jobs, 0.0).session == "b"
    jobs[1].state = "running"
    assert next_job(jobs, 0.0).session == "a"
    jobs[0].put_off(0.0)
    assert next_job(jobs, 0.0) is None
    assert next_job(jobs, 9.0).session == "d"


def test_waits_grow_and_end():
    waits = [wait_s(n) for n in range(1, 30)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (night.SHORT_WAIT_S, night.LONG_WAIT_S)


def test_the_report_counts_every_job_once():
    jobs = [Job(s, i, state=s) for i, s in enumerate(["waiting", "running", "made", "reused", "stopped"])]
    report = build_report(jobs, host="", began="", ended="", end="done")
    groups = [row["session"] for row in report.made + report.stopped] + report.reused + report.waiting
    assert sorted(groups) == sorted(job.session for job in jobs)
