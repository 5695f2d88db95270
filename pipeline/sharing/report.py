"""What was found in a session that is shared, with what, and what that is worth."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pipeline.exports.clock import short
from pipeline.exports.text import cell
from pipeline.records import Turn
from pipeline.sharing.identify import Found
from pipeline.sharing.redact import Redactor
from pipeline.sharing.sound import PAD_S

Picture = Literal["drop", "blur", "none"]

NO_GUARANTEE = (
    "THIS IS NO GUARANTEE. Words were looked for by rules and lists, and some are missed. Who knows the people may "
    "know them from what they tell, and from their voices, which are not changed. Read and listen through the copy "
    "before you give it to anybody, and give it only to people who may have it."
)
# on the lines of tests/identified_lines.py, written before the rules, and by the same hands
MEASURED = {True: (107, 109), False: (82, 109)}  # with the lists, without -> words found, of how many
MISTAKEN = 6  # of the 644 other words of those lines, with the lists
# of the words with a capital inside a sentence in the shipped scripts, by other authors, once all capitals and stops
# are taken away; not all of them name somebody
WITHOUT_CAPITALS = {True: 0.50, False: 0.07}
MISHEARD = "6 of 16 names"  # with the default recogniser; those written down right were all found
KINDS = {
    "name": "names",
    "place": "places",
    "number": "numbers and addresses",
    "date": "dates",
    "other": "other words",
}
PICTURES = {
    "drop": "The picture was left out.",
    "blur": "The picture was made so coarse that a face is a few squares; build, clothes, movements and the room may "
    "still be known.",
    "none": "There was no picture.",
}


def build_report(
    found: Sequence[Found], lists: Sequence[str], picture: Picture, *, sound: bool, language: str = "en"
) -> str:
    """The report that goes with the copy. It holds none of the words that were found.

    sound     whether the copy holds any
    language  of the session, a code, or "" where it is found out each time
    """
    lines = ["De-identified copy of a session, made by attune share.", "", NO_GUARANTEE, "", *_counts(found), ""]
    lines += _with_what(lists)
    if language not in ("en", ""):
        lines.append(f"The rules are those of English, and this session's language is {language!r}: expect much worse.")
    if sound:
        lines.append(
            f"In the sound each of these words is a tone, from {PAD_S:.2f} s before it to {PAD_S:.2f} s after. The "
            "times of words are the recogniser's: where one is further off, a part of the word is heard. A name that "
            "the recogniser misheard stands as other words, and is heard: in the acted sessions that come with attune "
            f"{MISHEARD}."
        )
    lines += [PICTURES[picture], "File names hold no names. The times are those of the session."]
    return "\n".join(lines) + "\n"


def _counts(found: Sequence[Found]) -> list[str]:
    if not found:
        return ["No word was found that may tell who somebody is. There may be some all the same."]
    keys = {(hit.kind, hit.key) for hit in found}
    kinds, methods = Counter(hit.kind for hit in found), Counter(hit.by for hit in found)
    lines = [f"Taken out: {len(found)} words in all."]
    for kind, name in KINDS.items():
        if kinds[kind]:
            distinct = sum(k == kind for k, _ in keys)
            lines.append(f"  {name}: {kinds[kind]}" + (f", {distinct} different ones" if distinct > 1 else ""))
    said = ", ".join(f"{name} {count}" for name, count in methods.most_common())
    return [*lines, f"Found by: {said}."]


def _with_what(lists: Sequence[str]) -> list[str]:
    hits, of = MEASURED[bool(lists)]
    used = (
        f"with rules and with {' and '.join(lists)}" if lists else "with rules alone: no lists of names are installed"
    )
    lines = [
        f"The search works {used}.",
        f"On invented lines, written by those who wrote the rules, it found {hits} of {of} such words; in real "
        "sessions expect fewer. It lives on capital letters: in the scripts of other authors, put into small letters, "
        f"it found {WITHOUT_CAPITALS[bool(lists)]:.0%} of the words that had had one.",
    ]
    if not lists:
        lines.append('More are found with the lists: pip install "attune[share]"')
    return lines


def write_words(found: Sequence[Found], turns: Sequence[Turn], redactor: Redactor) -> bytes:
    """CSV of every word taken out, for the person who shares: it stays in the session's own folder."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["at", "start", "said", "instead", "kind", "found_by"])
    for hit in found:
        word = turns[hit.turn].words[hit.word]
        row = [short(word.start), f"{word.start:.3f}", cell(word.text), redactor.mark(hit), hit.kind, hit.by]
        writer.writerow(row)
    return out.getvalue().encode()
