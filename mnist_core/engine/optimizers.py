"""Muon: steps in which every direction of a weight matrix counts equally (Jordan et al. 2024).

https://kellerjordan.github.io/posts/muon/. Unlike torch.optim.Muon, it runs the Newton-Schulz iteration on
each matrix's small Gram matrix: two large products per step, not ten, so that float32 is fast enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

import torch
from torch import nn, optim

from mnist_core.config import TrainConfig

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic polynomial, from Jordan's page
ITERATIONS = 5  # the same


class Muon:
    """Momentum whose every step is turned into the nearest matrix with singular values of about one.

    A weight (out, ...) is taken as a matrix (out, everything else), a bias (n,) as a matrix (1, n), whose one
    singular value is its length. Used like torch's optimizers, but not a subclass: a process's first one of
    those imports torch's compiler, for longer than half of the fast recipe takes.

    Args:
        parameters: contiguous in memory, or in channels-last format.
        lr: about the spectral norm of a step; of m rows and fewer columns, n, it is sqrt(m / n) times that.
        momentum: the decay of the running mean of gradients, in Nesterov's form.
        weight_decay: each step first shrinks the weights by a share of `lr * weight_decay`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), **options}]
        self._means: dict[nn.Parameter, torch.Tensor] = {}  # of gradients

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._change(parameter, parameter.grad, group)

    def _change(self, parameter: nn.Parameter, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        if parameter not in self._means:
            self._means[parameter] = torch.zeros_like(parameter)
        mean = self._means[parameter].lerp_(gradient, 1 - group["momentum"])
        wanted = torch.empty_like(parameter)  # laid out like it, whatever the gradient's layout
        wanted = _matrix(torch.lerp(gradient, mean, group["momentum"], out=wanted))
        weights, lr = _matrix(parameter), group["lr"]
        far = lr * max(1, len(wanted) / wanted.shape[1]) ** 0.5
        weights.addmm_(_straightener(wanted), wanted, beta=1 - lr * group["weight_decay"], alpha=-far)


def _matrix(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory as (rows, columns): rows by the first dimension, columns in memory order."""
    rows = len(tensor) if tensor.dim() > 1 else 1
    return tensor.as_strided((rows, tensor.numel() // rows), (tensor.numel() // rows, 1))


def _straightener(matrix: torch.Tensor) -> torch.Tensor:
    """(m, m) Q, such that Q @ matrix (m, n) has singular values of about one.

    Each iteration X <- (aI + bXX' + c(XX')^2) X only multiplies X from the left, so X itself is not needed:
    XX' alone is iterated, and the factors are collected. Zeros stay zeros.
    """
    a, b, c = COEFFICIENTS
    square = matrix @ matrix.T  # (m, m)
    size = square.trace().sqrt() + 1e-20  # the Frobenius norm, which no singular value exceeds
    collected = torch.eye(len(square), dtype=square.dtype, device=square.device) / size
    if len(square) == 1:
        return collected
    square = square / size**2
    for _ in range(ITERATIONS):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)
        factor.diagonal().add_(a)
        collected = factor @ collected
        square = factor @ square @ factor
    return collected


class _Common(TypedDict):
    """What every optimizer takes."""

    lr: float
    weight_decay: float


def make_optimizer(model: nn.Module, config: TrainConfig) -> optim.Optimizer | Muon:
    """The recipe's optimizer over all of the model's parameters."""
    common: _Common = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    parameters = model.parameters()
    match config.optimizer:
        case "sgd":
            return optim.SGD(parameters, **common)
        case "momentum":
            return optim.SGD(parameters, momentum=config.momentum, **common)
        case "adadelta":
            return optim.Adadelta(parameters, **common)
        case "adam":
            return optim.Adam(parameters, **common)
        case "muon":
            return Muon(parameters, **common)
        case _:
            return optim.AdamW(parameters, **common)
