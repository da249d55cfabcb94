"""Events of training: steps, evaluations, the end."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from mnist_core.config import knobs


@dataclass(frozen=True)
class Step:
    """One step of training was taken.

    Attributes:
        step: its number, from 1.
        steps: how many the run will have.
        epoch: from 1.
        seen: samples seen since the run began, this step's included.
        size: samples in this step's batch.
        loss: the batch's mean loss, dropout on, before the step changed the weights.
        learning_rate: of this step.
        seconds: spent on training since the run began; evaluations and pauses do not count.
    """

    step: int
    steps: int
    epoch: int
    seen: int
    size: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Testing:
    """An evaluation has done `done` of its `n` test digits."""

    done: int
    n: int
    __test__ = False  # pytest takes a class of this name for a test


@dataclass(frozen=True)
class Evaluation:
    """An evaluation on all test digits is complete.

    Attributes:
        step: steps taken so far.
        epoch: the epoch of the last step.
        loss: summed over all test digits, then divided by their number.
        accuracy: from 0 to 1.
        correct: test digits classified correctly.
        n: all test digits.
        confusion: int64 (10, 10), how often the row's digit was read as the column's.
        seconds: this evaluation took.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    correct: int
    n: int
    confusion: torch.Tensor = field(repr=False, compare=False)
    seconds: float


@dataclass(frozen=True)
class Finished:
    """The run is over: its last step, the seconds spent on training, the last evaluation."""

    step: int
    seconds: float
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to change in a run under way, by `events.send(Change(...))`; None leaves a value as it is."""

    learning_rate: float | None = None
    momentum: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("learning_rate", self.learning_rate), ("momentum", self.momentum)):
            if value is not None:
                knobs()[name].check(name, value, 0.0)


Event = Step | Testing | Evaluation | Finished
