"""Turns as JSON."""

from __future__ import annotations

import json
from typing import Any

from pipeline.records import Given, Role, Word
from pipeline.speech.transcripts.names import role_of
from pipeline.speech.transcripts.text import plain, read_interval, unfit


def read_json(text: str) -> list[Given]:
    """`{"turns": [{"start", "end", "speaker", "role"?, "text", "words"?}]}`, or the same list bare or as "segments"."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "the file"
        raise unfit(place, "this is not JSON") from None
    if isinstance(content, dict):
        content = content.get("turns", content.get("segments"))
    if not isinstance(content, list):
        raise unfit("the file", 'it should hold {"turns": [{"start", "end", "speaker", "text"}, ...]}')
    return [_read_json_turn(turn, f"turn {i}") for i, turn in enumerate(content, start=1)]


def _read_json_turn(turn: Any, where: str) -> Given:
    if not isinstance(turn, dict):
        raise unfit(where, "this is not an object with start, end, speaker and text")
    for key in ("start", "end"):
        if not isinstance(turn.get(key), int | float):
            raise unfit(where, f"{key!r} should be a number of seconds", "transcript-time")
    speaker = _json_string(turn, "speaker", where)
    text = _json_string(turn, "text" if "text" in turn else "word", where)
    return Given(
        *read_interval(turn["start"], turn["end"], where),
        speaker,
        _json_role(turn, where) or role_of(speaker),
        None if text is None else plain(text),
        _json_words(turn.get("words"), speaker, where),
    )


def _json_string(turn: dict[str, Any], key: str, where: str) -> str | None:
    value = turn.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and key == "speaker":
        return str(value)
    if value is not None and not isinstance(value, str):
        raise unfit(where, f"{key!r} should be text")
    return value


def _json_role(turn: dict[str, Any], where: str) -> Role | None:
    said = _json_string(turn, "role", where)
    if said is None:
        return None
    role = role_of(said)
    if role is None:
        raise unfit(where, "the role is none of: therapist, client, other")
    return role


def _json_words(words: Any, speaker: str | None, where: str) -> tuple[Word, ...]:
    """Word times, only where every word of the turn has them: a recogniser leaves some out."""
    if not isinstance(words, list):
        return ()
    made = []
    for i, word in enumerate(words, start=1):
        text = (word.get("text") or word.get("word")) if isinstance(word, dict) else None
        if not isinstance(text, str) or word.get("start") is None or word.get("end") is None:
            return ()
        times = read_interval(word["start"], word["end"], f"{where}, word {i}")
        made.append(Word(*times, plain(text), 1.0, speaker))
    return tuple(made)
