"""Fine-tuning: a few labelled drawings train a copy of the weights in seconds.

Every batch mixes some of the drawings, augmented, with three times as many digits that the network knows
already, against catastrophic forgetting ("rehearsal", Robins 1995, "Catastrophic forgetting, rehearsal and
pseudorehearsal").
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mnist_core.config import TrainConfig
from mnist_core.datasets.augment import vary
from mnist_core.datasets.digits import Digits, as_tensors
from mnist_core.engine.batches import Batch, Batches, batches_of
from mnist_core.engine.events import Step
from mnist_core.engine.loop import evaluate, follow
from mnist_core.engine.trainer import Trainer
from mnist_core.imaging.preprocess import normalise
from mnist_core.inference import predict
from mnist_core.model import ConvNet
from mnist_core.runs.run import Beginning, Events, Run

STEPS = 60
DRAWN, REHEARSED = 16, 48  # pictures per step
REHEARSAL = 10_000  # digits to rehearse with


def recipe(parent: TrainConfig | None, mnist_is_here: bool) -> TrainConfig:
    """The recipe: Adam at a low rate, on a network like the parent's; None for the built-in model's."""
    return replace(
        parent or TrainConfig(),
        data="mnist" if mnist_is_here else "synthetic",
        train_size=REHEARSAL,
        batch_size=DRAWN + REHEARSED,
        optimizer="adam",
        learning_rate=3e-4,
        weight_decay=0.0,
        schedule="constant",
        epochs=STEPS * (DRAWN + REHEARSED) / REHEARSAL,
        evaluations_per_epoch=1,
        augment="pen",
    )


def begin(
    run: Run,
    start: ConvNet,
    drawings: list[tuple[np.ndarray, int]],
    data: tuple[TensorDataset, TensorDataset],
    device: torch.device,
) -> Beginning:
    """A copy of `start` and the events of its fine-tuning; its gains are recorded in `run.result`.

    Args:
        drawings: images (28, 28) uint8 as `preprocess` makes them, each with its label.
        data: the digits to rehearse with, and those to test on; normalised.
    """
    model = copy.deepcopy(start).to(device).eval()
    pictures = torch.from_numpy(np.stack([picture for picture, _ in drawings]))  # (N, 28, 28) uint8
    labels = torch.tensor([digit for _, digit in drawings])
    as_tensors(Digits(pictures, labels), non_digits=False)  # or says what they lack
    generator = torch.Generator().manual_seed(run.config.seed)
    batches = MixedBatches(pictures, labels, data[0], device, generator)
    return model, _events(run, _FineTuner(model, run.config, device, batches), batches, data[1])


def _events(run: Run, trainer: Trainer, batches: MixedBatches, test: TensorDataset) -> Events:
    test_data = batches_of(test, run.config.test_batch_size, trainer.device)
    run.result["right_before"] = batches.right(trainer.model)
    evaluation = yield from evaluate(trainer, test_data, progress=True)
    trainer.change((yield evaluation))
    for event in follow(trainer, test_data, progress=True):
        if isinstance(event, Step) and event.step == event.steps:
            run.result["right_after"] = batches.right(trainer.model)
        trainer.change((yield event))


class _FineTuner(Trainer):
    """Takes the batches as they are, without dropout: so few steps need none."""

    dropout = False

    def augmented(self, images: torch.Tensor) -> torch.Tensor:
        """The images as they are: the drawings among them are augmented already."""
        return images


@dataclass(frozen=True)
class MixedBatches(Batches):
    """Batches of some of the drawings, augmented, and three times as many digits to rehearse with."""

    pictures: torch.Tensor  # (N, 28, 28) uint8
    labels: torch.Tensor  # (N,)
    rehearsal: TensorDataset
    device: torch.device
    generator: torch.Generator

    @property
    def samples(self) -> int:
        return REHEARSAL

    def __len__(self) -> int:
        return -(-self.samples // (DRAWN + REHEARSED))

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(len(self)):
            yield self._batch()

    def _batch(self) -> Batch:
        mine = torch.randint(len(self.labels), (DRAWN,), generator=self.generator)
        others = torch.randint(len(self.rehearsal), (REHEARSED,), generator=self.generator)
        known, known_labels = self.rehearsal.tensors
        varied = vary(normalise(self.pictures[mine]), self.generator)
        images = torch.cat([varied, known[others]])  # (64, 1, 28, 28)
        return images.to(self.device), torch.cat([self.labels[mine], known_labels[others]]).to(self.device)

    def right(self, model: nn.Module) -> int:
        """How many of the drawings the network recognises."""
        return int((predict(model, self.pictures).argmax(dim=1) == self.labels).sum())
