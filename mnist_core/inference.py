"""A network on pictures: its answers to many of them, and every layer's values for a few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mnist_core.imaging.preprocess import normalise
from mnist_core.model import POOL_SIZE, ConvNet

BATCH_SIZE = 16  # pictures; what these need fits a processor's cache, and twice as many a second are read

Pictures = np.ndarray | torch.Tensor


def predict(model: nn.Module, pictures: Pictures) -> torch.Tensor:
    """What a network says of pictures, without dropout, whatever mode it is in: float32 (N, 10) on the CPU.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities; left as it was.
        pictures: uint8 (N, 28, 28), or normalised float32 (N, 1, 28, 28).
    """
    with evaluating(model), torch.no_grad():
        return torch.cat([model(batch).cpu() for batch in _inputs(model, pictures).split(BATCH_SIZE)])


def layer_values(model: ConvNet, pictures: Pictures) -> dict[str, torch.Tensor]:
    """What every layer makes of pictures, without dropout: `ConvNet.forward`, layer by layer.

    Args:
        pictures: as `predict` takes them.

    Returns:
        float32 on the model's device, after the activation where there is one: picture (N, 1, 28, 28)
        normalised; cn1 (N, 16, 26, 26); cn2 (N, 32, 24, 24); pool (N, 32, 12, 12); flat (N, 4608);
        fc1 (N, 64); fc2 (N, 10), the logits; log_probabilities (N, 10).
    """
    with evaluating(model), torch.no_grad():
        values = {"picture": _inputs(model, pictures)}
        values["cn1"] = model.activate(model.cn1(values["picture"]))
        values["cn2"] = model.activate(model.cn2(values["cn1"]))
        values["pool"] = F.max_pool2d(values["cn2"], POOL_SIZE)
        values["flat"] = torch.flatten(values["pool"], 1)
        values["fc1"] = model.activate(model.fc1(values["flat"]))
        values["fc2"] = model.fc2(values["fc1"])
        values["log_probabilities"] = F.log_softmax(values["fc2"], dim=1)
    return values


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model without dropout, for as long as it lasts."""
    training = model.training
    if training:
        model.eval()
    try:
        yield
    finally:
        if training:
            model.train()


def _inputs(model: nn.Module, pictures: Pictures) -> torch.Tensor:
    """Pictures as the network wants them, float32 (N, 1, 28, 28), where it is."""
    inputs = torch.as_tensor(pictures)
    if inputs.dtype == torch.uint8:
        inputs = normalise(inputs)
    return inputs.to(next(model.parameters()).device)
