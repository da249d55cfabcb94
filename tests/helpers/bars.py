"""Runs on tiny digits, for tests of what surrounds a training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.utils.data import TensorDataset

from mnist_core.config import TrainConfig
from mnist_core.datasets.digits import Digits
from mnist_core.datasets.synthetic import Drawn
from mnist_core.engine.events import Step
from mnist_core.engine.setup import initial_model
from mnist_core.imaging.preprocess import normalise
from mnist_core.runs.limits import Limits
from mnist_core.runs.run import Run
from mnist_core.runs.store import DigitStore
from mnist_core.training import fit

ANNE, BEN = "a" * 64, "b" * 64
TINY = TrainConfig(train_size=100, batch_size=10, epochs=3, threads=1)  # 30 steps, 3 evaluations
LONG = replace(TINY, epochs=100)
WATCHED = Limits(unwatched_seconds=math.inf)


def bars(n: int) -> Digits:
    """Digits that are easy to tell apart: a bar whose height is the label."""
    labels = torch.arange(n) % 10
    images = torch.zeros(n, 28, 28, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * label : 7 + 2 * label, 5:23] = 255
    return Digits(images, labels)


class Bars(DigitStore):
    """A store with 100 bars to learn from and 50 to test on; `broken` is raised instead, if there is one."""

    broken: Exception | None = None

    def here(self) -> bool:
        return True

    def warm_up(self) -> None:
        """Nothing: bars are there at once."""

    def get(self, config: TrainConfig, drawn: Drawn | None = None) -> tuple[TensorDataset, TensorDataset]:
        if self.broken is not None:
            raise self.broken
        return tuple(TensorDataset(normalise(d.images), d.labels) for d in (bars(100), bars(50)))

    def test(self, config: TrainConfig) -> TensorDataset:
        return self.get(config)[1]

    def unseen(self, config: TrainConfig) -> Digits:
        return bars(50)


def until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def losses(run: Run) -> list[float]:
    return [row[2] for row in run.history.losses.rows()]


def alone(config: TrainConfig) -> list[float]:
    """The losses of an uninterrupted run, without any registry."""
    train, test = Bars().get(config)
    return [e.loss for e in fit(initial_model(config), train, test, config) if isinstance(e, Step)]


def done_some(run: Run, steps: int = 3) -> Callable[[], bool]:
    return lambda: run.history.last is not None and run.history.last.step >= steps
