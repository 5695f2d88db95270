import numpy as np
import pandas as pd
import pytest

from pipeline import formats
from pipeline.records import AttuneError, Audio, Findings, Given, Repair, Speech, Turn, Word

WORDS = [Word(0.0, 0.5, "naïve <b>"), Word(0.5, 1.0, "“so”", 0.4, "S1")]


def kept(tmp_path, name, value):
    formats.write_atomic(tmp_path / name, formats.dump(name, value))
    return formats.load(tmp_path / name)


def test_records_come_back_as_they_were(tmp_path):
    turns = [Turn(0.0, 1.0, "S1", "client", tuple(WORDS), backchannel=True)]
    assert kept(tmp_path, "words.jsonl", WORDS) == WORDS
    assert kept(tmp_path, "turns.jsonl", turns) == turns
    assert kept(tmp_path, "given.jsonl", [Given(0.0, 1.0, words=tuple(WORDS))])[0].words == tuple(WORDS)


def test_speech_written_before_it_had_a_confidence_still_loads(tmp_path):
    (tmp_path / "speech.jsonl").write_bytes(b'{"start":0.0,"end":1.5,"speaker":"speaker_1"}\n')
    assert formats.load(tmp_path / "speech.jsonl") == [Speech(0.0, 1.5, "speaker_1", 1.0)]
    assert kept(tmp_path, "speech.jsonl", [Speech(0.0, 1.5, "a", 0.25)]) == [Speech(0.0, 1.5, "a", 0.25)]


def test_findings_come_back_as_they_were(tmp_path):
    found = Findings((), (Repair(1.0, 2.0, ("rs_x",), "both", "partly", "words"),), ("a note",))
    assert kept(tmp_path, "findings.json", found) == found


def test_a_table_comes_back_as_it_was(tmp_path):
    table = pd.DataFrame({"start": [0.0, 0.01], "f0_hz": [np.nan, 220.0]})
    pd.testing.assert_frame_equal(kept(tmp_path, "frames.parquet", table), table)


def test_sound_comes_back_within_half_a_step_of_16_bits(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 40_000)).astype(np.float32)
    loaded = kept(tmp_path, "audio.flac", Audio(samples, 16_000))
    assert loaded.rate_hz == 16_000
    assert np.abs(loaded.samples - samples).max() <= 1.0 / 2**15


def test_the_same_value_gives_the_same_bytes():
    table = pd.DataFrame({"a": [1.0, 2.0]})
    for name, value in {"words.jsonl": WORDS, "frames.parquet": table}.items():
        assert formats.dump(name, value) == formats.dump(name, value)


def test_damaged_lines_are_refused_with_a_way_out(tmp_path):
    path = tmp_path / "words.jsonl"
    path.write_bytes(b'{"start": 0.0, "end": "secret"}\n')
    with pytest.raises(AttuneError) as caught:
        formats.load(path)
    assert caught.value.code == "artefact-unreadable"
    assert "secret" not in str(caught.value)
    assert "words.jsonl" in caught.value.mend


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "words.jsonl"
    formats.write_atomic(path, b"old")

    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        formats.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["words.jsonl"]
