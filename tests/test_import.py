"""`attune import`: files exported by us, edited with pympi for ELAN and with Praat itself for TextGrids."""

import parselmouth
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parselmouth.praat import call
from pympi.Elan import Eaf

from pipeline.cli import main
from pipeline.exports.tiers import Label
from pipeline.records import AttuneError, Turn, Word
from pipeline.review import decisions, verdict_store
from pipeline.review.edited_files import load_tiers
from pipeline.review.taking_up import find_changes, take_up
from pipeline.review.transcript_edits import find_corrections
from pipeline.review.verdict_text import TIER, read_verdict, say_verdict, tier_name
from pipeline.review.verdicts import Verdict, current_verdicts
from pipeline.session import Session, is_ready, open_session, run_session
from pipeline.speech.corrections import Correction, apply_corrections
from pipeline.steps import TURNS
from tests.e2e.harness import write_dialogue
from tests.review_sessions import write_session

KEY = "aaaaaaaaaa01"


@pytest.fixture
def store(tmp_path):
    write_session(tmp_path / "store", KEY, 8)
    return tmp_path / "store"


@pytest.fixture
def session(store):
    return Session(store / "sessions" / KEY, {})


def exported(store, form="eaf", *more):
    assert main(["export", KEY, "--store", str(store), "--to", form, *more]) == 0
    return store / "sessions" / KEY / "exports" / {"eaf": "session.eaf", "textgrid": "session.TextGrid"}[form]


def labels(eaf, tier):
    return sorted(eaf.get_annotation_data_for_tier(tier))


def replace_label(eaf, tier, old, *new):
    """Take a label away, and put (start, end, text) or (start, end, text, tier) in its place."""
    eaf.remove_annotation(tier, (old[0] + old[1]) // 2)
    for start, end, text, *elsewhere in new:
        eaf.add_annotation(elsewhere[0] if elsewhere else tier, start, end, text)


def changed(store, change, rater="", role="supervisor"):
    """What is found in an exported ELAN file after `change(eaf)`."""
    path = exported(store, "eaf", "--overwrite")
    eaf = Eaf(str(path))
    change(eaf)
    eaf.to_file(str(path))
    return find_changes(Session(store / "sessions" / KEY, {}), path, rater, role)


# --- nothing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["eaf", "textgrid"])
def test_a_file_left_alone_brings_nothing_and_says_so(store, session, form, capsys):
    path = exported(store, form)
    before = {p: p.read_bytes() for p in store.rglob("*") if p.is_file()}
    assert main(["import", KEY, str(path), "--store", str(store)]) == 0
    out = capsys.readouterr()
    assert "nothing new" in out.out
    assert out.err == ""
    assert {p: p.read_bytes() for p in store.rglob("*") if p.is_file()} == before


def test_a_file_saved_by_another_program_brings_nothing(store):
    assert changed(store, lambda eaf: None).none
    path = exported(store, "textgrid")
    grid = parselmouth.read(str(path))
    for form in ("Save as short text file", "Save as text file", "Save as binary file"):
        call(grid, f"{form}...", str(path))
        assert find_changes(Session(store / "sessions" / KEY, {}), path, "", "supervisor").none


# --- words and turns ------------------------------------------------------------------------------------------------


def test_a_turn_drawn_to_the_other_persons_tier(store, session):
    turn = next(t for t in session.load(TURNS)[4:] if t.role == "client")

    def draw(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        replace_label(eaf, "client turns", old, (*old, "therapist turns"))

    found = changed(store, draw)
    assert found.corrections == (
        Correction(round(turn.start, 3), round(turn.end, 3), "role", role="therapist", of="client"),
    )
    assert found.left == ()


def test_a_word_put_right_taken_out_split_and_added(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)
    at = [(round(1000 * w.start), round(1000 * w.end), w.text) for w in turn.words]

    def edit(eaf):
        tier = "client words"
        replace_label(eaf, tier, at[1], (*at[1][:2], "right"))
        replace_label(eaf, tier, at[3])
        middle = (at[5][0] + at[5][1]) // 2
        replace_label(eaf, tier, at[5], (at[5][0], middle, "a"), (middle, at[5][1], "lot"))
        eaf.add_annotation(tier, at[7][1] + 5, at[8][0] - 5, "really")

    found = changed(store, edit)
    said = {(c.start, c.end): c.text for c in found.corrections if c.kind == "words"}
    assert {c.of for c in found.corrections} == {"client"}
    made = {(round(1000 * w.start), round(1000 * w.end)): w.text for t in made_of(session, found) for w in t.words}
    middle = (at[5][0] + at[5][1]) // 2
    assert [made[place] for place in ((at[5][0], middle), (middle, at[5][1]))] == ["a", "lot"]
    assert made[at[7][1] + 5, at[8][0] - 5] == "really"
    assert made[at[7][:2]] == at[7][2]
    assert said == {
        (at[1][0] / 1000, at[1][1] / 1000): "right",
        (at[3][0] / 1000, at[3][1] / 1000): "",
        (at[5][0] / 1000, at[5][1] / 1000): "a lot",
        (at[7][0] / 1000, at[7][1] / 1000): f"{at[7][2]} really",
    }


def test_a_line_rewritten_keeps_the_times_of_the_words_left_alone(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)
    texts = [w.text for w in turn.words]
    new = ["well", *texts[:2], "really", texts[2], *texts[4:6], "CHANGED", *texts[7:]]

    def edit(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        replace_label(eaf, "client turns", old, (*old[:2], " ".join(new)))

    found = changed(store, edit)
    said = [(c.start, c.text) for c in found.corrections]
    assert said == [
        (round(turn.words[0].start, 3), f"well {texts[0]}"),
        (round(turn.words[1].start, 3), f"{texts[1]} really"),
        (round(turn.words[3].start, 3), ""),
        (round(turn.words[6].start, 3), "CHANGED"),
    ]


def made_of(session, found):
    """The turns as they are with the corrections that were found."""
    return apply_corrections(session.load(TURNS), found.corrections)


def test_a_word_that_lies_elsewhere_is_said_there(store, session):
    def edit(eaf):
        edit.old = labels(eaf, "client words")[4]
        replace_label(eaf, "client words", edit.old, (edit.old[0] + 10, edit.old[1] - 10, edit.old[2]))

    found = changed(store, edit)
    start, end, text = edit.old
    (word,) = [w for t in made_of(session, found) for w in t.words if w.start == (start + 10) / 1000]
    assert (word.end, word.text) == ((end - 10) / 1000, text)
    assert found.left == ()


def words_made(session, found, role):
    return [
        (round(1000 * w.start), round(1000 * w.end), w.text)
        for t in made_of(session, found)
        for w in t.words
        if t.role == role
    ]


def test_words_put_where_nobody_speaks_are_said_there(store, session):
    def edit(eaf):
        edit.late = labels(eaf, "therapist words")[-1][1] + 60_000
        eaf.add_annotation("therapist words", edit.late, edit.late + 500, "alone")
        eaf.add_annotation("client turns", edit.late + 1000, edit.late + 3000, "and so on")

    found = changed(store, edit)
    assert found.left == ()
    assert words_made(session, found, "therapist")[-1] == (edit.late, edit.late + 500, "alone")
    late = words_made(session, found, "client")[-3:]
    assert [text for *_, text in late] == ["and", "so", "on"]
    assert (late[0][0], late[-1][1]) == (edit.late + 1000, edit.late + 3000)
    assert max(made_of(session, found), key=lambda t: t.start).text == "and so on"
    take_up(session, store, found)
    assert find_changes(session, session.folder / "exports" / "session.eaf", "", "supervisor").none


def test_words_of_somebody_who_says_nothing_are_named_and_left(store, session):
    def edit(eaf):
        eaf.add_tier("other turns")
        eaf.add_tier("other words")
        eaf.add_annotation("other words", 1000, 1500, "hello")

    with pytest.raises(AttuneError, match="other turns"):
        changed(store, edit)
    base = {"client words": (), "client turns": ()}
    corrections, left = find_corrections(base, {**base, "client words": (Label(1000, 1500, "hello"),)})
    assert corrections == []
    assert left == ["0:01 client: 'hello' was put in, and no word of this person is left alone"]


def test_words_cut_into_another_number_lie_where_they_were_put(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)
    at = [(round(1000 * w.start), round(1000 * w.end), w.text) for w in turn.words]

    def edit(eaf):
        for row in at[1:4]:
            eaf.remove_annotation("client words", (row[0] + row[1]) // 2)
        edit.now = [(at[1][0] + 20, at[2][0] + 40, "all"), (at[2][0] + 40, at[3][1] - 15, "another")]
        for row in edit.now:
            eaf.add_annotation("client words", *row)

    found = changed(store, edit)
    assert found.left == ()
    made = words_made(session, found, "client")
    assert [row for row in made if row in (*at, *edit.now)] == [at[0], *edit.now, *at[4:]]
    take_up(session, store, found)
    assert find_changes(session, session.folder / "exports" / "session.eaf", "", "supervisor").none


def test_words_that_changed_places_lie_where_they_were_put():
    row = tuple(Label(1000 * k, 1000 * k + 900, text) for k, text in enumerate("abcd"))
    base = {"client words": row, "client turns": (Label(0, row[-1].end_ms, "a b c d"),)}
    put = (row[0], Label(1000, 1500, "c"), Label(1600, 2900, "b"), row[3])
    corrections, left = find_corrections(base, {**base, "client words": put})
    spoken = tuple(Word(k, k + 0.9, text, 1.0, "A") for k, text in enumerate("abcd"))
    made = apply_corrections([Turn(0.0, 3.9, "A", "client", spoken)], corrections)
    words = [(round(1000 * w.start), round(1000 * w.end), w.text) for turn in made for w in turn.words]
    assert words == [(label.start_ms, label.end_ms, label.text) for label in put]
    assert left == []


def test_a_turn_cut_in_two_and_drawn_together(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)

    def cut(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        middle = round(1000 * turn.words[4].start) - 20  # in the gap before the fifth word
        texts = old[2].split()
        replace_label(
            eaf, "client turns", old, (old[0], middle, " ".join(texts[:4])), (middle, old[1], " ".join(texts[4:]))
        )

    found = changed(store, cut)
    assert [(c.kind, c.of) for c in found.corrections] == [("split", "client")]
    assert found.left == ()
    parts = [t for t in made_of(session, found) if t.start in (turn.start, turn.words[4].start)]
    assert [t.words for t in parts] == [turn.words[:4], turn.words[4:]]

    def join(eaf):
        first, second = labels(eaf, "client turns")[2:4]
        for row in (first, second):
            eaf.remove_annotation("client turns", (row[0] + row[1]) // 2)
        eaf.add_annotation("client turns", first[0], second[1], f"{first[2]} {second[2]}")
        join.text = f"{first[2]} {second[2]}"

    found = changed(store, join)
    assert [(c.kind, c.of) for c in found.corrections] == [("join", "client")]
    assert join.text in [t.text for t in made_of(session, found)]


def test_an_edge_of_a_turn_is_that_of_its_word(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)

    def edit(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        replace_label(eaf, "client turns", old, (old[0] - 50, old[1] + 40, old[2]))

    found = changed(store, edit)
    assert [c.kind for c in found.corrections] == ["times", "times"]
    (made,) = [t for t in made_of(session, found) if t.text == turn.text and t.start < turn.start < t.end]
    assert made.start == pytest.approx(turn.start - 0.05, abs=0.001)
    assert made.end == pytest.approx(turn.end + 0.04, abs=0.001)
    assert made.words[1:-1] == turn.words[1:-1]

    def beyond(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        replace_label(eaf, "client turns", old, (old[0], old[0] + 30, old[2]))

    found = changed(store, beyond)
    assert found.none
    assert "an edge of a turn beyond its first or last word" in found.left[0]


def test_a_turn_reworded_and_cut_at_once(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)
    texts = [w.text for w in turn.words]
    first, second = ["Well", "then", *texts[1:4]], [*texts[5:], "indeed"]

    def edit(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        middle = (old[0] + old[1]) // 2
        replace_label(
            eaf, "client turns", old, (old[0], middle, " ".join(first)), (middle, old[1] + 30, " ".join(second))
        )

    found = changed(store, edit)
    assert found.left == ()
    inside = [t for t in made_of(session, found) if turn.start <= t.start < turn.end and t.role == "client"]
    assert [t.text for t in inside] == [" ".join(first), " ".join(second)]
    assert inside[-1].end == pytest.approx(turn.end + 0.03, abs=0.001)
    assert set(turn.words[6:-1]) <= set(inside[1].words)  # those left alone lie where they lay


def test_turns_whose_words_were_edited_too_are_cut_where_the_words_lie(store, session):
    turn = next(t for t in session.load(TURNS) if t.role == "client" and len(t.words) > 8)
    texts = [w.text for w in turn.words]

    def edit(eaf):
        old = next(row for row in labels(eaf, "client turns") if row[0] == round(turn.start * 1000))
        word = labels(eaf, "client words")[0]
        assert word[0] == old[0]
        replace_label(eaf, "client words", word, (*word[:2], "Well"))
        middle = round(1000 * turn.words[4].start)
        parts = ["Well", *texts[1:4]], texts[4:]
        replace_label(
            eaf, "client turns", old, (old[0], middle, " ".join(parts[0])), (middle, old[1], " ".join(parts[1]))
        )

    found = changed(store, edit)
    assert found.left == ()
    assert [c.kind for c in found.corrections] == ["words", "split"]
    inside = [t.text for t in made_of(session, found) if turn.start <= t.start < turn.end and t.role == "client"]
    assert inside == [" ".join(["Well", *texts[1:4]]), " ".join(texts[4:])]


edges = st.lists(st.integers(1, 400), min_size=8, max_size=8)


@given(st.integers(0, 900), edges, edges)
@settings(max_examples=200, deadline=None)
def test_words_lie_where_they_were_put(first_ms, gaps_ms, lengths_ms):
    """However four words were moved, as long as they keep their order, the corrections put them just there."""
    spoken = tuple(Word(0.5 + 0.5 * k, 0.9 + 0.5 * k, text, 1.0, "A") for k, text in enumerate("abcd"))
    row = tuple(Label(500 + 500 * k, 900 + 500 * k, text) for k, text in enumerate("abcd"))
    put, at = [], first_ms
    for text, gap, length in zip("abcd", gaps_ms, lengths_ms, strict=False):
        put.append(Label(at + gap, at + gap + length, text))
        at += gap + length
    line = "a b c d"
    base = {"client words": row, "client turns": (Label(500, row[-1].end_ms, line),)}
    corrections, left = find_corrections(base, {**base, "client words": tuple(put)})
    made = apply_corrections([Turn(0.5, spoken[-1].end, "A", "client", spoken)], corrections)
    words = [word for turn in made for word in turn.words]
    assert left == []
    assert [(round(1000 * w.start), round(1000 * w.end), w.text) for w in words] == [
        (label.start_ms, label.end_ms, label.text) for label in put
    ]


recut = st.lists(
    st.tuples(st.sampled_from(["a", "bb", "ccc", "d e"]), st.integers(20, 500), st.integers(0, 300)),
    min_size=1,
    max_size=6,
)


@given(recut, st.integers(0, 3), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_words_cut_anew_are_said_as_they_were_put(put, first, count):
    """Whatever stands in the place of some of a person's words, the corrections put it just there, or say that not."""
    spoken = tuple(Word(k + 0.5, k + 0.9, text, 1.0, "A") for k, text in enumerate("abcdef"))
    row = tuple(Label(1000 * k + 500, 1000 * k + 900, text) for k, text in enumerate("abcdef"))
    now, at = [], row[first].start_ms - 50
    for text, length, gap in put:
        now.append(Label(at + gap, at + gap + length, text))
        at += gap + length
    kept = [label for label in row[first + count :] if label.start_ms >= at]
    edited = (*row[:first], *now, *kept)
    base = {"client words": row, "client turns": (Label(500, row[-1].end_ms, "a b c d e f"),)}
    corrections, left = find_corrections(base, {**base, "client words": edited})
    made = apply_corrections([Turn(0.5, spoken[-1].end, "A", "client", spoken)], corrections)
    words = sorted((w for turn in made for w in turn.words), key=lambda w: w.start)
    assert [w.text for w in words] == " ".join(label.text for label in edited).split()
    if not left:
        begins = {round(1000 * w.start) for w in words}
        ends = {round(1000 * w.end) for w in words}
        assert {label.start_ms for label in edited} <= begins
        assert {label.end_ms for label in edited} <= ends


pieces = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5), min_size=1, max_size=3)


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12), pieces)
@settings(max_examples=200, deadline=None)
def test_a_line_written_anew_and_cut_makes_those_turns(old, new):
    """No silence in it is long enough to end a turn, whatever words are taken out."""
    spoken = tuple(Word(0.2 * k, 0.2 * k + 0.15, text, 1.0, "A") for k, text in enumerate(old))
    row = tuple(Label(200 * k, 200 * k + 150, text) for k, text in enumerate(old))
    end = row[-1].end_ms
    base = {"client words": row, "client turns": (Label(0, end, " ".join(old)),)}
    cuts = [end * k // len(new) for k in range(len(new) + 1)]
    turns = tuple(Label(cuts[k], cuts[k + 1], " ".join(part)) for k, part in enumerate(new))
    corrections, left = find_corrections(base, {**base, "client turns": turns})
    made = apply_corrections([Turn(0.0, spoken[-1].end, "A", "client", spoken)], corrections)
    assert left == []
    assert [turn.text for turn in made] == [" ".join(part) for part in new]


def test_a_turn_and_its_words_that_say_different_things_are_refused(store):
    def edit(eaf):
        old = labels(eaf, "client turns")[0]
        replace_label(eaf, "client turns", old, (*old[:2], "something else"))
        word = labels(eaf, "client words")[0]
        replace_label(eaf, "client words", word, (*word[:2], "another"))

    with pytest.raises(AttuneError) as caught:
        changed(store, edit)
    assert caught.value.code == "edits-disagree"


def test_praat_edits_are_read(store, session):
    path = exported(store, "textgrid")
    grid = parselmouth.read(str(path))
    tiers = {call(grid, "Get tier name", k): k for k in range(1, call(grid, "Get number of tiers") + 1)}
    tier = tiers["client words"]
    number = call(grid, "Get interval at time", tier, session.load(TURNS)[1].words[2].start + 0.01)
    call(grid, "Set interval text", tier, number, "naïve")
    call(grid, "Save as text file", str(path))
    (correction,) = find_changes(session, path, "", "supervisor").corrections
    assert (correction.kind, correction.text, correction.of) == ("words", "naïve", "client")
    assert correction.start == pytest.approx(session.load(TURNS)[1].words[2].start, abs=0.001)


words = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=12)


@given(words, words)
@settings(max_examples=200, deadline=None)
def test_corrections_of_a_line_make_the_line(old, new):
    """Whatever was written over a line, making the corrections gives just that line."""
    spoken = tuple(Word(0.5 * k, 0.5 * k + 0.4, text, 1.0, "A") for k, text in enumerate(old))
    turn = Turn(0.0, spoken[-1].end, "A", "client", spoken)
    row = tuple(Label(500 * k, 500 * k + 400, text) for k, text in enumerate(old))
    base = {"client words": row, "client turns": (Label(0, row[-1].end_ms, " ".join(old)),)}
    edited = {**base, "client turns": (Label(0, row[-1].end_ms, " ".join(new)),)}
    corrections, left = find_corrections(base, edited)
    made = apply_corrections([turn], corrections)
    assert " ".join(t.text for t in made) == " ".join(new)
    assert left == []


def test_what_depends_on_a_correction_is_made_again(tmp_path, capsys):
    settings = {"markers": {"embedder": "none"}}
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "attune.toml").write_text('[markers]\nembedder = "none"\n')
    opened = open_session(tmp_path / "store", None, [write_dialogue(tmp_path / "a.json")], settings)
    run_session(opened)
    assert main(["export", opened.id, "--store", str(tmp_path / "store"), "--to", "eaf"]) == 0
    path = opened.folder / "exports" / "session.eaf"
    eaf = Eaf(str(path))
    old = labels(eaf, "client turns")[2]
    replace_label(eaf, "client turns", old, (*old, "therapist turns"))
    eaf.to_file(str(path))
    command = ["import", opened.id, str(path), "--store", str(tmp_path / "store")]
    assert main([*command, "--dry-run"]) == 0
    assert not (opened.folder / "session.toml").exists()
    assert main(command) == 0
    assert "given to the therapist" in capsys.readouterr().out
    again = Session(opened.folder, settings)
    assert is_ready(again)
    assert {t.role for t in again.load(TURNS) for w in t.words if old[0] <= 500 * (w.start + w.end) < old[1]} == {
        "therapist"
    }
    assert main(command) == 0
    assert "nothing new" in capsys.readouterr().out
    assert len(decisions.load_decisions(opened.folder)[1]) == 1


def test_what_was_edited_is_what_the_next_export_holds(tmp_path, capsys):
    store = tmp_path / "store"
    store.mkdir()
    (store / "attune.toml").write_text('[markers]\nembedder = "none"\n')
    settings = {"markers": {"embedder": "none"}}
    opened = open_session(store, None, [write_dialogue(tmp_path / "a.json")], settings)
    run_session(opened)

    def export():
        command = ["export", opened.id, "--store", str(store), "--to", "eaf", "--overwrite"]
        assert main(command) == 0
        return opened.folder / "exports" / "session.eaf"

    path = export()
    eaf = Eaf(str(path))
    start, end, line = next(row for row in labels(eaf, "client turns") if len(row[2].split()) > 5)
    texts = line.split()
    parts = " ".join(["Well", *texts[1:3]]), " ".join([*texts[4:], "indeed"])
    middle = (start + end) // 2
    replace_label(eaf, "client turns", (start, end), (start, middle, parts[0]), (middle, end, parts[1]))
    first, second, third = [
        row
        for turn in labels(eaf, "therapist turns")[1:]
        for row in labels(eaf, "therapist words")
        if turn[0] <= row[0] < turn[1] and len(turn[2].split()) > 5
    ][:3]
    for row in (second, third):
        eaf.remove_annotation("therapist words", (row[0] + row[1]) // 2)
    now = [
        (second[0] + 30, second[1] + 10, "one"),
        (second[1] + 10, third[0] + 20, "two"),
        (third[0] + 25, third[1], "3"),
    ]
    for row in now:
        eaf.add_annotation("therapist words", *row)
    eaf.to_file(str(path))
    assert main(["import", opened.id, str(path), "--store", str(store)]) == 0
    assert "not taken up" not in capsys.readouterr().err
    again = Eaf(str(export()))
    assert {row[2] for row in labels(again, "client turns")} >= set(parts)
    assert [row for row in labels(again, "therapist words") if first[0] <= row[0] < third[1]] == [first, *now]


# --- candidates and verdicts ----------------------------------------------------------------------------------------


def judged(found):
    return [(v.subject, v.answer, v.kind, v.start, v.end) for v, _ in found.judged.verdicts]


def test_candidates_taken_away_moved_drawn_over_and_added(store):
    def edit(eaf):
        gone, moved = labels(eaf, "possible withdrawal")
        drawn, _ = labels(eaf, "possible confrontation")
        replace_label(eaf, "possible withdrawal", gone)
        replace_label(eaf, "possible withdrawal", moved, (moved[0] + 1000, moved[1] + 500, moved[2]))
        replace_label(eaf, "possible confrontation", drawn, (*drawn, "possible withdrawal"))
        eaf.add_annotation("possible confrontation", 2000, 9000, "he turns to the window")
        edit.rows = gone, moved, drawn

    found = changed(store, edit, "mh")
    gone, moved, drawn = edit.rows
    assert judged(found) == [
        ("missed", "agree", "confrontation", 2.0, 9.0),
        ("flag", "disagree", "", gone[0] / 1000, gone[1] / 1000),
        ("flag", "agree", "withdrawal", drawn[0] / 1000, drawn[1] / 1000),
        ("flag", "agree", "withdrawal", moved[0] / 1000 + 1, moved[1] / 1000 + 0.5),
    ]
    assert found.judged.verdicts[2][0].flag_kind == "confrontation"
    assert found.judged.verdicts[0][1] == "he turns to the window"


def test_verdicts_are_given_once_and_stand(store, session):
    def edit(eaf):
        eaf.add_tier("verdicts mh")
        start, end, _ = labels(eaf, "possible confrontation")[0]
        eaf.add_annotation("verdicts mh", start, end, "Agree, mixed; significance 4; repair attempt; resolved 2")
        eaf.add_annotation("verdicts mh", 2000, 9000, "unsure")

    found = changed(store, edit, "mh")
    path = session.folder / "exports" / "session.eaf"
    take_up(session, store, found)
    missed, flag = sorted(current_verdicts(verdict_store.load_events(store)), key=lambda v: v.start)
    assert (missed.subject, missed.answer, flag.subject) == ("missed", "unsure", "flag")
    assert (flag.kind, flag.significance, flag.repair, flag.resolution, flag.rater) == ("mixed", 4, "attempt", 2, "mh")
    assert find_changes(session, path, "mh", "supervisor").none


def test_verdicts_on_a_tier_below_the_candidates_are_about_them(store):
    """As ELAN makes a tier that depends on another: its labels have no time of their own."""

    def edit(eaf):
        start, end, _ = edit.row = labels(eaf, "possible confrontation")[0]
        eaf.constraints["Symbolic_Association"] = "one label for each of the tier above"
        eaf.add_linguistic_type("remark", constraints="Symbolic_Association", timealignable=False)
        eaf.add_tier("verdicts mh", ling="remark", parent="possible confrontation")
        eaf.add_ref_annotation("verdicts mh", "possible confrontation", (start + end) // 2, "agree; significance 3")

    ((verdict, _),) = changed(store, edit, "mh").judged.verdicts
    assert (verdict.subject, verdict.significance) == ("flag", 3)
    assert (verdict.start, verdict.end) == (edit.row[0] / 1000, edit.row[1] / 1000)


def test_a_tier_of_points_is_named(store, session):
    path = exported(store, "textgrid")
    grid = parselmouth.read(str(path))
    call(grid, "Insert point tier", 1, "verdicts mh")
    call(grid, "Insert point", 1, 3.0, "agree")
    call(grid, "Save as text file", str(path))
    with pytest.raises(AttuneError, match="'verdicts mh' is a tier of points"):
        find_changes(session, path, "mh", "supervisor")


def give(store, session, text, start, end, note=""):
    """A verdict of mh's on the page, about a moment that was not marked."""
    from pipeline.review.judging import Judgement, give_verdict

    return give_verdict(
        store, session, Judgement("mh", "supervisor", start=start, end=end, note=note, **read_verdict(text))
    )


def test_verdicts_are_exported_changed_and_withdrawn(store, session):
    kept = give(store, session, "agree; withdrawal; significance 2", 20.0, 30.0, note="ask about this")
    gone = give(store, session, "disagree; because quoted", 50.0, 60.0)

    def edit(eaf):
        first, second = labels(eaf, "verdicts mh")
        assert first == (20_000, 30_000, "agree; withdrawal; significance 2")
        replace_label(eaf, "verdicts mh", first, (20_000, 31_000, "agree; withdrawal; significance 5"))
        replace_label(eaf, "verdicts mh", second)

    found = changed(store, edit, "mh")
    take_up(session, store, found)
    assert [w.withdraws for _, w in found.judged.withdrawals] == [gone.id]
    (standing,) = current_verdicts(verdict_store.load_events(store))
    assert (standing.significance, standing.end, standing.mark) == (5, 31.0, kept.mark)
    assert verdict_store.load_notes(session.folder)[standing.note] == "ask about this"
    assert find_changes(session, session.folder / "exports" / "session.eaf", "mh", "supervisor").none


def test_a_verdict_about_the_clip_drawn_at_random_is_on_no_tier(store, session):
    from pipeline.review.judging import Judgement, give_verdict
    from pipeline.review.view import clips
    from pipeline.steps import MOMENTS

    shown = clips(session.load(MOMENTS))
    number = next(k for k, moment in enumerate(shown) if moment.audit)
    sent = Judgement("mh", "supervisor", "agree", shown[number].start, shown[number].end, clip=number)
    give_verdict(store, session, sent)
    assert not any(TIER.fullmatch(name) for name in load_tiers(exported(store)))


def test_times_moved_do_not_unsay_what_was_said_of_a_moment(store, session):
    from pipeline.review.judging import Judgement, give_verdict
    from pipeline.review.view import clips
    from pipeline.steps import MOMENTS

    shown = clips(session.load(MOMENTS))[0]
    give_verdict(store, session, Judgement("mh", "supervisor", "agree", shown.start, shown.end, clip=0, significance=4))

    def edit(eaf):
        old = labels(eaf, f"possible {shown.kind}")[0]
        replace_label(eaf, f"possible {shown.kind}", old, (old[0], old[1] - 1000, old[2]))

    ((verdict, _),) = changed(store, edit, "mh").judged.verdicts
    assert (verdict.answer, verdict.significance) == ("agree", 4)


def test_a_repair_attempt_that_was_added_or_moved_is_one_that_the_person_saw(store, session):
    def edit(eaf):
        eaf.add_annotation("repair attempts", 1000, 4000, "agree; repair attempt; moves rs_rationale; resolved 3")
        eaf.add_annotation("repair attempts", 5000, 9000, "he says sorry")
        old = labels(eaf, "repair attempts")[2]
        replace_label(eaf, "repair attempts", old, (old[0] + 200, old[1] + 300, old[2]))
        edit.moved = (old[0] + 200) / 1000, (old[1] + 300) / 1000

    found = changed(store, edit, "mh")
    assert [(v.subject, v.answer, v.kind, v.repair, v.start, v.end, note) for v, note in found.judged.verdicts] == [
        ("missed", "agree", "repair", "attempt", 1.0, 4.0, ""),
        ("missed", "agree", "repair", "attempt", 5.0, 9.0, "he says sorry"),
        ("missed", "agree", "repair", "attempt", *edit.moved, ""),
    ]
    first = found.judged.verdicts[0][0]
    assert (first.strategies, first.resolution) == (("rs_rationale",), 3)
    assert found.left == ()
    take_up(session, store, found)
    assert find_changes(session, session.folder / "exports" / "session.eaf", "mh", "supervisor").none


def test_a_repair_attempt_taken_away_is_said_in_the_verdict_on_its_moment(store, session):
    def edit(eaf):
        for row in labels(eaf, "repair attempts")[:1]:
            replace_label(eaf, "repair attempts", row)

    found = changed(store, edit, "mh")
    assert found.none
    assert "taken away" in found.left[0]
    assert "judge the moment too, as with 'agree; no repair' over it on the tier 'verdicts mh'" in found.left[0]

    def judged_too(eaf, text="agree; significance 4"):
        edit(eaf)
        rows = [row for kind in ("withdrawal", "confrontation") for row in labels(eaf, f"possible {kind}")]
        eaf.add_tier("verdicts mh")
        eaf.add_annotation("verdicts mh", *min(rows)[:2], text)

    ((verdict, _),) = changed(store, judged_too, "mh").judged.verdicts
    assert (verdict.subject, verdict.answer, verdict.significance) == ("flag", "agree", 4)
    assert (verdict.repair, verdict.strategies) == ("none", ())
    ((verdict, _),) = changed(store, lambda eaf: judged_too(eaf, "agree; repair attempt"), "mh").judged.verdicts
    assert verdict.repair == "attempt"  # what is said in words counts
    verdict_store.append(store, verdict)
    ((verdict, _),) = changed(store, edit, "mh").judged.verdicts
    assert (verdict.answer, verdict.repair) == ("agree", "none")


def test_what_is_marked_in_a_blind_export_was_marked_blind(store, session):
    from pipeline.review.session_exports import Reader, export_session
    from pipeline.steps import EXPORTS

    made = export_session(session, ["eaf"], session.options(EXPORTS), reader=Reader("mh", blind=True))
    path = store / "blind.eaf"
    path.write_bytes(made["session.eaf"])
    eaf = Eaf(str(path))
    assert labels(eaf, "possible withdrawal") == []
    eaf.add_annotation("possible withdrawal", 2000, 9000, "he turns to the window")
    eaf.to_file(str(path))
    ((verdict, note),) = find_changes(session, path, "mh", "supervisor").judged.verdicts
    assert (verdict.subject, verdict.saw_flag, verdict.kind, note) == (
        "missed",
        False,
        "withdrawal",
        "he turns to the window",
    )


def test_the_clip_drawn_at_random_is_judged_as_any_other_where_the_file_had_it(store, session):
    from pipeline.review.session_exports import Reader, export_session
    from pipeline.steps import EXPORTS, MOMENTS

    audit = next(moment for moment in session.load(MOMENTS).moments if moment.audit)
    place = round(1000 * audit.start), round(1000 * audit.end)
    made = export_session(session, ["eaf"], session.options(EXPORTS), reader=Reader("mh"))
    path = store / "from_the_page.eaf"

    def edited(change):
        path.write_bytes(made["session.eaf"])
        eaf = Eaf(str(path))
        change(eaf)
        eaf.to_file(str(path))
        return find_changes(session, path, "mh", "supervisor")

    def take_away(eaf):
        old = next(row for row in labels(eaf, f"possible {audit.kind}") if row[:2] == place)
        replace_label(eaf, f"possible {audit.kind}", old)

    found = edited(take_away)
    assert [(v.subject, v.answer, v.marker) for v, _ in found.judged.verdicts] == [("audit", "disagree", "")]
    assert found.left == ()

    def judge(eaf):
        eaf.add_tier("verdicts mh")
        eaf.add_annotation("verdicts mh", *place, "agree; significance 2")

    found = edited(judge)
    assert [(v.subject, v.significance) for v, _ in found.judged.verdicts] == [("audit", 2)]
    take_up(session, store, found)
    assert find_changes(session, path, "mh", "supervisor").none
    # a file without it cannot be about it: what lies there was added
    found = changed(store, lambda eaf: eaf.add_annotation(f"possible {audit.kind}", *place, "he looks away"), "ab")
    assert [v.subject for v, _ in found.judged.verdicts] == ["missed"]


def test_an_export_does_not_write_over_what_somebody_worked_on(store, session, capsys):
    path = exported(store)
    assert exported(store) == path  # as it was: written again
    Eaf(str(path)).to_file(str(path))
    assert exported(store) == path  # saved by another program without a change
    eaf = Eaf(str(path))
    replace_label(eaf, "client words", labels(eaf, "client words")[0], (1000, 1200, "Mine"))
    eaf.to_file(str(path))
    worked = path.read_bytes()
    command = ["export", KEY, "--store", str(store), "--to", "eaf,srt"]
    assert main(command) == 1
    assert "would be lost" in capsys.readouterr().err
    assert path.read_bytes() == worked
    assert not path.with_name("transcript.srt").exists()
    assert main([*command, "--overwrite"]) == 0
    assert path.read_bytes() != worked


# --- refusals -------------------------------------------------------------------------------------------------------


def refusal(store, change, rater="mh"):
    with pytest.raises(AttuneError) as caught:
        changed(store, change, rater)
    return caught.value


def test_an_unknown_tier_is_named(store):
    error = refusal(store, lambda eaf: eaf.add_tier("gestures"))
    assert (error.code, "'gestures'" in str(error)) == ("unknown-tier", True)


def test_verdicts_need_somebody_who_judged(store):
    def drop(eaf):
        replace_label(eaf, "possible withdrawal", labels(eaf, "possible withdrawal")[0])

    assert refusal(store, drop, rater="").code == "no-rater"


def test_another_persons_verdicts_are_theirs(store, session):
    give(store, session, "agree", 20.0, 30.0)

    def change(eaf):
        replace_label(eaf, "verdicts mh", labels(eaf, "verdicts mh")[0])

    error = refusal(store, change, rater="ab")
    assert error.code == "other-rater"
    assert "--rater 'mh'" in error.mend


@pytest.mark.parametrize(
    "text", ["maybe", "withdrawal", "agree; significance 9", "agree; clarity", "agree; moves rs_none"]
)
def test_a_label_that_says_no_verdict_is_named(store, text):
    def add(eaf):
        eaf.add_tier("verdicts mh")
        eaf.add_annotation("verdicts mh", 2000, 9000, text)

    error = refusal(store, add)
    assert error.code == "no-verdict"
    assert "0:02" in str(error)
    assert "verdicts mh" in str(error)


def test_a_file_that_is_not_there_is_named(store, capsys):
    assert main(["import", KEY, "nowhere.eaf", "--store", str(store)]) == 1
    assert "nothing at 'nowhere.eaf'" in capsys.readouterr().err


def test_files_from_elsewhere_are_refused(store, session, tmp_path):
    path = exported(store)
    other = write_session(store, "bbbbbbbbbb02", 5)
    cases = {"other-session": (Session(other, {}), path)}
    for code, name, content in (
        ("format-unknown", "a.txt", b""),
        ("annotation-unreadable", "a.eaf", b"no xml"),
        ("annotation-unreadable", "b.eaf", b"<html/>"),
        ("annotation-unreadable", "a.TextGrid", b"no grid"),
        ("not-exported-here", "c.eaf", b'<ANNOTATION_DOCUMENT><TIER TIER_ID="x"/></ANNOTATION_DOCUMENT>'),
    ):
        (tmp_path / name).write_bytes(content)
        cases[f"{code} {name}"] = (session, tmp_path / name)
    cases["no-such-file"] = (session, tmp_path / "none.eaf")
    for code, (of, file) in cases.items():
        with pytest.raises(AttuneError) as caught:
            find_changes(of, file, "mh", "supervisor")
        assert caught.value.code == code.split()[0]
    for kept in (session.folder / "exported").iterdir():
        kept.unlink()
    with pytest.raises(AttuneError) as caught:
        find_changes(session, path, "mh", "supervisor")
    assert caught.value.code == "export-unknown"


def test_a_tier_that_was_removed_says_nothing(store):
    found = changed(store, lambda eaf: eaf.remove_tier("client words"))
    assert found.none
    assert found.left == ("tier 'client words' is not in the file: nothing on it is taken as changed",)


# --- the text of a verdict ------------------------------------------------------------------------------------------

verdicts = st.builds(
    Verdict,
    id=st.just("a"),
    at=st.just(""),
    session=st.just(KEY),
    subject=st.just("missed"),
    rater=st.just("mh"),
    rater_role=st.just("supervisor"),
    answer=st.sampled_from(["agree", "disagree", "unsure"]),
    start=st.just(1.0),
    end=st.just(2.0),
    flag_start=st.just(1.0),
    flag_end=st.just(2.0),
    kind=st.sampled_from(["", "withdrawal", "confrontation", "mixed", "therapist_only", "repair"]),
    clarity=st.sampled_from(["", "minus", "check", "plus"]),
    significance=st.integers(0, 5),
    useful=st.sampled_from([None, True, False]),
    reject_reason=st.sampled_from(["", "third_party", "other"]),
    repair=st.sampled_from(["", "none", "attempt"]),
    strategies=st.sampled_from([(), ("rs_rationale",), ("rs_rationale", "rs_change_task_goal")]),
    resolution=st.integers(0, 5),
    therapist_contribution=st.integers(0, 5),
)


@given(verdicts)
def test_a_verdict_said_and_read_is_the_same(verdict):
    said = read_verdict(say_verdict(verdict))
    assert all(getattr(verdict, name) == value for name, value in said.items())
    unsaid = [name for name in verdict.__dataclass_fields__ if name not in said]
    assert all(getattr(verdict, n) in ("", 0, None, ()) for n in unsaid if n in read_fields())


def read_fields():
    return {
        "kind",
        "clarity",
        "significance",
        "useful",
        "reject_reason",
        "repair",
        "strategies",
        "resolution",
        "therapist_contribution",
    }


@pytest.mark.parametrize("role", ["supervisor", "trainee", "consensus"])
def test_a_tier_of_verdicts_names_person_and_role(role):
    found = TIER.fullmatch(tier_name("M. H. (Ward 3)", role))
    assert (found["rater"], found["role"] or "supervisor") == ("M. H. (Ward 3)", role)
