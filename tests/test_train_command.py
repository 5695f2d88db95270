"""`attune train`: heads and receipt from a folder of scripts, the same bytes each time."""

import json

import pytest

from pipeline.alliance import heads, train
from pipeline.cli import main
from tests.test_evaluate_moments import known  # noqa: F401
from tests.test_heads import letters


@pytest.fixture
def encoder(monkeypatch):
    monkeypatch.setattr(train, "minilm", lambda: letters)
    monkeypatch.setattr(train, "VARIANTS", {"timing+words": heads.VARIANTS["timing+words"]})
    monkeypatch.setattr(train, "FULL", "timing+words")


def test_the_same_scripts_give_the_same_bytes_and_a_receipt_by_author(known, encoder, tmp_path, capsys):  # noqa: F811
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    assert main(["train", str(known), "--out", str(first)]) == 0
    told = capsys.readouterr().out
    assert main(["train", str(known), "--out", str(second), "--json"]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.with_suffix(".json").read_text()) == receipt
    assert receipt["seed"] == train.TrainOptions().seed
    assert set(receipt["left_out_auc"]["withdrawal"]) == {"all", "p", "q"}
    assert receipt["data_sha256"][:12] in told
    assert "new weights" in told
    words = [out.with_suffix(".role_words.json") for out in (first, second)]
    assert words[0].name in told
    assert words[0].read_bytes() == words[1].read_bytes() != b""


def test_a_second_run_says_that_nothing_changed(known, encoder, tmp_path, capsys):  # noqa: F811
    out = str(tmp_path / "a.npz")
    main(["train", str(known), "--out", out])
    main(["train", str(known), "--out", out])
    assert "the same bytes as before" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_is_named_before_minutes_are_spent(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path / "nowhere" / "a.npz")]) == 1
    assert main(["train", "--out", str(tmp_path / "a.txt")]) == 1
    assert "ends in .npz" in capsys.readouterr().err
