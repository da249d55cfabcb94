"""Calibration: a temperature, and the probability from which a guess is an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mnist_core.config import TrainConfig
from mnist_core.data import SYNTHETIC_TEST_SEED
from mnist_core.datasets import synthetic
from mnist_core.datasets.augment import vary
from mnist_core.datasets.digits import NO_DIGIT, Digits, as_tensors
from mnist_core.engine.batches import check_some
from mnist_core.imaging.preprocess import denormalise
from mnist_core.inference import Calibration, predict, undisturbed
from mnist_core.model import ConvNet

CALIBRATION_DIGITS = 4000  # of which the threshold refuses forty
REFUSED = 0.01  # share of digits that may be called "not sure", so that letters and scribbles are
_TEMPERATURES = tuple(0.3 * 1.05**step for step in range(-20, 60))  # 0.11 to 5.3; smoothed labels want < 0.5
_SEED = SYNTHETIC_TEST_SEED + 1  # neither a recipe's nor that of the test digits


@undisturbed()
def calibrate(model: ConvNet, digits: Digits, *, refused: float = REFUSED) -> Calibration:
    """The temperature at which `model` is right as often as it says, and a threshold that refuses few digits.

    Args:
        digits: pictures that the network was not trained on, and their labels; see `unseen_digits`.
        refused: the share of them that may be called "not sure".

    Raises:
        ValueError: no digits, or the network's answers are no numbers.
    """
    check_some(len(digits))
    log_probabilities = predict(model, digits.images)
    losses = [float(F.cross_entropy(log_probabilities / t, digits.labels)) for t in _TEMPERATURES]
    temperature = _TEMPERATURES[int(np.argmin(losses))]
    surest = (log_probabilities / temperature).softmax(1).amax(1)
    return Calibration(temperature=temperature, threshold=float(surest.quantile(refused)))


@undisturbed()
def unseen_digits(config: TrainConfig, train_data: Any) -> Digits:
    """`CALIBRATION_DIGITS` digits for a recipe's weights: neither trained on as they are, nor test digits.

    Synthetic where the recipe trains on such, else the last of MNIST's training digits, varied as
    handwriting varies.

    Args:
        train_data: the training digits, in any form that `as_tensors` takes; of fewer, all are taken.
    """
    if config.data != "mnist":
        return Digits(*synthetic.digits(CALIBRATION_DIGITS, _SEED))
    images, labels = as_tensors(train_data)
    last = (labels != NO_DIGIT).nonzero()[-CALIBRATION_DIGITS:, 0]
    varied = vary(images[last], torch.Generator().manual_seed(0), share=1.0)
    return Digits(denormalise(varied), labels[last])
