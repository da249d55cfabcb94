"""Two processes that train together lose what one loses alone."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import commands
import pytest
import torch
from commands import DRAWN, IMPORTABLE, ROOT, TORCHRUN

from mnist_core import data
from mnist_core.config import TrainConfig
from mnist_core.data import load_data
from mnist_core.datasets.digits import Digits
from mnist_core.engine.events import Evaluation, Step
from mnist_core.engine.setup import initial_model
from mnist_core.training import fit

# 501 digits in batches of 11: halves of 6 and 5, and a last batch of 6; 50 steps of SGD in float32.
CONFIG = TrainConfig(
    batch_size=11,
    epochs=1.08,
    optimizer="sgd",
    learning_rate=0.05,
    dropout1=0,
    dropout2=0,
    test_batch_size=25,
    threads=1,
)

PROGRAM = """
import glob, json, sys
from pathlib import Path
import torch
sys.path[:0] = [".", "tests/engine", "tests/helpers"]
from dataclasses import replace
from test_distributed import CONFIG, digits
from mnist_core.engine import distributed
from mnist_core import Evaluation, Step, initial_model

said = []
with distributed.together(torch.device("cpu")) as device:
    for freeze in (1.0, 0.5):
        config = replace(CONFIG, freeze=freeze)
        events = distributed.fit(initial_model(config), digits(501, 1), digits(133, 2), config, device)
        said.append([(e.loss, e.n, e.confusion.tolist()) if isinstance(e, Evaluation) else e.loss
                     for e in events if isinstance(e, (Evaluation, Step))])
    rank, writer = torch.distributed.get_rank(), distributed.is_writer()
threads = [Path(thread, "comm").read_text() for thread in glob.glob("/proc/self/task/*")]
outlive = [name for name in threads if "gloo" in name]
with open(f"{sys.argv[1]}/{rank}.json", "w") as file:
    json.dump({"rank": rank, "writer": writer, "said": said, "outlive": outlive}, file)
"""


def digits(n: int, seed: int) -> Digits:
    """`n` pictures of noise with labels that mean nothing."""
    chance = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (n, 28, 28), dtype=torch.uint8, generator=chance)
    return Digits(images, torch.randint(10, (n,), generator=chance))


def launch(*arguments: str) -> str:
    """What two processes under torchrun print."""
    command, environment = [*TORCHRUN, *arguments], os.environ | IMPORTABLE
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_lose_what_one_loses_and_test_every_digit_once(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    launch(str(tmp_path / "program.py"), str(tmp_path))
    lines = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    assert [(line["rank"], line["writer"]) for line in lines] == [(0, True), (1, False)]
    assert [line["outlive"] for line in lines] == [[], []]  # a thread that did would now and then abort
    assert lines[0]["said"] == lines[1]["said"]
    for freeze, said in zip((1.0, 0.5), lines[0]["said"], strict=True):
        config = replace(CONFIG, freeze=freeze)
        alone = list(fit(initial_model(config), digits(501, 1), digits(133, 2), config))
        shared_losses = [each for each in said if isinstance(each, float)]
        losses = [event.loss for event in alone if isinstance(event, Step)]
        assert len(losses) == 50
        assert shared_losses == pytest.approx(losses, rel=0, abs=1e-5)
        assert max(losses) - min(losses) > 0.1  # the weights did move

        tests = [event for event in alone if isinstance(event, Evaluation)]
        shared_tests = [each for each in said if not isinstance(each, float)]
        assert len(tests) == len(shared_tests) == 2
        for test, (loss, n, confusion) in zip(tests, shared_tests, strict=True):
            assert n == 133 and sum(map(sum, confusion)) == 133
            assert loss == pytest.approx(test.loss, rel=0, abs=1e-5)


def test_under_torchrun_the_command_line_trains_together_and_one_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, data="synthetic", train_size=320, batch_size=16, epochs=1, learning_rate=0.01)
    flags = [*DRAWN, "--epochs=1", "--optimizer=sgd", "--learning-rate=0.01", "--dropout1=0", "--dropout2=0"]
    (tmp_path / "program.py").write_text(commands.PROGRAM)
    said = launch(str(tmp_path / "program.py"), *flags, f"--out={tmp_path / 'run'}")
    monkeypatch.setattr(data, "SYNTHETIC_TEST_SIZE", 60)
    *steps, test, _ = fit(initial_model(config), *load_data(config), config)

    assert said.count("Test dataset: Overall Loss") == 1 and said.count("Wrote weights.pt") == 1
    rows = [row.split(",") for row in (tmp_path / "run" / "history.csv").read_text().splitlines()[1:]]
    assert len(rows) == 20
    assert [float(row[2]) for row in rows] == pytest.approx([step.loss for step in steps], rel=0, abs=1e-5)
    metadata = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert (metadata["n"], metadata["accuracy"]) == (60, pytest.approx(test.accuracy, abs=1e-3))
