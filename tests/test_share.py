"""`attune share`: what identifies is found, and is in no file of the copy. Copies are read by programs not ours."""

import io
import json
import re
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from pipeline import formats
from pipeline.cli import main
from pipeline.records import Audio, Findings, Turn, Voice, Word
from pipeline.session import Session
from pipeline.sharing.identify import find_identifying, is_small
from pipeline.sharing.redact import Redactor, speaker_labels
from pipeline.sharing.report import MEASURED, MISTAKEN, NO_GUARANTEE, WITHOUT_CAPITALS, build_report
from pipeline.sharing.sound import PAD_S, TONE_HZ, find_spans, write_bleeped
from pipeline.sharing.vocabulary import Vocabulary, load_vocabulary, load_words
from pipeline.steps import TURNS
from tests.exported import REPAIR, WITHDRAWAL
from tests.identified_lines import BARE, NOTHING, WRITTEN
from tests.review_sessions import RATE_HZ, write_session
from tests.test_review_copies import video_session, write_video

LISTED = load_vocabulary()
UNLISTED = Vocabulary(LISTED.ordinary, frozenset(), frozenset(), ())


def said(*lines: str) -> list[Turn]:
    turns, at = [], 0.0
    for number, line in enumerate(lines):
        words = tuple(Word(at + k, at + k + 0.5, text, speaker="Anna") for k, text in enumerate(line.split()))
        turns.append(Turn(at, words[-1].end, "Anna", ("client", "therapist")[number % 2], words))
        at = words[-1].end + 1
    return turns


def found_in(line: str, vocabulary: Vocabulary = LISTED, also: tuple[str, ...] = ()) -> dict[str, tuple[str, str]]:
    turns = said(line)
    return {turns[0].words[hit.word].text: (hit.kind, hit.by) for hit in find_identifying(turns, vocabulary, also)}


# --- what is found --------------------------------------------------------------------------------------------------


def count(vocabulary: Vocabulary) -> tuple[int, int, int, int]:
    """Over all lines, each on its own: marked words found, marked words, other words found, other words."""
    hits = marked = mistaken = others = 0
    for line in (WRITTEN + BARE + NOTHING).strip().splitlines():
        marks = [bool(re.search(r"<\w:", part)) for part in line.split()]
        turns = said(re.sub(r"<\w:(.*?)>", r"\1", line)) if line.strip() else []
        taken = {hit.word for hit in find_identifying(turns, vocabulary, small=line[:1].islower())}
        hits += sum(mark and k in taken for k, mark in enumerate(marks))
        mistaken += sum(not mark and k in taken for k, mark in enumerate(marks))
        marked, others = marked + sum(marks), others + len(marks) - sum(marks)
    return hits, marked, mistaken, others


def test_the_figures_in_the_report_are_those_of_the_lines() -> None:
    """The lists grow with their versions: a word more or less is no other figure."""
    assert LISTED.lists, "install the lists: pip install .[test]"
    with_lists, without = count(LISTED), count(UNLISTED)
    assert with_lists == pytest.approx((*MEASURED[True], MISTAKEN, 644), abs=2)
    assert without[:2] == MEASURED[False]


@pytest.mark.parametrize(
    "vocabulary",
    [LISTED, replace(LISTED, is_english=None), replace(UNLISTED, is_english=LISTED.is_english), UNLISTED],
    ids=["all lists", "names and places", "English", "no lists"],
)
def test_the_figure_without_capitals_is_that_of_the_scripts(vocabulary: Vocabulary) -> None:
    found = had_one = mistaken = others = 0
    scripts = sorted((files("pipeline.alliance") / "data" / "scripts").iterdir(), key=lambda path: path.name)
    for script in scripts[::3]:
        lines = [turn["text"].split() for turn in json.loads(script.read_text(encoding="utf-8"))["turns"]]
        bare = said(*(" ".join(re.sub(r"[^\w'’-]", "", part).lower() or "-" for part in line) for line in lines))
        taken = {(hit.turn, hit.word) for hit in find_identifying(bare, vocabulary)}
        for number, line in enumerate(lines):
            for k, (before, part) in enumerate(pairwise(line), start=1):
                core = re.sub(r"^\W+|\W+$", "", part)
                usual = re.sub(r"['’]s$", "", core.lower()) in load_words()["stay"] | load_words()["months"]
                if before[-1:].isalnum() and core[:1].isupper() and not usual:
                    had_one, found = had_one + 1, found + ((number, k) in taken)
                elif core[:1].islower():
                    others, mistaken = others + 1, mistaken + ((number, k) in taken)
    assert had_one > 500
    expected = WITHOUT_CAPITALS[vocabulary.is_english is not None, bool(vocabulary.names)]
    assert found / had_one == pytest.approx(expected, abs=0.03)
    assert mistaken / others < 0.005


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("well my name is zork and that is it", {"zork": ("name", "phrase")}),
        ("i saw doctor zork about it", {"zork": ("name", "phrase")}),
        ("and then Zork, of all people, left", {"Zork,": ("other", "capital")}),
        ("we went to new york then", {"new": ("place", "place list"), "york": ("place", "place list")}),
        ("write to a.b@c.org then", {"a.b@c.org": ("number", "number")}),
        ("it was on may the fifth", {"may": ("date", "date"), "the": ("date", "date"), "fifth": ("date", "date")}),
        ("on 12/03/1987 it was", {"12/03/1987": ("date", "date")}),
        ("i may go in march on the fifth try", {}),
        ("i had two or three of one hundred", {}),
        ("I think I'm OK, Mum, and it's Monday", {}),
    ],
)
def test_each_rule(line: str, found: dict) -> None:
    assert found_in(line) == found


def test_a_list_of_ones_own_comes_first_and_may_hold_phrases() -> None:
    also = ("the blue house", "Kestrel")
    assert found_in("at the Blue House, with kestrel's friend", UNLISTED, also) == {
        "the": ("other", "your list"),
        "Blue": ("other", "your list"),
        "House,": ("other", "your list"),
        "kestrel's": ("other", "your list"),
    }


def test_a_name_found_once_is_found_everywhere() -> None:
    turns = said("I told Zork about it.", "Zork's idea was zork, then.", "the zork again")
    hits = find_identifying(turns, UNLISTED)
    assert [(hit.turn, turns[hit.turn].words[hit.word].text) for hit in hits] == [
        (0, "Zork"),
        (1, "Zork's"),
        (1, "zork,"),
        (2, "zork"),
    ]
    assert {hit.key for hit in hits} == {"zork"}


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_words_are_searched(texts: list[str]) -> None:
    words = tuple(Word(k, k + 1, text) for k, text in enumerate(texts))
    turn = Turn(0.0, 9.0, "A", "client", words)
    hits = find_identifying([turn], LISTED, texts[:1])
    assert [hit.word for hit in hits] == sorted({hit.word for hit in hits})
    Redactor(hits, LISTED).turns([turn])


# --- what becomes of the texts --------------------------------------------------------------------------------------


def test_marks_are_the_same_for_every_mention_and_keep_what_is_around() -> None:
    turns = said('So "Sarah\'s" brother, Daniel, left.', "Sarah? And Daniel's car, 07700 900 123.")
    redactor = Redactor(find_identifying(turns, LISTED), LISTED)
    assert [turn.text for turn in redactor.turns(turns)] == [
        'So "[name-1]\'s" brother, [name-2], left.',
        "[name-1]? And [name-2]'s car, [number] [number] [number].",
    ]
    assert "Anna" not in str(redactor.turns(turns))
    assert speaker_labels(turns) == {("Anna", "client"): "client", ("Anna", "therapist"): "therapist"}


def test_findings_that_quote_the_session_are_redacted_too() -> None:
    turns = said("I told Zork so.", "And was zork angry?")
    moment = WITHDRAWAL.__class__(
        **{
            **WITHDRAWAL.__dict__,
            "words": "client: I told Zork so.\ntherapist: And was zork angry?",
            "why": ("“told Zork” is short; usual 0.9 s", "Reply after 3 s"),
            "repairs": (REPAIR.__class__(**{**REPAIR.__dict__, "words": "And was zork angry?"}),),
        }
    )
    redactor = Redactor(find_identifying(turns, UNLISTED), UNLISTED)
    shown = redactor.findings(Findings((moment,), moment.repairs, ()), turns, redactor.turns(turns))
    assert "zork" not in str(shown).lower()
    assert shown.moments[0].words == "client: I told [other-1] so.\ntherapist: And was [other-1] angry?"
    assert shown.moments[0].why == ("“told [other-1]” is short; usual 0.9 s", "Reply after 3 s")


# --- what becomes of the sound --------------------------------------------------------------------------------------


def test_words_are_a_tone_in_every_channel_and_the_rest_is_as_it_was(tmp_path) -> None:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (2, 90 * RATE_HZ)).astype(np.float32)
    (tmp_path / "audio.flac").write_bytes(formats.dump("audio.flac", Audio(samples, RATE_HZ)))
    turns = [Turn(1.0, 70.0, "A", "client", (Word(10.0, 11.0, "Zork"), Word(29.5, 30.5, "Zork"), Word(60, 61, "so")))]
    spans = find_spans(find_identifying(turns, UNLISTED), turns)
    assert [tuple(span) for span in spans] == [(10.0 - PAD_S, 11.0 + PAD_S), (29.5 - PAD_S, 30.5 + PAD_S)]
    write_bleeped(tmp_path / "audio.flac", spans, tmp_path / "out.flac")
    made, _ = soundfile.read(tmp_path / "out.flac", always_2d=True)
    before, _ = soundfile.read(tmp_path / "audio.flac", always_2d=True)
    assert made.shape == before.shape
    inside = np.zeros(len(made), bool)
    for span in spans:
        inside[round(span.start * RATE_HZ) : round(span.end * RATE_HZ)] = True
    assert np.array_equal(made[~inside], before[~inside])
    for channel in made.T:
        spectrum = np.abs(np.fft.rfft(channel[round(29.3 * RATE_HZ) : round(30.3 * RATE_HZ)]))
        assert np.argmax(spectrum) == pytest.approx(TONE_HZ, abs=1)
        assert spectrum.max() > 100 * np.median(spectrum)


# --- the copy -------------------------------------------------------------------------------------------------------

SECRETS = ("zork", "gwendolen", "anna", "thursday.mp4")


def write_named(store, key="aaaaaaaaaa01", minutes=0.5):
    """A session in which names are said, and speakers are labelled by their names."""
    folder = write_session(store, key, minutes, clicks_s=())
    name_people(folder)
    return Session(folder, {})


def name_people(folder) -> None:
    turns = formats.load(folder / "turns.jsonl")
    first = turns[1]
    words = (*first.words[:2], Word(first.words[2].start, first.words[2].end, "Zork's,", 0.9, "Anna"), *first.words[3:])
    turns[1] = Turn(first.start, first.end, "Anna", "client", words)
    turns[2] = Turn(turns[2].start, turns[2].end, "Gwendolen", "therapist", turns[2].words)
    (folder / "turns.jsonl").write_bytes(formats.dump("turns.jsonl", turns))
    voices = [
        Voice(0.0, 9.0, "Anna", "client", 0.5, "sounds as Anna"),
        Voice(0.0, 9.0, "Gwendolen", "therapist", 1.0, ""),
    ]
    (folder / "voices.jsonl").write_bytes(formats.dump("voices.jsonl", voices))
    found = formats.load(folder / "findings.json")
    moment = found.moments[0].__class__(
        **{**found.moments[0].__dict__, "words": f"client: {turns[1].text}", "why": ("“Zork's” is short",)}
    )
    (folder / "findings.json").write_bytes(
        formats.dump("findings.json", Findings((moment, *found.moments[1:]), found.repairs, ("as Zork said",)))
    )


def test_no_name_is_in_any_file_or_file_name_of_the_copy(tmp_path, capsys) -> None:
    session, out = write_named(tmp_path / "store"), tmp_path / "copy"
    assert main(["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out)]) == 0
    assert "NO GUARANTEE" in capsys.readouterr().out
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "REPORT.txt",
        "moments.csv",
        "moments.json",
        "moments.vtt",
        "recording.m4a",
        "summary.html",
        "transcript.srt",
        "transcript.vtt",
        "turns.csv",
    ]
    for path in out.iterdir():
        if path.suffix != ".m4a":
            content = path.read_text(encoding="utf-8").lower()
            assert not any(secret in content for secret in (*SECRETS, session.id, str(tmp_path).lower())), path.name
    captions = webvtt.from_buffer(io.StringIO((out / "transcript.vtt").read_text()))
    assert any("[other-1]'s," in caption.text for caption in captions)
    assert len(pd.read_csv(out / "turns.csv")) == len(session.load(TURNS))
    assert json.loads((out / "moments.json").read_text())["session"] == "shared"
    with av.open(str(out / "recording.m4a")) as recording:
        assert not recording.streams.video
    assert not list(session.folder.glob("tmp*"))


def test_the_report_says_what_was_found_with_what_and_that_it_is_no_guarantee(tmp_path) -> None:
    session, out = write_named(tmp_path / "store"), tmp_path / "copy"
    assert main(["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out)]) == 0
    report = (out / "REPORT.txt").read_text()
    assert NO_GUARANTEE in report
    assert "Found by: capital" in report
    assert "{} of {} such words".format(*MEASURED[True]) in report
    assert "There was no picture" in report or "The picture was left out" in report
    kept = pd.read_csv(session.folder / "exports" / "shared_words.csv")
    assert ("Zork's,", "[other-1]", "capital") in set(zip(kept["said"], kept["instead"], kept["found_by"], strict=True))


def test_another_language_needs_ones_own_list_and_the_report_says_what_was_not_looked_for(tmp_path, capsys) -> None:
    session, out = write_named(tmp_path / "store"), tmp_path / "copy"
    (tmp_path / "store" / "attune.toml").write_text('[words]\nlanguage = "de"\n')
    command = ["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out)]
    assert main(command) == 1
    assert "--names FILE" in capsys.readouterr().err
    assert not out.exists()
    (tmp_path / "names.txt").write_text("Zork\n", encoding="utf-8")
    assert main([*command, "--names", str(tmp_path / "names.txt")]) == 0
    report = (out / "REPORT.txt").read_text()
    assert "this session's language is 'de'" in report
    assert "Not looked for: names after words like" in report


def test_a_language_that_the_recogniser_found_out_counts_too(tmp_path, capsys) -> None:
    session, out = write_named(tmp_path / "store"), tmp_path / "copy"
    turns = [replace(t, words=tuple(replace(w, language="fr") for w in t.words)) for t in session.load(TURNS)]
    (session.folder / "turns.jsonl").write_bytes(formats.dump("turns.jsonl", turns))
    (tmp_path / "store" / "attune.toml").write_text('[words]\nlanguage = ""\n')
    assert main(["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out)]) == 1
    assert "'fr'" in capsys.readouterr().err


def doubtful(text: str, confidence: float) -> list[Turn]:
    words = tuple(Word(k, k + 0.5, part, confidence) for k, part in enumerate(text.split()))
    return [Turn(0.0, 9.0, "A", "client", words)]


def test_a_doubtful_word_that_sounds_like_a_given_name_goes_with_it() -> None:
    small = doubtful("so my call said it was fine and mickle agreed", 0.5)
    hits = {small[0].words[h.word].text: h for h in find_identifying(small, LISTED, names=["Mickel"], small=False)}
    assert (hits["mickle"].by, hits["mickle"].kind, hits["mickle"].key) == ("sounds like a name", "name", "mickel")
    sure = doubtful("so my call said it was fine and mickle agreed", 0.9)
    assert find_identifying(sure, LISTED, names=["Mickel"], small=False) == []
    unheard = replace(LISTED, sound_of=None)
    assert find_identifying(small, unheard, names=["Mickel"], small=False) == []


def test_a_name_found_once_is_known_by_its_sound_too() -> None:
    turns = [*doubtful("I saw Paul again and he was late.", 1.0), *doubtful("then fall was angry", 0.5)]
    hits = [(h.turn, h.word, h.by, h.key) for h in find_identifying(turns, LISTED, small=False)]
    assert (0, 2, "capital", "paul") in hits
    assert (1, 1, "sounds like a name", "paul") in hits


def test_without_capitals_what_is_no_word_goes() -> None:
    assert found_in("we went to bunnings with kunle about the worksheets", LISTED) == {
        "bunnings": ("other", "no known word"),
        "kunle": ("other", "no known word"),
    }
    assert found_in("We went along. The doesnae of it. But I said so.", LISTED) == {}


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("I said so. Then we left. Anna knew.", False),
        ("i said so then we left and anna knew it all along", True),
        ("I SAID SO THEN WE LEFT AND ANNA KNEW IT ALL ALONG", True),
        ("i said i'd go and I'm here I think and so on", True),
    ],
)
def test_a_session_without_capitals_is_known(text: str, small: bool) -> None:
    assert is_small(said(text)) is small


def test_a_shouted_session_is_read_like_a_small_one() -> None:
    assert set(found_in("WELL MY NAME IS ZORK AND WE WENT TO LEEDS THEN", LISTED)) == {"ZORK", "LEEDS"}


def test_the_report_of_a_session_without_capitals_says_so() -> None:
    small = build_report([], LISTED, "none", sound=False, small=True)
    assert "WITHOUT CAPITALS" in small
    assert "68%" in small
    assert "WITHOUT CAPITALS" not in build_report([], LISTED, "none", sound=False)


def test_the_figures_of_misheard_names_are_those_of_the_acted_sessions() -> None:
    """What the default recogniser made of the names, with its confidence, and how often it was as unsure elsewhere."""
    heard = {"fall": 0.51, "pola": 0.56, "rate": 0.04, "raise": 0.69, "pulled": 0.85}
    turns = [Turn(0.0, 9.0, "A", "client", tuple(Word(k, k + 1, w, c) for k, (w, c) in enumerate(heard.items())))]
    hits = {turns[0].words[h.word].text for h in find_identifying(turns, LISTED, names=["Paul", "Ray"], small=False)}
    assert hits == {"fall", "pola", "rate", "raise"}


def test_the_sound_of_the_copy_is_bleeped(tmp_path) -> None:
    session, out = write_named(tmp_path / "store"), tmp_path / "copy"
    assert main(["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out)]) == 0
    word = session.load(TURNS)[1].words[2]
    with av.open(str(out / "recording.m4a")) as recording:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in recording.decode(audio=0)])
    piece = sound[round(word.start * RATE_HZ) : round(word.end * RATE_HZ)]
    spectrum = np.abs(np.fft.rfft(piece))
    assert np.argmax(spectrum) * RATE_HZ / len(piece) == pytest.approx(TONE_HZ, abs=20)


@pytest.mark.parametrize("picture", ["drop", "blur"])
def test_a_picture_is_left_out_or_made_coarse(tmp_path, picture) -> None:
    session = video_session(tmp_path, write_video(tmp_path / "Anna.mkv"))
    name_people(session.folder)
    out = tmp_path / "copy"
    command = ["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out), "--picture", picture]
    assert main(command) == 0
    assert (out / "recording.mp4").exists() == (picture == "blur")
    assert (out / "recording.m4a").exists() == (picture == "drop")
    with av.open(str(next(out.glob("recording.*")))) as recording:
        assert bool(recording.streams.video) == (picture == "blur")
        assert "anna" not in str(recording.metadata).lower()


def test_what_is_smaller_than_a_square_is_gone() -> None:
    from PIL import Image

    from pipeline.sharing.share import COARSE, _coarse

    height = 40 * COARSE
    board = np.indices((height, 2 * height)).sum(axis=0) % 8 < 4  # a fine pattern, all of it within squares
    picture = Image.fromarray((255 * board).astype(np.uint8)).convert("RGB")
    made = np.asarray(_coarse(picture, 0.0))
    assert made.shape == (height, 2 * height, 3)
    assert made.std() < 3


def test_a_list_that_is_none_and_a_folder_that_is_not_empty_are_refused(tmp_path, capsys) -> None:
    session = write_named(tmp_path / "store")
    command = ["share", session.id, "--store", str(tmp_path / "store")]
    assert main([*command, "--out", str(tmp_path)]) == 1
    assert "new or empty folder" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "a"), "--also", str(tmp_path / "none.txt")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "a"), "--picture", "blur"]) == 1
    assert "cannot be blurred" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_ones_own_list_is_taken_out(tmp_path) -> None:
    session, out = write_named(tmp_path / "store"), tmp_path / "copy"
    (tmp_path / "also.txt").write_text("ordinary week\n\n", encoding="utf-8")
    command = ["share", session.id, "--store", str(tmp_path / "store"), "--out", str(out)]
    assert main([*command, "--also", str(tmp_path / "also.txt")]) == 0
    assert "ordinary week" not in (out / "transcript.srt").read_text()
    assert "your list" in (out / "REPORT.txt").read_text()
