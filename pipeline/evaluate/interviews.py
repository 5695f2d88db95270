"""Accuracy and cost on recordings with reference words and turns, or speakers alone: a row each, and all pooled.

A folder holds, for each recording NAME.mp3 (or wav, m4a, mp4, ...): NAME.words.json (`[{"turn", "speaker", "word",
"start", "end"}]`), NAME.turns.json (`[{"speaker", "role", "text", "start", "end"}]`), NAME.rttm, and NAME.txt with the
words as plain text (without it, the texts of the turns). Where NAME.rttm alone lies beside a recording, only speakers
are scored, and both we and a peer are told how many people it names. Every recording runs in a process of its own
through the steps up to the turns, in a temporary store; its processor seconds and peak memory are that process's.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.evaluate.peers import PEERS, check_peers
from pipeline.evaluate.speakers import (
    COLLAR_S,
    DerSeconds,
    SpeakerCounts,
    match_people,
    match_words,
    score_der,
    score_speakers,
    talk_share_error,
)
from pipeline.evaluate.words import WordCounts, score_words, word_time_errors
from pipeline.records import AttuneError, Speech, Turn, Voice, Word
from pipeline.session import Session, open_session, run_one
from pipeline.settings import Tables
from pipeline.steps import BY_NAME, STEPS

RECORDINGS = (".mp3", ".wav", ".m4a", ".flac", ".ogg", ".mp4", ".mov", ".mkv", ".webm", ".wma")
REFERENCES = (".words.json", ".rttm")
UP_TO = "turns"
ROUNDS = 2  # of ours and a peer in turn: A B A B
THERAPIST_ROLES = ("therapist", "clinician", "counsellor", "counselor", "doctor", "interviewer")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Reference:
    """What people say was said: words by turn, speech, the whole text, and each speaker's role; speech may be all."""

    turns: tuple[tuple[Word, ...], ...]
    speech: tuple[Speech, ...]
    text: str
    roles: Mapping[str, str]

    @property
    def words(self) -> list[Word]:
        return [word for turn in self.turns for word in turn]

    @property
    def people(self) -> int:
        return len({stretch.speaker for stretch in self.speech})


@dataclass(frozen=True)
class Score:
    """One recording, or several added together."""

    words: WordCounts = field(default_factory=WordCounts)
    speakers: SpeakerCounts = field(default_factory=SpeakerCounts)
    der: DerSeconds = field(default_factory=DerSeconds)
    der_collar: DerSeconds = field(default_factory=DerSeconds)
    roles_right: int = 0
    roles: int = 0
    role_confidence: float = 1.0  # the lowest
    word_time_errors_s: tuple[float, ...] = ()
    talk_share_errors: tuple[float, ...] = ()
    cpu_s: Mapping[str, float] = field(default_factory=dict)  # by step
    duration_s: float = 0.0
    peak_mb: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.words + other.words,
            self.speakers + other.speakers,
            self.der + other.der,
            self.der_collar + other.der_collar,
            self.roles_right + other.roles_right,
            self.roles + other.roles,
            min(self.role_confidence, other.role_confidence),
            self.word_time_errors_s + other.word_time_errors_s,
            self.talk_share_errors + other.talk_share_errors,
            {step: self.cpu_s.get(step, 0.0) + other.cpu_s.get(step, 0.0) for step in {**self.cpu_s, **other.cpu_s}},
            self.duration_s + other.duration_s,
            max(self.peak_mb, other.peak_mb),
        )


# ---------------------------------------------------------------------------------------------- references


def find_recordings(folder: Path) -> list[Path]:
    """The recordings of a folder that have reference words, or reference speakers, beside them, by name.

    raises   AttuneError where there is none
    """
    files = folder.iterdir() if folder.is_dir() else ()
    found = sorted(
        path
        for path in files
        if path.suffix.lower() in RECORDINGS and any(path.with_suffix(end).is_file() for end in REFERENCES)
    )
    if not found:
        raise AttuneError(
            "the folder holds no recording with a .words.json or .rttm beside it",
            mend="give a folder with NAME.mp3, NAME.words.json, NAME.turns.json and NAME.rttm for each recording; "
            "NAME.rttm alone to score speakers only",
            code="no-references",
        )
    return found


def load_reference(recording: Path) -> Reference:
    """The reference files beside a recording.

    raises   AttuneError naming the file that is missing or has another form
    """
    try:
        if not recording.with_suffix(".words.json").is_file():
            return Reference((), tuple(parse_rttm(_read(recording.with_suffix(".rttm")))), "", {})
        rows = json.loads(_read(recording.with_suffix(".words.json")))
        turns = json.loads(_read(recording.with_suffix(".turns.json")))
        words = [(row["turn"], Word(row["start"], row["end"], row["word"], speaker=row["speaker"])) for row in rows]
        text = recording.with_suffix(".txt")
        return Reference(
            turns=tuple(tuple(word for _, word in own) for _, own in groupby(words, key=lambda row: row[0])),
            speech=tuple(parse_rttm(_read(recording.with_suffix(".rttm")))),
            text=_read(text) if text.is_file() else "\n".join(turn["text"] for turn in turns),
            roles={turn["speaker"]: turn["role"] for turn in turns},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AttuneError(
            f"a reference of {recording.stem} has another form than expected ({type(error).__name__})",
            mend="see the form of the reference files in: attune evaluate interviews --help",
            code="reference-form",
        ) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise AttuneError(
            f"there is no {path.name} beside the recording",
            mend="put it there, or take the recording out of the folder",
            code="no-references",
        ) from error


def parse_rttm(text: str) -> list[Speech]:
    """The SPEAKER lines of an RTTM file."""
    rows = (line.split() for line in text.splitlines() if line.startswith("SPEAKER"))
    return [Speech(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


# ---------------------------------------------------------------------------------------------- scoring


def score_session(
    reference: Reference,
    words: Sequence[Word],
    speech: Sequence[Speech],
    voices: Sequence[Voice],
    turns: Sequence[Turn],
) -> Score:
    """Everything that can be said about one session's artefacts against its reference; costs are left at zero."""
    spoke = Score(
        der=score_der(reference.speech, speech),
        der_collar=score_der(reference.speech, speech, COLLAR_S),
        talk_share_errors=(talk_share_error(reference.speech, speech),),
    )
    if not reference.turns:
        return spoke
    right, confidence = score_role(reference, voices, turns)
    return replace(
        spoke,
        words=score_words(reference.text, words),
        speakers=score_speakers(reference.turns, turns),
        roles_right=int(right),
        roles=1,
        role_confidence=confidence,
        word_time_errors_s=tuple(word_time_errors(reference.words, words)),
    )


def score_role(reference: Reference, voices: Sequence[Voice], turns: Sequence[Turn]) -> tuple[bool, float]:
    """Whether the voice called therapist is the reference's therapist, and the confidence it came with."""
    people = match_people(match_words(reference.words, turns).values())
    therapists = [voice for voice in voices if voice.role == "therapist"]
    if len(therapists) != 1:
        return False, 0.0
    role = reference.roles.get(people.get(therapists[0].speaker, ""), "")
    return role.lower() in THERAPIST_ROLES, therapists[0].confidence


def render_row(score: Score) -> dict[str, Any]:
    """A score as plain numbers: rates between 0 and 1, counts, seconds."""
    errors = sorted(score.word_time_errors_s)
    duration = max(score.duration_s, 1e-9)
    speakers, words = score.speakers, score.words
    return {
        "wer": words.wer if words.reference else None,
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "words_reference": words.reference,
        "fillers_kept": words.fillers_kept,
        "fillers_reference": words.fillers_reference,
        "fillers_invented": words.fillers_invented,
        "words_wrong": speakers.words_wrong / max(speakers.words, 1) if words.reference else None,
        "words_wrong_count": speakers.words_wrong,
        "words_heard": speakers.words,
        "short_wrong": speakers.short_wrong / max(speakers.short, 1) if words.reference else None,
        "short_wrong_count": speakers.short_wrong,
        "short_turns": speakers.short,
        "short_unheard": speakers.short_unheard,
        "der": score.der.rate,
        "der_collar": score.der_collar.rate,
        "cpwer": speakers.cpwer if words.reference else None,
        "role_correct": score.roles_right / score.roles if score.roles else None,
        "role_confidence": score.role_confidence if score.roles else None,
        "word_time_median_s": statistics.median(errors) if errors else None,
        "word_time_p95_s": errors[int(0.95 * (len(errors) - 1))] if errors else None,
        "talk_share_error": statistics.fmean(score.talk_share_errors) if score.talk_share_errors else None,
        "core_rtf": sum(score.cpu_s.values()) / duration,
        "core_rtf_steps": {step: seconds / duration for step, seconds in score.cpu_s.items()},
        "duration_s": score.duration_s,
        "peak_mb": score.peak_mb,
    }


# ---------------------------------------------------------------------------------------------- running


def evaluate_interviews(
    folder: Path, against: tuple[str, ...] = (), tell: Tell = lambda line: None, settings: Tables | None = None
) -> dict[str, Any]:
    """Run every recording of the folder that has a reference, and peers on the same sound where asked.

    returns   {"recordings": [{"name", ...}], "pooled": {...}, "against": {peer: {...}}}; a row has the keys of
              `render_row`. Pooled rates come from pooled counts; pooled `role_correct` is the share that is right
    raises    AttuneError for a folder without references or an unknown peer
    """
    check_peers(against)
    recordings = find_recordings(folder)
    references = {path: load_reference(path) for path in recordings}
    rows, scores, compared = [], [], []
    with tempfile.TemporaryDirectory(prefix="attune-interviews-") as store:
        for i, path in enumerate(recordings, start=1):
            tell(f"{i} of {len(recordings)}: {path.stem}")
            session = open_session(Path(store), path, [], _settings_for(references[path], settings or {}))
            scores.append(_run_and_score(session, references[path]))
            rows.append({"name": path.stem, **render_row(scores[-1])})
            for name in against:
                tell(f"{i} of {len(recordings)}: {path.stem}, {name} in turn")
                compared.append((name, _run_against(session, references[path], name)))
    pooled = render_row(sum(scores[1:], scores[0]))
    return {"recordings": rows, "pooled": pooled, "against": _pool_peers(against, compared)}


def _settings_for(reference: Reference, settings: Tables) -> Tables:
    """The settings, with the number of people where a reference tells only who spoke."""
    if reference.turns:
        return settings
    return {**settings, "speech": {**settings.get("speech", {}), "speakers": max(1, reference.people)}}


def _run_and_score(session: Session, reference: Reference) -> Score:
    cpu_s, peak = _in_child(_run_steps, session.folder, session.settings)
    made = {name: session.load(BY_NAME[name]) for name in ("words", "speech", "voices", "turns")}
    score = score_session(reference, **made)
    return Score(**{**vars(score), "cpu_s": cpu_s, "peak_mb": peak, "duration_s": session.about.duration_s})


def _in_child(function: Callable, *arguments: Any) -> Any:
    """The function's result, from a process of its own. Raises the AttuneError it raised."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply(function, arguments)
        pool.close()
        pool.join()  # a child that ends by itself gives its semaphores back
    return result


def _run_steps(folder: Path, settings: Tables) -> tuple[dict[str, float], float]:
    """(CPU seconds by step, peak resident MB) of the steps up to the turns, in this process."""
    from pipeline.evaluate.speed import peak_mb

    cpu_s = {}
    for step in STEPS[: STEPS.index(BY_NAME[UP_TO]) + 1]:
        before = time.process_time()
        run_one(Session(folder, settings), step)
        cpu_s[step.name] = time.process_time() - before
    return cpu_s, peak_mb()


def _run_against(session: Session, reference: Reference, name: str) -> dict[str, Any]:
    """CPU seconds of ours and the peer in turn, and the counts of what the peer found."""
    ours_s, theirs_s = [], []
    for _ in range(ROUNDS):
        ours_s.append(_in_child(_time_steps, session.folder, session.settings, PEERS[name].steps))
        seconds, found = _in_child(_time_peer, session.folder, session.settings, name, reference.people)
        theirs_s.append(seconds)
    return {"ours_s": sum(ours_s), "theirs_s": sum(theirs_s), **_score_peer(reference, found)}


def _time_steps(folder: Path, settings: Tables, steps: tuple[str, ...]) -> float:
    session = Session(folder, settings)
    reads = [[_value(session, read.name) for read in BY_NAME[name].reads] for name in steps]
    before = time.process_time()
    for name, values in zip(steps, reads, strict=True):
        BY_NAME[name].make(*values, session.options(BY_NAME[name]))
    return time.process_time() - before


def _time_peer(folder: Path, settings: Tables, name: str, people: int) -> tuple[float, list[Any]]:
    audio = Session(folder, settings).load(BY_NAME["audio"])
    before = time.process_time()
    found = PEERS[name].run(audio, people)
    return time.process_time() - before, found


def _value(session: Session, name: str) -> Any:
    return session.given if name == "given" else session.load(BY_NAME[name])


def _score_peer(reference: Reference, found: Sequence[Any]) -> dict[str, Any]:
    if found and isinstance(found[0], Word):
        errors = tuple(word_time_errors(reference.words, found))
        return {"words": score_words(reference.text, found), "time_errors_s": errors}
    return {
        "der": score_der(reference.speech, found),
        "der_collar": score_der(reference.speech, found, COLLAR_S),
    }


def _pool_peers(names: Iterable[str], compared: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """For each peer: its pooled accuracy, and its CPU seconds for each of ours on the same work."""
    pooled = {}
    for name in names:
        rows = [row for peer, row in compared if peer == name]
        ours_s, theirs_s = (sum(row[key] for row in rows) for key in ("ours_s", "theirs_s"))
        entry = {"steps": list(PEERS[name].steps), "cpu_ours_s": ours_s, "cpu_theirs_s": theirs_s}
        entry["cpu_ratio"] = ours_s / theirs_s
        if "words" in rows[0]:
            words = sum((row["words"] for row in rows), WordCounts())
            errors = [error for row in rows for error in row["time_errors_s"]]
            entry |= {"wer": words.wer if words.reference else None, "fillers_kept": words.fillers_kept}
            entry["word_time_median_s"] = statistics.median(errors) if errors else None
        else:
            entry |= {key: sum((row[key] for row in rows), DerSeconds()).rate for key in ("der", "der_collar")}
        pooled[name] = entry
    return pooled


# ---------------------------------------------------------------------------------------------- roles from text


def evaluate_text_roles(path: Path) -> dict[str, Any]:
    """How often the therapist is told from the client by words alone, over transcripts in one csv file.

    path      columns transcript_id, interlocutor ("therapist" or "client"), utterance_text
    returns   {"sessions", "role_correct", "unsure", "wrong_and_sure"}: counts; unsure is below 0.75
    raises    AttuneError where the file has other columns
    """
    import pandas as pd

    from pipeline.speech.voices import VoicesOptions, assign_roles

    try:
        table = pd.read_csv(path, usecols=["transcript_id", "interlocutor", "utterance_text"], dtype=str)
    except (ValueError, OSError) as error:
        raise AttuneError(
            "the file is no csv with the columns transcript_id, interlocutor and utterance_text",
            mend="give a file of that form",
            code="reference-form",
        ) from error
    counts = {"sessions": 0, "role_correct": 0, "unsure": 0, "wrong_and_sure": 0}
    for _, rows in table.groupby("transcript_id"):
        voices = assign_roles(_spoken(rows), [], None, VoicesOptions())
        right = all(voice.speaker == voice.role for voice in voices) and len(voices) == 2
        sure = min(voice.confidence for voice in voices) >= 0.75
        counts["sessions"] += 1
        counts["role_correct"] += right
        counts["unsure"] += not sure
        counts["wrong_and_sure"] += sure and not right
    return counts


def _spoken(rows: Any) -> list[Word]:
    """The utterances as words a third of a second apart; the speaker's name is the true role."""
    said = [
        (who, text)
        for who, line in zip(rows.interlocutor, rows.utterance_text, strict=True)
        for text in str(line).split()
    ]
    return [Word(i / 3, i / 3 + 0.2, text, speaker=who) for i, (who, text) in enumerate(said)]


def render_text_roles(counts: Mapping[str, int]) -> str:
    """The counts as lines for the terminal."""
    return (
        f"therapist and client told apart by their words: {counts['role_correct']} of {counts['sessions']} sessions\n"
        f"unsure, to be confirmed by a person: {counts['unsure']}; wrong without saying so: {counts['wrong_and_sure']}"
    )


# ---------------------------------------------------------------------------------------------- the terminal

# heading -> (key, how it is written)
COLUMNS: dict[str, tuple[str, str]] = {
    "WER %": ("wer", "percent"),
    "S": ("substitutions", "count"),
    "D": ("deletions", "count"),
    "I": ("insertions", "count"),
    "um": ("fillers_kept", "count"),
    "wrong %": ("words_wrong", "percent"),
    "short": ("short_wrong_count", "count"),
    "DER %": ("der", "percent"),
    "c.25 %": ("der_collar", "percent"),
    "cpWER %": ("cpwer", "percent"),
    "role": ("role_correct", "percent"),
    "t50 ms": ("word_time_median_s", "ms"),
    "t95 ms": ("word_time_p95_s", "ms"),
    "talk %": ("talk_share_error", "percent"),
    "RTF": ("core_rtf", "ratio"),
    "MB": ("peak_mb", "count"),
}
LEGEND = (
    "WER with substitutions, deletions, insertions; um: hesitation sounds kept; wrong: words of the wrong person;\n"
    "short: turns of three words or fewer given to the wrong person; DER, overlap included, without and with a\n"
    "collar of 0.25 s; t50, t95: error of word times; talk: error of the talk share; RTF: CPU seconds of one core\n"
    "per second of sound"
)


def render_interviews(result: Mapping[str, Any]) -> str:
    """The result as a table for the terminal."""
    rows = [*result["recordings"], {"name": "pooled", **result["pooled"]}]
    width = max(len(row["name"]) for row in rows)
    lines = [" " * width + "".join(f"{heading:>9}" for heading in COLUMNS)]
    lines += [f"{row['name']:<{width}}" + "".join(f"{_cell(row, *c):>9}" for c in COLUMNS.values()) for row in rows]
    pooled = result["pooled"]
    lines.append(
        f"pooled: {pooled['fillers_kept']} of {pooled['fillers_reference']} hesitation sounds kept, "
        f"{pooled['fillers_invented']} more written;\n"
        f"{pooled['words_wrong_count']} of {pooled['words_heard']} words and "
        f"{pooled['short_wrong_count']} of {pooled['short_turns']} short turns given to the wrong person, "
        f"{pooled['short_unheard']} more not heard"
    )
    steps = ", ".join(f"{step} {rtf:.4f}" for step, rtf in pooled["core_rtf_steps"].items())
    lines += [f"core-RTF by step: {steps}", *_peer_lines(result["against"]), LEGEND]
    return "\n".join(lines)


def _cell(row: Mapping[str, Any], key: str, form: str) -> str:
    value = row[key]
    if value is None:
        return "-"
    forms = {"percent": (100, ".1f"), "count": (1, ".0f"), "ms": (1000, ".0f"), "ratio": (1, ".3f")}
    scale, spec = forms[form]
    return format(scale * value, spec)


def _peer_lines(against: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, entry in against.items():
        key = "wer" if "wer" in entry else "der"
        accuracy = f"{key.upper()} {_cell(entry, key, 'percent')} %"
        lines.append(
            f"{name}: {accuracy}; {entry['cpu_theirs_s']:.0f} CPU s against our {entry['cpu_ours_s']:.0f} "
            f"for {' and '.join(entry['steps'])} (ours / theirs = {entry['cpu_ratio']:.2f})"
        )
    return lines
