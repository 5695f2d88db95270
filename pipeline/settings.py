"""`attune.toml`: each step's own options, and nothing else.

A table per step, a key per option of that step's options dataclass. What is said once for the words, their language,
holds for every step that asks for it and has none of its own. The environment wins over the file, as
`ATTUNE_WORDS_BATCH_SIZE=4`, and a session's own `session.toml` (what a person decided about it), of the same form, wins
over both. An unknown table or key is an error that names the known ones.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pipeline.records import AttuneError

Tables = Mapping[str, Mapping[str, Any]]
SAID_ONCE = {"language": "words"}  # key -> the table whose value holds for every step with such a key


def load_tables(path: Path) -> Tables:
    """The tables of a settings file; an empty mapping where there is no file.

    raises   AttuneError when the file is not TOML
    """
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AttuneError(
            f"{path.name} is not a settings file: {error}",
            mend="write it as TOML, for instance: [words] then a line: language = 'en'",
            code="settings-unreadable",
        ) from error


def options_for(name: str, default: Any, *layers: Tables) -> Any:
    """The options of one step: its defaults, then each layer over them; in a layer, its own table over `SAID_ONCE`.

    raises   AttuneError for an unknown key (naming the known ones) or a value of another type
    """
    known = {field.name: getattr(default, field.name) for field in fields(default)}
    chosen: dict[str, Any] = {}
    for layer in layers:
        shared = {
            key: layer[table][key] for key, table in SAID_ONCE.items() if key in known and key in layer.get(table, {})
        }
        for key, value in {**shared, **layer.get(name, {})}.items():
            _check_key(name, key, value, known)
            chosen[key] = float(value) if isinstance(known[key], float) else value
    return replace(default, **chosen)


def check_tables(tables: Tables, steps: Mapping[str, Any]) -> None:
    """Every table must be the name of a step, every key one of its options. `steps` maps a name to its defaults.

    raises   AttuneError
    """
    for name in tables:
        if name not in steps:
            raise AttuneError(
                f"unknown setting [{name}]; known tables: {', '.join(steps)}",
                mend="rename or remove it in the settings file",
                code="settings-unknown",
            )
        options_for(name, steps[name], tables)


def with_environment(tables: Tables, steps: Mapping[str, Any]) -> Tables:
    """The tables with what the environment says over them: `ATTUNE_<STEP>_<KEY>`. `steps` maps a name to its defaults.

    raises   AttuneError for a variable of a step that names no option of it, or a value of another type
    """
    merged = {name: dict(table) for name, table in tables.items()}
    for step, default in steps.items():
        prefix = f"ATTUNE_{step}_".upper()
        known = {field.name: getattr(default, field.name) for field in fields(default)}
        for variable in sorted(name for name in os.environ if name.startswith(prefix)):
            key = variable.removeprefix(prefix).lower()
            value = _read_value(os.environ[variable], known.get(key))
            _check_key(step, key, value, known, where=f"the environment variable {variable}")
            merged.setdefault(step, {})[key] = value
    return merged


def _read_value(text: str, like: Any) -> Any:
    """The text as a value of the kind of `like`; the text itself where it is none."""
    if isinstance(like, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)
    try:
        return type(like)(text) if isinstance(like, int | float) else text
    except ValueError:
        return text


def _check_key(name: str, key: str, value: Any, known: Mapping[str, Any], where: str = "the settings file") -> None:
    if key not in known:
        raise AttuneError(
            f"unknown setting {key!r} in [{name}]; known: {', '.join(known) or 'none'}",
            mend=f"rename or remove it in {where}",
            code="settings-unknown",
        )
    wanted = type(known[key])
    fits = isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool)
    if not fits and not (wanted is float and isinstance(value, int) and not isinstance(value, bool)):
        raise AttuneError(
            f"setting {key} in [{name}] is {value!r}; it takes a value like {known[key]!r}",
            mend=f"change it in {where}",
            code="settings-type",
        )
