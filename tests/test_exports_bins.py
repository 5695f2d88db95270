"""Bins for coding practice: every marker in its bin, every box empty, no word of the session."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise

import html5lib
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exports import ExportOptions, Material, write_formats
from pipeline.exports.bins import BOXES, COARSE_S, FINE_S, SEEN, build_bins
from pipeline.records import About, Findings, Marker
from tests.exported import ABOUT, FINDINGS, NASTY, TURNS, VOICES, spoken_session

TIMES = st.integers(0, 3 * 3_600_000).map(lambda ms: ms / 1000)


def marker(start, name="wd_denial", family="withdrawal", strength=0.9, reliability=1.0):
    words = "the client's own words"
    return Marker(start, start + 2, name, family, "client", 0, strength, reliability, "text", words, words, words)


def material(*markers, minutes=12.5):
    return Material(replace(ABOUT, duration_s=60 * minutes), tuple(TURNS), FINDINGS, tuple(VOICES), markers=markers)


def made(given_material):
    return write_formats(given_material, ["bins"], ExportOptions())


@pytest.mark.parametrize("length_s", [FINE_S, COARSE_S])
@given(TIMES, st.lists(TIMES, max_size=20))
def test_the_bins_are_the_whole_session_and_hold_every_marker_once(length_s, end_s, starts):
    markers = tuple(marker(at) for at in starts)
    bins = build_bins(Material(About("0", "", end_s), (), Findings((), (), ()), (), markers=markers), length_s)
    assert [b.start for b in bins] == [k * length_s for k in range(len(bins))]
    assert all(a.end == b.start for a, b in pairwise(bins))
    assert (bins[-1].end if bins else 0.0) == end_s
    held = [at for b in bins for pairs in b.seen.values() for _, times in pairs for at in times]
    assert held == sorted(at for at in starts if at < end_s)
    assert all(b.start <= at < b.end for b in bins for pairs in b.seen.values() for _, times in pairs for at in times)


def test_a_marker_too_faint_or_too_doubtful_is_left_out():
    seen = build_bins(
        material(
            marker(10.0, strength=0.19),
            marker(20.0, reliability=0.1),
            marker(30.0, strength=0.21),
            marker(70.0, "cf_defend_self", "confrontation", 0.3),
            marker(80.0, "rs_rationale", "resolution", 0.2),
            marker(90.0, "tc_moves_away", "therapist_contribution", 0.6),
            marker(95.0, "rc_reengage", "recovery", 0.9),
        ),
        FINE_S,
    )
    assert seen[0].seen == {"withdrawal": [("playing down / closing off a feeling", [30.0])]}
    assert set(seen[1].seen) == {"repair", "therapist"}


def test_the_tables_name_markers_and_leave_every_box_to_people():
    files = made(material(marker(31.0), marker(48.0), marker(400.0, "cf_defend_self", "confrontation")))
    fine, coarse = (pd.read_csv(io.BytesIO(files[name])) for name in ("bins_60s.csv", "bins_5min.csv"))
    assert (len(fine), len(coarse)) == (13, 3)
    assert fine["possible_withdrawal"][0] == "playing down / closing off a feeling (0:31, 0:48)"
    assert list(coarse["possible_confrontation"].notna()) == [False, True, False]
    assert list(coarse["end_hms"]) == ["0:05:00", "0:10:00", "0:12:30"]
    for table in (fine, coarse):
        assert table[[*BOXES, "note"]].isna().all().all()
    assert fine["moments"][0] == "1; 2"


def test_the_page_is_whole_empty_of_ratings_and_of_words():
    page = made(material(marker(31.0)))["bins.html"].decode()
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    coarse, whole, fine = tree.findall(".//table")
    assert (len(coarse.findall(".//tbody/tr")), len(fine.findall(".//tbody/tr"))) == (3, 13)
    boxes = fine.findall(".//td[@class='box']") + coarse.findall(".//td[@class='box']")
    assert len(boxes) == (3 + 13) * len(BOXES)
    assert {"".join(box.itertext()) for box in boxes} == {"12345"}
    assert len(whole.findall(".//td[@class='box']")) == len(BOXES)
    assert "own words" not in page
    assert not any(turn.text in page for turn in TURNS if len(turn.text) > 4)
    assert not re.search(r"<script|src=|href=|url\(", page)
    assert "does not look for suicide" in page


def test_where_the_markers_are_not_known_the_moments_are_shown_but_never_the_audit_clip():
    [only] = build_bins(replace(material(), about=replace(ABOUT, duration_s=40.0)), FINE_S)
    times = [at for name in SEEN for _, times in only.seen.get(name, ()) for at in times]
    assert 22.0 not in times  # where the clip drawn at random begins
    assert only.seen["withdrawal"] == [("playing down / closing off a feeling", [8.0])]
    assert {label for label, _ in only.seen["repair"]} >= {"inviting talk about what is happening between them"}


@pytest.mark.parametrize("text", NASTY)
def test_no_text_becomes_markup_or_a_formula(text):
    turns, findings, about, voices = spoken_session(text)
    files = made(Material(about, tuple(turns), findings, tuple(voices), markers=(replace(marker(0.5), marker=text),)))
    html5lib.HTMLParser(strict=True).parse(files["bins.html"].decode())
    table = pd.read_csv(io.BytesIO(files["bins_60s.csv"]), keep_default_na=False)
    assert not table.map(lambda value: str(value).startswith(("=", "+", "-", "@"))).any().any()


def test_a_session_of_no_length_has_no_bins():
    nothing = Material(About("0", "", 0.0), (), Findings((), (), ()), ())
    assert build_bins(nothing, FINE_S) == []
    assert len(made(nothing)["bins_60s.csv"].splitlines()) == 1
