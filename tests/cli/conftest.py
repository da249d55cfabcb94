"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_core import checkpoint, data
from mnist_core.cli.main import main
from mnist_core.config import TrainConfig
from mnist_core.engine import calibrate
from mnist_core.engine.setup import initial_model


@pytest.fixture(autouse=True)
def few_test_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthetic digits take their time."""
    monkeypatch.setattr(data, "SYNTHETIC_TEST_SIZE", 60)
    monkeypatch.setattr(calibrate, "CALIBRATION_DIGITS", 60)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Untrained weights in a file."""
    checkpoint.save(tmp_path / "w.pt", initial_model(TrainConfig()), {})
    return tmp_path / "w.pt"


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`refusal(status, *arguments)`: the one sentence on standard error with which a command ends so."""

    def refused(status: int, *arguments: str) -> str:
        assert main(list(arguments)) == status
        said = capsys.readouterr().err
        assert said.startswith("mnist_core: ") and said.endswith(".\n") and said.count("\n") == 1
        return said.removeprefix("mnist_core: ").rstrip("\n")

    return refused
