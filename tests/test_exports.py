"""What every session gets: moments.json, captions, tables and the page."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import html5lib
import jsonschema
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.alliance.catalogue import load_catalogue
from pipeline.exports import WRITERS, ExportOptions, Material, build_exports, check_formats, write_formats
from pipeline.exports.clock import hms, short, stamp, timecode
from pipeline.exports.cues import build_cues
from pipeline.exports.markup import recording_url
from pipeline.exports.moments_json import SCHEMA
from pipeline.exports.text import cell, one_line
from pipeline.exports.wording import marker_label
from pipeline.records import About, AttuneError, Findings, Turn, Word
from tests.exported import ABOUT, FINDINGS, TABLE, TURNS, VOICES, any_text, spoken_session, turn


def make(findings: Findings = FINDINGS, turns: list[Turn] = TURNS, about: About = ABOUT, **options: object) -> dict:
    return build_exports(about, turns, findings, VOICES, TABLE if turns is TURNS else None, ExportOptions(**options))


def page_of(files: dict[str, bytes]) -> str:
    return files["summary.html"].decode()


def visible(page: str) -> str:
    class Text(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.parts, self.off = [], False

        def handle_starttag(self, tag: str, attrs: list) -> None:
            self.off = self.off or tag in ("style", "script")

        def handle_endtag(self, tag: str) -> None:
            self.off = self.off and tag not in ("style", "script")

        def handle_data(self, data: str) -> None:
            if not self.off:
                self.parts.append(data)

    reader = Text()
    reader.feed(page)
    return " ".join(" ".join(reader.parts).split())


# --- the step -------------------------------------------------------------------------------------------------------


def test_the_step_makes_exactly_its_files_and_the_same_bytes_again() -> None:
    files = make()
    assert list(files) == ["moments.json", "transcript.vtt", "moments.vtt", "turns.csv", "moments.csv", "summary.html"]
    assert files == make()


def test_an_empty_session_still_gets_every_file() -> None:
    files = make(Findings((), (), ("no client speech was found",)), [], About("abc", "", 0.0))
    assert json.loads(files["moments.json"])["moments"] == []
    assert "No client speech was found." in visible(page_of(files))
    assert "This session comes from a transcript alone" in visible(page_of(files))


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("torch", "pandas", "numpy", "whisper", "pyannote", "librosa", "parselmouth", "sklearn", "prefect", "yaml")
    code = f"import sys, pipeline.exports; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_marker_labels_are_the_catalogues() -> None:
    assert marker_label("wd_denial") == load_catalogue().entries["wd_denial"].label
    assert marker_label("") == ""
    assert marker_label("zz_unknown") == "zz_unknown"


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(AttuneError, match="'docm'") as caught:
        check_formats(["eaf", "docm"])
    assert "textgrid" in caught.value.mend
    assert caught.value.code == "format-unknown"


# --- moments.json ---------------------------------------------------------------------------------------------------


def test_moments_json_fits_its_published_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads(make()["moments.json"])
    jsonschema.validate(content, schema)
    assert content["session"] == "7c120c39db3e"
    assert [m["kind"] for m in content["moments"]] == ["withdrawal", "confrontation", "withdrawal"]
    assert [m["audit"] for m in content["moments"]] == [False, False, True]
    assert content["moments"][0]["score"] == 0.813
    assert content["moments"][0]["words"].split("\n")[1] == "client: It was fine."
    assert content["moments"][0]["repairs"][0]["engagement"] == "back near usual"
    assert len(content["repairs"]) == 2


@pytest.mark.parametrize("key", ["start", "end", "kind", "marker", "score", "why", "words", "repairs", "audit"])
def test_the_schema_wants_every_key_of_a_moment(key: str) -> None:
    content = json.loads(make()["moments.json"])
    del content["moments"][0][key]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads(SCHEMA.read_text(encoding="utf-8")))


# --- the audit clip -------------------------------------------------------------------------------------------------


def test_the_audit_clip_is_in_no_list_that_people_watch_from() -> None:
    material = Material(ABOUT, tuple(TURNS), FINDINGS, tuple(VOICES), TABLE)
    without = replace(material, findings=replace(FINDINGS, moments=FINDINGS.moments[:2]))
    for_software = {"moments.json", "moments.csv", "moments.parquet"}
    every, rest = (write_formats(m, WRITERS, ExportOptions()) for m in (material, without))
    assert {name for name in every if every[name] != rest[name]} == for_software


# --- tables ---------------------------------------------------------------------------------------------------------


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_turns_csv_has_times_words_and_every_measure() -> None:
    rows = rows_of(make()["turns.csv"])
    assert [row["turn"] for row in rows] == [str(k) for k in range(8)]
    assert (rows[3]["start"], rows[3]["start_hms"], rows[3]["text"]) == ("15", "0:00:15", "It was fine.")
    assert (rows[4]["backchannel"], rows[3]["backchannel"]) == ("true", "false")
    assert [rows[0]["latency_s"], rows[1]["latency_s"], rows[1]["held"]] == ["", "0.5", "true"]
    table = pd.read_csv(io.BytesIO(make()["turns.csv"]))
    assert table["latency_s"].isna().sum() == 1
    assert table["start"].tolist() == [t.start for t in TURNS]


def test_a_turn_table_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="7 rows for 8 turns"):
        build_exports(ABOUT, TURNS, FINDINGS, VOICES, TABLE.iloc[:7], ExportOptions())


def test_what_could_not_be_measured_is_an_empty_cell() -> None:
    table = pd.DataFrame({"pause_s": pd.array([pd.NA] * 7 + [0.25], dtype="Float64"), "asks": [None] * 7 + ["=open"]})
    rows = rows_of(build_exports(ABOUT, TURNS, FINDINGS, VOICES, table, ExportOptions())["turns.csv"])
    assert [(row["pause_s"], row["asks"]) for row in (rows[0], rows[7])] == [("", ""), ("0.25", "'=open")]


def test_moments_csv_has_a_row_a_moment_and_no_formula() -> None:
    rows = rows_of(make()["moments.csv"])
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["against"] == "'=talk about times"
    assert rows[0]["label"]
    assert (rows[0]["repair_count"], rows[0]["repair_engagement"]) == ("1", "back near usual")
    assert rows[1]["repair_start"] == ""
    assert rows[1]["score"] == "-0.2"


def test_a_byte_order_mark_only_when_asked_for() -> None:
    assert make()["turns.csv"].startswith(b"turn,")
    assert make(csv_byte_order_mark=True)["turns.csv"].startswith(b"\xef\xbb\xbfturn,")


@given(any_text)
def test_no_cell_starts_a_formula(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert cell(text).removeprefix("'").split() == one_line(text).removeprefix("'").split()
    cell(text).encode()  # raises on what UTF-8 cannot hold


# --- captions -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), min_size=1, max_size=60))
@settings(max_examples=60)
def test_cues_keep_every_word_in_readable_pieces(plan: list[tuple[float, int]]) -> None:
    words, at = [], 0.0
    for number, (gap, letters) in enumerate(plan):
        words.append(Word(at + gap, at + gap + 0.2, f"{number}{'x' * letters}" + (". " if number % 5 == 0 else "")))
        at = words[-1].end
    options = ExportOptions()
    cues = build_cues([Turn(0.0, at, "A", "client", tuple(words))], options)
    assert " ".join(line for cue in cues for line in cue.lines).split() == [word.text.strip() for word in words]
    for cue in cues:
        assert cue.end_ms > cue.start_ms
        assert cue.end_ms - cue.start_ms <= options.cue_s * 1000 + 1
        assert len(cue.lines) <= 2
        assert all(len(line) <= options.cue_line_chars for line in cue.lines)
    assert cues == sorted(cues, key=lambda cue: cue.start_ms)


def test_a_cue_ends_with_the_sentence_where_it_can() -> None:
    long = turn(
        0.0, "client", "one two three four five six seven eight nine ten. " + "then it goes on for quite a while more"
    )
    first = build_cues([long], ExportOptions())[0]
    assert first.lines[-1].endswith("ten.")


def test_a_pause_ends_a_cue() -> None:
    words = (Word(0.0, 0.4, "Well"), Word(3.0, 3.4, "yes"))
    cues = build_cues([Turn(0.0, 3.4, "A", "client", words)], ExportOptions())
    assert [cue.lines for cue in cues] == [("Well",), ("yes",)]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_is_valid_html_and_asks_nobody_for_anything() -> None:
    page = page_of(make())
    html5lib.HTMLParser(strict=True).parse(page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page).group(1)
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    without_names = re.sub(r'xmlns="[^"]+"', "", page)
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", without_names.replace("file:///clinic", ""))
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page)


def test_the_policy_lets_through_just_the_shipped_style_and_script() -> None:
    from base64 import b64encode
    from hashlib import sha256

    page = page_of(make())
    for kind, tag in (("style", "style"), ("script", "script")):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"{kind}-src 'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'" in page


def test_the_page_says_what_a_supervisor_needs() -> None:
    text = visible(page_of(make()))
    for said in (
        "Two moments worth a look",
        "Please confirm who is the therapist.",
        "Possible withdrawal",
        "Possible confrontation",
        "reply after 4.8 s; usual 0.9 s",
        "What counts against it",
        "back near usual",
        "Not seen after this moment.",
        "Other possible repair attempts",
        "I did not want to say so.",
        "please confirm",
    ):
        assert said in text
    assert text.count("This tool does not look for suicide, violence or safeguarding risk.") == 2
    assert not re.search(r"\b(detected|failed|resistant|angry|hostile|score)\b", text, re.IGNORECASE)
    assert "the audited words" not in text


def test_a_moment_plays_from_its_lead_in() -> None:
    page = page_of(make())
    address = "file:///clinic/tape%20%26%20%3Cone%3E.mp4"
    assert f'<video id=player controls preload=metadata src="{address}"' in page
    assert f'href="{address}#t=3" data-at="3.000"' in page  # begins at 8 s, five seconds earlier
    assert f'href="{address}#t=0" data-at="0.000"' in page  # begins at 1 s: no time before the start
    assert f'href="{address}#t=6" data-at="6.000"' in page_of(make(pre_roll_s=2.0))


def test_an_excerpt_shows_the_turn_before_and_after() -> None:
    page = page_of(make())
    card = page[page.index("id=m1 ") : page.index("id=m2 ")]
    assert re.search(r"<li class=\"therapist before\">.*?And what was that like", card)
    assert re.search(r"<li class=\"therapist after\">.*?I wonder whether I went", card)
    assert "Good, I" not in card


def test_doubtful_words_are_marked() -> None:
    assert re.search(r"<i class=doubt [^>]+>mumble</i>", page_of(make()))


def test_two_recordings_play_as_one_sound() -> None:
    page = page_of(make(about=replace(ABOUT, recording="/x/client.mp4", second="/x/therapist.mp4")))
    assert '<audio id=player controls preload=metadata src="./audio.flac"' in page
    assert "client.mp4" not in page


def test_sound_gets_an_audio_player_and_no_recording_gets_no_links() -> None:
    assert "<audio id=player" in page_of(make(about=replace(ABOUT, recording="/x/a.M4A")))
    silent = page_of(make(about=replace(ABOUT, recording="")))
    assert "data-at" not in silent.split("<script>")[0]
    assert "id=player" not in silent


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/a b/c#1?.mp4", "file:///a%20b/c%231%3F.mp4"),
        ("C:\\Clinic\\a b.mp4", "file:///C:/Clinic/a%20b.mp4"),
        ("\\\\server\\share\\a.mp4", "file://server/share/a.mp4"),
        ("/back\\slash.mp4", "file:///back%5Cslash.mp4"),
        ("/\udce9.wav", "file:///%E9.wav"),
        ("a.wav", "./a.wav"),
        ("", ""),
    ],
)
def test_recording_url(path: str, url: str) -> None:
    assert recording_url(path) == url


def _luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_both_themes_is_wcag_aa() -> None:
    style = SCHEMA.with_name("page.css").read_text()
    light, dark = (dict(re.findall(r"--(\w[\w-]*): (#\w{6})", block)) for block in style.split(":root {")[1:3])
    assert light["paper"] != dark["paper"]
    for theme in (light, dark):
        for text in ("ink", "soft", "accent"):
            for ground in ("paper", "card", "sunk", "shade", "warn"):
                if (text, ground) != ("accent", "warn"):
                    assert _contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
        for ground in ("withdrawal", "confrontation", "repair", "accent"):
            assert _contrast(theme["on"], theme[ground]) >= 4.5, ground
        for shape in ("withdrawal", "confrontation", "repair", "therapist", "client"):
            assert _contrast(theme[shape], theme["card"]) >= 3.0, shape


# --- any text -------------------------------------------------------------------------------------------------------


@example("\U0001fffe \U0010ffff")
@given(any_text)
@settings(max_examples=80, deadline=None)
def test_any_text_leaves_the_page_whole(text: str) -> None:
    turns, findings, about, voices = spoken_session(text)
    files = build_exports(about, turns, findings, voices, None, ExportOptions())
    page = page_of(files)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert len(list(tree.iter("script"))) == 1
    assert len(list(tree.iter("style"))) == 1
    lines = [p for li in tree.iter("li") for p in li.iter("p") if li.get("id") == "u1"]
    assert "".join(lines[0].itertext()).split() == [*one_line(text).split(), "kept"]
    jsonschema.validate(json.loads(files["moments.json"]), json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert json.loads(files["moments.json"])["moments"][0]["why"] == [one_line(text)]
    assert len(rows_of(files["turns.csv"])) == 2
    assert len(rows_of(files["moments.csv"])) == 1


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_clocks() -> None:
    assert [hms(0.0), hms(59.999), hms(3661.2)] == ["0:00:00", "0:00:59", "1:01:01"]
    assert [short(61.0), short(3600.0)] == ["1:01", "1:00:00"]
    assert stamp(3_661_005) == "01:01:01.005"
    assert timecode(25 * 61 + 7, 25) == "00:01:01:07"
