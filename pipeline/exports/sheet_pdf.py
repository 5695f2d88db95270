"""The supervision sheet as PDF, A4, for paper or a tablet.

The letters are those of DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, Arabic and more, but
no Chinese, Japanese or Korean. What is written from right to left is. Where a letter is missing the sheet says so; the
DOCX has it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.exports import sheet as text
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.sheet import Entry, Sheet, build_sheet

if TYPE_CHECKING:
    from fpdf import FPDF

    Block = Callable[[FPDF], None]

NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)  # a real one would give other bytes at every run
FONT = "DejaVu"
MARGIN, WIDTH = 15.0, 180.0  # millimetres, as all lengths here
BOX, STEP = 3.8, 11.0  # a box to tick, and from one number's box to the next
ASIDE = 84.0  # where the boxes of a moment begin, from the left margin
INK, QUIET, RULE = 25, 105, 190  # grey, 0 black to 255 white
MARKS = {"withdrawal": "W", "confrontation": "C", "repair": "R"}
HOLE = "▯"  # stands for a letter that the font has not
MISSING = f"Some letters cannot be printed in this PDF and are shown as {HOLE}; the sheet as DOCX has them."


def write_sheet_pdf(material: Material, options: ExportOptions) -> bytes:
    """One page for the usual session; more where there are many moments, or where words are printed."""
    sheet = build_sheet(material, options)
    pdf, trial = _blank(sheet), _blank(sheet)
    _head(pdf, sheet)
    for block in _blocks(sheet):
        if pdf.y + _height(trial, block) > pdf.page_break_trigger:
            pdf.add_page()
        block(pdf)
    return bytes(pdf.output())


def _blocks(sheet: Sheet) -> list[Block]:
    """What stands below the head, from top to bottom; each is kept on one page."""
    moments: list[Block] = [partial(_moment, entry=entry) for entry in sheet.entries]
    return [*(moments or [_none]), _missed, _overall, partial(_foot, sheet=sheet)]


def _height(trial: FPDF, block: Block) -> float:
    """How high a block is, drawn on a page that nobody sees; more than a page for one that is broken anyway."""
    trial.add_page()
    top, page = trial.y, trial.page
    block(trial)
    return trial.y - top if trial.page == page else trial.eph


def _blank(sheet: Sheet) -> FPDF:
    import matplotlib
    from fpdf import FPDF

    class Page(FPDF):
        def footer(self) -> None:
            self.set_y(-10)
            _font(self, 7, QUIET)
            self.cell(WIDTH, 4, f"{sheet.subtitle}, page {self.page_no()} of {{nb}}", align="R")

    pdf = Page(format="A4")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        pdf.add_font(FONT, style, fonts / name)
    pdf.set_creation_date(NO_DATE)
    pdf.set_title(f"{text.TITLE}: {sheet.subtitle}")
    pdf.set_producer("attune")
    pdf.set_lang("en")
    pdf.set_margins(MARGIN, 12, MARGIN)
    pdf.c_margin = 0
    pdf.set_text_shaping(True)
    pdf.set_auto_page_break(True, 11)
    pdf.add_page()
    return pdf


def _font(pdf: FPDF, size: float, grey: int = INK, style: str = "") -> None:
    pdf.set_font(FONT, style, size)
    pdf.set_text_color(grey)


def _text(pdf: FPDF, said: str, size: float = 8.5, grey: int = INK, style: str = "", width: float = WIDTH) -> None:
    """A paragraph from the left margin of where the pen stands."""
    _font(pdf, size, grey, style)
    known = pdf.fonts[FONT.lower() + style].cmap
    printed = "".join(letter if ord(letter) in known else HOLE for letter in said)
    pdf.multi_cell(width, size * 0.5, printed, align="L", new_x="LEFT", new_y="NEXT")


# ------------------------------------------------------------------------------------------------ the parts


def _head(pdf: FPDF, sheet: Sheet) -> None:
    _text(pdf, text.TITLE, 18, style="B")
    _text(pdf, sheet.subtitle, 10, QUIET)
    pdf.ln(3)
    _font(pdf, 8.5, QUIET)
    each = WIDTH / len(text.FIELDS)
    for number, field in enumerate(text.FIELDS):
        x = MARGIN + number * each
        pdf.text(x, pdf.y + 4, field)
        _rule(pdf, x + pdf.get_string_width(field) + 2, pdf.y + 4.8, x + each - 4)
    pdf.ln(9)
    _text(pdf, text.HOW_TO, 8.5)
    for note in sheet.notes:
        pdf.ln(0.8)
        _text(pdf, note, 8.5, style="B")
    pdf.ln(2.5)


def _none(pdf: FPDF) -> None:
    _text(pdf, text.NONE_CHOSEN, 9.5)
    pdf.ln(2)


def _moment(pdf: FPDF, entry: Entry) -> None:
    """One moment: what it is on the left, boxes on the right, what goes with it below, and a line to write on."""
    _rule(pdf, MARGIN, pdf.y, MARGIN + WIDTH)
    pdf.ln(2)
    top = pdf.y
    _badge(pdf, entry, MARGIN, top)
    pdf.set_xy(MARGIN + 10, top)
    _text(pdf, entry.time, 10.5, style="B", width=ASIDE - 12)
    _text(pdf, entry.title, 9.5, style="B", width=ASIDE - 12)
    if entry.marker:
        _text(pdf, f"closest to: {entry.marker}", width=ASIDE - 12)
    left = pdf.y
    _answers(pdf, MARGIN + ASIDE, top)
    _scale(pdf, text.IMPACT, MARGIN + ASIDE, top + 6)
    _scale(pdf, text.RESOLVED, MARGIN + ASIDE, top + 12)
    pdf.set_xy(MARGIN + 10, max(left, top + 16.5) + 0.8)
    _beneath(pdf, entry)
    _note(pdf, MARGIN + 10)
    pdf.set_x(MARGIN)


def _badge(pdf: FPDF, entry: Entry, x: float, y: float) -> None:
    """The moment's number, and the letter of its kind: no colour is needed to tell them apart."""
    pdf.set_draw_color(INK)
    pdf.set_line_width(0.35)
    pdf.rect(x, y, 7.5, 11, style="D", round_corners=True, corner_radius=1.2)
    _font(pdf, 11, style="B")
    pdf.set_xy(x, y + 0.6)
    pdf.cell(7.5, 5.4, str(entry.rank), align="C")
    _font(pdf, 7.5, QUIET)
    pdf.set_xy(x, y + 6)
    pdf.cell(7.5, 4, MARKS[entry.kind], align="C")


def _answers(pdf: FPDF, x: float, y: float) -> None:
    for number, answer in enumerate(text.ANSWERS):
        _box(pdf, x + 32 * number, y, answer)


def _scale(pdf: FPDF, name: str, x: float, y: float, indent: float = 42.0) -> None:
    _font(pdf, 8.5)
    pdf.text(x, y + 3, name)
    _numbers(pdf, x + indent, y)


def _numbers(pdf: FPDF, x: float, y: float) -> None:
    for number in range(1, 6):
        _box(pdf, x + STEP * (number - 1), y, str(number))


def _box(pdf: FPDF, x: float, y: float, label: str) -> None:
    pdf.set_draw_color(INK)
    pdf.set_line_width(0.3)
    pdf.rect(x, y, BOX, BOX)
    _font(pdf, 8.5)
    pdf.text(x + BOX + 1.3, y + 3, label)


def _beneath(pdf: FPDF, entry: Entry) -> None:
    width = WIDTH - 10
    evidence = f"{entry.band[:1].upper()}{entry.band[1:]}"
    _text(pdf, " ".join(f"{said}." for said in (evidence, *entry.repairs)), 8, QUIET, width=width)
    for reason in entry.reasons:
        _text(pdf, f"•  {reason}", 8, QUIET, width=width)
    if entry.words:
        pdf.ln(0.8)
        pdf.set_x(MARGIN + 10)
    for line in entry.words:
        _text(pdf, line, 8.5, width=width)


def _note(pdf: FPDF, x: float) -> None:
    _font(pdf, 8.5, QUIET)
    pdf.text(x, pdf.y + 5.2, text.NOTE)
    _rule(pdf, x + pdf.get_string_width(text.NOTE) + 2, pdf.y + 6, MARGIN + WIDTH)
    pdf.ln(8.5)


def _missed(pdf: FPDF) -> None:
    _rule(pdf, MARGIN, pdf.y, MARGIN + WIDTH)
    pdf.ln(2)
    _text(pdf, text.MISSED, 9.5, style="B")
    for _ in range(text.MISSED_ROWS):
        pdf.ln(2)
        _font(pdf, 8.5, QUIET)
        for x, name, end in ((0, "from", 24), (27, "to", 49), (52, "what", ASIDE + 36)):
            pdf.text(MARGIN + x, pdf.y + 3, name)
            _rule(pdf, MARGIN + x + pdf.get_string_width(name) + 2, pdf.y + 3.8, MARGIN + end)
        _numbers(pdf, MARGIN + ASIDE + 42, pdf.y)
        pdf.ln(4.6)
    pdf.ln(2.5)


def _overall(pdf: FPDF) -> None:
    _rule(pdf, MARGIN, pdf.y, MARGIN + WIDTH)
    pdf.ln(2)
    _text(pdf, text.OVERALL_TITLE, 9.5, style="B")
    pdf.ln(1.5)
    top = pdf.y
    for number, name in enumerate(text.OVERALL):
        _scale(pdf, name, MARGIN + 93 * (number % 2), top + 6 * (number // 2), indent=34.0)
    pdf.set_xy(MARGIN, top + 6 * ((len(text.OVERALL) + 1) // 2) + 1)


def _foot(pdf: FPDF, sheet: Sheet) -> None:
    _rule(pdf, MARGIN, pdf.y, MARGIN + WIDTH)
    pdf.ln(1.5)
    _text(pdf, " ".join(sheet.foot), 7.5, QUIET)
    if _lacks(pdf, sheet):
        _text(pdf, MISSING, 7.5, style="B")


def _rule(pdf: FPDF, x: float, y: float, until: float, grey: int = RULE) -> None:
    pdf.set_draw_color(grey)
    pdf.set_line_width(0.2)
    pdf.line(x, y, until, y)


def _lacks(pdf: FPDF, sheet: Sheet) -> bool:
    """Whether anything printed holds a letter that the font has not."""
    known = pdf.fonts[FONT.lower()].cmap
    printed = [*sheet.notes, sheet.subtitle]
    for entry in sheet.entries:
        printed += [entry.marker, *entry.repairs, *entry.reasons, *entry.words]
    return any(ord(letter) not in known for line in printed for letter in line)
