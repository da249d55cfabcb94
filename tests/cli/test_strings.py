"""`strings`: weights for the network that says how many digits ink is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mnist_core.__main__ import main
from mnist_core.cli import strings
from mnist_core.strings import StringReader


@pytest.mark.mnist
def test_the_command_writes_weights_that_can_be_loaded(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(strings, "HELD_OUT_PIECES", 200)
    real = strings.load_mnist
    monkeypatch.setattr(strings, "load_mnist", lambda *given, **how: real(*given, **how).subset(3300))
    out = tmp_path / "weights" / "strings.pt"
    flags = ["--pieces=600", "--epochs=1", "--seed=3", f"--data-dir={data_folder}", f"--out={out}"]
    assert main(["strings", *flags]) == 0
    assert f"Saved {out}" in capsys.readouterr().out
    (look,) = StringReader.load(out).look([np.full((20, 20), 255, np.uint8)])
    assert np.exp(look.lengths).sum() == pytest.approx(1)
