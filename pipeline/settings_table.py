"""Every setting with its default and its meaning, read from the options dataclasses: the one place they are written.

The README's table, `attune init` and the tests are made from this.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from dataclasses import dataclass
from typing import Any

from pipeline.night import WatchOptions
from pipeline.steps import STEPS

# table -> what it is about, and its options with their defaults
SECTIONS: dict[str, tuple[str, Any]] = {step.name: (step.does, step.options) for step in STEPS} | {
    "watch": ("work through a night", WatchOptions())
}

_FIELD = re.compile(r"^\s+(?P<name>\w+): \w+ = .*?(?:\s#\s(?P<meaning>.*))?$")


@dataclass(frozen=True)
class Setting:
    """`key` in the table `[step]` of attune.toml."""

    step: str
    key: str
    default: Any
    meaning: str

    @property
    def toml(self) -> str:
        """The default as TOML writes it."""
        return json.dumps(self.default)  # the same for the kinds in use: true, 2, 0.5, "text"


def list_settings() -> list[Setting]:
    """Every setting, in the order of the steps and of their options; those of no step last."""
    return [
        Setting(name, field.name, getattr(options, field.name), meanings.get(field.name, ""))
        for name, (_, options) in SECTIONS.items()
        for meanings in [_meanings(type(options))]
        for field in dataclasses.fields(options)
    ]


def _meanings(options: type) -> dict[str, str]:
    """The comment behind each field, or the comment lines just above it."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in inspect.getsource(options).splitlines():
        if line.strip().startswith("# "):
            above.append(line.strip().removeprefix("# "))
        elif match := _FIELD.match(line):
            found[match["name"]] = match["meaning"] or " ".join(above)
            above = []
        else:
            above = []
    return found


def default_toml() -> str:
    """A settings file in which every line is a comment: what to change, and what it means."""
    lines = ["# Settings of Attune. Every line shows a default; take away the # in front to change it.", ""]
    for name, (does, _) in SECTIONS.items():
        mine = [setting for setting in list_settings() if setting.step == name]
        if mine:
            lines += [f"[{name}]  # {does}"]
            lines += [f"# {s.key} = {s.toml}  # {s.meaning}" for s in mine] + [""]
    return "\n".join(lines)
