"""What a person corrected in the transcript: whose words they are, which and when they are, and where turns begin.

A correction holds for the words whose middle lies in its stretch of time, so that it still holds when the session is
transcribed again. Turns are then laid out anew by the same rules as before, and cut and joined as the person said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from pipeline.records import AttuneError, Role, Speech, Turn, Voice, Word
from pipeline.speech.turns import TurnsOptions, build_turns

Kind = Literal["role", "words", "times", "split", "join"]
ROLES: tuple[Role, ...] = ("therapist", "client", "other")
KINDS: tuple[Kind, ...] = get_args(Kind)
EDGES = ("split", "join")  # these change where turns begin, and no word
LEAST_WORD_S = 0.01  # a word takes time: intervals are half-open


@dataclass(frozen=True)
class Correction:
    """One thing that a person put right.

    kind   "role": the words were said by the person with `role`
           "words": what was said is `text`, "" for nothing
           "times": the words were said from `begins` to `ends`; several keep their share of that time
           "split": a turn begins with the first of the words
           "join": the turn that begins with one of the words goes on the same person's turn before
    of     only words of the person with this role are meant, for two may talk at once; None for anybody's
    """

    start: float
    end: float
    kind: Kind
    role: Role | None = None
    text: str = ""
    of: Role | None = None
    begins: float | None = None
    ends: float | None = None


def read_corrections(rows: Iterable[Mapping[str, Any]]) -> list[Correction]:
    """The `[[corrections]]` of a session.toml, checked.

    raises   AttuneError (code "correction-unreadable") naming the first that does not fit
    """
    return [_read(number, row) for number, row in enumerate(rows, start=1)]


def _read(number: int, row: Mapping[str, Any]) -> Correction:
    try:
        known = {field.name for field in fields(Correction)}
        if set(row) - known:
            raise ValueError(f"unknown key {min(set(row) - known)!r}")
        found = Correction(
            float(row["start"]),
            float(row["end"]),
            row["kind"],
            row.get("role"),
            str(row.get("text", "")),
            row.get("of"),
            *(float(row[name]) if name in row else None for name in ("begins", "ends")),
        )
        check_correction(found)
    except (KeyError, TypeError, ValueError) as error:
        raise AttuneError(
            f"correction {number} in session.toml does not fit: {error}",
            mend='write start, end and kind = "role" with a role, "words" with a text, "times" with begins and ends, '
            '"split" or "join"',
            code="correction-unreadable",
        ) from error
    return found


def check_correction(correction: Correction) -> None:
    """Raises ValueError for a correction that says nothing or contradicts itself."""
    if not 0 <= correction.start < correction.end < float("inf"):
        raise ValueError(f"start {correction.start} and end {correction.end} are no stretch of time")
    if correction.kind not in KINDS:
        raise ValueError(f"kind {correction.kind!r} is none of {', '.join(KINDS)}")
    if (correction.kind == "role") != (correction.role in ROLES):
        raise ValueError(f"role {correction.role!r} does not go with kind {correction.kind!r}")
    begins, ends = correction.begins, correction.ends
    if (correction.kind == "times") != (None not in (begins, ends)) or (begins is None) != (ends is None):
        raise ValueError(f"begins and ends do not go with kind {correction.kind!r}, or one of them is missing")
    if begins is not None and ends is not None and not 0 <= begins < ends < float("inf"):
        raise ValueError(f"begins {begins} and ends {ends} are no stretch of time")
    if correction.of not in (None, *ROLES):
        raise ValueError(f"of {correction.of!r} is none of {', '.join(ROLES)}")


def lay_out_turns(
    words: list[Word],
    speech: list[Speech],
    voices: list[Voice],
    corrections: Sequence[Correction] | None,
    options: TurnsOptions,
) -> list[Turn]:
    """`build_turns`, and then what a person put right; None where nobody did."""
    return apply_corrections(build_turns(words, speech, voices, options), corrections or (), options)


def apply_corrections(
    turns: Sequence[Turn], corrections: Sequence[Correction], options: TurnsOptions | None = None
) -> list[Turn]:
    """The turns as a person corrected them.

    turns        in order of start, as `build_turns` lays them out
    corrections  the later one wins where two meet
    options      those that the turns were laid out with
    returns      turns in order of start. Words are given to the speaker with that role who says most, or to a new
                 speaker named after the role where nobody has it. Corrected words have confidence 1.0. Without a
                 correction that meets a word, the turns as they are.
    """
    roles = _speakers(turns)
    of_role = {**{turn.speaker: turn.role for turn in turns}, **{speaker: role for role, speaker in roles.items()}}
    words = sorted((word for turn in turns for word in _own(turn)), key=lambda w: (w.start, w.end))
    corrected = words
    for correction in corrections:
        if correction.kind not in EDGES:
            corrected = _applied(corrected, correction, roles, of_role)
    laid_out = list(turns)
    if corrected != words:
        voices = [Voice(0.0, 0.0, speaker, role, 1.0, "") for speaker, role in of_role.items()]
        laid_out = build_turns(corrected, [], voices, options or TurnsOptions())
    for correction in corrections:
        if correction.kind in EDGES:
            laid_out = _split(laid_out, correction) if correction.kind == "split" else _joined(laid_out, correction)
    return laid_out


def find_unmet(turns: Sequence[Turn], corrections: Sequence[Correction]) -> list[Correction]:
    """Those that would meet no word of the turns, were they made one after the other."""
    roles = _speakers(turns)
    of_role = {**{turn.speaker: turn.role for turn in turns}, **{speaker: role for role, speaker in roles.items()}}
    words = [word for turn in turns for word in _own(turn)]
    unmet = []
    for correction in corrections:
        if not any(_is_met(word, of_role[word.speaker or ""], correction) for word in words):
            unmet.append(correction)
        elif correction.kind not in EDGES:
            words = _applied(sorted(words, key=lambda w: (w.start, w.end)), correction, roles, of_role)
    return unmet


def _split(turns: Sequence[Turn], correction: Correction) -> list[Turn]:
    """The turns, those in which a word is met cut before it."""
    found = []
    for turn in turns:
        at = next((k for k, word in enumerate(turn.words) if _is_met(word, turn.role, correction)), 0)
        found += [_of(turn, turn.words[:at]), _of(turn, turn.words[at:])] if at else [turn]
    return sorted(found, key=lambda t: (t.start, t.end))


def _joined(turns: Sequence[Turn], correction: Correction) -> list[Turn]:
    """The turns, each that begins with a word that is met joined to its speaker's turn before."""
    found: list[Turn] = []
    for turn in turns:
        own = [k for k, other in enumerate(found) if other.speaker == turn.speaker]
        if own and turn.words and _is_met(turn.words[0], turn.role, correction):
            before = found[own[-1]]
            words = tuple(sorted((*before.words, *turn.words), key=lambda w: (w.start, w.end)))
            found[own[-1]] = replace(_of(before, words), backchannel=before.backchannel and turn.backchannel)
        else:
            found.append(turn)
    return found


def _of(turn: Turn, words: tuple[Word, ...]) -> Turn:
    """The turn with these words of its own, and its edges where they begin and end."""
    start = words[0].start
    return replace(turn, start=start, end=max(start + LEAST_WORD_S, *(word.end for word in words)), words=words)


def _is_met(word: Word, role: Role, correction: Correction) -> bool:
    return correction.start <= (word.start + word.end) / 2 < correction.end and correction.of in (None, role)


def _own(turn: Turn) -> list[Word]:
    return [word if word.speaker == turn.speaker else replace(word, speaker=turn.speaker) for word in turn.words]


def _speakers(turns: Sequence[Turn]) -> dict[Role, str]:
    """Whom words are given to, by role."""
    said: dict[tuple[Role, str], int] = {}
    for turn in turns:
        said[turn.role, turn.speaker] = said.get((turn.role, turn.speaker), 0) + len(turn.words)
    found: dict[Role, str] = {role: role for role in ROLES}
    for (role, speaker), _ in sorted(said.items(), key=lambda item: (item[1], item[0])):
        found[role] = speaker
    return found


def _applied(
    words: Sequence[Word], correction: Correction, speakers: Mapping[Role, str], roles: Mapping[str, Role]
) -> list[Word]:
    inside = [_is_met(word, roles[word.speaker or ""], correction) for word in words]
    if not any(inside):
        return list(words)
    if correction.kind == "role":
        speaker = speakers[correction.role]
        return [replace(w, speaker=speaker) if i else w for w, i in zip(words, inside, strict=True)]
    met = [word for word, i in zip(words, inside, strict=True) if i]
    kept = [word for word, i in zip(words, inside, strict=True) if not i]
    made = _moved(met, correction) if correction.kind == "times" else _spread(correction.text, met)
    return sorted([*kept, *made], key=lambda w: (w.start, w.end))


def _moved(met: Sequence[Word], correction: Correction) -> list[Word]:
    """The words between `begins` and `ends`, as they lay to each other before."""
    assert correction.begins is not None
    assert correction.ends is not None
    start, end = met[0].start, max(word.end for word in met)
    stretch = (correction.ends - correction.begins) / max(end - start, LEAST_WORD_S)

    def at(time_s: float) -> float:
        return round(min(correction.begins + (time_s - start) * stretch, correction.ends), 3)

    return [replace(word, start=at(word.start), end=max(at(word.end), at(word.start))) for word in met]


def _spread(text: str, met: Sequence[Word]) -> list[Word]:
    """The corrected words over the time of those they replace."""
    texts = text.split()
    edges = spread_times(texts, met[0].start, max(word.end for word in met))
    return [Word(start, end, part, 1.0, met[0].speaker) for part, (start, end) in zip(texts, edges, strict=True)]


def spread_times(texts: Sequence[str], start: float, end: float) -> list[tuple[float, float]]:
    """Where words lie that share a time: one after the other, each in proportion to its letters; seconds."""
    end = max(end, start + LEAST_WORD_S * len(texts))
    letters, edges, at = sum(map(len, texts)), [], 0
    for part in texts:
        first, last = (round(start + (end - start) * n / letters, 3) for n in (at, at + len(part)))
        edges.append((first, last))
        at += len(part)
    return edges
