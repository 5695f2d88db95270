"""Every column that is made is described, and nothing else is."""

import pytest

from pipeline.features.describe import describe_columns
from pipeline.features.prosody import FramesOptions, measure_frames
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.features.windows import WindowsOptions, measure_windows
from tests.made_speech import make_tone, one_client

FEELINGS = ("angry", "anger", "sad", "happy", "fear", "anxious", "hostile", "distress", "emotion", "depress")


@pytest.fixture(scope="module")
def tables():
    frames = measure_frames(*one_client(make_tone(200, 1.0)), FramesOptions())
    turns = measure_turns([], None, None, TurnTableOptions())
    return {"frames": frames, "turns": turns, "windows": measure_windows([], turns, None, WindowsOptions())}


@pytest.mark.parametrize("name", ["frames", "turns", "windows"])
def test_the_description_is_complete_and_in_order(tables, name):
    assert [column.name for column in describe_columns() if column.table == name] == list(tables[name].columns)


def test_every_description_says_something():
    for column in describe_columns():
        assert all((column.unit, column.definition, column.source, column.cannot_tell)), column


def test_units_are_in_the_names():
    in_name = {"Hz": "hz", "dB": "db", "s": "s", "%": "percent", "syllables/s": "per_s", "words/min": "per_min"}
    for column in describe_columns():
        if column.unit in in_name and column.name not in ("start", "end", "onset_strength"):
            assert column.name.endswith(in_name[column.unit]), column.name


def test_no_column_names_an_emotion():
    for column in describe_columns():
        assert not any(word in f"{column.name} {column.definition}".lower() for word in FEELINGS), column.name
