"""The store's form and who may work in it."""

import json
import threading

import pytest

from pipeline import store as stores
from pipeline.records import AttuneError
from pipeline.store import FORMAT, MARK, Mark, check_present, load_mark, newer, open_store


def mark(store, form, attune="0.1.0"):
    store.mkdir(exist_ok=True)
    (store / MARK).write_text(json.dumps({"format": form, "attune": attune}))


@pytest.fixture
def program(monkeypatch):
    """Sets this program's version."""
    return lambda version: monkeypatch.setattr(stores, "program_version", lambda: version)


def test_a_new_store_is_marked(tmp_path, program):
    program("0.1.0")
    assert open_store(tmp_path / "store") == Mark(FORMAT, "0.1.0")
    assert load_mark(tmp_path / "store") == Mark(FORMAT, "0.1.0")


def test_a_store_without_a_mark_is_brought_to_this_form(tmp_path):
    store = tmp_path / "store"
    (store / "prefect").mkdir(parents=True)
    (store / "prefect" / "server.json").write_text("{}")
    (store / "sessions" / "0123456789ab").mkdir(parents=True)
    (store / "sessions" / "0123456789ab" / "words.jsonl").write_text("kept")
    open_store(store)
    assert load_mark(store).format == FORMAT
    assert not (store / "prefect" / "server.json").exists()
    assert (store / "sessions" / "0123456789ab" / "words.jsonl").read_text() == "kept"


def test_an_upgrade_that_was_cut_off_goes_on_where_it_was(tmp_path, monkeypatch):
    done, cut_off = [], []

    def second(store):
        done.append(1)
        if not cut_off:
            cut_off.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(stores, "FORMAT", 3)
    monkeypatch.setattr(
        stores, "UPGRADES", {0: lambda store: done.append(0), 1: second, 2: lambda store: done.append(2)}
    )
    with pytest.raises(KeyboardInterrupt):
        open_store(tmp_path)
    assert load_mark(tmp_path).format == 1
    open_store(tmp_path)
    assert done == [0, 1, 1, 2]
    assert load_mark(tmp_path).format == 3


def test_two_programs_upgrade_a_store_once(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(stores, "UPGRADES", {0: lambda store: done.append(0)})
    both = [threading.Thread(target=open_store, args=(tmp_path,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert done == [0]


def test_every_older_form_has_its_upgrade():
    assert sorted(stores.UPGRADES) == list(range(FORMAT))


@pytest.mark.parametrize(
    ("form", "attune", "code"),
    [(FORMAT + 1, "0.1.0", "store-newer"), (FORMAT, "0.3.0", "program-older")],
)
def test_a_store_of_a_newer_program_is_refused(tmp_path, program, form, attune, code):
    program("0.2.0")
    mark(tmp_path, form, attune)
    before = (tmp_path / MARK).read_bytes()
    with pytest.raises(AttuneError) as caught:
        open_store(tmp_path)
    assert caught.value.code == code
    assert "0.2.0" in str(caught.value)
    assert (tmp_path / MARK).read_bytes() == before


def test_a_newer_program_takes_the_store_over_for_good(tmp_path, program):
    mark(tmp_path, FORMAT, "0.1.0")
    program("0.2.0")
    assert open_store(tmp_path).attune == "0.2.0"
    program("0.1.0")
    with pytest.raises(AttuneError, match=r"0\.2\.0"):
        check_present(tmp_path)


def test_a_mark_that_cannot_be_read_says_the_way_out(tmp_path):
    (tmp_path / MARK).write_bytes(b"{")
    with pytest.raises(AttuneError) as caught:
        open_store(tmp_path)
    assert MARK in caught.value.mend


def test_a_store_that_is_gone_is_told_from_a_new_one(tmp_path):
    open_store(tmp_path / "store")
    check_present(tmp_path / "store")
    (tmp_path / "store" / MARK).unlink()  # as where a share's empty folder is left
    with pytest.raises(AttuneError) as caught:
        check_present(tmp_path / "store")
    assert caught.value.code == "store-unreachable"


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("0.1.0", "0.2.0", "0.2.0"),
        ("0.10.0", "0.9.0", "0.10.0"),
        ("unknown", "0.1.0", "0.1.0"),
        ("0.1.0", "?", "0.1.0"),
    ],
)
def test_the_newer_of_two_versions(a, b, wanted):
    assert newer(a, b) == wanted
