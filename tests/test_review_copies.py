"""The review copy: it seeks exactly, whatever the recording was, and its clock is that of the words."""

import hashlib
import json
from fractions import Fraction

import av
import numpy as np
import pytest

from pipeline import formats
from pipeline.records import About, AttuneError, Audio
from pipeline.review import clips, copies, media, peaks
from pipeline.review.copies import Facts, plan_copy
from pipeline.session import Session, id_of
from pipeline.steps import TURNS
from tests.media import onsets_s, pips, write_media
from tests.review_sessions import RATE_HZ, build_sound, write_session

CLICK_S = 2700.0  # minute 45
MOST_OFF_S = 0.01


def first_click_s(path, near_s, *, before_s=0.6):
    """Where the first loud sample after `near_s - before_s` lies, found as a player does: by seeking."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        container.seek(round((near_s - before_s) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            start = float(frame.pts * frame.time_base)
            level = np.abs(frame.to_ndarray()).max(axis=0)
            loud = np.flatnonzero(level > 0.3)
            if start + frame.samples / frame.sample_rate > near_s - 0.3 and loud.size:
                return start + loud[0] / frame.sample_rate
    return None


@pytest.fixture(scope="module")
def long_session(tmp_path_factory):
    folder = write_session(tmp_path_factory.mktemp("long"), "aaaaaaaaaa01", 46)
    sound = build_sound([], 46, (60.0, CLICK_S))  # no murmur: silence is quickly written
    (folder / "audio.flac").write_bytes(formats.dump("audio.flac", Audio(sound[None], RATE_HZ)))
    session = Session(folder, {})
    media.prepare(session)
    return session


@pytest.mark.parametrize("at_s", [60.0, CLICK_S])
def test_a_click_at_a_known_time_is_found_by_seeking(long_session, at_s):
    path, kind = media.playing(long_session)
    assert kind == "audio/mp4"
    assert first_click_s(path, at_s) == pytest.approx(at_s, abs=MOST_OFF_S)


def test_the_index_comes_first_and_lists_every_packet(long_session):
    path, _ = media.playing(long_session)
    boxes = copies._boxes(path)
    assert boxes.index("moov") < boxes.index("mdat")
    assert "moof" not in boxes
    assert copies.load_facts(path).indexed


def test_the_waveform_shows_the_click_where_it_is(long_session):
    found = np.frombuffer((long_session.folder / "review" / "peaks.u8").read_bytes(), np.uint8)
    assert len(found) == 46 * 60 * peaks.PER_S
    assert found.max() == 255
    assert set(np.flatnonzero(found == 255)) == {60 * peaks.PER_S, round(CLICK_S) * peaks.PER_S}


def test_a_second_opening_makes_nothing(long_session):
    before = {path: path.stat().st_mtime_ns for path in (long_session.folder / "review").iterdir()}
    media.prepare(long_session)
    assert {path: path.stat().st_mtime_ns for path in (long_session.folder / "review").iterdir()} == before


def test_peaks_of_a_length_that_is_no_whole_number(tmp_path):
    samples = np.zeros((2, RATE_HZ // 2 + 7), dtype=np.float32)
    samples[1, -1] = -0.5
    (tmp_path / "audio.flac").write_bytes(formats.dump("audio.flac", Audio(samples, RATE_HZ)))
    found = peaks.load_peaks(tmp_path / "audio.flac")
    assert (len(found), found[-1], max(found[:-1])) == (26, 255, 0)
    (tmp_path / "audio.flac").write_bytes(formats.dump("audio.flac", Audio(np.zeros((1, 800), np.float32), RATE_HZ)))
    assert peaks.load_peaks(tmp_path / "audio.flac") == bytes(3)


@pytest.mark.parametrize(
    ("facts", "plan"),
    [
        (Facts("mov", "h264", "yuv420p", "aac", True), "as it is"),
        (Facts("mov", "h264", "yuv420p", "aac", False), "copy picture"),
        (Facts("matroska", "h264", "yuv420p", "opus", False), "copy picture"),
        (Facts("mov", "h264", "yuv420p", "pcm_s16le", True), "copy picture"),
        (Facts("matroska", "vp8", "yuv420p", "opus", False), "write picture"),
        (Facts("mov", "h264", "yuv422p10le", "aac", True), "write picture"),
        (Facts("avi", "mpeg4", "yuv420p", "mp3", False), "write picture"),
        (Facts("mp3", "", "", "mp3", False), "sound"),
        (Facts("mov", "", "", "aac", True), "sound"),
    ],
)
def test_only_what_every_browser_seeks_in_is_played_as_it_is(facts, plan):
    assert plan_copy(facts) == plan


def write_video(path, codec="libx264", seconds=6, sound="aac", **options):
    """A grey picture that turns white at second 3, and a click there."""
    with av.open(str(path), "w", options=options) as out:
        picture = out.add_stream(codec, rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        voice = out.add_stream(sound, rate=48000, layout="mono")
        samples = np.zeros((1, 48000 * seconds), dtype=np.float32)
        samples[0, 48000 * 3 : 48000 * 3 + 96] = 0.9
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        resampler = av.AudioResampler(voice.codec_context.format, "mono", 48000)
        for piece in resampler.resample(frame):
            out.mux(voice.encode(piece))
        out.mux(voice.encode(None))
        for k in range(10 * seconds):
            image = np.full((48, 64, 3), 255 if k >= 30 else 90, np.uint8)
            shown = av.VideoFrame.from_ndarray(image, format="rgb24")
            shown.pts, shown.time_base = k, Fraction(1, 10)
            out.mux(picture.encode(shown))
        out.mux(picture.encode(None))
    return path


def video_session(tmp_path, video):
    key = hashlib.sha256(video.read_bytes()).hexdigest()[:12]
    folder = write_session(tmp_path / "store", key, 0.3, clicks_s=(3.0,))
    (folder / "about.json").write_bytes(formats.dump("about.json", About(key, str(video), 6.0)))
    return Session(folder, {})


def white_from_s(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.to_ndarray(format="gray8").mean() > 200:
                return float(frame.pts * frame.time_base)
    return None


@pytest.mark.parametrize(
    ("name", "codec", "sound", "plays"),
    [
        ("a.mp4", "libx264", "aac", "recording"),
        ("a.mkv", "libx264", "libopus", "picture.mp4"),
        ("a.webm", "libvpx-vp9", "libopus", "picture.mp4"),
        ("a.avi", "mpeg4", "libmp3lame", "picture.mp4"),
    ],
)
def test_sound_and_picture_of_a_video_stay_on_one_clock(tmp_path, name, codec, sound, plays):
    video = write_video(tmp_path / name, codec, sound=sound)
    session = video_session(tmp_path, video)
    media.prepare(session)
    made = media.load_made(session)
    assert (made.plays, made.picture, made.problem) == (plays, True, "")
    path, kind = media.playing(session)
    assert kind == "video/mp4"
    assert copies.plan_copy(copies.load_facts(path)) == "as it is"
    assert white_from_s(path) == pytest.approx(white_from_s(video), abs=0.05)
    assert first_click_s(path, 3.0) == pytest.approx(3.0, abs=0.06 if plays == "recording" else MOST_OFF_S)
    assert not (session.folder / "review" / "sound.m4a").exists()


def test_a_clip_is_cut_exactly_and_its_captions_with_it(tmp_path):
    video = write_video(tmp_path / "a.mkv")
    session = video_session(tmp_path, video)
    media.prepare(session)
    made = clips.make_clip(session, 1.25, 5.0)
    path = tmp_path / "clip.mp4"
    path.write_bytes(made["clip.mp4"])
    assert white_from_s(path) == pytest.approx(white_from_s(video) - 1.25, abs=0.06)
    assert first_click_s(path, 1.75) == pytest.approx(3.0 - 1.25, abs=MOST_OFF_S)
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(3.75, abs=0.15)
    captions = made["clip.vtt"].decode()
    assert captions.startswith("WEBVTT")
    words = [word for turn in session.load(TURNS) for word in turn.words]
    assert next(word.text for word in words if word.end > 1.25) in captions
    assert next(word.text for word in words if word.start > 5.0) not in captions
    assert not list(session.folder.glob("tmp*"))


def test_a_clip_of_sound_alone_and_clips_that_are_none(tmp_path):
    session = Session(write_session(tmp_path, "aaaaaaaaaa01", 0.5, clicks_s=(12.0,)), {})
    media.prepare(session)
    path = tmp_path / "clip.m4a"
    path.write_bytes(clips.make_clip(session, 10.0, 14.0)["clip.m4a"])
    assert first_click_s(path, 2.0) == pytest.approx(2.0, abs=MOST_OFF_S)
    for start, end in ((5.0, 5.0), (9.0, 5.0), (1e6, 2e6), (float("nan"), 5.0)):
        with pytest.raises(AttuneError):
            clips.make_clip(session, start, end)


def test_a_recording_that_is_gone_leaves_the_sound(tmp_path):
    video = write_video(tmp_path / "a.mkv")
    session = video_session(tmp_path, video)
    video.unlink()
    media.prepare(session)
    made = media.load_made(session)
    assert (made.plays, made.whole) == ("sound.m4a", True)
    assert "no longer where it was" in made.problem


CLICKS_S = {"first": 3.0, "second": 4.5}  # each is heard in one of the two recordings, and in one channel of the sound


def two_file_session(tmp_path, first):
    """A session of a recording with a picture, perhaps, and of a sound file; the second began a second later."""
    second = write_media(tmp_path / "second.wav", pips(5.0, [CLICKS_S["second"] - 1.0]))
    key = id_of(*(hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)))
    folder = write_session(tmp_path / "store", key, 0.3)
    sound = np.stack([pips(6.0, [at], RATE_HZ) for at in CLICKS_S.values()])
    (folder / "audio.flac").write_bytes(formats.dump("audio.flac", Audio(sound, RATE_HZ)))
    (folder / "about.json").write_bytes(formats.dump("about.json", About(key, str(first), 6.0, str(second), 1.0)))
    return Session(folder, {}), second


def heard(path):
    """Where something is heard in each channel, seconds."""
    with av.open(str(path)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return [onsets_s(channel, RATE_HZ) for channel in np.concatenate(blocks, axis=1)]


@pytest.mark.parametrize("name", ["first.mp4", "first.mkv", "first.wav"])
def test_of_two_recordings_both_are_heard_and_the_first_ones_picture_is_seen(tmp_path, name):
    path = tmp_path / name
    picture = path.suffix != ".wav"
    first = write_video(path) if picture else write_media(path, pips(6.0, [3.0]))
    session, _ = two_file_session(tmp_path, first)
    media.prepare(session)
    made = media.load_made(session)
    assert (made.plays, made.picture) == (("picture.mp4", True) if picture else ("sound.m4a", False))
    assert (made.problem, made.whole) == ("", True)
    plays, _ = media.playing(session)
    for channel, at in zip(heard(plays), CLICKS_S.values(), strict=True):
        assert channel == pytest.approx([at], abs=MOST_OFF_S)
    if picture:
        assert white_from_s(plays) == pytest.approx(white_from_s(first), abs=0.05)


def test_where_one_of_two_recordings_is_gone_the_sound_of_both_stays(tmp_path):
    session, second = two_file_session(tmp_path, write_video(tmp_path / "first.mp4"))
    second.unlink()
    media.prepare(session)
    made = media.load_made(session)
    assert (made.plays, made.whole) == ("sound.m4a", True)
    assert "no longer where it was" in made.problem
    assert [len(channel) for channel in heard(media.playing(session)[0])] == [1, 1]


def test_another_file_in_the_place_of_the_second_is_noticed(tmp_path):
    session, second = two_file_session(tmp_path, write_video(tmp_path / "first.mp4"))
    second.write_bytes(b"RIFF" + b"\0" * 1000)
    with pytest.raises(AttuneError) as caught:
        media.find_recording(session)
    assert caught.value.code == "recording-changed"


def test_a_copy_made_from_another_sound_is_made_again(tmp_path):
    session = Session(write_session(tmp_path, "aaaaaaaaaa01", 0.4, clicks_s=(3.0,)), {})
    media.prepare(session)
    assert media.load_made(session).whole
    receipt = {
        "step": "audio",
        "version": 1,
        "options": {},
        "inputs": {},
        "outputs": {"audio.flac": "f" * 64},
        "models": {},
    }
    (session.folder / "receipts" / "audio.json").write_bytes(formats.dump("audio.json", receipt))
    assert not media.load_made(session).whole
    media.prepare(session)
    assert media.load_made(session).sound == "f" * 64


def test_a_copy_made_in_another_way_is_made_again(tmp_path):
    session = Session(write_session(tmp_path, "aaaaaaaaaa01", 0.4, clicks_s=(3.0,)), {})
    media.prepare(session)
    made = session.folder / "review" / "made.json"
    old = json.loads(made.read_text()) | {"version": copies.VERSION - 1, "problem": "an old warning"}
    del old["tried"]  # as it was written then
    made.write_text(json.dumps(old))
    assert media.load_made(session).problem == ""
    media.prepare(session)
    assert json.loads(made.read_text())["version"] == copies.VERSION


def test_a_recording_that_comes_back_gives_its_picture_after_all(tmp_path):
    session = video_session(tmp_path, write_video(tmp_path / "a.mp4"))
    path = tmp_path / "a.mp4"
    path.rename(tmp_path / "elsewhere.mp4")
    media.prepare(session)
    before = media.load_made(session)
    assert (before.picture, before.whole) == (False, True)
    assert "no longer where it was" in before.problem
    media.prepare(session)
    assert media.load_made(session) == before  # nothing has changed, so nothing is made
    (tmp_path / "elsewhere.mp4").rename(path)
    media.prepare(session)
    after = media.load_made(session)
    assert (after.picture, after.problem) == (True, "")


def test_a_copy_cut_off_leaves_nothing_half(tmp_path):
    session = Session(write_session(tmp_path, "aaaaaaaaaa01", 0.5, clicks_s=(3.0,)), {})

    def stop(done, says):
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        media.prepare(session, stop)
    assert sorted(path.name for path in (session.folder / "review").iterdir()) == ["made.json", "peaks.u8"]
    assert media.playing(session) == (session.folder / "audio.flac", "audio/flac")
    media.prepare(session)
    assert first_click_s(media.playing(session)[0], 3.0) == pytest.approx(3.0, abs=MOST_OFF_S)


def test_a_file_that_is_no_recording_is_told(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"not a video" * 100)
    with pytest.raises(AttuneError) as caught:
        copies.load_facts(path)
    assert caught.value.code == "not-media"
    assert "a.mp4" not in str(caught.value)
