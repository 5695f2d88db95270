"""The bank of markers: complete, checked, and printable."""

from dataclasses import replace

import pytest

from pipeline.alliance.catalogue import FAMILIES, Example, check_catalogue, describe, load_catalogue
from pipeline.alliance.scripts import CODED_AS
from pipeline.records import AttuneError


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def test_every_family_is_there_and_every_entry_is_explained(catalogue):
    assert {entry.family for entry in catalogue.entries.values()} == set(FAMILIES)
    for entry in catalogue.entries.values():
        assert entry.name
        assert entry.definition
        assert entry.label
        assert len(entry.examples) >= 12
        assert len(entry.near_misses) >= 4


def test_patterns_find_some_of_their_own_examples_and_none_of_the_marker_is_empty(catalogue):
    for entry in catalogue.entries.values():
        hits = sum(any(p.search(x.text) for p in entry.patterns) for x in entry.examples)
        assert hits >= len(entry.examples) // 3, entry.id


def test_what_coders_write_is_in_the_catalogue(catalogue):
    assert set(CODED_AS.values()) <= set(catalogue.entries)


def test_describe_has_a_row_for_every_marker_with_its_weight_and_gates(catalogue):
    rows = describe(catalogue)
    assert [row["id"] for row in rows] == list(catalogue.entries)
    assert all({"label", "definition", "weight", "needs_target", "needs_context"} <= set(row) for row in rows)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"family": "anger"}, "anger"),
        ({"needs_context": "sometimes"}, "sometimes"),
        ({"woe": 9.0}, "9.0"),
        ({"speaker": "both"}, "both"),
    ],
)
def test_a_wrong_entry_is_named(catalogue, change, word):
    entries = dict(catalogue.entries)
    entries["wd_denial"] = replace(entries["wd_denial"], **change)
    with pytest.raises(AttuneError, match=word):
        check_catalogue(replace(catalogue, entries=entries), len(entries))


def test_a_kept_back_line_must_not_be_an_example(catalogue):
    entries = dict(catalogue.entries)
    first = entries["wd_denial"].examples[0]
    entries["wd_denial"] = replace(entries["wd_denial"], heldout=(Example(first.text),))
    with pytest.raises(AttuneError, match="heldout"):
        check_catalogue(replace(catalogue, entries=entries), len(entries))


def test_an_id_used_twice_is_noticed(catalogue):
    with pytest.raises(AttuneError, match="twice"):
        check_catalogue(catalogue, len(catalogue.entries) + 1)
