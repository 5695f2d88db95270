"""`attune clip`: which stretch is meant, and what is cut. Clips are opened with PyAV."""

import av
import numpy as np
import pytest
import srt

from pipeline.cli import main
from pipeline.commands.clip import find_stretch
from pipeline.exports.cues import Cue
from pipeline.records import AttuneError
from pipeline.review import media
from pipeline.review.burning import caption_drawer
from pipeline.review.clips import cut_clip
from pipeline.steps import TURNS
from tests.exported import CONFRONTATION, WITHDRAWAL
from tests.review_sessions import write_session
from tests.test_review_copies import first_click_s, video_session, white_from_s, write_video

MOMENTS = [WITHDRAWAL, CONFRONTATION]  # 8 to 15.9 s and 1 to 6.2 s


@pytest.mark.parametrize(
    ("wish", "start", "end", "name"),
    [
        ("1", 3.0, 15.9, "clip_1_00m08s"),
        ("2", 0.0, 6.2, "clip_2_00m01s"),
        ("0:12", 3.0, 15.9, "clip_1_00m08s"),
        ("0:05", 3.0, 15.9, "clip_1_00m08s"),  # in the lead-in of the one and in the other: the higher in rank
        ("12.5s", 3.0, 15.9, "clip_1_00m08s"),
        ("0:20-0:30.5", 20.0, 30.5, "clip_00m20s-00m30s"),
        ("1:00:05-1:00:10", 3605.0, 3610.0, "clip_1h00m05s-1h00m10s"),
    ],
)
def test_a_number_a_time_and_a_stretch(wish, start, end, name):
    assert find_stretch(wish, MOMENTS, 5.0) == (start, end, name)


@pytest.mark.parametrize("wish", ["0", "3", "0:30", "five", "", "1:2:3:4", "-", "3:05-", "٣"])
def test_what_means_nothing_is_told_with_what_there_is(wish):
    with pytest.raises(AttuneError) as caught:
        find_stretch(wish, MOMENTS, 5.0)
    assert caught.value.code == "no-such-moment"
    if wish in ("0", "3", "0:30"):
        assert "1 at 0:08-0:15, 2 at 0:01-0:06" in caught.value.mend


@pytest.fixture
def film(tmp_path):
    """A session whose picture turns white and clicks at second 3, and which nobody has opened in the page yet."""
    return video_session(tmp_path, write_video(tmp_path / "Anna.mkv"))


def run(session, *more):
    return main(["clip", session.id, *more, "--store", str(session.folder.parent.parent)])


def test_a_film_is_cut_exactly_with_its_captions_beside(film, tmp_path, capsys):
    out = tmp_path / "clip.mp4"
    assert run(film, "0:01.25-0:05", "--out", str(out)) == 0
    assert capsys.readouterr().out.split() == [str(out.with_suffix(suffix)) for suffix in (".mp4", ".vtt", ".srt")]
    assert white_from_s(out) == pytest.approx(3.0 - 1.25, abs=0.06)
    assert first_click_s(out, 1.75) == pytest.approx(1.75, abs=0.01)
    words = [word for turn in film.load(TURNS) for word in turn.words if word.end > 1.25 and word.start < 5.0]
    captions = list(srt.parse(out.with_suffix(".srt").read_text()))
    said = " ".join(caption.content.split(": ", 1)[1] for caption in captions).split()
    assert said == [word.text for word in words]
    assert captions[0].start.total_seconds() == pytest.approx(max(0.0, words[0].start - 1.25), abs=0.002)


def test_without_a_file_it_lies_in_the_session_and_names_nobody(film):
    assert run(film, "0:01-0:04") == 0
    names = sorted(path.name for path in (film.folder / "exports").iterdir())
    assert names == [f"clip_00m01s-00m04s.{suffix}" for suffix in ("mp4", "srt", "vtt")]


def test_burnt_captions_are_in_the_picture_only_while_somebody_speaks(film, tmp_path):
    turns = film.load(TURNS)
    out = tmp_path / "clip.mp4"
    assert run(film, "0s-6s", "--captions", "burnt", "--out", str(out)) == 0
    assert sorted(path.name for path in tmp_path.glob("clip*")) == ["clip.mp4"]
    plain = tmp_path / "plain.mp4"
    plain.write_bytes(cut_clip(film, 0.0, 6.0).media)
    with av.open(str(out)) as burnt, av.open(str(plain)) as bare:
        for one, other in zip(burnt.decode(video=0), bare.decode(video=0), strict=True):
            at = float(one.pts * one.time_base)
            low, high = (f.to_ndarray(format="gray8")[30:].astype(int) for f in (one, other))
            spoken = any(turn.start + 0.1 < at < turn.end - 0.1 for turn in turns)
            silent = all(at < turn.start - 0.1 or at > turn.end + 0.1 for turn in turns)
            if spoken or silent:
                assert (np.abs(low - high).max() > 60) == spoken, at


def test_a_session_without_picture_gives_sound_and_nothing_to_burn_into(tmp_path, capsys):
    folder = write_session(tmp_path, "aaaaaaaaaa01", 0.5, clicks_s=(12.0,))
    assert main(["clip", "aaaa", "10s-14s", "--store", str(tmp_path)]) == 0
    assert "no longer where it was" in capsys.readouterr().err
    path = folder / "exports" / "clip_00m10s-00m14s.m4a"
    assert first_click_s(path, 2.0) == pytest.approx(2.0, abs=0.01)
    with av.open(str(path)) as clip:
        assert not clip.streams.video
    assert main(["clip", "aaaa", "10s-14s", "--store", str(tmp_path), "--captions", "burnt"]) == 1
    assert "no picture to burn captions into" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["clip.avi", "clip", "clip.m4a"])
def test_a_file_of_another_kind_is_refused(film, tmp_path, name, capsys):
    assert run(film, "1s-2s", "--out", str(tmp_path / name)) == 1
    assert ".mp4" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_the_picture_is_that_of_the_review_copy_once_there_is_one(film):
    assert media.find_picture(film)[0].name == "Anna.mkv"
    media.prepare(film)
    assert media.find_picture(film) == (film.folder / "review" / "picture.mp4", "")


@pytest.mark.parametrize("size", [(1280, 720), (320, 240), (404, 720)])
def test_captions_fit_the_picture(size):
    from PIL import Image

    line = "whatever you think is best for us both, ok"
    cues = [Cue(1000, 2000, "therapist", "A", (line, line)), Cue(1500, 2500, "client", "B", ("mhm",))]
    draw = caption_drawer(cues, 42)
    blank = Image.new("RGB", size, (90, 90, 90))
    assert draw(blank.copy(), 0.5) == draw(blank.copy(), 2.5) == blank
    drawn = np.asarray(draw(blank.copy(), 1.6)).astype(int)
    rows, columns = np.nonzero(np.abs(drawn - 90).max(axis=2) > 20)
    assert columns.min() > 0
    assert columns.max() < size[0] - 1
    assert size[1] * 0.4 < rows.min()
    assert rows.max() < size[1] - 1
    assert drawn.max() == 255


@pytest.mark.parametrize("command", ["export", "clip", "share", "review"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, command, capsys):
    store = tmp_path / "store"
    write_session(store, "aaaaaaaaaa01", 0.5, clicks_s=(3.0,))
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / {"clip": "a.m4a", "review": "a.csv"}.get(command, "folder")
    arguments = {
        "export": ["aaaaaaaaaa01", "--to", "srt", "--out", str(out)],
        "clip": ["aaaaaaaaaa01", "0:01-0:03", "--out", str(out)],
        "share": ["aaaaaaaaaa01", "--out", str(out)],
        "review": ["--export", str(out)],
    }[command]
    assert main([command, *arguments, "--store", str(store)]) == 1
    told = capsys.readouterr().err
    assert "cannot be written" in told
    assert str(tmp_path / "file") in told
