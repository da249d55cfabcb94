"""Who may import whom, read from the sources themselves, and what an import of the package costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mnist_core"

# Each room of the package and the rooms it may enter; README.md says what lives in them. `chapter`,
# `runs` and `page` are packages: their parts may enter each other.
ROOMS = {
    "config": "",
    "components": "",
    "download": "",
    "glyphs": "",
    "memory": "",
    "muon": "",
    "visitor": "",
    "chapter": "",
    "photo": "components",
    "preprocess": "photo",
    "augment": "preprocess",
    "segment": "components preprocess",
    "synthetic": "glyphs preprocess",
    "model": "config",
    "events": "config",
    "precision": "config model",
    "data": "augment config download preprocess synthetic",
    "trainer": "augment config data events model muon",
    "training": "config data events memory model precision trainer",
    "distributed": "config data events model trainer training",
    "checkpoint": "config model",
    "classifier": "checkpoint data model preprocess segment",
    "edit": "model preprocess",
    "explain": "config data model preprocess",
    "history": "config events",
    "plots": "events history",
    "runs": (
        "augment checkpoint classifier config data events history memory model preprocess synthetic trainer "
        "training"
    ),
    "trials": "classifier config data events memory model preprocess trainer training",
    "benchmark": (
        "checkpoint classifier config data events model precision preprocess training trials visitor"
    ),
    "__init__": "checkpoint classifier config data model training",
    "__main__": (
        "benchmark checkpoint classifier config data distributed events history model plots training"
    ),
    "page": "chapter classifier config data edit explain memory model preprocess runs synthetic",
}
# Packages that take their time to import, and the only files that may ask for them.
HEAVY = {
    "gradio": ("app.py", "mnist_core/page/"),
    "matplotlib": ("mnist_core/plots.py",),
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


def room(path: Path) -> str:
    """The room a file of the package belongs to: the module, or for a subpackage its first name."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def entered(path: Path) -> set[str]:
    """The rooms that a file enters, other than its own."""
    inside = {name.split(".")[1] for name in imported(path) if name.startswith("mnist_core.")}
    rooms = {name if name in ROOMS else "__init__" for name in inside}
    return rooms - {room(path)} if path != ROOT / "app.py" else rooms


@pytest.mark.parametrize("path", SOURCES[1:], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_enters_only_the_rooms_it_may(path: Path) -> None:
    assert room(path) in ROOMS, f"say in ROOMS which rooms {room(path)} may enter"
    assert entered(path) <= set(ROOMS[room(path)].split())


def test_the_table_has_no_room_that_is_not_there_and_no_circle() -> None:
    assert {room(path) for path in SOURCES[1:]} == set(ROOMS)
    open_rooms = {name: set(allowed.split()) for name, allowed in ROOMS.items()}
    while free := {name for name, allowed in open_rooms.items() if not allowed & set(open_rooms)}:
        open_rooms = {name: allowed for name, allowed in open_rooms.items() if name not in free}
    assert not open_rooms, f"a circle among {sorted(open_rooms)}"


def test_the_app_enters_the_package_by_the_page() -> None:
    assert entered(ROOT / "app.py") <= {"page"}


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


def test_the_public_interface_is_there() -> None:
    import mnist_core

    promised = {"ConvNet", "Classifier", "Prediction", "TrainConfig", "train", "test", "fit"}
    assert (
        promised
        <= set(mnist_core.__all__)
        == {name for name in mnist_core.__all__ if hasattr(mnist_core, name)}
    )
