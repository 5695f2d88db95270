"""The README's tables, made from the program: `python -m tests.readme_tables` writes them, test_docs compares."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from pipeline.alliance.catalogue import load_catalogue
from pipeline.cli import COMMANDS
from pipeline.commands.evaluate import BENCHMARKS
from pipeline.exports import WRITERS
from pipeline.settings_table import list_settings
from pipeline.steps import STEPS

README = Path(__file__).parents[1] / "README.md"


def table(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def commands() -> str:
    return table(["command", "what it does"], [[f"`attune {name}`", does] for name, does in COMMANDS.items()])


def steps() -> str:
    rows = [[f"`{s.name}`", s.does, ", ".join(f"`{read.name}`" for read in s.reads), _made(s)] for s in STEPS]
    return table(["step", "what it does", "reads", "makes"], rows)


def _made(step) -> str:
    return f"`{step.makes[0]}`" if len(step.makes) == 1 else "the files below"


def settings() -> str:
    rows = [[f"`[{s.step}]`", f"`{s.key} = {s.toml}`", s.meaning] for s in list_settings()]
    return table(["table", "key and default", "meaning"], rows)


def markers() -> str:
    rows = [[e.family.replace("_", " "), f"`{e.id}`", e.name, e.definition] for e in load_catalogue().entries.values()]
    return table(["family", "marker", "name", "what it is"], rows)


def benchmarks() -> str:
    return table(
        ["benchmark", "what it measures"], [[f"`attune evaluate {n}`", does] for n, does in BENCHMARKS.items()]
    )


def formats() -> str:
    return table(
        ["format", "files"], [[f"`{n}`", ", ".join(f"`{file}`" for file in files)] for n, files in WRITERS.items()]
    )


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "steps": steps,
    "settings": settings,
    "markers": markers,
    "benchmarks": benchmarks,
    "formats": formats,
}


def written(text: str) -> str:
    """The README with every table as it should be."""
    for name, build in TABLES.items():
        block = f"<!-- {name} -->\n{build()}\n<!-- /{name} -->"
        text = re.sub(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _, block=block: block, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
