"""Short runs of `fit` on pictures that are made of noise and learnt at once."""

from __future__ import annotations

import torch
from torch import nn

from mnist_core.config import TrainConfig
from mnist_core.datasets.digits import Digits
from mnist_core.engine.events import Event, Step
from mnist_core.engine.setup import initial_model
from mnist_core.training import fit

TINY = TrainConfig(train_size=200, batch_size=16, epochs=1, test_batch_size=32, seed=3)


def digits(n: int, seed: int) -> Digits:
    """`n` pictures of noise in which row `label` is white."""
    chance = torch.Generator().manual_seed(seed)
    images = torch.randint(100, (n, 28, 28), dtype=torch.uint8, generator=chance)
    labels = torch.randint(10, (n,), generator=chance)
    images[torch.arange(n), 2 * labels + 4] = 255
    return Digits(images, labels)


LEARN, TEST = digits(200, 1), digits(70, 2)


def run(config: TrainConfig = TINY, model: nn.Module | None = None, learn: object = LEARN) -> list[Event]:
    return list(fit(model or initial_model(config), learn, TEST, config))


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]
