"""Turns: every word to one speaker, then what each person says until the other takes over.

A diarizer's edges are a few tenths of a second off and words are not, so an edge is moved to where people change over:
a gap between words or the end of a sentence. Listening sounds spoken while the other holds the floor become turns of
their own and do not break the other's turn, so turns may overlap in time. Every word is in exactly one turn.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, takewhile

from pipeline.intervals import Span, gap_s, merge, overlap_s, within
from pipeline.records import Speech, Turn, Voice, Word

UNKNOWN = "speaker_1"  # whom words belong to where nobody was told apart
SENTENCE_END = re.compile(r"""[.?!…]["'”’)]*$""")
QUESTION_END = re.compile(r"""\?["'”’)]*$""")
LISTENING_SOUNDS = frozenset(
    ["mm", "mmm", "hm", "hmm", "mhm", "mmhm", "mhmm", "mmhmm", "uhhuh", "ah", "aha", "oh", "huh"]
)
LISTENING_WORDS = frozenset(
    ["yeah", "yes", "yep", "yup", "right", "okay", "ok", "sure", "wow", "really", "exactly", "true", "no", "i", "see"]
)
LONGEST_WORD_S, LONGEST_LETTER_S = 0.25, 0.08  # a drawn-out word: 0.4 s for "no", 1.2 s for "immunisation"
LONGEST_S = 2.0  # of a word whose speaker was told by sound: longer ones were tightened
LEAST_TURN_S = 0.01  # a turn of zero-length words still takes time: intervals are half-open


@dataclass(frozen=True)
class TurnsOptions:
    """How words are laid out in turns."""

    own_silence_s: float = 2.5  # a longer silence of one's own ends a turn; below the 3 s of therapist-pause-therapist
    overlap_gap_s: float = 0.6  # talk that goes on within this while the other talks over it is still one turn
    backchannel_words: int = 3  # most words in a backchannel
    backchannel_s: float = 1.5  # longest backchannel, seconds
    backchannel_pause_s: float = 1.0  # longest silence of the floor holder around a backchannel, besides its own length
    switch_cost_s: float = 0.12  # seconds of speech that outweigh a change of speaker in the middle of a phrase
    switch_at_gap_cost_s: float = 0.05  # the same where words leave a gap or a sentence ends
    gap_s: float = 0.25  # a gap between words that makes a change of speaker likely
    reply_words: int = 2  # most words of a reply over the other's talk that is given back to who spoke it
    reply_s: float = 1.0  # longest stretch of speech that is such a reply


def attribute_words(words: Sequence[Word], speech: Sequence[Speech], options: TurnsOptions | None = None) -> list[Word]:
    """The words in order of start, each with a speaker.

    A word that has a speaker keeps it, and its times. The others are first tightened to the speech they lie in, then
    get the sequence of speakers that disagrees least with `speech`, where each disagreement costs its seconds and each
    change of speaker costs more in mid-phrase than at a gap or the end of a sentence. Where nobody speaks, the nearest
    speech counts. A short reply over the other's talk is given back to who spoke it. Without any speech all are
    `UNKNOWN`.
    """
    options = options or TurnsOptions()
    heard = merge(speech)
    ordered = sorted((tighten(word, heard) for word in words), key=lambda w: (w.start, w.end))
    names = sorted({s.speaker for s in speech} | {w.speaker for w in ordered if w.speaker})
    if len(names) < 2:
        name = names[0] if names else UNKNOWN
        return [word if word.speaker else replace(word, speaker=name) for word in ordered]
    costs = _disagreement(ordered, speech, names)
    switches = [_switch_cost(a, b, options) for a, b in pairwise(ordered)]
    path = _cheapest_path(costs, switches)
    named = [w if w.speaker else replace(w, speaker=names[k]) for w, k in zip(ordered, path, strict=True)]
    for k, speaker in _lost_replies(named, speech, options):
        if not ordered[k].speaker:
            named[k] = replace(named[k], speaker=speaker)
    return named


def tighten(word: Word, heard: Sequence[Span]) -> Word:
    """The word with the silence cut off that a recogniser put into it.

    heard   merged speech, in order

    Recognisers give the silence before a word to the word: after a pause its start is early by seconds while its end
    is good. So the word keeps at most the length its letters can take, counted from its end, and of that the part in
    the one stretch of speech that holds most of it. A word that has a speaker, or lies in no speech, stays as it is.
    """
    if word.speaker:
        return word
    longest = LONGEST_WORD_S + LONGEST_LETTER_S * len(word.text)
    late = Span(max(word.start, word.end - longest), word.end)
    first = max(0, bisect_right(heard, late.start, key=lambda s: s.start) - 1)
    near = takewhile(lambda s: s.start < late.end, islice(heard, first, None))
    best = max(near, key=lambda s: overlap_s(s, late), default=None)
    if best is None or not overlap_s(best, late):
        return word
    return replace(word, start=max(late.start, best.start), end=min(late.end, best.end))


def limit_confidence(words: Sequence[Word], speech: Sequence[Speech]) -> list[Word]:
    """The words, each with at most the confidence of its own speaker's speech there (mean over the time they share).

    A word outside its speaker's speech keeps its confidence.
    """
    doubted = {s.speaker for s in speech if s.confidence < 1.0}
    own = {name: sorted((s for s in speech if s.speaker == name), key=lambda s: s.start) for name in doubted}
    return [_limited(word, own[word.speaker]) if word.speaker in doubted else word for word in words]


def _limited(word: Word, own: Sequence[Speech]) -> Word:
    """The word, with the confidence of its speaker's own stretches where that is lower; these do not overlap."""
    last = bisect_left(own, word.end, key=lambda s: s.start)
    near = own[bisect_right(own, word.start, key=lambda s: s.end) : last]
    total = sum(overlap_s(s, word) for s in near)
    if not total:
        return word
    mean = sum(overlap_s(s, word) * s.confidence for s in near) / total
    return word if mean >= word.confidence else replace(word, confidence=round(mean, 3))


def _disagreement(words: Sequence[Word], speech: Sequence[Speech], names: Sequence[str]) -> list[list[float]]:
    """Seconds of each word in which somebody speaks but not this speaker; in the order of `names`."""
    ordered = sorted(speech, key=lambda s: s.start)
    starts = [s.start for s in ordered]
    longest = max((s.end - s.start for s in ordered), default=0.0)
    rows = []
    for word in words:
        if word.speaker:
            rows.append([0.0 if name == word.speaker else float("inf") for name in names])
            continue
        low = bisect_right(starts, word.start - longest) - 1
        near = ordered[max(0, low) : bisect_right(starts, word.end)]
        shared = {name: 0.0 for name in names}
        for span in near:
            shared[span.speaker] += overlap_s(span, word)
        if not any(shared.values()) and ordered:
            shared[_nearest(word, ordered, starts)] = max(word.end - word.start, 0.1)
        most = max(shared.values())
        rows.append([most - shared[name] for name in names])
    return rows


def _nearest(word: Word, ordered: Sequence[Speech], starts: Sequence[float]) -> str:
    at = bisect_right(starts, word.start)
    around = ordered[max(0, at - 3) : at + 1]
    return min(around, key=lambda s: (max(s.start - word.end, word.start - s.end, 0.0), s.start)).speaker


def _lost_replies(words: Sequence[Word], speech: Sequence[Speech], options: TurnsOptions) -> list[tuple[int, str]]:
    """(index of a word, whose it is) for short replies that went to the person spoken over.

    Where both speak, a word may be either's, and the words around it decide. So a short stretch of one person's speech
    may be left without a word while the other, whose talk goes on, has a whole phrase there: the phrase is the reply.
    """
    starts = [word.start for word in words]
    own = {name: merge([s for s in speech if s.speaker == name]) for name in {s.speaker for s in speech}}

    def spoken_in(stretch: Span) -> list[int]:
        first = bisect_left(starts, stretch.start - LONGEST_S)
        near = range(first, bisect_left(starts, stretch.end))
        return [k for k in near if stretch.start <= (words[k].start + words[k].end) / 2 < stretch.end]

    def goes_on(reply: range) -> bool:
        """Whether who holds the words says others too in the same stretch of speech."""
        floor = own.get(words[reply[0]].speaker, [])
        held = within(floor, Span(words[reply[0]].start, words[reply[-1]].end))
        return any(set(spoken_in(stretch)) - set(reply) for stretch in held)

    found = []
    for name, stretches in sorted(own.items()):
        for stretch in stretches:
            if stretch.end - stretch.start <= options.reply_s:
                reply = _phrase_of_another(words, spoken_in(stretch), name, options)
                if reply and goes_on(reply):
                    found += [(k, name) for k in reply]
    return found


def _phrase_of_another(words: Sequence[Word], inside: Sequence[int], name: str, options: TurnsOptions) -> range:
    """The longest phrase of at most `reply_words` of the words inside, where one person has them all and not `name`."""
    holders = {words[k].speaker for k in inside}
    if len(holders) != 1 or name in holders:
        return range(0)
    runs = [range(i, j + 1) for i in inside for j in inside if 0 <= j - i < options.reply_words]
    phrases = [run for run in runs if _is_phrase(words, run[0], run[-1], options)]
    return max(phrases, key=lambda run: words[run[-1]].end - words[run[0]].start, default=range(0))


def _is_phrase(words: Sequence[Word], first: int, last: int, options: TurnsOptions) -> bool:
    """Whether the words from `first` to `last` stand between gaps or the ends of sentences."""
    opens = first == 0 or _is_edge(words[first - 1], words[first], options)
    return opens and (last + 1 == len(words) or _is_edge(words[last], words[last + 1], options))


def _is_edge(a: Word, b: Word, options: TurnsOptions) -> bool:
    return b.start - a.end >= options.gap_s or bool(SENTENCE_END.search(a.text))


def _switch_cost(a: Word, b: Word, options: TurnsOptions) -> float:
    return options.switch_at_gap_cost_s if _is_edge(a, b, options) else options.switch_cost_s


def _cheapest_path(costs: Sequence[Sequence[float]], switches: Sequence[float]) -> list[int]:
    """Index of the speaker of each word, by dynamic programming; the earlier name wins a tie."""
    if not costs:
        return []
    total, back = list(costs[0]), []
    for row, switch in zip(costs[1:], switches, strict=True):
        best = min(range(len(total)), key=total.__getitem__)
        back.append([k if total[k] <= total[best] + switch else best for k in range(len(total))])
        total = [min(total[k], total[best] + switch) + row[k] for k in range(len(total))]
    path = [min(range(len(total)), key=total.__getitem__)]
    for step in reversed(back):
        path.append(step[path[-1]])
    return path[::-1]


def build_turns(words: list[Word], speech: list[Speech], voices: list[Voice], options: TurnsOptions) -> list[Turn]:
    """Lay the words out in turns.

    words    any order; a word's own speaker, where it has one, is kept
    voices   roles by speaker; a speaker without a voice has the role "other"
    returns  turns in order of start, each with its words in order of start, no word lost or doubled. A word is never
             surer than the speech it lies in.
             A turn runs from its first word's start to its last word's end; turns of two people may overlap.
    """
    roles = {voice.speaker: voice.role for voice in voices}
    runs = _runs(limit_confidence(attribute_words(words, speech, options), speech), options.own_silence_s)
    listening = [_is_backchannel(runs, i, options) for i in range(len(runs))]
    turns: list[_Open] = []
    last: dict[str, tuple[int, _Open]] = {}  # each speaker's latest run and the turn it is in
    for i, run in enumerate(runs):
        at, turn = last.get(run.speaker, (i, None))
        between = [runs[k] for k in range(at + 1, i) if not listening[k]]
        if turn and not listening[i] and at + 1 < i and _goes_on(turn, run, between, options):
            turn.extend(run.words)
        else:
            turn = _Open(run.words, listening[i])
            turns.append(turn)
        if not listening[i]:
            last[run.speaker] = (i, turn)
    turns.sort(key=lambda t: (t.start, t.end))
    return [
        Turn(
            t.start,
            max(t.end, t.start + LEAST_TURN_S),
            t.speaker,
            roles.get(t.speaker, "other"),
            tuple(t.words),
            t.back,
        )
        for t in turns
    ]


class _Open:
    """A turn that may still go on."""

    def __init__(self, words: Sequence[Word], back: bool = False) -> None:
        self.words = list(words)
        self.back = back
        self.speaker = self.words[0].speaker
        self.start = self.words[0].start
        self.end = max(word.end for word in self.words)

    def extend(self, words: Sequence[Word]) -> None:
        self.words += words
        self.end = max(self.end, *(word.end for word in words))


def _runs(words: Sequence[Word], own_silence_s: float) -> list[_Open]:
    """Words of one speaker in a row, cut where that speaker is silent for long."""
    runs: list[_Open] = []
    for word in words:
        last = runs[-1] if runs else None
        if last and last.speaker == word.speaker and word.start - last.end < own_silence_s:
            last.extend([word])
        else:
            runs.append(_Open([word]))
    return runs


def _goes_on(turn: _Open, run: _Open, between: Sequence[_Open], options: TurnsOptions) -> bool:
    """Whether `run` continues its speaker's `turn`: none of what others said `between` fitted into the pause."""
    silence = run.start - turn.end
    if silence >= (options.overlap_gap_s if between else options.own_silence_s):
        return False
    return not any(other.start >= turn.end and other.end <= run.start for other in between)


def _is_backchannel(runs: Sequence[_Open], i: int, options: TurnsOptions) -> bool:
    """A short listening sound or word between two runs of one other speaker, who had not handed over the floor."""
    if not 0 < i < len(runs) - 1:
        return False
    before, run, after = runs[i - 1 : i + 2]
    length = run.end - run.start
    if before.speaker != after.speaker or len(run.words) > options.backchannel_words or length > options.backchannel_s:
        return False
    if after.start - before.end > min(length + options.backchannel_pause_s, options.own_silence_s):
        return False
    own = [runs[k] for k in (i - 2, i + 2) if 0 <= k < len(runs) and runs[k].speaker == run.speaker]
    if any(gap_s(other, run) < options.overlap_gap_s for other in own):
        return False  # part of longer talk over the other
    last = before.words[-1].text
    said = [re.sub(r"[^a-z]", "", word.text.lower()) for word in run.words]
    if QUESTION_END.search(last) and run.start >= before.end:
        return False
    if all(word in LISTENING_SOUNDS for word in said):
        return True
    unfinished = run.start < before.end or not SENTENCE_END.search(last)
    return unfinished and all(word in LISTENING_SOUNDS or word in LISTENING_WORDS for word in said)
