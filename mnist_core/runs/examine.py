"""What a network gets wrong on the test digits: which it takes for which, and its worst mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import TensorDataset

from mnist_core.imaging.preprocess import denormalise
from mnist_core.inference import predict
from mnist_core.model import CLASSES, ConvNet

WORST = 24  # mistakes shown


@dataclass(frozen=True)
class Mistake:
    """A test digit that was taken for another.

    Attributes:
        index: among the test digits.
        picture: (28, 28) uint8, as the network saw it.
        truth: its label.
        said: what the network took it for.
        confidence: the probability it gave that, from 0 to 1.
    """

    index: int
    picture: np.ndarray
    truth: int
    said: int
    confidence: float


@dataclass(frozen=True)
class Examination:
    """All test digits read by one snapshot of weights.

    Attributes:
        step: of the snapshot.
        confusion: int64 (10, 10), how often the row's digit was taken for the column's.
        mistakes: how many there are.
        worst: of these, those it was surest of, surest first.
    """

    step: int
    confusion: torch.Tensor
    mistakes: int
    worst: list[Mistake]

    @property
    def n(self) -> int:
        """Digits that were read."""
        return int(self.confusion.sum())


def examine(model: ConvNet, test: TensorDataset, step: int) -> Examination:
    """Predict all test digits, normalised pictures and labels."""
    images, labels = test.tensors
    probabilities = predict(model, images).exp()  # (N, 10)
    sure, said = probabilities.max(dim=1)
    cells = torch.bincount(labels * CLASSES + said, minlength=CLASSES * CLASSES)
    wrong = (said != labels).nonzero().squeeze(1)
    worst = wrong[sure[wrong].argsort(descending=True)[:WORST]]
    pictures = denormalise(images[worst]).numpy()
    found = [
        Mistake(i, picture, int(labels[i]), int(said[i]), float(sure[i]))
        for i, picture in zip(worst.tolist(), pictures, strict=True)
    ]
    return Examination(step, cells.reshape(CLASSES, CLASSES), len(wrong), found)
