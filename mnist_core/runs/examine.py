"""What a network gets wrong on the test digits: its confusion matrix and its most confident mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import TensorDataset

from mnist_core.answers import as_values, sureness
from mnist_core.classifier import Classifier
from mnist_core.imaging.preprocess import denormalise
from mnist_core.inference import Calibration, predict
from mnist_core.model import CLASSES

WORST = 24  # mistakes shown


@dataclass(frozen=True)
class Mistake:
    """A misclassified test digit.

    Attributes:
        index: among the test digits.
        picture: (28, 28) uint8, as the network saw it.
        truth: its label.
        said: what is read in the picture anywhere on the page: digits, or a question mark.
        confidence: the probability of the likeliest digit, from 0 to 1; of several, the least sure one's.
    """

    index: int
    picture: np.ndarray
    truth: int
    said: str
    confidence: float


@dataclass(frozen=True)
class Examination:
    """One snapshot of weights, evaluated on all test digits.

    Attributes:
        step: of the snapshot.
        calibration: with which it was read; None while it has none.
        confusion: int64 (10, 10), how often the row's digit was read as the column's.
        mistakes: how many there are.
        worst: the most confident of these, most confident first.
    """

    step: int
    calibration: Calibration | None
    confusion: torch.Tensor
    mistakes: int
    worst: list[Mistake]

    @property
    def n(self) -> int:
        """Number of test digits."""
        return int(self.confusion.sum())


def examine(
    classifier: Classifier, test: TensorDataset, step: int, calibration: Calibration | None
) -> Examination:
    """Predict all test digits, normalised pictures and labels; read the worst mistakes as the page does."""
    images, labels = test.tensors
    probabilities = predict(classifier.model, images).exp()  # (N, 10)
    sure, said = probabilities.max(dim=1)
    cells = torch.bincount(labels * CLASSES + said, minlength=CLASSES * CLASSES)
    wrong = (said != labels).nonzero().squeeze(1)
    worst = wrong[sure[wrong].argsort(descending=True)[:WORST]]
    pictures = denormalise(images[worst]).numpy()
    found = []
    for i, picture in zip(worst.tolist(), pictures, strict=True):
        values = as_values(classifier.read(picture))
        found.append(Mistake(i, picture, int(labels[i]), values["number"] or "?", sureness(values)))
    # As the page reads them some are less sure, and a few may be right.
    shown = sorted(
        (each for each in found if each.said != str(each.truth)), key=lambda each: -each.confidence
    )
    return Examination(step, calibration, cells.reshape(CLASSES, CLASSES), len(wrong), shown)
