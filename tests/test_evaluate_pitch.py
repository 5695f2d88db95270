"""Scores of pitch: errors made on purpose must be counted as what they are."""

import numpy as np
import pytest
import soundfile

from pipeline.evaluate import pitch
from pipeline.evaluate.pitch import PitchCounts, count_errors, evaluate_pitch, read_at, render_pitch
from pipeline.records import AttuneError
from tests.made_speech import make_tone, silence


def test_every_kind_of_error_is_counted_once():
    reference = np.array([100, 100, 100, 100, 0, 0, 0, 100.0])
    estimate = np.array([100, 110, 130, np.nan, np.nan, 90, np.nan, 50])
    counts = count_errors(reference, estimate)
    assert counts == PitchCounts(voiced=5, unvoiced=3, missed=1, invented=1, gross=2, fine_sum=pytest.approx(0.1))
    rates = counts.rates
    assert rates["gross_percent"] == pytest.approx(50)
    assert rates["fine_percent"] == pytest.approx(5)
    assert rates["voicing_percent"] == pytest.approx(25)
    assert (rates["missed_percent"], rates["invented_percent"]) == (pytest.approx(20), pytest.approx(100 / 3))


def test_counts_add_up():
    a, b = PitchCounts(10, 5, 1, 0, 1, 0.2), PitchCounts(30, 5, 0, 2, 0, 0.1)
    assert a + b == PitchCounts(40, 10, 1, 2, 1, pytest.approx(0.3))


def test_reading_between_frames():
    times = np.array([0.0, 0.1, 0.2, 0.3])
    f0 = np.array([100.0, 110.0, np.nan, 120.0])
    found = read_at(times, f0, np.array([0.05, 0.12, 0.19, 0.3, 0.31, 0.9]))
    assert found[:2] == pytest.approx([105, 110])
    assert np.isnan(found[2])
    assert found[3:5] == pytest.approx([120, 120])
    assert np.isnan(found[5])


def test_a_folder_of_known_tones(tmp_path, monkeypatch):
    sound = np.concatenate([silence(0.5), make_tone(150, 1.0), silence(0.5)])
    soundfile.write(tmp_path / "one.wav", sound, 16000)
    at = np.arange(133) * 0.015
    np.savetxt(tmp_path / "one.f0ref", np.where((at > 0.5) & (at < 1.5), 150.0, 0.0))
    ours = {pitch.SHIPPED: pitch.ESTIMATES[pitch.SHIPPED]}

    def absent(samples, rate_hz):
        raise ImportError

    monkeypatch.setattr(pitch, "ESTIMATES", ours | {"absent": absent})
    result = evaluate_pitch(tmp_path)
    row = result["trackers"][pitch.SHIPPED]
    assert row["gross_percent"] == 0
    assert row["fine_percent"] < 0.5
    assert row["voicing_percent"] < 3.5
    assert result["met"] == {"gross_percent": True, "fine_percent": True, "voicing_percent": True}
    shown = render_pitch(result)
    assert "1 clips, 133 reference frames" in shown
    assert "not installed" in shown


def test_a_folder_without_references(tmp_path):
    with pytest.raises(AttuneError, match="no pair of name"):
        evaluate_pitch(tmp_path)
