from dataclasses import dataclass

import pytest

from pipeline.cli import main
from pipeline.records import AttuneError
from pipeline.settings import check_tables, load_tables, options_for, with_environment
from pipeline.settings_table import default_toml


@dataclass(frozen=True)
class Options:
    people: int = 2
    floor: float = 0.5
    loud: bool = False
    language: str = "en"


def test_later_layers_win_and_leave_the_rest():
    options = options_for("speech", Options(), {"speech": {"people": 3}}, {"speech": {"people": 4, "loud": True}})
    assert options == Options(people=4, loud=True)


def test_a_whole_number_will_do_for_a_float():
    value = options_for("speech", Options(), {"speech": {"floor": 1}}).floor
    assert value == 1.0
    assert isinstance(value, float)


@pytest.mark.parametrize(
    ("tables", "code", "named"),
    [
        ({"speach": {}}, "settings-unknown", "speech"),
        ({"speech": {"peeple": 2}}, "settings-unknown", "people"),
        ({"speech": {"people": "two"}}, "settings-type", "'two'"),
        ({"speech": {"people": True}}, "settings-type", "True"),
        ({"speech": {"people": 2.5}}, "settings-type", "2.5"),
        ({"speech": {"loud": 1}}, "settings-type", "1"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_known(tables, code, named):
    with pytest.raises(AttuneError) as caught:
        check_tables(tables, {"speech": Options()})
    assert caught.value.code == code
    assert named in str(caught.value)


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = tmp_path / "attune.toml"
    path.write_text("speech = = 2")
    with pytest.raises(AttuneError) as caught:
        load_tables(path)
    assert caught.value.code == "settings-unreadable"


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "attune.toml"
    path.write_bytes(b"\xef\xbb\xbf[speech]\npeople = 3\n")
    assert load_tables(path) == {"speech": {"people": 3}}


def test_the_language_of_the_words_holds_for_the_steps_after_them():
    tables = {"words": {"language": "de"}, "markers": {"language": "en"}}
    assert options_for("speech", Options(), tables).language == "de"
    assert options_for("markers", Options(), tables).language == "en"
    assert options_for("markers", Options(), tables, {"words": {"language": ""}}).language == "", "a session's own"


def test_the_environment_wins_over_the_file(monkeypatch):
    for name, value in (("PEOPLE", "3"), ("FLOOR", "1"), ("LOUD", "true"), ("LANGUAGE", "de")):
        monkeypatch.setenv(f"ATTUNE_SPEECH_{name}", value)
    tables = with_environment({"speech": {"people": 4}}, {"speech": Options()})
    assert options_for("speech", Options(), tables) == Options(people=3, floor=1.0, loud=True, language="de")


@pytest.mark.parametrize(("name", "value"), [("PEEPLE", "2"), ("PEOPLE", "two"), ("LOUD", "perhaps"), ("FLOOR", "")])
def test_what_is_wrong_in_the_environment_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"ATTUNE_SPEECH_{name}", value)
    with pytest.raises(AttuneError) as caught:
        with_environment({}, {"speech": Options()})
    assert f"ATTUNE_SPEECH_{name}" in caught.value.mend


def test_what_belongs_to_no_step_is_left_alone(monkeypatch):
    monkeypatch.setenv("ATTUNE_STORE", "somewhere")
    assert with_environment({}, {"speech": Options()}) == {}


def test_a_new_settings_file_explains_itself_and_is_never_written_over(tmp_path, capsys):
    assert main(["init", "--store", str(tmp_path / "store")]) == 0
    path = tmp_path / "store" / "attune.toml"
    assert path.read_text() == default_toml()
    path.write_text("[watch]\nworkers = 2\n")
    assert main(["init", "--store", str(tmp_path / "store")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "[watch]\nworkers = 2\n"
