"""The figures of a night, on made-up nights; and a small real one without Prefect."""

from dataclasses import replace

import pytest

from pipeline.cli import main
from pipeline.evaluate import scale
from pipeline.evaluate.scale import copy_recording, evaluate_scale, render_scale, slope, write_sessions
from pipeline.night import Job
from pipeline.records import AttuneError


def jobs(seconds):
    return [Job(str(n), n, state="made", made=["a", "b"], seconds=s) for n, s in enumerate(seconds)]


def night(workers=1, **more):
    """Six sessions of 2 s steps and 3 s in all on each worker, one after the other, the first slower."""
    told = {
        "jobs": jobs([9.0, 2.0, 2.0, 2.0, 2.0, 2.0]),
        "start_s": 4.0,
        "began": 0.0,
        "done": [20.0 + 3.0 * n for n in range(6)],
        "memory": [300.0] * 6,
        "database": [1024 * 100 * n for n in range(6)],
        "spent": [50.0 + 2.5 * n for n in range(6)],
    }
    return scale._night(workers=workers, prefect=True, **(told | more))


def test_the_first_session_is_not_counted():
    found = night()
    assert (found.step_s, found.overhead_s, found.overhead_task_ms) == (2.0, 1.0, 500.0)
    assert found.sessions_per_hour == 1200.0
    assert (found.cpu_s, found.database_kb) == (2.5, 100.0)


def test_two_workers_share_the_hour():
    assert night(workers=2, done=[20.0 + 1.5 * n for n in range(6)]).overhead_s == 1.0


def told(workers, seconds, spent, peak):
    return replace(night(workers=workers), seconds=seconds, spent_s=spent, peak_mb=peak, light_s=1.0)


def test_two_workers_are_told_against_one_round_by_round():
    nights = [told(1, 100.0, 150.0, 1000.0), told(2, 95.0, 165.0, 1800.0)]
    nights += [told(1, 140.0, 150.0, 1000.0), told(2, 121.0, 165.0, 1800.0)]
    found = scale.compare_overlap(nights)
    assert (found.seconds, found.cpu, found.peak) == (0.9, 1.1, 1.8)
    assert found.rounds == (0.95, 0.864)
    shown = scale.render_overlap(nights)
    assert "wall 0.90 (rounds: 0.95, 0.86), processor 1.10, memory 1.80" in shown
    assert len([line for line in shown.splitlines() if line.strip().startswith(("1 ", "2 "))]) == 4


def test_overlap_is_measured_on_recordings_only(tmp_path, capsys):
    assert main(["evaluate", "scale", "--overlap"]) == 1
    assert "needs recordings" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("no recording")
    assert main(["evaluate", "scale", str(tmp_path), "--overlap"]) == 1
    assert "no recording" in capsys.readouterr().err


def test_recordings_are_taken_in_turn(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(name.encode() * 9)
    copies = list(write_sessions(tmp_path / "in", 5, [tmp_path / "a.wav", tmp_path / "b.wav"]))
    assert [path.read_bytes()[:5] for path in copies] == [b"a.wav", b"b.wav", b"a.wav", b"b.wav", b"a.wav"]
    assert len({path.read_bytes() for path in copies}) == 5


def test_a_leak_is_found_in_the_second_half():
    assert night(memory=[100.0, 200.0, 300.0, 300.0, 301.0, 302.0]).leak_kb == pytest.approx(1024.0)
    assert night(memory=[100.0, 200.0, 300.0, 302.0, 302.0, 302.0]).leak_kb == 0.0


@pytest.mark.parametrize(("values", "wanted"), [([], 0.0), ([5.0], 0.0), ([1.0, 3.0, 5.0], 2.0), ([4.0, 4.0], 0.0)])
def test_slope(values, wanted):
    assert slope(values) == wanted


def test_no_two_sessions_are_the_same(tmp_path):
    assert len({path.read_bytes() for path in write_sessions(tmp_path, 12)}) == 12


def test_copies_of_a_recording_are_the_same_sound(tmp_path):
    import numpy as np
    import soundfile

    from pipeline.speech.audio import AudioOptions, decode_recording

    sound = np.random.default_rng(0).normal(0, 0.1, 5 * 16000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    copies = [copy_recording(tmp_path / "a.wav", tmp_path / f"{n}.wav", n) for n in (1, 2)]
    assert copies[0].read_bytes() != copies[1].read_bytes()
    whole = decode_recording(tmp_path / "a.wav", AudioOptions()).samples
    for copy in copies:
        np.testing.assert_array_equal(decode_recording(copy, AudioOptions()).samples, whole)


def test_a_real_night(monkeypatch):
    monkeypatch.setattr(scale, "PLANS", ((1, False),))
    monkeypatch.setattr(scale, "LENGTHS", (1, 2))
    (found,) = evaluate_scale(4, [], {})
    assert (found.sessions, found.database_kb) == (4, 0.0)
    assert 0.0 < found.cpu_s < 60.0
    assert found.memory_mb[0] > 30.0
    assert found.peak_mb > 30.0
    assert found.light_s > 0.0
    assert found.spent_s > found.cpu_s
    assert "no" in render_scale([found]).splitlines()[1]


def test_too_few_sessions_are_refused():
    with pytest.raises(AttuneError, match="3"):
        evaluate_scale(3, [], {})
