"""Artefacts on disk: records as `.jsonl`, one record as `.json`, tables as `.parquet`, sound as `.flac`.

The same value always gives the same bytes. Loading checks types and names the line that does not fit.
"""

from __future__ import annotations

import io
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec

from pipeline.records import (
    Activity,
    AttuneError,
    Audio,
    Findings,
    Given,
    Marker,
    Speech,
    Turn,
    Voice,
    Word,
)

BLOCK = 1 << 20  # samples written or read at once, about a minute at 16 kHz

# artefact name -> the record it holds
RECORDS: dict[str, type] = {
    "given.jsonl": Given,
    "activity.jsonl": Activity,
    "words.jsonl": Word,
    "speech.jsonl": Speech,
    "voices.jsonl": Voice,
    "turns.jsonl": Turn,
    "markers.jsonl": Marker,
    "findings.json": Findings,
}


def dump(name: str, value: Any) -> bytes:
    """The bytes of an artefact. `bytes` pass through; everything else goes by the name's suffix."""
    if isinstance(value, bytes):
        return value
    return _WRITERS[Path(name).suffix](value)


def load(path: Path) -> Any:
    """The value of an artefact.

    raises   AttuneError (code "artefact-unreadable") when the bytes do not fit
    """
    try:
        return _READERS[path.suffix](path)
    except (msgspec.DecodeError, ValueError, OSError, RuntimeError) as error:
        raise AttuneError(
            f"{path.name} of session {path.parent.name} cannot be read ({type(error).__name__})",
            mend=f"delete {path.name} and process the recording again: it is made anew",
            code="artefact-unreadable",
        ) from error


def _dump_lines(records: list) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def _load_lines(path: Path) -> list:
    decode = msgspec.json.Decoder(RECORDS[path.name]).decode
    return [decode(line) for line in path.read_bytes().splitlines()]


def _dump_json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _load_json(path: Path) -> Any:
    return msgspec.json.decode(path.read_bytes(), type=RECORDS.get(path.name, Any))


def _dump_table(table: Any) -> bytes:
    out = io.BytesIO()
    table.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()


def _load_table(path: Path) -> Any:
    import pandas as pd

    return pd.read_parquet(path)


def _dump_audio(audio: Audio) -> bytes:
    """FLAC, 16 bit, all channels; samples beyond full scale are clipped."""
    import soundfile

    out = io.BytesIO()
    channels, count = audio.samples.shape
    with soundfile.SoundFile(out, "w", audio.rate_hz, channels, "PCM_16", format="FLAC") as file:
        for at in range(0, count, BLOCK):  # in blocks: a transposed copy of the whole would double the memory
            file.write(audio.samples[:, at : at + BLOCK].T)
    return out.getvalue()


def _load_audio(path: Path) -> Audio:
    """Read block by block straight into (channels, n), so that the sound is held once."""
    import numpy as np
    import soundfile

    with soundfile.SoundFile(path) as file:
        samples = np.empty((file.channels, file.frames), dtype=np.float32)
        at = 0
        for block in file.blocks(blocksize=BLOCK, dtype="float32", always_2d=True):
            samples[:, at : at + len(block)] = block.T
            at += len(block)
        return Audio(samples=samples, rate_hz=file.samplerate)


_WRITERS = {".jsonl": _dump_lines, ".json": _dump_json, ".parquet": _dump_table, ".flac": _dump_audio}
_READERS = {".jsonl": _load_lines, ".json": _load_json, ".parquet": _load_table, ".flac": _load_audio}


def write_atomic(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, then rename: a reader sees the old file or the new one, never half of one.

    What is written beside has a name of its own, so that two writers of one file do not take it from each other.
    """
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed or removed in the folder durable, where the system can (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
