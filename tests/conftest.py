"""What every test may use: where MNIST lies, what is skipped where it does not, and a place for runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bars import WATCHED, Bars

from mnist_core.runs import Runs
from mnist_core.runs.limits import Limits


def mnist_folder() -> Path | None:
    """The folder that holds MNIST as torchvision lays it out, or None."""
    folder = Path(os.environ.get("MNIST_DATA_DIR") or Path(__file__).resolve().parents[1] / "data")
    return folder if (folder / "MNIST" / "raw").is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `mnist`, with a reason, where the files are not there."""
    if mnist_folder() is None:
        missing = pytest.mark.skip(
            reason="MNIST is not here: set MNIST_DATA_DIR, or train once to download it"
        )
        for item in items:
            if item.get_closest_marker("mnist"):
                item.add_marker(missing)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Where MNIST lies; ask for it only in tests marked `mnist`."""
    folder = mnist_folder()
    if folder is None:
        pytest.skip("MNIST is not here: set MNIST_DATA_DIR, or train once to download it")
    return folder


@pytest.fixture
def make_runs() -> Iterator[Callable[..., Runs]]:
    """`make_runs(limits, folder=...)`: a registry on bars, closed afterwards."""
    made: list[Runs] = []

    def build(limits: Limits = WATCHED, **options: object) -> Runs:
        made.append(Runs(limits, digits=Bars(), device="cpu", **options))
        return made[-1]

    yield build
    for runs in made:
        runs.close()
