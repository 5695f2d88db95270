"""Decoding: what is heard, when, and what is refused."""

from __future__ import annotations

import os
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import AttuneError
from pipeline.speech import audio
from pipeline.speech.audio import RATE_HZ, AudioOptions, check_recording, decode_recording
from tests.media import CODECS, onsets_s, pips, silence, tone, write_media, write_picture_only

OPTIONS = AudioOptions()
PIPS = [0.5, 2.0, 3.25]
SECONDS = 4.0


def decoded(path):
    return decode_recording(path, OPTIONS)


def code_of(call, *args) -> str:
    with pytest.raises(AttuneError) as caught:
        call(*args)
    assert str(caught.value)
    assert caught.value.mend
    return caught.value.code


# ---------------------------------------------------------------- what is heard, and when


@pytest.mark.parametrize(
    ("suffix", "picture_s"), [(s, 0.0) for s in CODECS] + [(s, SECONDS) for s in (".mp4", ".mov", ".mkv", ".webm")]
)
def test_each_container_keeps_its_times(tmp_path, suffix, picture_s):
    path = write_media(tmp_path / f"session{suffix}", pips(SECONDS, PIPS), picture_s=picture_s)
    sound = decoded(path)
    assert sound.rate_hz == RATE_HZ
    assert sound.samples.dtype == np.float32
    assert sound.samples.shape[0] == 1
    assert sound.duration_s == pytest.approx(SECONDS, abs=0.03)
    assert onsets_s(sound.samples[0], RATE_HZ) == pytest.approx(PIPS, abs=0.003)
    assert check_recording(path) == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_sound_that_starts_after_the_picture_is_padded(tmp_path, suffix):
    path = write_media(tmp_path / f"late{suffix}", pips(SECONDS, PIPS), picture_s=6.5, sound_from_s=2.5)
    sound = decoded(path)
    assert onsets_s(sound.samples[0], RATE_HZ) == pytest.approx([t + 2.5 for t in PIPS], abs=0.005)
    assert np.abs(sound.samples[0, : int(2.4 * RATE_HZ)]).max() < 1e-3


def test_leading_edit_of_a_sound_file_counts_as_time(tmp_path):
    path = write_media(tmp_path / "late.m4a", pips(SECONDS, PIPS), sound_from_s=2.5)
    assert onsets_s(decoded(path).samples[0], RATE_HZ) == pytest.approx([t + 2.5 for t in PIPS], abs=0.005)
    assert check_recording(path) == pytest.approx(SECONDS + 2.5, abs=0.05)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_dropped_packets_become_silence(tmp_path, suffix):
    sound = pips(SECONDS, PIPS) + 0.05 * tone(SECONDS, 300.0, level=1.0)
    path = write_media(tmp_path / f"gap{suffix}", sound, left_out_s=(0.9, 1.7))
    samples = decoded(path).samples[0]
    assert onsets_s(samples, RATE_HZ) == pytest.approx(PIPS, abs=0.005)
    assert np.abs(samples[int(1.05 * RATE_HZ) : int(1.55 * RATE_HZ)]).max() < 0.01
    assert np.abs(samples[int(0.6 * RATE_HZ) : int(0.8 * RATE_HZ)]).max() > 0.04


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 192000])
def test_any_rate_becomes_16_khz(tmp_path, rate_hz):
    path = write_media(tmp_path / "rate.wav", tone(SECONDS, 1000.0, rate_hz, level=0.5), rate_hz)
    samples = decoded(path).samples[0]
    assert len(samples) == pytest.approx(SECONDS * RATE_HZ, abs=32)
    middle = samples[RATE_HZ : 3 * RATE_HZ]
    assert 20 * np.log10(np.sqrt(2) * middle.std() / 0.5) == pytest.approx(0.0, abs=0.1)
    spectrum = np.abs(np.fft.rfft(middle))
    assert spectrum.argmax() / 2.0 == pytest.approx(1000.0, abs=0.5)


def test_telephone(tmp_path):
    path = write_media(tmp_path / "call.wav", pips(SECONDS, PIPS, 8000), 8000, codec="pcm_mulaw")
    assert onsets_s(decoded(path).samples[0], RATE_HZ) == pytest.approx(PIPS, abs=0.003)


def test_a_format_that_changes_on_the_way(tmp_path):
    """As when a call switches headsets: 48 kHz mono, then 44.1 kHz stereo, then mono again."""

    def frames(sound: np.ndarray, rate_hz: int, layout: str, from_s: float):
        sound = np.atleast_2d(sound)
        for at in range(0, sound.shape[1], 1024):
            made = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, at : at + 1024]), "fltp", layout)
            made.sample_rate, made.time_base = rate_hz, Fraction(1, rate_hz)
            made.pts = at + round(from_s * rate_hz)
            yield made

    tape = audio._Tape(1.0)
    both = np.stack([pips(2.0, [0.5], 44100), pips(2.0, [1.0], 44100)])
    parts = [
        (pips(2.0, [1.0]), 48000, "mono", 0.0),
        (both, 44100, "stereo", 2.0),
        (pips(2.0, [1.5]), 48000, "mono", 4.0),
    ]
    audio._lay_down((made for part in parts for made in frames(*part)), tape, 0.0, OPTIONS)
    samples = tape.samples()
    assert samples.shape == (2, pytest.approx(6 * RATE_HZ, abs=2))
    assert onsets_s(samples[0], RATE_HZ) == pytest.approx([1.0, 2.5, 5.5], abs=0.003)
    assert onsets_s(samples[1], RATE_HZ) == pytest.approx([1.0, 3.0, 5.5], abs=0.003)


def test_what_16_khz_cannot_hold_does_not_fold_back(tmp_path):
    path = write_media(tmp_path / "high.wav", tone(SECONDS, 12000.0, 48000, level=0.5))
    assert np.abs(decoded(path).samples[0, 2000:-2000]).max() < 0.5 * 10 ** (-60 / 20)


@pytest.mark.parametrize("suffix", [".wav", ".mp4", ".webm"])
def test_two_channels_stay_two(tmp_path, suffix):
    left, right = pips(SECONDS, [0.5, 2.0]), pips(SECONDS, [1.0, 3.0])
    samples = decoded(write_media(tmp_path / f"two{suffix}", np.stack([left, right]))).samples
    assert samples.shape[0] == 2
    assert onsets_s(samples[0], RATE_HZ) == pytest.approx([0.5, 2.0], abs=0.003)
    assert onsets_s(samples[1], RATE_HZ) == pytest.approx([1.0, 3.0], abs=0.003)


def test_channels_that_differ_only_late_keep_what_came_before(tmp_path):
    left, right = pips(SECONDS, [0.5, 2.0]), pips(SECONDS, [0.5, 3.0])
    samples = decoded(write_media(tmp_path / "late.wav", np.stack([left, right]))).samples
    assert onsets_s(samples[1], RATE_HZ) == pytest.approx([0.5, 3.0], abs=0.003)


@pytest.mark.parametrize("suffix", CODECS)
def test_one_channel_stored_twice_is_one(tmp_path, suffix):
    """A codec may round the two differently; noise in the pauses is where AAC does."""
    rng = np.random.default_rng(1)
    sound = pips(SECONDS, PIPS) + rng.normal(0, 0.002, round(SECONDS * 48000)).astype(np.float32)
    assert decoded(write_media(tmp_path / f"twice{suffix}", np.stack([sound, sound]))).samples.shape[0] == 1


def test_mono_in_one_ear(tmp_path):
    sound = pips(SECONDS, PIPS)
    made = decoded(write_media(tmp_path / "ear.wav", np.stack([sound, silence(SECONDS)])))
    assert made.samples.shape[0] == 2
    assert not made.samples[1].any()
    assert onsets_s(made.mono, RATE_HZ, level=0.5) == pytest.approx(PIPS, abs=0.003)


@pytest.mark.parametrize("channels", [4, 6])
def test_more_than_two_channels_become_their_mean(tmp_path, channels):
    sound = np.stack([pips(SECONDS, [0.5 + 0.5 * i]) for i in range(channels)])
    samples = decoded(write_media(tmp_path / "table.wav", sound)).samples
    assert samples.shape[0] == 1
    assert onsets_s(samples[0], RATE_HZ, level=0.4 / channels) == pytest.approx(
        [0.5 + 0.5 * i for i in range(channels)], abs=0.003
    )


def test_digital_silence_is_not_an_error(tmp_path):
    assert not decoded(write_media(tmp_path / "silence.wav", silence(SECONDS))).samples.any()


def test_overdriven_sound_stays_within_full_scale(tmp_path):
    path = write_media(tmp_path / "loud.wav", 4 * tone(SECONDS, level=1.0), codec="pcm_f32le")
    assert np.abs(decoded(path).samples).max() == 1.0


@pytest.mark.parametrize(
    "name",
    [
        "with spaces 'and' \"quotes\".wav",
        "two\nlines.wav",
        "Gespräch mit 明子 – Nº3.wav",
        "10:30 session.wav",
        "http:",
        "-i.wav",
        "%03d#t=5?.wav",
        "n" * 246 + ".wav",
        os.fsdecode(b"latin-\xe9.wav"),
        "no suffix at all",
    ],
)
def test_names(tmp_path, name):
    plain = write_media(tmp_path / "plain.wav", pips(SECONDS, PIPS))
    try:
        path = plain.rename(tmp_path / name)
    except OSError:
        pytest.skip("this file system does not take the name")
    assert onsets_s(decoded(path).samples[0], RATE_HZ) == pytest.approx(PIPS, abs=0.003)
    assert check_recording(path) == pytest.approx(SECONDS)


def test_the_same_bytes_give_the_same_sound(tmp_path):
    path = write_media(tmp_path / "twice.mp3", pips(SECONDS, PIPS))
    assert np.array_equal(decoded(path).samples, decoded(path).samples)


def test_length_that_no_header_tells(tmp_path, monkeypatch):
    """A browser's live recording has no duration: the buffer must grow, and the check must read the packets."""
    path = write_media(tmp_path / "live.webm", pips(SECONDS, PIPS), live=True)
    monkeypatch.setattr(audio, "GUESS_S", 0.1)
    assert onsets_s(decoded(path).samples[0], RATE_HZ) == pytest.approx(PIPS, abs=0.003)
    assert check_recording(path) == pytest.approx(SECONDS, abs=0.05)


# ---------------------------------------------------------------- what is refused, and how


def test_no_such_file(tmp_path):
    assert code_of(decoded, tmp_path / "none.mp4") == code_of(check_recording, tmp_path / "none.mp4") == "no-such-file"


def test_a_folder(tmp_path):
    assert code_of(check_recording, tmp_path) == "not-a-file"


def test_zero_length(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert code_of(check_recording, tmp_path / "empty.mp4") == "empty-file"


@pytest.mark.parametrize("suffix", [*CODECS, ".txt", ".srt"])
def test_text_renamed(tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("The client arrived late and we talked about the week.\n" * 100)
    assert code_of(decoded, path) == code_of(check_recording, path) == "not-media"


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile other.wav\n",
        "1\n00:00:01,000 --> 00:00:02,000\nhello\n",
    ],
)
def test_a_list_of_other_files_is_never_followed(tmp_path, content):
    write_media(tmp_path / "other.wav", pips(SECONDS, PIPS))
    path = tmp_path / "list.mp4"
    path.write_text(content)
    assert code_of(decoded, path) == "not-media"


def test_bytes_at_random(tmp_path):
    path = tmp_path / "noise.mp3"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8).tobytes())
    assert code_of(decoded, path) == "not-media"


def test_no_audio_track(tmp_path):
    path = write_picture_only(tmp_path / "picture.mp4")
    assert code_of(decoded, path) == code_of(check_recording, path) == "no-audio-track"


def test_too_short(tmp_path):
    path = write_media(tmp_path / "short.wav", pips(2.0, [1.0]))
    assert code_of(decoded, path) == code_of(check_recording, path) == "too-short"
    assert decode_recording(path, AudioOptions(least_s=1.0)).duration_s == pytest.approx(2.0)


def half_of(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4a"])
def test_cut_off_before_its_index(tmp_path, suffix):
    path = half_of(write_media(tmp_path / f"cut{suffix}", tone(SECONDS)))
    assert code_of(decoded, path) == code_of(check_recording, path) == "cut-off"


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".ogg", ".webm", ".mkv", ".mp4"])
def test_half_a_file_gives_what_it_holds(tmp_path, suffix):
    rng = np.random.default_rng(2)
    sound = rng.normal(0, 0.1, 10 * 48000).astype(np.float32)
    path = half_of(write_media(tmp_path / f"half{suffix}", sound, fast_start=suffix == ".mp4"))
    samples = decoded(path).samples[0]
    assert len(samples) / RATE_HZ == pytest.approx(5.0, abs=1.1)  # whole pages only: ogg's hold a second
    assert np.sqrt(np.mean(samples**2)) > 0.02


def test_damage_in_the_middle_leaves_the_times_after_it(tmp_path):
    path = write_media(tmp_path / "damaged.mp4", pips(8.0, [1.0, 6.0]) + 0.05 * tone(8.0, 300.0), picture_s=8.0)
    content = bytearray(path.read_bytes())
    at = len(content) // 2
    content[at : at + 400] = np.random.default_rng(3).integers(0, 256, 400, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    onsets = onsets_s(decoded(path).samples[0], RATE_HZ, level=0.4)
    assert onsets[0] == pytest.approx(1.0, abs=0.01)
    assert onsets[-1] == pytest.approx(6.0, abs=0.01)


def test_errors_hold_no_name(tmp_path):
    path = tmp_path / "Jane Doe 3 March.mp4"
    path.write_text("not a film")
    with pytest.raises(AttuneError) as caught:
        decoded(path)
    assert "Jane" not in f"{caught.value} {caught.value.mend} {caught.value.code}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# ---------------------------------------------------------------- the clock


def frame(start_s: float | None, seconds: float = 0.02, rate_hz: int = 48000):
    pts = None if start_s is None else round(start_s * rate_hz)
    return SimpleNamespace(
        pts=pts, time_base=Fraction(1, rate_hz), samples=round(seconds * rate_hz), sample_rate=rate_hz
    )


def starts(times: list[float | None], zero_s: float = 0.0, longest_gap_s: float = 600.0) -> list[float]:
    clock = audio._Clock(zero_s, longest_gap_s)
    found = []
    for time in times:
        clock.advance(frame(time))
        found.append(round(clock.start_s, 6))
    return found


def test_clock_follows_the_sound_through_jitter():
    assert starts([0.0, 0.021, 0.039, 0.062]) == [0.0, 0.02, 0.04, 0.06]


def test_clock_follows_gaps_and_its_zero():
    assert starts([5.0, 5.02, 6.0, 6.02], zero_s=5.0) == [0.0, 0.02, 1.0, 1.02]


def test_clock_keeps_a_slow_recorder_in_step():
    """Timestamps 5 % slower than the samples: never more than the tolerance apart."""
    times = [i * 0.019 for i in range(500)]
    assert max(abs(a - b) for a, b in zip(starts(times), times, strict=True)) <= audio.TOLERANCE_S + 1e-9


def test_clock_goes_on_where_timestamps_are_missing_or_stand_still():
    assert starts([None, None, None]) == [0.0, 0.02, 0.04]
    assert starts([1.0, 1.0, 1.0, 1.0]) == [1.0, 1.02, 1.04, 1.06]


def test_clock_set_anew_is_no_gap():
    assert starts([0.0, 0.02, 90000.0, 90000.02, 90001.0]) == [0.0, 0.02, 0.04, 0.06, 1.04]
    assert starts([500.0, 500.02, 3.0, 3.02, 3.04], zero_s=500.0) == [0.0, 0.02, 0.04, 0.06, 0.08]


@given(st.lists(st.none() | st.floats(-1e5, 1e5), min_size=1, max_size=60))
def test_clock_is_never_carried_away(times):
    """Whatever the timestamps say, a frame adds at most one longest gap, and never goes back more than BACK_S."""
    clock = audio._Clock(0.0, 600.0)
    end_s = 0.0
    for time in times:
        clock.advance(frame(time))
        assert end_s - audio.BACK_S - 1e-6 <= clock.start_s <= end_s + 600.0 + 1e-6
        end_s = clock.start_s + 0.02
