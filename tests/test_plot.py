"""The page: every row is there, draws the numbers it is given, and can be written."""

import io

import numpy as np
import pytest

from pipeline.features.plot import plot_session
from pipeline.features.prosody import FramesOptions, measure_frames
from pipeline.features.turn_table import TurnTableOptions, measure_turns
from pipeline.features.windows import WindowsOptions, measure_windows
from pipeline.records import Findings, Moment, Repair
from tests.made_speech import VOICES, make_session

NOTHING = Findings((), (), ())


def moment(start, end, kind, audit=False):
    return Moment(start, end, end, kind, "x", 0.0, "some", (), (), "a secret line", audit=audit)


@pytest.fixture(scope="module")
def session():
    made = make_session(8)
    frames = measure_frames(made.audio, made.speech, VOICES, FramesOptions())
    table = measure_turns(made.turns, frames, made.audio, TurnTableOptions(roughness=False))
    windows = measure_windows(made.turns, table, frames, WindowsOptions())
    return made.turns, frames, table, windows, made.audio.duration_s


def draw(session, findings=NOTHING, **changes):
    turns, frames, table, windows, duration = session
    return plot_session(
        turns, changes.get("frames", frames), table, changes.get("windows", windows), findings, duration
    )


def labels(figure):
    return [row.get_ylabel().replace("\n", " ") for row in figure.axes]


def words(figure):
    texts = [text.get_text() for row in figure.axes for text in row.texts]
    return " ".join([*texts, figure.get_suptitle(), figure.get_supxlabel()])


def test_rows_with_sound_and_without(session):
    sound = ["client: pitch semitones", "client: level dB"]
    usual = ["who speaks", "floor share 60 s, %", "wait before a reply, s", ""]
    assert labels(draw(session)) == [*usual[:2], *sound, *usual[2:]]
    bare = draw(session, frames=None)
    assert labels(bare) == usual
    assert "No recording" in words(bare)


def test_moments_are_ranked_and_the_audit_clip_is_not_shown(session):
    found = (moment(5, 12, "withdrawal"), moment(20, 25, "confrontation"), moment(30, 32, "repair", audit=True))
    figure = draw(session, Findings(found, (Repair(26, 28, ("x",), "both", "partly", "sorry"),), ()))
    assert "W1" in words(figure)
    assert "C2" in words(figure)
    assert "R3" not in words(figure)
    assert "2 moments worth a look" in words(figure)
    assert "secret" not in words(figure)
    assert "no moment crossed the line" in words(draw(session))


def test_pitch_is_drawn_about_the_own_median(session):
    _, frames, *_ = session
    row = draw(session).axes[2]
    line = max(row.lines, key=lambda line: len(line.get_xdata()))
    drawn = np.asarray(line.get_ydata())
    f0 = frames["f0_hz"][frames["voiced"]]
    assert abs(np.nanmedian(drawn)) < 1.0
    assert np.nanmax(drawn) <= 12 * np.log2(f0.max() / f0.median())


def test_a_grey_minute_is_crossed_out(session):
    windows = session[3].copy()
    windows.loc[windows["kind"] == "minute", "grey"] = True
    assert "Crossed-out minutes" in words(draw(session, windows=windows))
    assert "Crossed-out" not in words(draw(session))


def test_an_empty_session_is_drawn():
    table = measure_turns([], None, None, TurnTableOptions())
    figure = plot_session([], None, table, measure_windows([], table, None, WindowsOptions()), NOTHING, 0.0)
    figure.savefig(io.BytesIO(), format="svg")


def test_people_and_rows_differ_in_greyscale():
    from matplotlib.colors import to_rgb

    from pipeline.features.plot import SHADE

    light = sorted(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) for colour in SHADE.values())
    assert light[-1] - light[0] > 0.35
    assert abs(np.subtract(*(np.dot(to_rgb(SHADE[r]), (0.299, 0.587, 0.114)) for r in ("client", "therapist")))) > 0.35
    for suffix in ("png", "svg"):
        out = io.BytesIO()
        plot_session(*_tiny(), NOTHING, 60.0).savefig(out, format=suffix, dpi=40)
        assert len(out.getvalue()) > 2000


def _tiny():
    made = make_session(2)
    table = measure_turns(made.turns, None, None, TurnTableOptions())
    return made.turns, None, table, measure_windows(made.turns, table, None, WindowsOptions())
