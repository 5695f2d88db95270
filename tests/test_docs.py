"""Docs that can fail: what the program can do and the README do not part."""

import re

import pytest

from pipeline.cli import COMMANDS, build_parser
from pipeline.settings_table import default_toml, list_settings
from tests import readme_tables


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_program(readme):
    assert readme_tables.written(readme) == readme, "run: python -m tests.readme_tables"


@pytest.mark.parametrize("name", readme_tables.TABLES)
def test_every_table_has_its_place(readme, name):
    assert f"<!-- {name} -->\n|" in readme


def test_every_setting_says_what_it_means():
    silent = [f"[{s.step}] {s.key}" for s in list_settings() if not s.meaning]
    assert silent == []


def test_the_default_settings_file_is_toml_that_changes_nothing(tmp_path):
    import tomllib

    assert all(table == {} for table in tomllib.loads(default_toml()).values())
    every_line = re.sub(r"(?m)^# (?=\w+ = )", "", default_toml())
    tables = tomllib.loads(every_line)
    assert {(step, key): value for step, table in tables.items() for key, value in table.items()} == {
        (s.step, s.key): s.default for s in list_settings()
    }


def test_every_command_named_in_the_readme_exists(readme):
    named = set(re.findall(r"`?attune ([a-z]+)", re.sub(r"attune-store", "", readme)))
    assert named <= set(COMMANDS)


def test_every_command_has_help(capsys):
    for name in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args([name, "--help"])
        assert ended.value.code == 0
        assert COMMANDS[name][1:] in " ".join(capsys.readouterr().out.split())


def test_the_project_speaks_of_itself_alone(root):
    words = ("/work/", "../shared", "/tmp/w")
    paths = [*root.glob("pipeline/**/*"), *root.glob("flows/**/*"), *root.glob("tests/**/*"), *root.glob("*.md")]
    for path in paths:
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".json", ".html") and path.name != "test_docs.py":
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in words), path
