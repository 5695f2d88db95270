"""`attune enrol`: keep a therapist's voice sample, as numbers, so that sessions name the therapist by it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from pipeline import formats
from pipeline.commands import common
from pipeline.lock import hold
from pipeline.records import AttuneError
from pipeline.session import storing
from pipeline.speech.enrolled import FILE, Enrolled, enrol_voice, load_enrolled
from pipeline.store import open_store

LONGEST_NAME = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="whose voice it is, as sessions should say it")
    parser.add_argument(
        "clip",
        nargs="?",
        type=Path,
        metavar="CLIP",
        help="a recording in which only this therapist talks, from 10 s on",
    )
    parser.add_argument("--list", action="store_true", help="list the voices in the store")
    parser.add_argument("--delete", metavar="NAME", help="delete a voice from the store")
    common.add_store(parser)
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    open_store(args.store)
    path = args.store / FILE
    if args.list:
        return _list(load_enrolled(path), args.json)
    if args.delete is not None:
        _delete(path, args.delete)
        print(f"Deleted {args.delete}. Sessions that name this voice forget it when they are processed again.")
        return 0
    name = check_name(args.name)
    voice = _hear(args.clip)
    with hold(path.with_name(f"{FILE}.lock")):
        write_enrolled(path, {**load_enrolled(path), name: voice})
    print(f"Enrolled {name}: 192 numbers of the voice are kept in {path}, not the sound.")
    print(f"A voice is personal: keep it with {name}'s consent. attune enrol --delete {name!r} deletes it.")
    return 0


def check_name(name: str | None) -> str:
    """The name, without space around it. Raises AttuneError for none, or one that does not fit on a line."""
    name = (name or "").strip()
    if not name or not name.isprintable() or len(name) > LONGEST_NAME:
        raise AttuneError(
            f"a voice needs a name of 1 to {LONGEST_NAME} printable characters",
            mend="attune enrol NAME CLIP",
            code="voice-name",
        )
    return name


def _hear(clip: Path | None) -> Enrolled:
    from pipeline.speech.activity import ActivityOptions, find_activity
    from pipeline.speech.audio import AudioOptions, decode_recording

    if clip is None:
        raise AttuneError("no voice sample was given", mend="attune enrol NAME CLIP", code="no-such-file")
    audio = decode_recording(clip, AudioOptions())
    return enrol_voice(audio, find_activity(audio, None, ActivityOptions()))


def _delete(path: Path, name: str) -> None:
    with hold(path.with_name(f"{FILE}.lock")):
        enrolled = load_enrolled(path)
        if name not in enrolled:
            known = ", ".join(sorted(enrolled)) or "none"
            raise AttuneError(
                f"there is no voice of {name!r} in the store; known: {known}",
                mend="attune enrol --list shows them",
                code="no-such-voice",
            )
        write_enrolled(path, {key: voice for key, voice in enrolled.items() if key != name})


def write_enrolled(path: Path, enrolled: Mapping[str, Enrolled]) -> None:
    """Keep the voices by name; no file where there is none."""
    with storing():
        if enrolled:
            formats.write_atomic(path, formats.dump(FILE, dict(sorted(enrolled.items()))))
        else:
            path.unlink(missing_ok=True)


def _list(enrolled: Mapping[str, Enrolled], as_json: bool) -> int:
    if as_json:
        common.print_json({"voices": sorted(enrolled)})
    elif enrolled:
        print("\n".join(sorted(enrolled)))
    else:
        print("No voice is enrolled. attune enrol NAME CLIP keeps one.")
    return 0
