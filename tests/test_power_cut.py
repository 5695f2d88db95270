"""The power goes off at any moment: whatever the disk holds then, every step is whole or made again.

A disk is imitated: a file holds what was flushed to it before it got its name, which is nothing where nothing was.
Names change in the order in which the program changed them, up to any point, as a journaling file system has it; or
those of one folder lag behind, as far back as to when that folder was last flushed, as any file system may have it.
"""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.session import open_session, run_session, state_of
from pipeline.steps import STEPS
from tests.e2e.harness import artefacts, write_dialogue

FIRST = {"markers": {"embedder": "none"}}
THEN = {"markers": {"embedder": "none", "silence_s": 9.0}, "turns": {"own_silence_s": 9.0}, "exports": {"cue_s": 3.0}}


class Disk:
    """Notes what is done to names below `root`, and what each file would hold after a power cut."""

    def __init__(self, root: Path) -> None:
        self.root, self.flushed, self.done, self.synced = root, {}, [], []
        self.fsync, self.replace, self.unlink = os.fsync, os.replace, os.unlink

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(os, "fsync", self._fsync)
        patch.setattr(os, "replace", self._replace)
        patch.setattr(os, "unlink", self._unlink)

    def _fsync(self, handle: int) -> None:
        self.fsync(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path.is_file():
            self.flushed[path] = path.read_bytes()
        elif path.is_relative_to(self.root):
            self.synced.append((path.relative_to(self.root), len(self.done)))

    def _replace(self, source, to) -> None:
        self.replace(source, to)
        if Path(to).is_relative_to(self.root):
            self.done.append((Path(to).relative_to(self.root), self.flushed.pop(Path(source), b"")))

    def _unlink(self, path, **more) -> None:
        self.unlink(path, **more)
        if Path(path).is_relative_to(self.root):
            self.done.append((Path(path).relative_to(self.root), None))

    def after(self, count: int, before: Path, to: Path, lagging: Path | None = None) -> Path:
        """The folder as it would be found with the first `count` changes on the disk.

        lagging   of the names in this folder, only those that were flushed by then
        """
        shutil.copytree(before, to)
        sure = max((at for folder, at in self.synced if folder == lagging and at <= count), default=0)
        for n, (name, content) in enumerate(self.done[:count]):
            if name.parent == lagging and n >= sure:
                continue
            if content is None:
                (to / name).unlink(missing_ok=True)
            else:
                (to / name).write_bytes(content)
        return to


def remade(tmp_path, monkeypatch):
    """A session that is made, then made again with other settings, on a disk that is watched."""
    path = write_dialogue(tmp_path / "talk.json")
    session = open_session(tmp_path / "store", None, [path], FIRST)
    run_session(session)
    before = Path(shutil.copytree(session.folder, tmp_path / "before"))
    disk = Disk(session.folder)
    with monkeypatch.context() as patch:
        disk.watch(patch)
        run_session(open_session(tmp_path / "store", None, [path], THEN))
    return session, before, disk


def opened_at(folder, tmp_path):
    """The session of a folder that was found after the cut, in the place where it belongs."""
    shutil.rmtree(tmp_path / "store" / "sessions")
    (tmp_path / "store" / "sessions").mkdir()
    shutil.move(folder, tmp_path / "store" / "sessions" / folder.name)
    return open_session(tmp_path / "store", None, [tmp_path / "talk.json"], THEN)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux which file a handle is")
def test_whenever_the_power_goes_off_every_step_is_whole_or_made_again(tmp_path, monkeypatch):
    session, before, disk = remade(tmp_path, monkeypatch)
    wanted = artefacts(session.folder)
    changed = {str(name) for name, _ in disk.done}
    assert {"turns.jsonl", "receipts/turns.json", "summary.html", "receipts/exports.json"} <= changed
    whole = 1 + max(n for n, (name, content) in enumerate(disk.done) if name.parent.name == "receipts" and content)
    for count in range(len(disk.done) + 1):
        found = opened_at(disk.after(count, before, tmp_path / session.id), tmp_path)
        states = [state_of(found, step) for step in STEPS]  # raises where an artefact is not as its receipt says
        assert ("stale" in states) == (count < whole), "what was not finished is made again, and nothing else"
        if count % 7 == 0:
            run_session(found)
            assert artefacts(found.folder) == wanted


@pytest.mark.parametrize("lagging", [Path("receipts"), Path(".")])
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux which file a handle is")
def test_names_of_one_folder_that_reach_the_disk_late_leave_every_step_whole_or_made_again(
    tmp_path, monkeypatch, lagging
):
    session, before, disk = remade(tmp_path, monkeypatch)
    assert lagging in {folder for folder, _ in disk.synced}
    for count in range(len(disk.done) + 1):
        found = opened_at(disk.after(count, before, tmp_path / session.id, lagging), tmp_path)
        for step in STEPS:
            state_of(found, step)  # raises where an artefact is not as its receipt says
