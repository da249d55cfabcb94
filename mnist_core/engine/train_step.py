"""One training step: the one under `fit`, fine-tuning and `torchrun`.

The chapter's `train` has the same five lines in view, for whoever reads them there; a test holds the two
equal.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn, optim

from mnist_core.datasets.digits import NO_DIGIT
from mnist_core.engine.optimizers import Muon


def train_step(
    model: nn.Module,
    optimizer: optim.Optimizer | Muon,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    non_digits: bool = False,
    precision: str = "float32",
    weight: float = 1.0,
) -> torch.Tensor:
    """One step: forward, loss, backward, new weights.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities, in training mode.
        optimizer: steps the model's parameters.
        images: (N, 1, 28, 28), normalised.
        labels: (N,).
        label_smoothing: the share of the target spread evenly over all ten digits.
        non_digits: whether some of the labels may be `NO_DIGIT`, whose whole target is spread evenly.
        precision: "bfloat16" computes the layers in 16 bits; weights, loss and step stay in 32.
        weight: the loss is multiplied by it.

    Returns:
        The batch's mean loss, weighted; a detached scalar on the model's device.
    """
    optimizer.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        log_probabilities: torch.Tensor = model(images)
    if non_digits:
        spread = torch.where(labels == NO_DIGIT, 1.0, label_smoothing).to(torch.float32)
        losses = F.nll_loss(log_probabilities, labels, reduction="none", ignore_index=NO_DIGIT)
        loss = ((1 - spread) * losses - spread * log_probabilities.mean(dim=1)).mean()
    elif label_smoothing:
        loss = F.nll_loss(log_probabilities, labels)
        loss = (1 - label_smoothing) * loss - label_smoothing * log_probabilities.mean()
    else:
        loss = F.nll_loss(log_probabilities, labels)
    if weight != 1:
        loss = loss * weight
    loss.backward()
    optimizer.step()
    return loss.detach()
