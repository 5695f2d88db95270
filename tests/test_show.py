"""`attune show`: what a person reads in the terminal."""

import pytest

from pipeline import formats
from pipeline.cli import main
from pipeline.commands.show import worth_a_look
from pipeline.records import Activity, Word
from tests.review_sessions import write_session

SESSION = "aaaaaaaaaa01"


def test_speech_without_words_is_said(tmp_path, capsys):
    folder = tmp_path / "sessions" / SESSION
    write_session(tmp_path, SESSION, 5, clicks_s=())
    activity = [Activity(0, 10, 1), Activity(61, 65.5, 1), Activity(70, 70.5, 1), Activity(80, 82, 1)]
    formats.write_atomic(folder / "activity.jsonl", formats.dump("activity.jsonl", activity))
    words = [Word(second, second + 1.0, "so", 0.9, None) for second in range(10)]
    formats.write_atomic(folder / "words.jsonl", formats.dump("words.jsonl", words))
    assert main(["show", SESSION, "--store", str(tmp_path)]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "not transcribed" in line]
    assert said == ["  not transcribed: 6 s of speech without a word, at 1:01, 1:20"]


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "no moments worth a look"), (1, "1 moment worth a look"), (2, "2 moments worth a look")],
)
def test_moments_are_counted_in_words(count, said):
    assert worth_a_look(count) == said


@pytest.mark.parametrize("key", ["", " "])
@pytest.mark.parametrize("command", [["show"], ["export", "--to", "srt"], ["plot"], ["watch", "--first"]])
def test_an_empty_id_names_no_session_even_where_there_is_one_only(tmp_path, capsys, command, key):
    write_session(tmp_path, SESSION, 2)
    assert main([*command, key, "--store", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{key!r} names no session" in said.err
    assert "attune show lists" in said.err
