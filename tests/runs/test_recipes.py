"""How long a recipe takes here, and the script that repeats it."""

from __future__ import annotations

import pytest

from mnist_core.config import TrainConfig
from mnist_core.engine.events import Step
from mnist_core.runs.recipes import Pace, as_python


def test_the_estimate_learns_from_the_machine() -> None:
    pace = Pace()
    before = pace.seconds(TrainConfig())
    steps, digits = 1000, 32_000
    half = (digits * 2.2e-4 + steps * 2e-3) / 2
    pace.note(Step(steps, 3750, 1, digits, 32, 0.1, 0.5, half))
    assert pace.seconds(TrainConfig()) == pytest.approx(before / 2)


def test_the_python_script_of_a_recipe_rebuilds_that_recipe() -> None:
    config = TrainConfig(optimizer="sgd", learning_rate=0.05, epochs=1.0, activation="tanh")
    script = as_python(config)
    names: dict[str, object] = {}
    exec(compile(script[: script.index("train_data")], "script", "exec"), names)
    assert names["config"] == config
    compile(script, "script", "exec")
