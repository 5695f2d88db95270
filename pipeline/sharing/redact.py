"""Identifying words taken out of a session's texts: each becomes a mark such as [name-2], the same at every mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pipeline.records import Findings, Moment, Repair, Role, Turn, Voice, Word
from pipeline.sharing.identify import Found, find_identifying
from pipeline.sharing.vocabulary import Vocabulary

AROUND = re.compile(r"^([^\w@]*)(.*?)(['’]s)?([^\w]*)$", re.DOTALL)
ONE_MARK = ("number", "date")  # a telephone number is many words and one thing
QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"")
NO_WHY = "as in the session that this is a copy of"


@dataclass
class Redactor:
    """Takes out what was found, and what is found in texts that quote the session.

    found       in the words of the session
    vocabulary  for the other texts
    also        words and phrases that are to go in any case
    small       whether the session is written without capitals
    """

    found: Sequence[Found]
    vocabulary: Vocabulary
    also: Sequence[str] = ()
    small: bool = False
    _marks: dict[tuple[str, str], str] = field(default_factory=dict)

    def mark(self, hit: Found) -> str:
        """What stands for the word: numbered in the order of the first mention."""
        if hit.kind in ONE_MARK:
            return f"[{hit.kind}]"
        known = self._marks.get((hit.kind, hit.key))
        if known is None:
            number = 1 + sum(kind == hit.kind for kind, _ in self._marks)
            known = self._marks[hit.kind, hit.key] = f"[{hit.kind}-{number}]"
        return known

    def turns(self, turns: Sequence[Turn]) -> list[Turn]:
        """The turns without what was found. Speakers are named by their role: their labels may be names."""
        hits = {(hit.turn, hit.word): hit for hit in self.found}
        labels = speaker_labels(turns)
        redacted = []
        for number, turn in enumerate(turns):
            label = labels[turn.speaker, turn.role]
            words = tuple(
                replace(word, text=self._word(word.text, hits.get((number, k))), speaker=word.speaker and label)
                for k, word in enumerate(turn.words)
            )
            redacted.append(replace(turn, speaker=label, words=words))
        return redacted

    def findings(self, findings: Findings, before: Sequence[Turn], after: Sequence[Turn]) -> Findings:
        """The findings without what was found. A line of a moment is that of the turn that it quotes."""
        lines = {f"{old.role}: {old.text}": f"{new.role}: {new.text}" for old, new in zip(before, after, strict=True)}
        return Findings(
            tuple(self._moment(moment, lines) for moment in findings.moments),
            tuple(self._repair(repair) for repair in findings.repairs),
            tuple(self.text(note) for note in findings.notes),
        )

    def _moment(self, moment: Moment, lines: dict[str, str]) -> Moment:
        return replace(
            moment,
            words="\n".join(lines.get(line) or self._line(line) for line in moment.words.split("\n")),
            why=tuple(self._quoting(reason) for reason in moment.why),
            against=tuple(self._quoting(reason) for reason in moment.against),
            repairs=tuple(self._repair(repair) for repair in moment.repairs),
        )

    def _line(self, line: str) -> str:
        role, colon, said = line.partition(": ")
        return f"{role}{colon}{self.text(said)}" if colon else self.text(line)

    def _repair(self, repair: Repair) -> Repair:
        return replace(repair, words=self.text(repair.words), note=self._quoting(repair.note))

    def _quoting(self, reason: str) -> str:
        """A sentence of the program's own, in which only what is quoted can be a person's."""
        return QUOTED.sub(lambda quote: quote[0][0] + self.text(quote[0][1:-1]) + quote[0][-1], reason)

    def text(self, text: str) -> str:
        """Any text, searched on its own and for all that was found in the session."""
        parts = text.split()
        turn = Turn(0.0, 0.0, "", "other", tuple(Word(0.0, 0.0, part) for part in parts))
        keys = {hit.key for hit in self.found if hit.kind not in ONE_MARK}
        known = {hit.key: hit for hit in self.found}
        for hit in find_identifying([turn], self.vocabulary, [*self.also, *sorted(keys)], small=self.small):
            parts[hit.word] = self._word(parts[hit.word], known.get(hit.key, hit))
        return " ".join(parts)

    def _word(self, text: str, hit: Found | None) -> str:
        if hit is None:
            return text
        before, _, possessive, after = AROUND.match(text).groups()  # type: ignore[union-attr]
        return f"{before}{self.mark(hit)}{possessive or ''}{after}"


def speaker_labels(turns: Iterable[Turn]) -> dict[tuple[str, Role], str]:
    """A label that tells nothing for each speaker: the role, numbered from the second speaker of a role on."""
    labels: dict[tuple[str, Role], str] = {}
    for turn in turns:
        if (turn.speaker, turn.role) not in labels:
            number = 1 + sum(role == turn.role for _, role in labels)
            labels[turn.speaker, turn.role] = turn.role if number == 1 else f"{turn.role}-{number}"
    return labels


def redact_voices(voices: Sequence[Voice], turns: Sequence[Turn]) -> list[Voice]:
    """Who is who, without labels and reasons that may hold a name."""
    labels = speaker_labels(turns)
    return [replace(voice, speaker=labels.get((voice.speaker, voice.role), voice.role), why=NO_WHY) for voice in voices]
