"""The nouns of the pipeline.

Convention, everywhere: times in seconds from the recording's start, as floats; an interval is half-open,
`[start, end)`; every record is frozen and complete at birth. A new fact is a new record, never a new key.
Standard library only, so that reading a session needs nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Role = Literal["therapist", "client", "other"]
Kind = Literal["withdrawal", "confrontation", "repair"]
Modality = Literal["text", "timing", "voice"]
DOUBTFUL = 0.6  # speech below this confidence may be the other person's


class AttuneError(Exception):
    """Something a person can mend. `str()` says what is wrong with which value; `mend` says the way out.

    `code` is a short fixed word (for instance "no-audio-track") that holds no name, path or word of a client:
    it is all that logs and Prefect ever see.
    """

    def __init__(self, message: str, *, mend: str, code: str) -> None:
        super().__init__(message)
        self.mend = mend
        self.code = code

    def __reduce__(self) -> tuple:
        """So that it can cross from a child process."""
        return _error, (str(self), self.mend, self.code)


def _error(message: str, mend: str, code: str) -> AttuneError:
    return AttuneError(message, mend=mend, code=code)


@dataclass(frozen=True)
class Audio:
    """Decoded sound.

    samples  float32 array, shape (channels, n), within [-1, 1]
    rate_hz  samples per second; 16000 everywhere after decoding
    """

    samples: np.ndarray
    rate_hz: int

    @property
    def duration_s(self) -> float:
        return self.samples.shape[1] / self.rate_hz

    @cached_property
    def mono(self) -> np.ndarray:
        """The channels that carry sound, averaged: float32, shape (n,).

        A channel more than 40 dB below the loudest one is an unplugged microphone and is left out of the mean.
        """
        import numpy as np

        if self.samples.shape[0] == 1:
            return self.samples[0]
        power = [float(np.dot(channel, channel)) for channel in self.samples]
        loud = [channel for channel, p in zip(self.samples, power, strict=True) if p >= max(power) * 1e-4]
        return np.mean(loud, axis=0, dtype=np.float32)


@dataclass(frozen=True)
class About:
    """Which session this is.

    session      the folder's name: the first 12 hex digits of the recording's SHA-256, of both where there are two
    recording    where the recording lies on this machine, or "" for a session from a transcript alone
    duration_s   length of the recording, or the end of the last line of the transcript; seconds
    second       where the other person's recording lies, or "" where one recording holds both people
    offset_s     how much later the second recording begins, seconds, as a person said; None to find it by the sound
    store        where the store lay for the machine that noted these places; one that has the share elsewhere finds
                 them as they lie from there
    """

    session: str
    recording: str
    duration_s: float
    second: str = ""
    offset_s: float | None = None
    store: str = ""


@dataclass(frozen=True)
class Given:
    """One line of a transcript or speaker file that somebody already has.

    speaker, role and text are None where the file does not say. `words` holds the word times where the file has them.
    """

    start: float
    end: float
    speaker: str | None = None
    role: Role | None = None
    text: str | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Activity:
    """A stretch in which somebody speaks. `people` is how many at once: 1, or 2 where they overlap."""

    start: float
    end: float
    people: int = 1


@dataclass(frozen=True)
class Word:
    """One word as spoken, punctuation attached.

    confidence  0 to 1, the recogniser's own; 1.0 for a word that a person wrote. In a turn, never above the confidence
                of the speech it lies in: a word that may be the other person's is as doubtful as a misheard one
    speaker     only where the engine knows it at birth (a given transcript, one channel per person); otherwise None
    language    code, only where the recogniser found it out; "" where it was told or nobody knows
    """

    start: float
    end: float
    text: str
    confidence: float = 1.0
    speaker: str | None = None
    language: str = ""


def spoken_language(told: str, words: Iterable[Word]) -> str:
    """`told`, or where that is "" the language that the recogniser found in the words; "" where neither knows."""
    return told or next((word.language for word in words), "")


@dataclass(frozen=True)
class Speech:
    """A stretch in which one anonymous speaker talks, as the diarizer heard it. Two may overlap.

    confidence  0 to 1, how clearly the voice is this speaker's rather than another's: 1.0 for an ordinary stretch, 0.0
                where it sounds as much or more like another; no probability. 1.0 too where a person named the speaker,
                where a channel is a person, and where the engine does not tell
    """

    start: float
    end: float
    speaker: str
    confidence: float = 1.0

    @property
    def doubtful(self) -> bool:
        """Whether this may well be the other person."""
        return self.confidence < DOUBTFUL


@dataclass(frozen=True)
class Voice:
    """A speaker with a role. `start` and `end` span where the speaker is first and last heard.

    confidence  0 to 1 that the role is right
    why         one sentence for the supervisor
    """

    start: float
    end: float
    speaker: str
    role: Role
    confidence: float
    why: str


@dataclass(frozen=True)
class Turn:
    """What one person says until the other takes over, or until a long silence of their own.

    backchannel  a short listening sound or word ("mm-hm", "yeah") spoken while the other holds the floor
    """

    start: float
    end: float
    speaker: str
    role: Role
    words: tuple[Word, ...]
    backchannel: bool = False

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Marker:
    """One piece of evidence: a cue seen in one turn or silence.

    marker       id in the catalogue
    turn         index of the turn it rests on, in the list of turns
    strength     0 to 1, how clear the cue is
    reliability  0 to 1, how far the input under it can be trusted (word confidence, sound quality)
    words        the words it quotes, or ""
    why          one sentence for the supervisor, with its number and the person's usual where there is one
    against      what speaks against it, or ""
    """

    start: float
    end: float
    marker: str
    family: str
    role: Role
    turn: int
    strength: float
    reliability: float
    modality: Modality
    words: str = ""
    why: str = ""
    against: str = ""


@dataclass(frozen=True)
class Repair:
    """A repair attempt by the therapist.

    strategies  ids in the catalogue, most certain first
    type        "immediate", "exploratory" or "both"
    engagement  client's engagement afterwards: "back near usual", "partly", "not seen" or "cannot tell"
    words       the therapist's words it rests on
    note        for instance "agreement without elaboration: may be compliance", or ""
    """

    start: float
    end: float
    strategies: tuple[str, ...]
    type: str
    engagement: str
    words: str
    note: str = ""


@dataclass(frozen=True)
class Moment:
    """A moment worth a look.

    start, end    from the therapist's turn before the first evidence to the last evidence
    peak          where the evidence is strongest, seconds
    marker        id of the closest marker in the catalogue; "" for an audit clip
    score         log-odds sum used for ranking only, natural-log units; never a probability
    band          "stronger", "some" or "weak": how well the moment survives perturbation of the rules
    why           at most four sentences, strongest first
    against       what counts against the moment
    words         what was said, one line per turn: "client: ..."
    audit         True for the one hidden clip drawn from unflagged minutes, by which misses can be estimated
    """

    start: float
    end: float
    peak: float
    kind: Kind
    marker: str
    score: float
    band: str
    why: tuple[str, ...]
    against: tuple[str, ...]
    words: str
    repairs: tuple[Repair, ...] = ()
    audit: bool = False


@dataclass(frozen=True)
class Findings:
    """All that one session yields for review.

    moments  in order of rank: the ones to watch, at most five per 50 minutes; the audit clip, if any, last
    repairs  every repair attempt, linked or not, in order of time
    notes    what a person should know first: "please confirm who is the therapist", "no client speech", ...
    """

    moments: tuple[Moment, ...]
    repairs: tuple[Repair, ...]
    notes: tuple[str, ...]
