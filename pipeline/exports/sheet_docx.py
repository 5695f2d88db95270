"""The supervision sheet as DOCX, for those who fill it in on a screen or change it to their clinic's form."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.exports import sheet as text
from pipeline.exports.material import ExportOptions, Material
from pipeline.exports.sheet import Entry, Sheet, build_sheet

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import _Cell

NO_DATE = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest that a ZIP can hold; a real one would give other bytes
BOX = "☐"
FONT = "Calibri"
QUIET = 0x60
WIDTHS_CM = (1.1, 8.3, 8.6)


def write_sheet_docx(material: Material, options: ExportOptions) -> bytes:
    """A heading, one table with a row a moment, and lines to fill in. A4, portrait."""
    sheet = build_sheet(material, options)
    document = _blank(sheet)
    _head(document, sheet)
    if sheet.entries:
        _moments(document, sheet)
    else:
        document.add_paragraph(text.NONE_CHOSEN)
    _missed(document)
    _overall(document)
    for line in sheet.foot:
        _run(document.add_paragraph(), line, 8, quiet=True)
    return _saved(document)


def _blank(sheet: Sheet) -> Document:
    import docx
    from docx.shared import Cm, Pt

    document = docx.Document()
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(1.5)
    section.top_margin = section.bottom_margin = Cm(1.4)
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = FONT, Pt(9.5)
    normal.paragraph_format.space_after = Pt(2)
    about = document.core_properties
    about.author, about.last_modified_by, about.comments = "attune", "attune", ""
    about.title, about.language = f"{text.TITLE}: {sheet.subtitle}", "en"
    about.created = about.modified = NO_DATE
    return document


def _run(paragraph: Any, said: str, size: float | None = None, *, bold: bool = False, quiet: bool = False) -> None:
    from docx.shared import Pt, RGBColor

    run = paragraph.add_run(said)
    run.bold = bold
    if size:
        run.font.size = Pt(size)
    if quiet:
        run.font.color.rgb = RGBColor(QUIET, QUIET, QUIET)


def _heading(document: Document, said: str, level: int) -> None:
    from docx.shared import Pt, RGBColor

    heading = document.add_heading(level=level)
    heading.paragraph_format.space_before = Pt(8 if level > 1 else 0)
    heading.paragraph_format.space_after = Pt(2)
    run = heading.add_run(said)
    run.font.name, run.font.size, run.font.color.rgb = FONT, Pt(18 if level == 1 else 11), RGBColor(0x19, 0x19, 0x19)


def _head(document: Document, sheet: Sheet) -> None:
    _heading(document, text.TITLE, 1)
    _run(document.add_paragraph(), sheet.subtitle, 10, quiet=True)
    document.add_paragraph("     ".join(f"{field} {'_' * 24}" for field in text.FIELDS))
    document.add_paragraph(text.HOW_TO)
    for note in sheet.notes:
        _run(document.add_paragraph(), note, bold=True)


def _moments(document: Document, sheet: Sheet) -> None:
    from docx.shared import Cm

    table = document.add_table(rows=1, cols=3, style="Table Grid")
    table.autofit = False
    for cell, name in zip(table.rows[0].cells, ("No.", "Moment", "Your view"), strict=True):
        _run(cell.paragraphs[0], name, bold=True)
    _repeat(table.rows[0])
    for entry in sheet.entries:
        row = table.add_row()
        _whole(row)
        number, what, view = row.cells
        _run(number.paragraphs[0], str(entry.rank), 12, bold=True)
        _describe(what, entry)
        _boxes(view)
    for column, width in zip(table.columns, WIDTHS_CM, strict=True):
        column.width = Cm(width)  # one program reads the widths of columns, another those of cells
        for cell in column.cells:
            cell.width = Cm(width)


def _repeat(row: Any) -> None:
    """Show the row at the top of every page."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _whole(row: Any) -> None:
    """Never break the row between two pages."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def _describe(cell: _Cell, entry: Entry) -> None:
    _run(cell.paragraphs[0], f"{entry.time}   {entry.title}", bold=True)
    if entry.marker:
        cell.add_paragraph(f"closest to: {entry.marker}")
    _run(cell.add_paragraph(), f"{entry.band[:1].upper()}{entry.band[1:]}", 8.5, quiet=True)
    for repair in entry.repairs:
        _run(cell.add_paragraph(), repair, 8.5, quiet=True)
    for reason in entry.reasons:
        _run(cell.add_paragraph(), f"• {reason}", 8.5, quiet=True)
    for line in entry.words:
        cell.add_paragraph(line)


def _boxes(cell: _Cell) -> None:
    cell.paragraphs[0].add_run("   ".join(f"{BOX}\u00a0{answer}" for answer in text.ANSWERS))
    for name in (text.IMPACT, text.RESOLVED):
        _scale(cell.add_paragraph(), name, 3.9)
    cell.add_paragraph(f"{text.NOTE}:")


def _scale(paragraph: Any, name: str, at_cm: float) -> None:
    """A name and five boxes, which stand at the same place in every line."""
    from docx.shared import Cm

    paragraph.paragraph_format.tab_stops.add_tab_stop(Cm(at_cm))
    paragraph.add_run(f"{name}\t" + "  ".join(f"{BOX}\u00a0{number}" for number in range(1, 6)))


def _missed(document: Document) -> None:
    _heading(document, text.MISSED, 2)
    for _ in range(text.MISSED_ROWS):
        paragraph = document.add_paragraph()
        _scale(paragraph, f"from {'_' * 9} to {'_' * 9} what {'_' * 36}", 12.2)


def _overall(document: Document) -> None:
    _heading(document, text.OVERALL_TITLE, 2)
    for name in text.OVERALL:
        _scale(document.add_paragraph(), name, 4.0)


def _saved(document: Document) -> bytes:
    """The document with no time of writing in it: the same session gives the same bytes."""
    raw, out = io.BytesIO(), io.BytesIO()
    document.save(raw)
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    return out.getvalue()
