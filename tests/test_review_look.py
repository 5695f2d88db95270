"""The page's colours: enough contrast in light and in dark (WCAG 2.2 AA: 4.5 for text, 3 for signs and edges)."""

import re

import pytest


def luminance(colour):
    channels = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(scope="module")
def colours(root):
    style = (root / "pipeline" / "review" / "static" / "style.css").read_text()
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", style)
    return {name: (light, dark) for name, light, dark in pairs}


def test_the_rule_itself_is_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


TEXT = [("ink", ground) for ground in ("paper", "card", "sunk", "shade", "lit", "warn")]
TEXT += [("soft", ground) for ground in ("paper", "card", "sunk", "shade", "lit")]
TEXT += [("accent", "paper"), ("accent", "card"), ("on", "accent"), ("paper", "ink"), ("ink", "sunk")]
TEXT += [("on", sign) for sign in ("withdrawal", "confrontation", "repair", "own")]
SIGNS = [
    (sign, ground) for sign in ("withdrawal", "confrontation", "repair", "own") for ground in ("card", "shade", "lit")
]
SIGNS += [
    ("edge", "card"),
    ("edge", "paper"),
    ("accent", "card"),
    ("client", "card"),
    ("therapist", "card"),
    ("soft", "card"),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), TEXT)
def test_text_can_be_read(colours, theme, front, ground):
    assert contrast(colours[front][theme], colours[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), SIGNS)
def test_signs_and_edges_can_be_seen(colours, theme, front, ground):
    assert contrast(colours[front][theme], colours[ground][theme]) >= 3.0
