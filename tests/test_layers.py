"""Who may import whom, read from the sources themselves, and what an import of the package costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mnist_core"

# Each part of the package, a file at its top or a folder, and the parts that it may import; the files of a
# folder may import each other. README.md says what lives where.
PARTS = {
    "config": "",
    "imaging": "",
    "playground": "",
    "model": "config",
    "datasets": "imaging model strings",
    "inference": "config imaging model",
    "data": "config datasets imaging",
    "torch_file": "",
    "checkpoint": "config inference model torch_file",
    "strings": "imaging inference model",
    "classifier": "checkpoint imaging inference model strings",
    "answers": "classifier model",
    "explain": "config imaging inference model",
    "engine": "checkpoint config data datasets imaging inference model strings",
    "training": "config engine inference",
    "runs": "answers checkpoint classifier config data datasets engine imaging inference model training",
    "benchmark": "classifier config data datasets engine imaging model training",
    "cli": (
        "answers benchmark checkpoint classifier config data datasets engine inference model strings training"
    ),
    "__init__": "checkpoint classifier config data datasets engine model training",
    "__main__": "cli",
    "page": "answers classifier config data datasets engine explain imaging model playground runs",
}
# Packages that take their time to import, and the only files that may ask for them.
HEAVY = {
    "gradio": ("app.py", "mnist_core/page/"),
    "matplotlib": ("mnist_core/datasets/traced.py", "mnist_core/engine/plots.py"),
    "torchvision": ("mnist_core/data.py",),
}
SOURCES = [ROOT / "app.py", *sorted(PACKAGE.rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, anywhere in it: modules, and what is taken from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: name the module in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(path: Path) -> str:
    """The part a file of the package belongs to: the file, or the folder at the top of the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def parts_imported(path: Path) -> set[str]:
    """The parts that a file imports, other than its own."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("mnist_core.")}
    found = {name if name in PARTS else "__init__" for name in names}
    return found - {part(path)} if path != ROOT / "app.py" else found


@pytest.mark.parametrize("path", SOURCES[1:], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_the_parts_that_its_own_may(path: Path) -> None:
    assert part(path) in PARTS, f"say in PARTS which parts {part(path)} may import"
    assert parts_imported(path) <= set(PARTS[part(path)].split())


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_there_and_imports_all_that_it_may(name: str) -> None:
    paths = [path for path in SOURCES[1:] if part(path) == name]
    assert paths
    assert set().union(*map(parts_imported, paths)) == set(PARTS[name].split())


def test_no_parts_import_each_other_in_a_circle() -> None:
    left = {name: set(allowed.split()) for name, allowed in PARTS.items()}
    while free := {name for name, allowed in left.items() if not allowed & set(left)}:
        left = {name: allowed for name, allowed in left.items() if name not in free}
    assert not left, f"a circle among {sorted(left)}"


def test_the_app_imports_the_page_alone_besides_what_checks_its_environment() -> None:
    assert parts_imported(ROOT / "app.py") <= {"page", "runs"}


@pytest.mark.parametrize("heavy", HEAVY)
def test_what_is_heavy_is_asked_for_in_few_places(heavy: str) -> None:
    askers = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(name.split(".")[0] == heavy for name in imported(path))
    }
    assert askers and all(asker.startswith(HEAVY[heavy]) for asker in askers)


def test_importing_the_package_loads_nothing_heavy_and_does_nothing() -> None:
    program = f"""
import sys, threading, torch
state, threads = torch.get_rng_state(), torch.get_num_threads()
import mnist_core
for name in mnist_core.__all__:
    getattr(mnist_core, name)
assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads
assert threading.active_count() == 1
print([name for name in {list(HEAVY)} if name in sys.modules])
"""
    command = [sys.executable, "-W", "error", "-c", program]
    assert subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout == "[]\n"


def test_importing_the_package_does_not_load_torch_before_a_name_needs_it() -> None:
    loaded = "print('torch' in sys.modules)"
    command = [sys.executable, "-c", f"import mnist_core, sys; {loaded}; mnist_core.ConvNet; {loaded}"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "False\nTrue\n"


def test_every_public_name_is_the_one_that_type_checkers_see() -> None:
    import mnist_core

    promised = {
        name.rpartition(".")[::2] for name in imported(PACKAGE / "__init__.py") if "mnist_core" in name
    }
    assert {name for _, name in promised} == set(mnist_core.__all__) <= set(dir(mnist_core))
    for module, name in promised:
        assert getattr(mnist_core, name) is getattr(import_module(module), name)
    with pytest.raises(AttributeError, match=r"module 'mnist_core' has no attribute 'tarin'"):
        mnist_core.tarin  # noqa: B018


def test_the_public_interface_is_there() -> None:
    import mnist_core

    promised = {"ConvNet", "Classifier", "Prediction", "TrainConfig", "train", "test", "fit"}
    assert (
        promised
        <= set(mnist_core.__all__)
        == {name for name in mnist_core.__all__ if hasattr(mnist_core, name)}
    )
