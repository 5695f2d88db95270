"""Every exported format is opened by a reader that was not written here."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import docx
import pandas as pd
import parselmouth
import pyarrow.parquet
import pycmx
import pypdf
import pytest
import srt
import webvtt
import xspf_lib
from hypothesis import given, settings
from parselmouth.praat import call
from pympi.Elan import Eaf

from pipeline.exports import WRITERS, ExportOptions, Material, write_formats
from pipeline.exports.tables import TABLES
from pipeline.exports.text import cell, one_line, token
from pipeline.records import About, Findings, Marker, Speech, Turn, Word
from tests.exported import ABOUT, AUDIT, FINDINGS, TABLE, TURNS, VOICES, any_text, spoken_session

MATERIAL = Material(ABOUT, tuple(TURNS), FINDINGS, tuple(VOICES), TABLE, "/clinic/out")
EMPTY = Material(About("0", "", 0.0), (), Findings((), (), ()), ())


def files_of(material: Material, *formats: str) -> dict[str, bytes]:
    return write_formats(material, formats, ExportOptions())


def spoken(role: str) -> str:
    return " ".join(turn.text for turn in TURNS if turn.role == role)


def test_every_format_writes_an_empty_session() -> None:
    names = [name for files in WRITERS.values() for name in files]
    assert list(files_of(EMPTY, *WRITERS)) == names
    assert len(set(names)) == len(names)


# --- WebVTT and SRT -------------------------------------------------------------------------------------------------


def captions_of(content: bytes) -> list[webvtt.Caption]:
    return list(webvtt.from_buffer(io.StringIO(content.decode())))


def test_webvtt_captions_have_voices() -> None:
    captions = captions_of(files_of(MATERIAL, "vtt")["transcript.vtt"])
    assert {caption.voice for caption in captions} == {"Therapist", "Client", "Other"}
    by_voice = " ".join(caption.text.replace("\n", " ") for caption in captions if caption.voice == "Client")
    assert by_voice == spoken("client")
    starts = [caption.start_in_seconds for caption in captions]
    assert starts == sorted(starts)


def test_webvtt_chapters_follow_one_another() -> None:
    overlapping = replace(FINDINGS.moments[1], end=12.0)
    material = replace(MATERIAL, findings=replace(FINDINGS, moments=(FINDINGS.moments[0], overlapping, AUDIT)))
    content = files_of(material, "vtt")["moments.vtt"]
    chapters = captions_of(content)
    assert [(c.start, c.end) for c in chapters] == [
        ("00:00:01.000", "00:00:08.000"),
        ("00:00:08.000", "00:00:15.900"),
    ]
    assert chapters[1].text.startswith("Possible withdrawal: ")
    assert b"does not look for suicide" in content


def test_srt() -> None:
    captions = list(srt.parse(files_of(MATERIAL, "srt")["transcript.srt"].decode()))
    assert [caption.index for caption in captions] == list(range(1, len(captions) + 1))
    assert captions[0].start.total_seconds() == 1.0
    assert captions[0].content.replace("\n", " ") == f"Therapist: {TURNS[0].text}"


@given(any_text)
@settings(max_examples=80, deadline=None)
def test_any_text_is_one_caption_each(text: str) -> None:
    turns, findings, about, voices = spoken_session(text)
    files = files_of(Material(about, tuple(turns[1:]), findings, tuple(voices)), "vtt", "srt")
    body = files["transcript.vtt"].decode().removeprefix("WEBVTT\n")
    assert body.count("-->") == body.count("<v Client>") == body.count("</v>")
    assert body.count("<") == 2 * body.count("-->")
    assert captions_of(files["transcript.vtt"])[-1].text.split("\n")[-1].endswith("kept")
    assert len(captions_of(files["moments.vtt"])) == 1
    captions = list(srt.parse(files["transcript.srt"].decode()))
    assert captions[-1].content.endswith("kept")
    assert len(captions) == body.count("-->")


# --- RTTM, CTM ------------------------------------------------------------------------------------------------------


def test_rttm(tmp_path: Path) -> None:
    from pyannote.database.util import load_rttm

    path = tmp_path / "speech.rttm"
    path.write_bytes(files_of(MATERIAL, "rttm")["speech.rttm"])
    annotation = load_rttm(str(path))["7c120c39db3e"]
    assert set(annotation.labels()) == {"therapist", "client", "O"}
    said = sum(turn.end - turn.start for turn in TURNS if turn.role == "client")
    assert annotation.label_duration("client") == pytest.approx(said, abs=0.01)


def test_rttm_leaves_out_a_silence_inside_a_turn() -> None:
    words = (Word(0.0, 1.0, "Well"), Word(1.3, 2.0, "yes"), Word(6.0, 7.0, "no"))
    material = replace(MATERIAL, turns=(Turn(0.0, 7.0, "A", "client", words),))
    lines = files_of(material, "rttm")["speech.rttm"].decode().splitlines()
    assert [tuple(line.split()[3:5]) for line in lines] == [("0.000", "2.000"), ("6.000", "1.000")]


def test_ctm_in_lhotse(tmp_path: Path) -> None:
    from lhotse import SupervisionSegment, SupervisionSet

    path = tmp_path / "words.ctm"
    path.write_bytes(files_of(MATERIAL, "ctm")["words.ctm"])
    whole = SupervisionSet.from_segments([SupervisionSegment("whole", ABOUT.session, 0.0, ABOUT.duration_s)])
    (read,) = whole.with_alignment_from_ctm(path)
    found = [(item.start, item.end, item.symbol, item.score) for item in read.alignment["word"]]
    said = sorted((w.start, w.end, w.text, w.confidence) for turn in TURNS for w in turn.words)
    assert [(symbol, score) for _, _, symbol, score in found] == [(text, score) for _, _, text, score in said]
    assert [time for item in found for time in item[:2]] == pytest.approx([t for w in said for t in w[:2]], abs=0.002)


@given(any_text)
@settings(max_examples=80, deadline=None)
def test_any_text_keeps_the_fields_of_a_line(text: str) -> None:
    turns, findings, about, voices = spoken_session(text)
    files = files_of(Material(replace(about, session=text), tuple(turns), findings, tuple(voices)), "rttm", "ctm")
    for name, fields in (("speech.rttm", 10), ("words.ctm", 6)):
        lines = files[name].decode().split("\n")
        assert lines.pop() == ""
        assert {len(line.split()) for line in lines} == {fields}
    assert " " not in token(text)


# --- TextGrid and ELAN ----------------------------------------------------------------------------------------------


def praat_tiers(content: bytes, folder: Path) -> dict[str, list[tuple[float, float, str]]]:
    path = folder / "session.TextGrid"
    path.write_bytes(content)
    grid = parselmouth.read(str(path))
    tiers = {}
    for number in range(1, call(grid, "Get number of tiers") + 1):
        intervals = range(1, call(grid, "Get number of intervals", number) + 1)
        tiers[call(grid, "Get tier name", number)] = [
            (
                call(grid, "Get starting point", number, k),
                call(grid, "Get end point", number, k),
                call(grid, "Get label of interval", number, k),
            )
            for k in intervals
        ]
    return tiers


def test_textgrid_in_praat(tmp_path: Path) -> None:
    tiers = praat_tiers(files_of(MATERIAL, "textgrid")["session.TextGrid"], tmp_path)
    assert list(tiers) == [
        "therapist turns",
        "therapist words",
        "client turns",
        "client words",
        "other turns",
        "other words",
        "possible withdrawal",
        "possible confrontation",
        "repair attempts",
        "attune",
    ]
    assert " ".join(text for _, _, text in tiers["client words"] if text) == spoken("client")
    assert [(s, e) for s, e, text in tiers["possible withdrawal"] if text] == [(8.0, 15.9)]
    for intervals in tiers.values():
        assert (intervals[0][0], intervals[-1][1]) == (0.0, 40.0)
        assert all(a[1] == b[0] for a, b in pairwise(intervals))


def test_words_that_overlap_are_laid_side_by_side_and_none_is_lost(tmp_path: Path) -> None:
    words = (Word(1.0, 3.0, "long"), Word(2.0, 4.0, "late"), Word(2.5, 3.5, "inside"), Word(5.0, 5.0, "empty"))
    material = replace(MATERIAL, turns=(Turn(1.0, 5.0, "C", "client", words),))
    files = files_of(material, "textgrid", "eaf")
    laid = [row for row in praat_tiers(files["session.TextGrid"], tmp_path)["client words"] if row[2]]
    assert laid == [(1.0, 3.0, "long"), (3.0, 4.0, "late inside empty")]


def eaf_of(content: bytes, folder: Path) -> Eaf:
    path = folder / "session.eaf"
    path.write_bytes(content)
    return Eaf(str(path))


def test_eaf_in_pympi(tmp_path: Path) -> None:
    eaf = eaf_of(files_of(MATERIAL, "eaf")["session.eaf"], tmp_path)
    words = sorted(eaf.get_annotation_data_for_tier("therapist words"))
    assert " ".join(word for _, _, word in words) == spoken("therapist")
    assert [row[:2] for row in eaf.get_annotation_data_for_tier("possible confrontation")] == [(1000, 6200)]
    assert len(eaf.get_annotation_data_for_tier("repair attempts")) == 2
    (media,) = eaf.media_descriptors
    assert media["RELATIVE_MEDIA_URL"] == media["MEDIA_URL"] == "../tape%20%26%20%3Cone%3E.mp4"
    assert media["MIME_TYPE"] == "video/mp4"


def test_eaf_is_in_the_order_its_schema_wants_and_its_references_hold() -> None:
    root = ElementTree.fromstring(files_of(MATERIAL, "eaf")["session.eaf"])
    kinds = list(dict.fromkeys(child.tag for child in root))
    assert kinds == ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE"]
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    ids = [annotation.get("ANNOTATION_ID") for annotation in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(ids) == len(set(ids))
    for tier in root.iter("TIER"):
        times = [
            (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")]) for a in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(start < end for start, end in times)
        assert all(a[1] <= b[0] for a, b in pairwise(times))


def test_eaf_names_no_folder_when_it_is_not_told_where_it_lies() -> None:
    content = files_of(replace(MATERIAL, folder=""), "eaf")["session.eaf"]
    assert b'RELATIVE_MEDIA_URL="./tape%20%26%20%3Cone%3E.mp4"' in content
    assert b"clinic" not in content


@given(any_text)
@settings(max_examples=60, deadline=None)
def test_any_text_survives_in_tiers(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    turns, findings, about, voices = spoken_session(text)
    folder = tmp_path_factory.mktemp("tiers")
    files = files_of(Material(about, tuple(turns), findings, tuple(voices), None, str(folder)), "textgrid", "eaf")
    eaf = eaf_of(files["session.eaf"], folder)
    said = " ".join([one_line(text), "kept"]).strip()
    assert [row[2] for row in eaf.get_annotation_data_for_tier("client turns")] == [said]
    labels = praat_tiers(files["session.TextGrid"], folder)["client turns"]
    # Praat counts in UTF-16, and so do not compare what it makes of the rarest signs
    if all(ord(letter) < 0x10000 for letter in text):
        assert [label for _, _, label in labels if label] == [said]


# --- tables ---------------------------------------------------------------------------------------------------------

MARKER = Marker(8.0, 9.0, "wd_denial", "withdrawal", "client", 3, 0.5, 0.75, "text", "fine", "=because", "")
WINDOWS = pd.DataFrame({"start": [0.0], "end": [30.0], "kind": ["30 s"], "grey": [False], "share": [1 / 3]})
FRAMES = pd.DataFrame(
    {
        "start": [0.0, 0.01],
        "end": [0.01, 0.02],
        "speaker": pd.Categorical([None, "=A"]),
        "voiced": [False, True],
        "f0_hz": pd.Series([float("nan"), 201.25], dtype="float32"),
    }
)
FULL = replace(MATERIAL, markers=(MARKER,), speech=(Speech(1.0, 3.4, "T", 0.8),), windows=WINDOWS, frames=FRAMES)


def parquet_of(content: bytes) -> pyarrow.Table:
    return pyarrow.parquet.read_table(io.BytesIO(content))


def test_every_table_is_the_same_in_both_formats() -> None:
    files = files_of(FULL, "csv", "parquet")
    for name in TABLES:
        sheet = pd.read_csv(io.BytesIO(files[f"{name}.csv"]), keep_default_na=False, dtype=str)
        table = parquet_of(files[f"{name}.parquet"])
        assert list(sheet.columns) == table.column_names, name
        assert len(sheet) == len(table) > 0, name
        for column in table.column_names:
            known = [value for value in table[column].to_pylist() if isinstance(value, str)]
            assert [value for value in sheet[column] if value] == [cell(text) for text in known if text] or not known
    assert len(parquet_of(files["words.parquet"])) == sum(len(turn.words) for turn in TURNS)


def test_parquet_has_types_and_text_as_it_is() -> None:
    files = files_of(FULL, "parquet")
    moments = parquet_of(files["moments.parquet"])
    assert moments["start"].to_pylist() == [8.0, 1.0, 22.0]
    assert moments["against"].to_pylist()[0] == "=talk about times"
    assert moments["audit"].to_pylist() == [False, False, True]
    assert parquet_of(files["turns.parquet"])["latency_s"].to_pylist()[1:] == [0.5] * 7
    assert parquet_of(files["frames.parquet"])["f0_hz"].to_pylist()[1] == 201.25
    (linked, _) = parquet_of(files["repairs.parquet"]).to_pylist()
    assert (linked["answers"], linked["engagement"]) == ("1", "back near usual")


def test_a_table_without_rows_keeps_its_columns_and_types() -> None:
    empty, full = files_of(EMPTY, "parquet"), files_of(replace(FULL, turn_table=None), "parquet")
    for name in set(TABLES) - {"windows", "frames"}:
        assert parquet_of(empty[f"{name}.parquet"]).schema.types == parquet_of(full[f"{name}.parquet"]).schema.types


def test_measures_in_csv_are_numbers_blanks_and_no_formula() -> None:
    rows = files_of(FULL, "csv")["frames.csv"].decode().splitlines()
    assert rows == ["start,end,speaker,voiced,f0_hz", "0,0.01,,false,", "0.01,0.02,'=A,true,201.25"]
    assert files_of(FULL, "csv")["windows.csv"].decode().splitlines()[1] == "0,30,30 s,false,0.333333"


# --- marks ----------------------------------------------------------------------------------------------------------


def test_audacity_labels_in_crowsetta(tmp_path: Path) -> None:
    from crowsetta.formats.seq import AudSeq

    path = tmp_path / "moments.labels.txt"
    path.write_bytes(files_of(MATERIAL, "audacity")["moments.labels.txt"])
    track = AudSeq.from_file(path)
    assert track.start_times.tolist() == [1.0, 8.0, 18.0, 27.0]
    assert track.end_times.tolist() == [6.2, 15.9, 20.4, 28.0]
    assert track.labels[1].startswith("Possible withdrawal: ")
    assert track.labels[2].startswith("Possible repair attempt (exploratory): ")


def test_edl_is_a_reel_of_the_moments_with_their_lead_in() -> None:
    reel = pycmx.parse_cmx3600(io.StringIO(files_of(MATERIAL, "edl")["moments.edl"].decode()))
    edits = [edit for event in reel.events for edit in event.edits]
    assert [(edit.source_in, edit.source_out) for edit in edits] == [
        ("00:00:00:00", "00:00:06:05"),  # 6.2 s
        ("00:00:03:00", "00:00:15:23"),  # 15.9 s, with the half frame kept whole
    ]
    assert [(edit.record_in, edit.record_out) for edit in edits] == [
        ("00:00:00:00", "00:00:06:05"),
        ("00:00:06:05", "00:00:19:03"),
    ]
    assert {edit.clip_name for edit in edits} == {os.path.basename(ABOUT.recording)}
    assert all(edit.channels.video and edit.channels.audio for edit in edits)
    assert not list(reel.unrecognized_statements)


# --- VLC ------------------------------------------------------------------------------------------------------------


def playlist_of(content: bytes, folder: Path) -> xspf_lib.Playlist:
    path = folder / "moments.xspf"
    path.write_bytes(content)
    return xspf_lib.Playlist.parse(str(path))


def wishes(track: xspf_lib.Track) -> list[str]:
    return [element.text for extension in track.extension for element in extension.content]


def test_the_playlist_has_a_bookmark_and_an_entry_a_moment(tmp_path: Path) -> None:
    playlist = playlist_of(files_of(MATERIAL, "vlc")["moments.xspf"], tmp_path)
    assert len(playlist.trackList) == 3
    assert {tuple(track.location) for track in playlist.trackList} == {("../tape & <one>.mp4",)}
    (marks,) = wishes(playlist.trackList[0])
    assert [float(at) for at in re.findall(r"time=([\d.]+)}", marks)] == [0.0, 3.0]
    assert [wishes(track) for track in playlist.trackList[1:]] == [
        ["start-time=0.000", "stop-time=6.200"],
        ["start-time=3.000", "stop-time=15.900"],
    ]


def test_a_playlist_without_recording_is_empty(tmp_path: Path) -> None:
    assert playlist_of(files_of(EMPTY, "vlc")["moments.xspf"], tmp_path).trackList == []


@given(any_text)
@settings(max_examples=40, deadline=None)
def test_any_text_stays_one_bookmark(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    turns, findings, about, voices = spoken_session(f"{text},}}{{")
    content = files_of(Material(about, tuple(turns), findings, tuple(voices)), "vlc")["moments.xspf"]
    playlist = playlist_of(content, tmp_path_factory.mktemp("vlc"))
    (marks,) = wishes(playlist.trackList[0])
    assert re.fullmatch(r"bookmarks=\{name=[^,{}]*,time=[\d.]+\}", marks)


@pytest.mark.skipif(not shutil.which("cvlc") or os.geteuid() == 0, reason="VLC is not installed, or runs not as root")
def test_vlc_takes_the_bookmarks(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "tape.wav", [0.0] * 160_000, 8000)
    material = replace(MATERIAL, about=replace(ABOUT, recording=str(tmp_path / "tape.wav")), folder=str(tmp_path))
    (tmp_path / "moments.xspf").write_bytes(files_of(material, "vlc")["moments.xspf"])
    command = ["cvlc", "-vv", "--no-audio", "-I", "dummy", "--play-and-exit", "--run-time=0.1", "moments.xspf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.count("adding bookmark") >= 2
    assert "starting at time: 3s" in done.stderr


# --- supervision sheets ---------------------------------------------------------------------------------------------


def docx_text(content: bytes) -> str:
    document = docx.Document(io.BytesIO(content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def pdf_text(content: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages).split())


def sheets_of(material: Material, **options: bool) -> tuple[str, str]:
    files = write_formats(material, ["docx", "pdf"], ExportOptions(**options))
    return docx_text(files["supervision_sheet.docx"]), pdf_text(files["supervision_sheet.pdf"])


def test_the_sheets_have_times_markers_and_boxes() -> None:
    for text in sheets_of(MATERIAL):
        for said in (
            "Session 7c120c39db3e, 0:40 long",
            "0:08 – 0:15",
            "Possible withdrawal",
            "closest to: playing down / closing off a feeling",
            "tronger evidence",
            "Possible repair attempt at 0:18: ",
            "engagement afterwards: back near usual",
            "Repair attempt: not seen",
            "Please confirm who is the therapist.",
            "does not look for suicide",
        ):
            assert said in text
    boxes = docx.Document(io.BytesIO(files_of(MATERIAL, "docx")["supervision_sheet.docx"])).tables[0].rows[1].cells[2]
    assert boxes.text.count("☐") == 3 + 5 + 5


def test_the_boxes_of_the_pdf_are_drawn_and_empty() -> None:
    one = replace(MATERIAL, findings=replace(FINDINGS, moments=FINDINGS.moments[:1]))
    squares = [drawn_boxes(files_of(material, "pdf")["supervision_sheet.pdf"]) for material in (one, MATERIAL)]
    assert squares[1] - squares[0] == 3 + 5 + 5
    assert squares[0] == 3 + 5 + 5 + 2 * 5 + 4 * 5


def drawn_boxes(content: bytes) -> int:
    """Squares that are drawn and not filled."""
    count = 0
    for page in pypdf.PdfReader(io.BytesIO(content)).pages:
        for match in re.finditer(rb"[\d.]+ [\d.]+ ([\d.]+) (-?[\d.]+) re (\w)", page.get_contents().get_data()):
            count += abs(float(match[1])) == abs(float(match[2])) and match[3] == b"S"
    return count


def test_no_word_of_the_session_is_on_a_sheet_unless_asked_for() -> None:
    said = replace(FINDINGS.moments[0], why=("“fine then”: short",), words="client: zebra crossing")
    material = replace(MATERIAL, findings=replace(FINDINGS, moments=(said,)))
    for text in sheets_of(material):
        assert "zebra" not in text
        assert "fine then" not in text
        assert "No words of the session" in text
    for text in sheets_of(material, sheet_words=True):
        assert "client: zebra crossing" in text
        assert "“fine then”: short" in text
        assert "keep it as you keep the recording" in text


def test_a_usual_session_fits_one_page() -> None:
    five = tuple(replace(FINDINGS.moments[0], start=60.0 * k, end=60.0 * k + 30) for k in range(5))
    content = files_of(replace(MATERIAL, findings=replace(FINDINGS, moments=five)), "pdf")["supervision_sheet.pdf"]
    assert len(pypdf.PdfReader(io.BytesIO(content)).pages) == 1


def test_a_sheet_of_many_moments_breaks_between_them() -> None:
    many = tuple(replace(FINDINGS.moments[0], start=60.0 * k, end=60.0 * k + 30) for k in range(14))
    content = files_of(replace(MATERIAL, findings=replace(FINDINGS, moments=many)), "pdf")["supervision_sheet.pdf"]
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    assert len(pages) == 3
    for text in pages:
        assert text.count("Possible withdrawal") == text.count("Effect on the alliance") == text.count("Note")


def test_letters_of_other_scripts_are_printed_and_what_cannot_be_is_said() -> None:
    said = replace(FINDINGS.moments[0], words="client: Ελένη Юля Łucja שלום")
    material = replace(MATERIAL, findings=replace(FINDINGS, moments=(said,)))
    word, page = sheets_of(material, sheet_words=True)
    assert "Ελένη Юля Łucja שלום" in word
    assert "Ελένη Юля Łucja" in page
    assert "cannot be printed" not in page
    lacking = replace(material, findings=replace(FINDINGS, moments=(replace(said, words="client: 日本"),)))
    word, page = sheets_of(lacking, sheet_words=True)
    assert "日本" in word
    assert "▯▯" in page
    assert "cannot be printed" in page


def test_a_sheet_without_moments_says_so() -> None:
    for text in sheets_of(EMPTY):
        assert "This does not mean that there was no rupture" in text


def test_sheets_are_the_same_bytes_again() -> None:
    assert files_of(MATERIAL, "docx", "pdf", "parquet") == files_of(MATERIAL, "docx", "pdf", "parquet")


@given(any_text)
@settings(max_examples=10, deadline=None)
def test_any_text_makes_a_sheet(text: str) -> None:
    turns, findings, about, voices = spoken_session(text)
    word, page = sheets_of(Material(about, tuple(turns), findings, tuple(voices)), sheet_words=True)
    assert one_line(text) in one_line(word)
    assert "Possible withdrawal" in page


@pytest.mark.parametrize("form", ["eaf", "vlc"])
def test_two_recordings_are_linked_as_their_joined_sound(form: str) -> None:
    about = replace(ABOUT, second="/x/second.wav")
    material = replace(MATERIAL, about=about, joined="/clinic/store/sessions/7c120c39db3e/audio.flac")
    [content] = files_of(material, form).values()
    assert "../store/sessions/7c120c39db3e/audio.flac" in (content if isinstance(content, str) else content.decode())
