"""Trackers, the person's own range and octave jumps."""

import sys

import numpy as np
import pytest

from pipeline.features.pitch import (
    TRACKERS,
    WIDE_HZ,
    find_range,
    frames_in,
    semitones,
    tracker,
    without_octave_jumps,
)
from pipeline.records import AttuneError
from tests.made_speech import RATE, make_tone, make_voice


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_every_tracker_reads_a_glide_on_the_same_grid(name):
    if name == "swift":
        pytest.importorskip("swift_f0")
    f0 = np.geomspace(140, 200, RATE)
    found = TRACKERS[name](make_voice(f0), RATE, *WIDE_HZ).f0_hz
    assert found.size == 100
    truth = f0[(np.arange(100) * 160 + 80)]
    off = np.abs(found / truth - 1)[10:-10]
    assert np.isfinite(off).all()
    assert np.median(off) < 0.01


def test_hnr_comes_with_praat():
    found = TRACKERS["praat"](make_tone(150, 1.0), RATE, *WIDE_HZ)
    assert np.nanmedian(found.hnr_db) > 30


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100), np.zeros(RATE), np.full(200, 0.1)])
def test_nothing_to_track_is_unvoiced(samples):
    samples = samples.astype(np.float32)
    found = TRACKERS["praat"](samples, RATE, *WIDE_HZ)
    assert found.f0_hz.size == frames_in(samples, RATE)
    assert np.isnan(found.f0_hz).all()


def test_an_unknown_tracker_names_the_known_ones():
    with pytest.raises(AttuneError, match="praat, swift, pyin"):
        tracker("crepe")


def test_a_missing_library_names_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "swift_f0", None)
    with pytest.raises(AttuneError) as raised:
        TRACKERS["swift"](make_tone(150, 0.2), RATE, *WIDE_HZ)
    assert "pip install 'attune[swift]'" in raised.value.mend


def test_the_range_follows_the_person_and_needs_two_seconds():
    man = np.random.default_rng(0).normal(110, 12, 1000)
    low, high = find_range(man)
    assert 55 < low < 75
    assert 220 < high < 260
    woman_low, woman_high = find_range(man * 2)
    assert (woman_low, woman_high) == pytest.approx((2 * low, 2 * high))
    assert find_range(man[:150]) == WIDE_HZ
    assert find_range(np.full(500, np.nan)) == WIDE_HZ


def test_short_octave_jumps_are_moved_back():
    truth = np.linspace(200, 180, 100)
    for factor in (0.5, 2.0):
        jumped = truth.copy()
        jumped[40:46] *= factor
        assert np.allclose(without_octave_jumps(jumped), truth)
        assert jumped[40] == truth[40] * factor, "the argument is left as it was"


def test_a_jump_that_is_no_octave_is_dropped():
    f0 = np.full(100, 150.0)
    f0[50:54] = 150.0 * 2 ** (16 / 12)
    mended = without_octave_jumps(f0)
    assert np.isnan(mended[50:54]).all()
    assert np.isfinite(np.delete(mended, slice(50, 54))).all()


def test_a_long_step_is_believed():
    f0 = np.r_[np.full(60, 120.0), np.full(40, 250.0), np.full(60, 120.0)]
    assert np.array_equal(without_octave_jumps(f0), f0)


def test_semitones():
    assert semitones(200.0, 100.0) == pytest.approx(12)
    assert semitones(np.array([100.0, 50.0]), 100.0) == pytest.approx([0, -12])
