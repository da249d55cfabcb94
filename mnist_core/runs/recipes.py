"""A recipe as a short script, and the seconds it will take."""

from __future__ import annotations

from dataclasses import fields

from mnist_core.config import TrainConfig
from mnist_core.data import epoch_size
from mnist_core.engine.events import Step

# Seconds on two cores of an ordinary server, such as a free Space has; `Pace` corrects them by measurement.
_SECONDS_PER_DIGIT = 2.2e-4
_SECONDS_PER_STEP = 2.0e-3
_SECONDS_PER_TEST = 1.2  # of 10,000 digits


def changed(config: TrainConfig) -> dict[str, object]:
    """The fields in which a recipe differs from the book's."""
    return {
        entry.name: getattr(config, entry.name)
        for entry in fields(config)
        if getattr(config, entry.name) != entry.default
    }


def as_python(config: TrainConfig) -> str:
    """A script with `mnist_core` that repeats a run: the same losses, bit for bit on the same kind of
    machine."""
    arguments = "".join(f"    {name}={value!r},\n" for name, value in changed(config).items())
    recipe = f"TrainConfig(\n{arguments})" if arguments else "TrainConfig()"
    return f"""from mnist_core import Evaluation, Step, TrainConfig, fit, initial_model, load_data

config = {recipe}
train_data, test_data = load_data(config)
model = initial_model(config)
for event in fit(model, train_data, test_data, config):
    if isinstance(event, Step) and event.step % 10 == 0:
        print(f"step {{event.step}} of {{event.steps}}: loss {{event.loss:.6f}}")
    elif isinstance(event, Evaluation):
        print(f"test: loss {{event.loss:.4f}}, {{event.correct}} of {{event.n}} right")
"""


class Pace:
    """How fast this machine trains: an estimate at first, then measured in every run."""

    def __init__(self) -> None:
        self.factor = 1.0
        self.measured = False

    def note(self, last: Step) -> None:
        """Measure a run's pace from its last step, once it has trained for a second."""
        expected = last.seen * _SECONDS_PER_DIGIT + last.step * _SECONDS_PER_STEP
        if last.seconds > 1.0:
            self.factor, self.measured = last.seconds / expected, True

    def seconds(self, config: TrainConfig) -> float:
        """The seconds that a recipe will take, evaluations included."""
        digits = config.epochs * epoch_size(config)
        training = digits * _SECONDS_PER_DIGIT + digits / config.batch_size * _SECONDS_PER_STEP
        tests = max(1, int(config.epochs * config.evaluations_per_epoch))
        return self.factor * (training + tests * _SECONDS_PER_TEST)
