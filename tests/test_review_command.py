"""`attune review` from the command line."""

import json
import socket

import pytest

from pipeline.cli import main
from pipeline.commands.review import LOOPBACK, listen
from pipeline.records import AttuneError
from pipeline.review import verdict_store
from tests.test_review_verdicts import verdict


def test_it_listens_to_this_machine_only():
    with listen(0) as listener:
        assert listener.getsockname()[0] == LOOPBACK == "127.0.0.1"
        assert listener.family == socket.AF_INET


def test_a_port_that_is_taken_or_none_is_told():
    with listen(0) as taken:
        for port in (taken.getsockname()[1], 70000):
            with pytest.raises(AttuneError) as caught:
                listen(port)
            assert caught.value.code == "port-taken"


def test_a_store_that_is_not_there_is_told(tmp_path, capsys):
    assert main(["review", "--store", str(tmp_path / "none"), "--no-browser"]) == 1
    assert "attune" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_verdicts_are_written_to_a_file(tmp_path, name, capsys):
    for k in range(2):
        verdict_store.append(tmp_path, verdict(at=100.0 * k))
    assert main(["review", "--store", str(tmp_path), "--export", str(tmp_path / name)]) == 0
    assert "2 verdicts" in capsys.readouterr().out
    lines = (tmp_path / name).read_text().splitlines()
    assert len(lines) == (2 if name.endswith("jsonl") else 3)
    if name.endswith("jsonl"):
        assert json.loads(lines[0])["answer"] == "agree"


def test_another_kind_of_file_is_refused(tmp_path, capsys):
    assert main(["review", "--store", str(tmp_path), "--export", str(tmp_path / "out.xlsx")]) == 1
    assert ".jsonl or .csv" in capsys.readouterr().err
