"""Captions drawn into the picture, for players and slides that show none beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.exports.cues import Cue
from pipeline.exports.wording import ROLES

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

HEIGHT_SHARE = 0.055  # letters to the height of the picture, as broadcasters set captions: about 1/18
LETTER_SHARE = 0.55  # width of a letter to its height, on average, in DejaVu Sans
WIDEST = 0.92  # of the picture's width
LEAST_PX = 11  # letters smaller than this cannot be read
BEHIND = (0, 0, 0, 190)
INK = (255, 255, 255, 255)

Draw = Callable[["Image", float], "Image"]


def caption_drawer(cues: Sequence[Cue], line_chars: int) -> Draw:
    """Draws onto a picture the cues that are spoken at a time in seconds; two at once stand one above the other.

    line_chars  the longest line, which sets the size of the letters together with the picture
    returns     gives the same picture back where nobody speaks
    """

    @lru_cache(maxsize=4)
    def overlay(texts: tuple[str, ...], size: tuple[int, int]) -> Any:
        return _overlay(texts, size, line_chars)

    def draw(picture: Image, at: float) -> Image:
        now = [cue for cue in cues if cue.start_ms <= at * 1000 < cue.end_ms]
        if not now:
            return picture
        picture.paste(*overlay(tuple(_said(cue) for cue in now), picture.size))
        return picture

    return draw


def _said(cue: Cue) -> str:
    return f"{ROLES[cue.role]}: " + "\n".join(cue.lines)


def _overlay(texts: Sequence[str], size: tuple[int, int], line_chars: int) -> tuple[Any, tuple[int, int], Any]:
    """The box of captions, where it lies, and how far it covers what is behind: what `Image.paste` takes."""
    from PIL import Image, ImageDraw

    font = _font(size, line_chars)
    text = "\n".join(texts)
    pad = font.size // 3
    left, top, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    box = Image.new("RGBA", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad), BEHIND)
    ImageDraw.Draw(box).multiline_text((pad - left, pad - top), text, font=font, fill=INK)
    at = ((size[0] - box.width) // 2, size[1] - box.height - size[1] // 20)
    return box.convert("RGB"), at, box.getchannel("A")


def _font(size: tuple[int, int], line_chars: int) -> FreeTypeFont:
    import matplotlib
    from PIL import ImageFont

    widest = WIDEST * size[0] / (LETTER_SHARE * (line_chars + len("Therapist: ")))
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, max(LEAST_PX, round(min(HEIGHT_SHARE * size[1], widest))))
