"""NIST's STM (words) and RTTM (speakers)."""

from __future__ import annotations

import re

from pipeline.records import AttuneError, Given
from pipeline.speech.transcripts.names import role_of
from pipeline.speech.transcripts.text import plain, read_interval, read_seconds, unfit


def read_stm(text: str) -> list[Given]:
    """`recording channel speaker start end [<labels>] words`; what is marked as not to be scored is left out."""
    lines, recordings = [], set()
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split(maxsplit=5)
        if not fields or line.startswith(";;"):
            continue
        if len(fields) < 5:
            raise unfit(f"line {number}", f"{len(fields)} fields, where an STM line has at least 5")
        recordings.add(fields[0])
        times = read_interval(fields[3], fields[4], f"line {number}")
        words = plain(re.sub(r"^<[^>]*>", "", fields[5])) if len(fields) > 5 else ""
        if words.casefold() != "ignore_time_segment_in_scoring" and fields[2] != "inter_segment_gap":
            lines.append(Given(*times, fields[2], role_of(fields[2]), words))
    _check_one_recording(recordings)
    return lines


def read_rttm(text: str) -> list[Given]:
    """`SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>`; other types of line are passed over."""
    lines, recordings = [], set()
    for number, line in enumerate(text.split("\n"), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            _check_rttm_type(fields, f"line {number}")
            continue
        if len(fields) < 8:
            raise unfit(f"line {number}", f"{len(fields)} fields, where an RTTM line has at least 8")
        recordings.add(fields[1])
        where = f"line {number}"
        start, duration = read_seconds(fields[3], where, "start"), read_seconds(fields[4], where, "duration")
        lines.append(Given(*read_interval(start, start + duration, where), fields[7], role_of(fields[7])))
    _check_one_recording(recordings)
    return lines


def _check_rttm_type(fields: list[str], where: str) -> None:
    if fields and not fields[0].startswith(";") and not re.fullmatch(r"[A-Z/-]+", fields[0]):
        raise unfit(where, "an RTTM line starts with its type, for instance SPEAKER")


def _check_one_recording(recordings: set[str]) -> None:
    if len(recordings) > 1:
        raise AttuneError(
            f"the file describes {len(recordings)} recordings",
            mend="give a file with the lines of this recording only",
            code="transcript-form",
        )
