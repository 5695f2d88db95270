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
from pipeline.sharing.vocabulary import Vocabulary

Picture = Literal["drop", "blur", "none"]

NO_GUARANTEE = (
    "THIS IS NO GUARANTEE. Words were looked for by rules and lists, and some are missed. Who knows the people may "
    "know them from what they tell, and from their voices, which are not changed. Read and listen through the copy "
    "before you give it to anybody, and give it only to people who may have it."
)
# on the lines of tests/identified_lines.py, written before the rules, and by the same hands
MEASURED = {True: (107, 109), False: (82, 109)}  # with the lists, without -> words found, of how many
MISTAKEN = 6  # of the 644 other words of those lines, with the lists
# (with English words, with lists of names) -> of the words with a capital inside a sentence in the shipped scripts, by
# other authors, once all capitals and stops are taken away; not all of them name somebody
WITHOUT_CAPITALS = {(True, True): 0.68, (True, False): 0.46, (False, True): 0.48, (False, False): 0.06}
ALL_LISTS = 3
MISHEARD = (  # with the default recogniser; those written down right were all found
    "A name that the recogniser misheard stands as another word: in the acted sessions that come with attune 6 of 16 "
    "were."
)
ALIKE = (
    "A word that the recogniser doubted, and that sounds like a name found elsewhere, was taken out too: there 5 of "
    "those 6, and 9 of the 2394 other words. The rest stands in the text and is heard."
)
NOT_ALIKE = "Words that sound like a name were not looked for: they stand in the text and are heard."
ENGLISH = ("en", "")
OTHER_LANGUAGE = (
    "THE RULES ARE THOSE OF ENGLISH, and this session's language is {!r}. Your own list, digits, words with a capital, "
    'and listed names and places were looked for. Not looked for: names after words like "my name is" or a title, '
    "numbers and dates in words, and names in small letters that stand in no list."
)
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
    found: Sequence[Found],
    vocabulary: Vocabulary,
    picture: Picture,
    *,
    sound: bool,
    small: bool = False,
    language: str = "en",
) -> str:
    """The report that goes with the copy. It holds none of the words that were found.

    sound     whether the copy holds any
    small     whether the session is written without capitals
    language  of the session, a code, or "" where it is found out each time
    """
    lines = ["De-identified copy of a session, made by attune share.", "", NO_GUARANTEE, "", *_counts(found), ""]
    lines += _with_what(vocabulary, small)
    if language not in ENGLISH:
        lines.append(OTHER_LANGUAGE.format(language))
    elif not language:
        lines.append("Which language it is was left to the recogniser: the rules are those of English.")
    if sound:
        lines.append(
            f"In the sound each of these words is a tone, from {PAD_S:.2f} s before it to {PAD_S:.2f} s after. The "
            "times of words are the recogniser's: where one is further off, a part of the word is heard."
        )
        lines.append(f"{MISHEARD} {ALIKE if vocabulary.sound_of else NOT_ALIKE}")
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


def _with_what(vocabulary: Vocabulary, small: bool) -> list[str]:
    lists = vocabulary.lists
    hits, of = MEASURED[bool(lists)]
    used = (
        f"with rules and with {' and '.join(lists)}" if lists else "with rules alone: no lists of names are installed"
    )
    lines = [
        f"The search works {used}.",
        f"On invented lines, written by those who wrote the rules, it found {hits} of {of} such words; in real "
        "sessions expect fewer.",
    ]
    if small:
        share = WITHOUT_CAPITALS[vocabulary.is_english is not None, bool(vocabulary.names)]
        lines.append(
            "THIS SESSION IS WRITTEN WITHOUT CAPITALS, by which most names are known. In the scripts of other authors, "
            f"put into small letters, it found {share:.0%} of the words that had had one: give the names that you know "
            "with --names."
        )
    if len(lists) < ALL_LISTS or not vocabulary.sound_of:
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
