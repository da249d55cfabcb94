"""How long a recipe takes here, and the script that repeats it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_core.config import TrainConfig
from mnist_core.data import SYNTHETIC_TEST_SEED
from mnist_core.datasets import synthetic
from mnist_core.datasets.digits import Digits
from mnist_core.engine.events import Step
from mnist_core.engine.setup import initial_model
from mnist_core.runs.recipes import Pace, as_python
from mnist_core.training import fit

ROOT = Path(__file__).parents[2]


def test_the_estimate_learns_from_the_machine() -> None:
    pace = Pace()
    before = pace.seconds(TrainConfig())
    steps, digits = 1000, 32_000
    half = (digits * 2.2e-4 + steps * 2e-3) / 2
    pace.note(Step(steps, 3750, 1, digits, 32, 0.1, 0.5, half))
    assert pace.seconds(TrainConfig()) == pytest.approx(before / 2)


def test_the_estimate_counts_all_that_an_epoch_trains_on() -> None:
    pace, few = Pace(), TrainConfig(train_size=1000, epochs=10.0)
    plain, both = pace.seconds(few), pace.seconds(replace(few, data="both", non_digits=2000))
    tests = pace.seconds(replace(few, evaluations_per_epoch=2)) - plain
    assert both - tests == pytest.approx(5 * (plain - tests))


def test_the_python_script_of_a_recipe_rebuilds_that_recipe() -> None:
    config = TrainConfig(optimizer="sgd", learning_rate=0.05, epochs=1.0, activation="tanh")
    names: dict[str, object] = {}
    exec(as_python(config).split("\ntrain_data")[0], names)
    assert names["config"] == config


def test_the_python_script_of_a_recipe_repeats_its_run(tmp_path: Path) -> None:
    config = TrainConfig(data="synthetic", train_size=200, batch_size=10, epochs=1.0, threads=1, seed=3)
    program = f"import mnist_core.data\nmnist_core.data.SYNTHETIC_TEST_SIZE = 50\n{as_python(config)}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    train_data, (test_images, test_labels) = (
        Digits(*synthetic.digits(200, 3)),
        synthetic.digits(50, SYNTHETIC_TEST_SEED),
    )
    events = list(fit(initial_model(config), train_data, Digits(test_images, test_labels), config))
    steps = [event for event in events if isinstance(event, Step)]
    end = events[-1].evaluation
    assert done.stdout.splitlines() == [
        f"step 10 of 20: loss {steps[9].loss:.6f}",
        f"step 20 of 20: loss {steps[19].loss:.6f}",
        f"test: loss {end.loss:.4f}, {end.correct} of 50 right",
    ]
