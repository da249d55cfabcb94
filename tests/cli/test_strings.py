"""`strings`: weights for the network that says how many digits ink is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_core.__main__ import main
from mnist_core.cli import strings
from mnist_core.data import load_mnist
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.strings import Strings, draw_strings
from mnist_core.strings import StringReader


@pytest.mark.mnist
def test_the_command_writes_weights_that_can_be_loaded(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(strings, "HELD_OUT_PIECES", 200)
    real = strings.load_mnist
    monkeypatch.setattr(strings, "load_mnist", lambda *given, **how: real(*given, **how).subset(3300))
    drawn: list[tuple[int, Digits]] = []

    def draw(n: int, seed: int, mnist: Digits, **how: Any) -> Strings:
        drawn.append((seed, mnist))
        return draw_strings(n, seed, mnist, **how)

    monkeypatch.setattr(strings, "draw_strings", draw)
    out = tmp_path / "weights" / "strings.pt"
    flags = ["--pieces=600", "--epochs=1", "--seed=3", f"--data-dir={data_folder}", f"--out={out}"]
    assert main(["strings", *flags]) == 0
    assert f"Saved {out}" in capsys.readouterr().out
    lengths = StringReader.load(out).lengths([np.full((20, 20), 255, np.uint8)])
    assert np.exp(lengths).sum() == pytest.approx(1)
    (seed, known), (other_seed, unseen) = drawn  # the temperatures are fitted to digits of their own
    assert seed != other_seed and (len(known), len(unseen)) == (300, 3000)
    everything = load_mnist(data_folder, train=True).subset(3300)
    assert torch.equal(torch.cat([known.images, unseen.images]), everything.images)


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--pieces=127", "pieces must be a whole number from 128 to 10000000; got 127."),
        ("--epochs=nan", "epochs must be a number from 0.01 to 100; got nan."),
        ("--epochs=0", "epochs must be a number from 0.01 to 100; got 0.0."),
        ("--seed=-1", "seed must be a whole number from 0 to 2147483647; got -1."),
    ],
)
def test_a_flag_out_of_range_is_a_wrong_command_before_anything_is_drawn(
    flag: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal
) -> None:
    monkeypatch.setattr(strings, "load_mnist", lambda *_, **__: pytest.fail("it went on"))
    assert refusal(2, "strings", f"--out={tmp_path / 'strings.pt'}", flag) == says


@pytest.mark.parametrize("taken", ["a file among its folders", "a folder of its name"])
def test_weights_that_could_not_be_written_are_refused_before_anything_is_drawn(
    taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(strings, "load_mnist", lambda *_, **__: pytest.fail("it went on"))
    out = tmp_path / "taken" / "strings.pt"
    if taken == "a file among its folders":
        out.parent.write_text("")
        said = f"{out.parent} cannot be written (Not a directory)"
    else:
        out.mkdir(parents=True)
        said = f"{out} is a folder: name a file for the weights"
    assert main(["strings", f"--out={out}"]) == 1
    assert said in capsys.readouterr().err
