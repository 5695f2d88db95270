"""Robust z: away from the turn itself, clipped, detrended, and missing with a reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.features.baseline import CLIP, MAD_TO_SD, Needs, compare

LOOSE = Needs(turns=5, speech_s=0.0, away_s=30.0, detrend=False)


def turns(n, every=20.0, length=10.0):
    start = np.arange(n) * every
    return start, start + length, np.ones(n, dtype=bool)


def test_the_formula():
    values = np.random.default_rng(0).normal(5, 2, 40)
    start, end, usable = turns(40)
    found = compare(values, start, end, usable, 0.1, LOOSE)
    away = (start >= end[10] + 30) | (end <= start[10] - 30)
    usual = np.median(values[away])
    spread = MAD_TO_SD * np.median(np.abs(values[away] - usual))
    assert found.usual[10] == pytest.approx(usual)
    assert found.z[10] == pytest.approx((values[10] - usual) / spread)
    assert found.reason == [""] * 40


def test_the_floor_keeps_a_steady_voice_from_looking_rare():
    values = np.full(40, 3.0)
    values[20] = 3.4
    found = compare(values, *turns(40), 0.5, LOOSE)
    assert found.z[20] == pytest.approx(0.8)


def test_a_long_unusual_passage_does_not_become_the_usual():
    values = np.zeros(40)
    values[10:14] = 3.0
    near = compare(values, *turns(40), 1.0, Needs(5, 0.0, 0.0, False))
    far = compare(values, *turns(40), 1.0, Needs(5, 0.0, 60.0, False))
    assert far.z[12] >= near.z[12]
    assert far.z[12] == pytest.approx(3.0)


def test_a_straight_line_over_the_session_is_taken_out():
    start, end, usable = turns(60)
    drift = np.linspace(0, 12, 60)
    values = drift + np.random.default_rng(1).normal(0, 0.5, 60)
    values[30] += 5
    found = compare(values, start, end, usable, 0.5, Needs(5, 0.0, 30.0, True))
    assert np.abs(np.delete(found.z, 30)).max() < 3.9
    assert found.z[30] > 3.9
    assert found.usual[-1] == pytest.approx(12, abs=1.0)


def test_too_little_is_missing_and_says_why():
    values = np.arange(12.0)
    start, end, usable = turns(12)
    short = compare(values, start, end, usable, 1.0, Needs(5, 240.0, 30.0))
    assert np.isnan(short.z).all()
    assert short.reason[0] == "baseline too short: 1.7 min"  # ten turns of 10 s lie 30 s or more away
    few = compare(values, start, end, usable, 1.0, Needs(30, 0.0, 30.0))
    assert few.reason[0] == "baseline too short: 10 turns"
    values[3] = np.nan
    assert compare(values, start, end, usable, 1.0, LOOSE).reason[3] == "not measured"


def test_turns_that_may_not_serve_do_not():
    values = np.r_[np.zeros(20), np.full(20, 100.0)]
    start, end, usable = turns(40)
    usable[20:] = False
    assert np.nanmax(compare(values, start, end, usable, 1.0, LOOSE).usual) == 0.0


@given(st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=30), st.floats(-50, 50), st.floats(0.1, 10))
def test_z_is_clipped_and_knows_no_unit(values, shift, scale):
    values = np.array(values)
    n = len(values)
    plain = compare(values, *turns(n), 0.01, LOOSE)
    moved = compare(values * scale + shift, *turns(n), 0.01 * scale, LOOSE)
    assert np.nanmax(np.abs(plain.z)) <= CLIP
    assert np.allclose(plain.z, moved.z, atol=1e-4, equal_nan=True)
