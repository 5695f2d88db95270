"""Reading what a clinic already has: what each form says, what is refused, and that nothing else can happen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from pipeline.records import AttuneError, Given, Word
from pipeline.speech.engines.given import READERS, combine_given, load_given
from pipeline.speech.transcripts.names import role_of


def read(tmp_path, suffix: str, content: str | bytes) -> list[Given]:
    path = tmp_path / f"transcript{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_given(path)


def refused(tmp_path, suffix: str, content: str | bytes) -> AttuneError:
    with pytest.raises(AttuneError) as caught:
        read(tmp_path, suffix, content)
    assert str(caught.value)
    assert caught.value.mend
    return caught.value


# ---------------------------------------------------------------- what each form says


def test_vtt_voices(tmp_path):
    lines = read(
        tmp_path,
        ".vtt",
        "WEBVTT - session 7\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE 00:01 --> not a cue\n\n"
        "intro\n00:01.500 --> 00:03.000 align:start\n<v.loud Therapist>How was <i>your</i> week?</v>\n\n"
        "01:00:04.000 --> 01:00:05.250\n<v Sam &amp; Co>Fine &lt;3,\nthanks.\n",
    )
    assert lines == [
        Given(1.5, 3.0, "Therapist", "therapist", "How was your week?"),
        Given(3604.0, 3605.25, "Sam & Co", None, "Fine <3, thanks."),
    ]


def test_vtt_as_zoom_writes_it(tmp_path):
    lines = read(
        tmp_path,
        ".vtt",
        "WEBVTT\r\n\r\n1\r\n00:00:01.000 --> 00:00:02.000\r\nDr. Anna Lee: I thought: why not?\r\n\r\n"
        "2\r\n00:00:02.000 --> 00:00:02.000\r\nSam O'Neill: Right.\r\n\r\n3\r\n00:00:04.000 --> 00:00:05.000\r\n\r\n",
    )
    assert lines == [
        Given(1.0, 2.0, "Dr. Anna Lee", None, "I thought: why not?"),
        Given(2.0, 2.01, "Sam O'Neill", None, "Right."),
    ]


def test_two_voices_in_one_cue_share_its_time(tmp_path):
    lines = read(tmp_path, ".vtt", "WEBVTT\n\n00:00.000 --> 00:04.000\n<v T>abc</v>\n<v C>a</v>\n")
    assert lines == [Given(0.0, 3.0, "T", "therapist", "abc"), Given(3.0, 4.0, "C", "client", "a")]


def test_srt(tmp_path):
    lines = read(
        tmp_path,
        ".srt",
        "\ufeff1\n00:00:01,000 --> 00:00:02,000\nT: Well: what now?\n\n2\n00:00:03,5 --> 00:00:04,000\n"
        "{\\an8}<font color=red>I don't know.</font>\n\n3\n00:00:05,000 --> 00:00:06,000\nT: Okay.\n",
    )
    assert lines == [
        Given(1.0, 2.0, "T", "therapist", "Well: what now?"),
        Given(3.5, 4.0, "T", "therapist", "I don't know."),  # an unnamed cue goes on with the speaker before it
        Given(5.0, 6.0, "T", "therapist", "Okay."),
    ]


def test_a_sentence_with_a_colon_names_nobody(tmp_path):
    lines = read(
        tmp_path,
        ".srt",
        "1\n00:00:01,000 --> 00:00:02,000\nI thought: no.\n\n2\n00:00:03,000 --> 00:00:04,000\nAnd that was it.\n",
    )
    assert lines == [Given(1.0, 2.0, text="I thought: no."), Given(3.0, 4.0, text="And that was it.")]


def test_text_after_an_empty_line_stays_with_its_cue(tmp_path):
    lines = read(tmp_path, ".srt", "1\n00:00:01,000 --> 00:00:02,000\nOne\n\ntwo\n\n2\n00:00:03,000 --> 00:00:04,000\n")
    assert [line.text for line in lines] == ["One two"]


def test_cues_without_empty_lines_between_them(tmp_path):
    content = "1\n00:00:01,000 --> 00:00:02,000\nOne --> two\n2\n00:00:03,000 --> 00:00:04,000\nThree\n"
    assert [(line.start, line.text) for line in read(tmp_path, ".srt", content)] == [(1, "One --> two"), (3, "Three")]
    vtt = "WEBVTT\n00:00:01.000 --> 00:00:02.000\nOne\ntwo\n00:00:03.000 --> 00:00:04.000\nThree\n"
    assert [(line.start, line.text) for line in read(tmp_path, ".vtt", vtt)] == [(1, "One two"), (3, "Three")]


def test_a_phrase_that_comes_back_is_no_name(tmp_path):
    said = ["I said: no.", "And then?", "I said: no.", *["It went on."] * 10]
    content = "".join(f"00:00:{i:02},000 --> 00:00:{i + 1:02},000\n{text}\n\n" for i, text in enumerate(said))
    assert {line.speaker for line in read(tmp_path, ".srt", content)} == {None}


def test_names_given_only_where_the_speaker_changes(tmp_path):
    said = ["Ann: Hello.", "How are you?", "Bob: Fine.", "I think.", "Ann: Good.", "Bob: Yes."]
    content = "".join(f"00:00:{i:02},000 --> 00:00:{i + 1:02},000\n{text}\n\n" for i, text in enumerate(said))
    assert [line.speaker for line in read(tmp_path, ".srt", content)] == ["Ann", "Ann", "Bob", "Bob", "Ann", "Bob"]


LONG_TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 4.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "Therapist"
        xmin = 0
        xmax = 4.5
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = "He said ""no"", 3 < 4 ! really"
        intervals [2]:
            xmin = 1.25
            xmax = 4.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 4.5
        points: size = 1
        points [1]:
            number = 2
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "Client Sam - words"
        xmin = 0
        xmax = 4.5
        intervals: size = 1
        intervals [1]:
            xmin = 1
            xmax = 4.5
            text = "Grüße 明子"
"""
TEXTGRID_LINES = [
    Given(0.0, 1.25, "Therapist", "therapist", 'He said "no", 3 < 4 ! really'),
    Given(1.0, 4.5, "Client Sam", "client", "Grüße 明子"),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_textgrid_long(tmp_path, encoding):
    assert read(tmp_path, ".TextGrid", LONG_TEXTGRID.encode(encoding)) == TEXTGRID_LINES


def test_textgrid_short_as_praat_writes_it(tmp_path):
    import parselmouth

    (tmp_path / "long.TextGrid").write_text(LONG_TEXTGRID, encoding="utf-8")
    grid = parselmouth.read(str(tmp_path / "long.TextGrid"))
    for form in ("Save as short text file", "Save as text file"):
        parselmouth.praat.call(grid, form, str(tmp_path / "made.TextGrid"))
        assert load_given(tmp_path / "made.TextGrid") == TEXTGRID_LINES


def short_textgrid(tiers: dict[str, list[tuple[float, float, str]]]) -> str:
    text = f'"ooTextFile"\n"TextGrid"\n0 9 <exists> {len(tiers)}\n'
    for name, intervals in tiers.items():
        text += f'"IntervalTier" "{name}" 0 9 {len(intervals)}\n'
        text += "".join(f'{start} {end} "{said}"\n' for start, end, said in intervals)
    return text


def test_textgrid_with_lines_words_and_notes(tmp_path):
    words = [(0, 0.5, "How"), (0.5, 1, "now?"), (3, 4, "Well")]
    grid = {
        "therapist turns": [(0, 1, "How now?"), (3, 4, "Well")],
        "therapist words": words,
        "therapist - phones": [(0, 0.1, "h")],
        "Client_turns": [(1, 2, "Fine.")],
        "possible withdrawal": [(1, 2, "worth a look")],
    }
    made = [Word(start, end, said, 1.0, "therapist") for start, end, said in words]
    assert read(tmp_path, ".TextGrid", short_textgrid(grid)) == [
        Given(0, 1, "therapist", "therapist", "How now?", tuple(made[:2])),
        Given(1, 2, "Client", "client", "Fine."),
        Given(3, 4, "therapist", "therapist", "Well", tuple(made[2:])),
    ]


def test_textgrid_tiers_that_name_nobody(tmp_path):
    assert read(tmp_path, ".TextGrid", short_textgrid({"words": [(0, 1, "How")]})) == [Given(0, 1, text="How")]
    assert read(tmp_path, ".TextGrid", short_textgrid({"Ann": [(0, 1, "a")], "Bo": [(1, 2, "b")]})) == [
        Given(0, 1, "Ann", None, "a"),
        Given(1, 2, "Bo", None, "b"),
    ]


def test_stm(tmp_path):
    lines = read(
        tmp_path,
        ".stm",
        ";; comment\nrec 1 T 0.5 1.5 <o,f0,male> how are you\nrec 1 C 1.25 2 <o> fine\nrec 1 C 2 3\n"
        "rec 1 inter_segment_gap 3 4 <o,,unknown>\nrec 1 T 4 5 ignore_time_segment_in_scoring\n",
    )
    assert lines == [Given(0.5, 1.5, "T", "therapist", "how are you"), Given(1.25, 2.0, "C", "client", "fine")]


def test_rttm(tmp_path):
    lines = read(
        tmp_path,
        ".rttm",
        "SPKR-INFO rec 1 <NA> <NA> <NA> unknown A <NA> <NA>\nSPEAKER rec 1 3.0 0.5 <NA> <NA> B <NA> <NA>\n"
        "SPEAKER rec 1 0.25 2.5 <NA> <NA> A <NA> <NA>\n\n",
    )
    assert lines == [Given(0.25, 2.75, "A"), Given(3.0, 3.5, "B")]


def test_json(tmp_path):
    turns = [
        {"start": 2, "end": 3.5, "speaker": 1, "text": "Fine.", "role": "patient", "more": [1]},
        {"start": 0.5, "end": 1.5, "speaker": "Clinician", "text": " How  are you? "},
        {"start": 5, "end": 6, "text": ""},
    ]
    expected = [
        Given(0.5, 1.5, "Clinician", "therapist", "How are you?"),
        Given(2.0, 3.5, "1", "client", "Fine."),
    ]
    for content in ({"turns": turns}, {"segments": turns}, turns):
        assert read(tmp_path, ".json", json.dumps(content)) == expected


def test_json_word_times_are_kept_only_where_all_words_have_them(tmp_path):
    words = [{"word": "I", "start": 1.0, "end": 1.2}, {"word": "see.", "start": 1.2, "end": 1.5}]
    turn = {"start": 1, "end": 2, "speaker": "C", "text": "I see.", "words": words}
    assert read(tmp_path, ".json", json.dumps([turn]))[0].words == (
        Word(1.0, 1.2, "I", 1.0, "C"),
        Word(1.2, 1.5, "see.", 1.0, "C"),
    )
    del words[1]["start"]
    assert read(tmp_path, ".json", json.dumps([turn]))[0].words == ()


def test_a_list_of_words_is_a_transcript_too(tmp_path):
    words = [{"turn": 0, "speaker": "T", "word": "hello", "start": 0.0, "end": 0.4}]
    assert read(tmp_path, ".json", json.dumps(words)) == [Given(0.0, 0.4, "T", "therapist", "hello")]


def test_windows_text(tmp_path):
    content = "1\n00:00:01,000 --> 00:00:02,000\nIt’s café time\n".encode("cp1252")
    assert read(tmp_path, ".srt", content)[0].text == "It’s café time"


def test_lines_come_in_order_of_start_and_may_overlap(tmp_path):
    content = "".join(f"r 1 {s} {a} {b} <o> word\n" for s, a, b in [("C", 5, 6), ("T", 1, 9), ("C", 1, 2)])
    assert [(line.start, line.end) for line in read(tmp_path, ".stm", content)] == [(1, 2), (1, 9), (5, 6)]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Therapist", "therapist"),
        ("COUNSELLOR 2", "therapist"),
        ("Anna (clinical psychologist)", "therapist"),
        ("T", "therapist"),
        ("Client", "client"),
        ("Patient_1", "client"),
        ("C1", "client"),
        ("P:", "client"),
        ("Interpreter", "other"),
        ("the client's therapist", None),
        ("Tom", None),
        ("Clientele", None),
        ("SPEAKER_00", None),
        ("P. Jones", None),
        ("", None),
        (None, None),
    ],
)
def test_roles_that_a_name_says(name, role):
    assert role_of(name) == role


# ---------------------------------------------------------------- what is refused

BAD_TIMES = ["nan", "-1", "inf", "1e99", "90000000", "one", "1:30"]


@pytest.mark.parametrize("value", BAD_TIMES)
def test_impossible_times_name_the_line(tmp_path, value):
    for suffix, content in {
        ".stm": f"r 1 T 0 1 hello\nr 1 T {value} 2 secret words\n",
        ".rttm": f"SPEAKER r 1 0 1 <NA> <NA> A\nSPEAKER r 1 {value} 1 <NA> <NA> A\n",
    }.items():
        error = refused(tmp_path, suffix, content)
        assert error.code == "transcript-time"
        assert str(error).startswith("line 2:")
        assert "secret" not in str(error)


@pytest.mark.parametrize("value", ["NaN", "-1", "Infinity", "1e999", '"soon"', "null", "true", "1" + "0" * 400])
def test_impossible_times_in_json_name_the_turn(tmp_path, value):
    error = refused(
        tmp_path, ".json", f'[{{"start": 0, "end": 1, "text": "a"}}, {{"start": {value}, "end": 2, "text": "secret"}}]'
    )
    assert error.code == "transcript-time"
    assert str(error).startswith("turn 2:")
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".vtt", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na\n\n00:00:05.000 --> 00:00:04.000\nsecret\n"),
        (".vtt", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na\n\nsecret --> secret\nsecret\n"),
        (".srt", "1\n00:00:01,000 --> 00:00:02,000\na\n\n00:00:05,000 --> 00:99:04,000\nsecret\n"),
        (".srt", "1\n00:00:01,000 --> 00:00:02,000\na\n\n-00:00:05,000 --> 00:00:07,000\nsecret\n"),
    ],
)
def test_impossible_cue_times_name_the_line(tmp_path, suffix, content):
    error = refused(tmp_path, suffix, content)
    assert error.code == "transcript-time"
    assert str(error).startswith("line 6:" if suffix == ".vtt" else "line 5:")
    assert "secret" not in str(error)


def test_backwards_textgrid_interval_names_its_line(tmp_path):
    error = refused(tmp_path, ".TextGrid", LONG_TEXTGRID.replace("xmax = 1.25", "xmax = -1.25"))
    assert error.code == "transcript-time"
    assert str(error).startswith("line 17:")


@pytest.mark.parametrize(
    ("suffix", "content", "code"),
    [
        (".docx", "x", "transcript-unknown"),
        (".vtt", "1\n00:01.000 --> 00:02.000\na", "transcript-form"),
        (".vtt", "WEBVTT\n", "transcript-empty"),
        (".srt", "", "transcript-empty"),
        (".srt", "1\n00:00:01,000 --> 00:00:02,000\n\n", "transcript-empty"),
        (".json", "{", "transcript-form"),
        (".json", "[" * 100_000, "transcript-form"),
        (".json", '{"lines": []}', "transcript-form"),
        (".json", '[{"start": 0, "end": 1, "text": 5}]', "transcript-form"),
        (".json", '[{"start": 0, "end": 1, "text": "a", "role": "narrator"}]', "transcript-form"),
        (".json", '["a"]', "transcript-form"),
        (".stm", "r 1 T 0", "transcript-form"),
        (".rttm", "SPEAKER r 1 0", "transcript-form"),
        (".rttm", "hello world", "transcript-form"),
        (".rttm", "SPEAKER a 1 0 1 <NA> <NA> A\nSPEAKER b 1 0 1 <NA> <NA> A\n", "transcript-form"),
        (".textgrid", 'File type = "ooTextFile"\nObject class = "Sound"\n', "transcript-form"),
        (".textgrid", LONG_TEXTGRID[:300], "transcript-form"),
        (".textgrid", LONG_TEXTGRID.replace("size = 3", "size = 1e9"), "transcript-form"),
        (".srt", b"\xff\xfe\x00", "transcript-unreadable"),
        (".srt", b"\x81\x8d\x8f", "transcript-unreadable"),
    ],
)
def test_what_is_refused(tmp_path, suffix, content, code):
    assert refused(tmp_path, suffix, content).code == code


def test_no_such_file_names_no_path(tmp_path):
    with pytest.raises(AttuneError) as caught:
        load_given(tmp_path / "Jane Doe.vtt")
    assert caught.value.code == "transcript-missing"
    assert "Jane" not in str(caught.value)


# ---------------------------------------------------------------- a transcript and an RTTM


def test_lines_go_to_who_speaks_most_of_them():
    speakers = [Given(0, 4, "Client"), Given(3, 9, "B")]
    lines = [Given(0, 4.5, text="a"), Given(3.5, 6, text="b"), Given(10, 11, text="near"), Given(30, 31, text="far")]
    assert [(line.speaker, line.role) for line in combine_given(lines, speakers)] == [
        ("Client", "client"),
        ("B", None),
        ("B", None),
        (None, None),
    ]


def test_a_line_with_word_times_is_split_where_the_speaker_changes():
    words = (Word(0, 1, "How"), Word(1, 2, "now?"), Word(2.5, 3, "Fine."))
    made = combine_given([Given(0, 3, text="How now? Fine.", words=words)], [Given(0, 2, "A"), Given(2.4, 3, "B")])
    assert made == [Given(0, 2, "A", None, "How now?", words[:2]), Given(2.5, 3, "B", None, "Fine.", words[2:])]


def test_a_speaker_that_is_named_stays():
    line = Given(0, 1, "T", "therapist", "a")
    assert combine_given([line], [Given(0, 1, "B")]) == [line]


def test_combining_undoes_forgetting(tmp_path):
    lines = [Given(2.0 * i, 2.0 * i + 1.9, "TC"[i % 2], ("therapist", "client")[i % 2], f"line {i}") for i in range(50)]
    bare = [replace(line, speaker=None, role=None) for line in lines]
    assert combine_given(bare, [replace(line, text=None) for line in lines]) == lines


# ---------------------------------------------------------------- properties

milliseconds = st.integers(0, 80_000_000)
said = st.text(st.characters(whitelist_categories=("L", "N")), min_size=1, max_size=8)
many_lines = st.lists(st.tuples(milliseconds, st.integers(10, 60_000), said), min_size=1, max_size=8)


def clock(ms: int, point: str) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"


WRITERS = {
    ".vtt": lambda lines: (
        "WEBVTT\n\n" + "\n".join(f"{clock(a, '.')} --> {clock(a + d, '.')}\n<v Ann>{t}</v>\n" for a, d, t in lines)
    ),
    ".srt": lambda lines: "\n".join(
        f"{i}\n{clock(a, ',')} --> {clock(a + d, ',')}\nAnn: {t}\n" for i, (a, d, t) in enumerate(lines, 1)
    ),
    ".stm": lambda lines: "".join(f"r 1 Ann {a / 1000} {(a + d) / 1000} <o> {t}\n" for a, d, t in lines),
    ".json": lambda lines: json.dumps(
        {"turns": [{"start": a / 1000, "end": (a + d) / 1000, "speaker": "Ann", "text": t} for a, d, t in lines]}
    ),
    ".textgrid": lambda lines: (
        '"ooTextFile"\n"TextGrid"\n0 90000 <exists> 1 "IntervalTier" "Ann" 0 90000 '
        + f"{len(lines)}\n"
        + "".join(f'{a / 1000} {(a + d) / 1000} "{t}"\n' for a, d, t in lines)
    ),
}


@pytest.mark.parametrize("suffix", WRITERS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@for_all(lines=many_lines)
def test_times_come_back(tmp_path, suffix, lines):
    made = read(tmp_path, suffix, WRITERS[suffix](lines))
    expected = sorted((a / 1000, (a + d) / 1000) for a, d, _ in lines)
    assert [line.start for line in made] == pytest.approx([start for start, _ in expected])
    assert [line.end for line in made] == pytest.approx([end for _, end in expected])
    assert sorted(line.text for line in made) == sorted(text for *_, text in lines)
    assert {line.speaker for line in made} == {"Ann"}


FRAGMENTS = [
    "WEBVTT\n\n", "00:01.000 --> 00:02.000\n", "00:00:01,000 --> ", "-->", "<v Ann>", "<v", "</v>", "Ann: ", "\n\n",
    '"ooTextFile" "TextGrid" 0 1 <exists> ', '"IntervalTier" "x" 0 1 ', '"', "1 ", "nan ", "1e400 ", "<exists>",
    "SPEAKER a 1 0 1 <NA> <NA> x\n", "SPEAKER ", "a 1 T 0 1 <o> hi\n", ";;", '{"turns": [', '{"start": 0, "end": 1',
    ', "text": "a"}', "]", "}", ",", "NaN", "\u0663", "\u2028", "\x00", "&#x110000;", "&lt;", "{\\an8}", "1" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("suffix", READERS)
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@for_all(content=st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=12).map("".join) | st.binary())
def test_nothing_but_an_attune_error_ever_comes_out(tmp_path, suffix, content):
    content = content.encode("utf-8", "replace") if isinstance(content, str) else content
    try:
        lines = read(tmp_path, suffix, content)
    except AttuneError:
        return
    assert lines
    assert all(0 <= line.start < line.end for line in lines)
    assert [line.start for line in lines] == sorted(line.start for line in lines)
