"""What counts as evidence, on which turn it rests, and what is left out when it may not be looked at."""

import numpy as np
import pandas as pd
import pytest

from pipeline.alliance.catalogue import load_catalogue
from pipeline.alliance.markers import MarkersOptions, find_markers, markers_models
from pipeline.alliance.voice import find_voice_markers
from tests.talk import QUIET_SESSION, SESSION, talk


def find(lines, table=None, **options):
    turns = talk(*lines)
    return turns, find_markers(turns, table, None, MarkersOptions(embedder="none", **options))


def test_options_name_the_weights_they_need():
    assert markers_models(MarkersOptions(), None) == ("minilm",)
    assert markers_models(MarkersOptions(embedder="none"), None) == ()
    assert markers_models(MarkersOptions(text=False), None) == ()
    assert markers_models(MarkersOptions(language="de"), None) == ()
    assert markers_models(MarkersOptions(language=""), None) == ("minilm",), "it may be found to be English"


def test_markers_are_complete_ordered_and_in_the_catalogue():
    turns, found = find(SESSION)
    assert found == sorted(found, key=lambda m: (m.start, m.turn, m.marker, m.modality))
    known = load_catalogue().entries
    for m in found:
        assert m.marker in known
        assert 0.0 <= m.strength <= 1.0
        assert 0.0 <= m.reliability <= 1.0
        assert turns[m.turn].start <= m.start + 1e-6 or m.modality == "timing"


def test_the_complaint_quotes_its_words_and_names_its_marker():
    turns, found = find(SESSION)
    at = next(i for i, t in enumerate(turns) if t.text.startswith("You keep saying"))
    marker = next(m for m in found if m.turn == at and m.family == "confrontation")
    assert marker.words
    assert marker.words in turns[at].text
    assert marker.marker.startswith("cf_complaint")


def test_a_repair_is_a_marker_of_the_therapist():
    turns, found = find(SESSION)
    repairs = [m for m in found if m.family == "resolution"]
    assert repairs
    assert {m.role for m in repairs} == {"therapist"}
    strongest = max(repairs, key=lambda m: m.strength)
    assert "sorry" in turns[strongest.turn].text or "thank you" in turns[strongest.turn].text


def test_without_words_no_words_are_quoted_and_all_is_timing():
    _, found = find(QUIET_SESSION, text=False)
    assert found
    assert {m.modality for m in found} == {"timing"}
    assert {m.words for m in found} == {""}


def test_nothing_to_look_at_gives_nothing():
    assert find(SESSION, text=False, timing=False, voice=False)[1] == []


def test_no_turns_give_no_markers():
    assert find_markers([], None, None, MarkersOptions(embedder="none")) == []


def voice_table(turns, **unusual):
    table = pd.DataFrame({name: np.zeros(len(turns)) for name in ("pitch_st_z", "pitch_range_st_z", "level_db_z")})
    for name, value in unusual.items():
        table.loc[1, name] = value
    return table


@pytest.mark.parametrize(
    ("unusual", "count"),
    [
        ({}, 0),
        ({"pitch_st_z": 3.0}, 0),
        ({"pitch_st_z": 3.0, "level_db_z": 1.0}, 0),
        ({"pitch_st_z": 3.0, "level_db_z": -3.0}, 2),
        ({"pitch_st_z": -3.0, "pitch_range_st_z": 3.0, "level_db_z": 3.0}, 2),
        ({"pitch_st_z": float("nan"), "level_db_z": 3.0}, 0),
    ],
)
def test_the_voice_needs_two_features_out_of_range_either_way(unusual, count):
    turns = talk(*SESSION)
    found = find_voice_markers(turns, voice_table(turns, **unusual), 2.0)
    assert len(found) == count
    assert all(m.modality == "voice" and m.turn == 1 and m.against for m in found)
    assert {m.family for m in found} in (set(), {"withdrawal", "confrontation"})


def test_a_table_without_voice_columns_shows_nothing():
    turns = talk(*SESSION)
    assert find_voice_markers(turns, pd.DataFrame({"start": [t.start for t in turns]}), 2.0) == []


def test_the_therapists_voice_is_not_looked_at():
    turns = talk(*SESSION)
    table = voice_table(turns)
    table.loc[0, ["pitch_st_z", "level_db_z"]] = 4.0
    assert find_voice_markers(turns, table, 2.0) == []


def test_what_lies_in_a_grey_minute_counts_for_nothing():
    import pandas as pd

    from pipeline.alliance.markers import _without_grey
    from pipeline.records import Marker

    def marker(start):
        return Marker(start, start + 5, "wd_denial", "withdrawal", "client", 0, 0.9, 1.0, "text")

    windows = pd.DataFrame(
        {"kind": ["minute", "minute"], "start": [0.0, 60.0], "end": [60.0, 120.0], "grey": [False, True]}
    ).assign(grey_why=["", "too noisy"])
    clear, grey = _without_grey([marker(59.0), marker(60.0)], windows)
    assert clear == marker(59.0)
    assert grey.reliability == 0.0
    assert "too noisy" in grey.against
