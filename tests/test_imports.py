"""Who may import whom, and what reading a session may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])
HEAVY = {"torch", "whisper", "pyannote", "prefect", "librosa", "parselmouth", "sklearn", "faster_whisper", "torchaudio"}
ROOMS = ("speech", "features", "alliance", "exports", "review")
OUTERMOST = (
    "pipeline.commands",
    "pipeline.cli",
    "pipeline.evaluate",
    "pipeline.review",
)  # these may call anything below them


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Full names of what a module imports; only at its top level where `everywhere` is False."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else _unguarded(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _unguarded(tree: ast.Module):
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "pipeline" and len(parts) > 1 and parts[1] in ROOMS else None


@pytest.mark.parametrize("name", ["records", "intervals"])
def test_the_nouns_need_only_the_standard_library(name):
    found = {module.split(".")[0] for module in imports(ROOT / "pipeline" / f"{name}.py", everywhere=False)}
    assert found <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_rooms_keep_to_themselves(path):
    module, found = name_of(path), imports(path)
    if module.startswith(OUTERMOST) or module == "pipeline.steps":
        return
    own = room_of(module)
    others = {room_of(name) for name in found} - {None, own}
    if own is not None:
        assert not others, f"{module} reaches into {others}"
    if module.startswith("pipeline"):
        outside = {name for name in found if name.split(".")[0] in ("prefect", "flows")}
        assert not outside, f"{module} imports {outside}"


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).startswith("pipeline")], ids=name_of)
def test_heavy_libraries_wait_until_called(path):
    heavy = {name.split(".")[0] for name in imports(path, everywhere=False)} & HEAVY
    assert not heavy, f"{name_of(path)} imports {heavy} at its top"


@pytest.mark.parametrize("module", ["pipeline.session", "pipeline.steps", "pipeline.cli"])
def test_reading_a_session_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_flows_hold_no_arithmetic():
    numeric = {"numpy", "pandas", "scipy", "math", "statistics"}
    for path in (ROOT / "flows").glob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & numeric, path.name
