"""Two microphones, one a person, whose offset and crosstalk are known because they are made here."""

import numpy as np
import pytest
import soundfile

from pipeline.commands.process import open_items
from pipeline.records import AttuneError
from pipeline.session import expected_receipt, find_session, open_session, run_step, session_id
from pipeline.speech.activity import Activity
from pipeline.speech.audio import RATE_HZ, AudioOptions
from pipeline.speech.engines import channels
from pipeline.speech.two_files import TwoFiles, decode_session, find_offset, join_channels
from pipeline.steps import AUDIO

SECONDS = 90


def made_people(seed: int = 0) -> tuple[np.ndarray, list[Activity], list[int]]:
    """Two people in turn on one clock: float32 (2, n), stretches, and whose each is. Bursts of coloured noise, four to
    six a second, are as uneven as syllables."""
    rng = np.random.default_rng(seed)
    people, stretches, whose = np.zeros((2, SECONDS * RATE_HZ), np.float32), [], []
    at = 0.5
    while at < SECONDS - 5:
        length, who = rng.uniform(1.0, 4.0), len(whose) % 2
        stretches.append(Activity(at, at + length))
        whose.append(who)
        syllable = at
        while syllable < at + length - 0.3:
            first, count = int(syllable * RATE_HZ), int(rng.uniform(0.15, 0.3) * RATE_HZ)
            tone = np.sin(2 * np.pi * rng.uniform(200, 3000) / RATE_HZ * np.arange(count)) + rng.normal(size=count)
            people[who, first : first + count] += rng.uniform(0.02, 0.15) * tone * np.hanning(count)
            syllable += rng.uniform(0.12, 0.25)
        at += length + rng.uniform(0.2, 0.8)
    return people, stretches, whose


def microphones(people: np.ndarray, leak_db: float | None, seed: int = 1) -> np.ndarray:
    """What each person's microphone hears: the other `leak_db` lower (None: not at all), and its own noise."""
    leak = 0.0 if leak_db is None else 10 ** (leak_db / 20)
    noise = np.random.default_rng(seed).normal(size=people.shape) * 1e-4
    return (people + leak * people[::-1] + noise).astype(np.float32)


def recorded_later(sounds: np.ndarray, offset_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The two sounds as from recorders of which the second is started `offset_s` later, below 0 earlier."""
    late = round(abs(offset_s) * RATE_HZ)
    return (sounds[0], sounds[1, late:]) if offset_s >= 0 else (sounds[0, late:], sounds[1])


@pytest.mark.parametrize("offset_s", [0.0, 7.31, -21.2])
@pytest.mark.parametrize("leak_db", [-10.0, -30.0])
def test_the_offset_is_found_by_the_crosstalk(offset_s, leak_db):
    first, second = recorded_later(microphones(made_people()[0], leak_db), offset_s)
    assert find_offset(first, second) == pytest.approx(offset_s, abs=0.02)


def test_microphones_that_hear_nothing_in_common_are_not_lined_up():
    for seed in range(3):
        first, second = recorded_later(microphones(made_people(seed)[0], None), 7.3)
        assert find_offset(first, second) is None


def test_two_other_sessions_are_not_lined_up():
    first, second = (microphones(made_people(seed)[0], -15.0, seed)[0] for seed in (3, 4))
    assert find_offset(first, second) is None


def test_silence_and_seconds_of_sound_are_not_lined_up():
    assert find_offset(np.zeros(40 * RATE_HZ, np.float32), np.zeros(40 * RATE_HZ, np.float32)) is None
    short = microphones(made_people()[0], -10.0)[:, : 5 * RATE_HZ]
    assert find_offset(short[0], short[1]) is None


@pytest.mark.parametrize("offset_s", [2.0, -2.0])
def test_both_channels_are_on_the_first_ones_clock(offset_s):
    sounds = np.zeros((2, 10 * RATE_HZ), np.float32)
    sounds[:, 5 * RATE_HZ] = 1.0
    both = join_channels(*recorded_later(sounds, offset_s), offset_s)
    assert both[0].argmax() == both[1].argmax() == round((5.0 + min(0.0, offset_s)) * RATE_HZ)


def test_recordings_with_no_time_in_common_are_refused():
    sound = np.zeros(4 * RATE_HZ, np.float32)
    for offset_s in (4.0, -4.0):
        with pytest.raises(AttuneError, match="no time in common"):
            join_channels(sound, sound, offset_s)


# ------------------------------------------------------------------------------------------ files and sessions


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two recordings, the second 3.5 s late, with crosstalk of -15 dB; and the truth."""
    folder = tmp_path_factory.mktemp("two")
    people, stretches, whose = made_people()
    paths = [folder / "therapist.wav", folder / "client.wav"]
    for path, sound in zip(paths, recorded_later(microphones(people, -15.0), 3.5), strict=True):
        soundfile.write(path, sound, RATE_HZ)
    return *paths, stretches, whose


def test_two_files_become_two_channels_that_tell_the_people_apart(files):
    first, second, stretches, whose = files
    audio = decode_session(TwoFiles(first, second), AudioOptions())
    assert audio.samples.shape == (2, SECONDS * RATE_HZ)
    later = [(stretch, who) for stretch, who in zip(stretches, whose, strict=True) if stretch.start > 3.5]
    speech = channels.diarize(audio, [stretch for stretch, _ in later])
    for stretch, who in later:
        middle = (stretch.start + stretch.end) / 2
        assert {s.speaker for s in speech if s.start <= middle < s.end} == {str(who)}


def test_one_file_is_decoded_as_ever(files):
    assert decode_session(files[0], AudioOptions()).samples.shape[0] == 1


def test_a_session_keeps_both_paths_and_an_offset_remakes_the_sound(files, tmp_path):
    first, second, *_ = files
    session = open_session(tmp_path, first, [], {}, second=second)
    assert session.id == session_id(first, second) not in (session_id(first), session_id(second))
    assert (session.about.recording, session.about.second) == (str(first.resolve()), str(second.resolve()))
    assert (session.about.duration_s, session.about.offset_s) == (SECONDS, None)
    assert run_step(session, AUDIO) == "made"
    assert session.load(AUDIO).samples.shape[0] == 2
    again = open_session(tmp_path, first, [], {}, second=second, offset_s=3.0)
    assert expected_receipt(again, AUDIO).inputs["offset_s"] == "3.0"
    assert run_step(again, AUDIO) == "made"
    assert open_session(tmp_path, first, [], {}, second=second).about.offset_s == 3.0
    assert find_session(tmp_path, str(second), {}).id == session.id


def test_a_second_recording_that_has_gone_stops_the_run(files, tmp_path):
    import shutil

    moved = shutil.copy(files[1], tmp_path / "moved.wav")
    session = open_session(tmp_path / "store", files[0], [], {}, second=moved)
    moved.unlink()
    with pytest.raises(AttuneError, match="no longer where it was"):
        run_step(session, AUDIO)


def test_a_note_of_one_recording_still_loads(tmp_path):
    from pipeline.session import Session

    (tmp_path / "about.json").write_bytes(b'{"session": "0", "recording": "/a.wav", "duration_s": 4.0}')
    about = Session(tmp_path, {}).about
    assert (about.second, about.offset_s) == ("", None)


def asked(store, *paths, one_session=True, offset=None):
    import argparse

    return argparse.Namespace(paths=list(paths), store=store, transcript=[], one_session=one_session, offset=offset)


def test_process_opens_one_session_of_two_files(files, tmp_path):
    (item,) = open_items(asked(tmp_path, *files[:2], offset=3.5), {})
    assert (item.session.about.second, item.session.about.offset_s) == (str(files[1].resolve()), 3.5)
    assert len(open_items(asked(tmp_path, *files[:2], one_session=False), {})) == 2


def test_process_refuses_what_is_not_two_recordings_of_one_session(files, tmp_path):
    for args, code in (
        (asked(tmp_path, files[0]), "one-session-of-two"),
        (asked(tmp_path, files[0], one_session=False, offset=1.0), "offset-without-second"),
        (asked(tmp_path, *files[:2], offset=float("nan")), "offset-value"),
    ):
        with pytest.raises(AttuneError) as error:
            open_items(args, {})
        assert error.value.code == code
