"""What every test may use: where MNIST lies, what is skipped where it does not, and a place for runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from bars import WATCHED, Bars
from ports import free_port

from mnist_core.runs import Runs
from mnist_core.runs.limits import Limits

TESTS = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """Where tests run beside each other (`-n`), each and what it starts computes with one thread.

    Gradio looks for a port from one on that nobody has: it leaves a socket open for each that is taken.
    """
    os.environ["GRADIO_SERVER_PORT"] = str(free_port())  # which Gradio reads as it is imported
    if hasattr(config, "workerinput"):
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


def mnist_folder() -> Path | None:
    """The folder that holds MNIST as torchvision lays it out, or None."""
    folder = Path(os.environ.get("MNIST_DATA_DIR") or TESTS.parent / "data")
    return folder if (folder / "MNIST" / "raw").is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests in `e2e` last; skip those marked `mnist`, with a reason, where the files are not there.

    The browser that the tests in `e2e` share keeps an event loop running in this thread, in which
    `asyncio.run` is then refused.
    """
    items.sort(key=lambda item: "e2e" in item.path.relative_to(TESTS).parts)
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
