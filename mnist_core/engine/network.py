"""The network of a run: checked, and made faster to train, derived from `ConvNet.forward` itself."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from mnist_core.checkpoint import check_finite
from mnist_core.config import TrainConfig
from mnist_core.inference import predict
from mnist_core.model import CLASSES, IMAGE_SIZE, ConvNet


def check_network(model: Any) -> None:
    """Raise `ValueError` unless this is a network that can be trained: finite weights in 32 bits, some of
    them free to learn, and log-probabilities for answers."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"Expected a network to train; got {type(model).__name__}. initial_model gives one.")
    parameters = list(model.parameters())
    if any(each.is_meta or each.dtype != torch.float32 or each.is_inference() for each in parameters):
        raise ValueError(
            "A network to train must have float32 weights, made outside of torch.inference_mode; got "
            f"{', '.join(sorted({str(each.dtype) for each in parameters}))}. initial_model gives such a one."
        )
    if not any(each.requires_grad for each in parameters):
        raise ValueError("A network to train must have weights with requires_grad; got none: set it on some.")
    check_finite(dict(model.named_parameters()), "This network")
    _check_answer(model)


def _check_answer(model: nn.Module) -> None:
    """Have it read blank paper, which shows in an instant whether it gives what the loss is made for."""
    wanted = f"from pictures (N, 1, {IMAGE_SIZE}, {IMAGE_SIZE}) to log-probabilities (N, {CLASSES})"
    try:
        blank = torch.zeros(1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
        answer = predict(model, blank)  # (1, 10)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"A network to train must lead {wanted}; got: {error}. See ConvNet.") from error
    total = answer.exp().sum().item()
    if answer.shape != (1, CLASSES) or not math.isclose(total, 1, abs_tol=0.01):
        raise ValueError(
            f"A network to train must lead {wanted}; got {tuple(answer.shape)} whose exponentials add up to "
            f"{total:.3g}. End it with F.log_softmax(x, dim=1)."
        )


def training_network(model: nn.Module) -> nn.Module:
    """`model`, with max pooling moved before the activation that precedes it and its last line in float32.

    The activations are monotone: the largest of four values stays the largest, and a quarter of them is left
    to activate, which takes 0.15 instead of 0.6 ms of a step of 128 on one core. Where two of the four are
    equal after the activation and not before it (tanh and sigmoid, saturated), gradients take another way
    than the book's order gives. Under autocast the book's last line would give bfloat16.

    Args:
        model: a `ConvNet`; any other network comes back as it is.

    Returns:
        A network that shares the parameters and the dropout layers of `model`, with a training flag of its
        own: whoever switches modes sets both.
    """
    if type(model) is not ConvNet:
        return model
    return fx.GraphModule(model, _graph(model.activation, model.negative_slope))


@functools.cache
def _graph(activation: str, negative_slope: float) -> fx.Graph:
    """The lines of `ConvNet.forward` as a graph, pooling and activation exchanged."""
    with torch.device("meta"):
        model = ConvNet.from_config(TrainConfig(activation=activation, negative_slope=negative_slope))
    with TRACING:
        graph = _Tracer(model).trace(model)
    for node in list(graph.nodes):
        if node.target is F.max_pool2d:
            _exchange(node.args[0], node)
        elif node.target is F.log_softmax:
            node.kwargs = {**node.kwargs, "dtype": torch.float32}
    graph.lint()
    return graph


def _exchange(activation: fx.Node, pool: fx.Node) -> None:
    """Have pooling read what the activation reads, and the activation read what pooling gives."""
    pool.replace_all_uses_with(activation)
    pool.args = (activation.args[0], *pool.args[1:])
    activation.args = (pool, *activation.args[1:])
    activation.prepend(pool)


class _Tracer(fx.Tracer):
    """Follows one network. While it does, torch hands it the calls of all threads: others pass through."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._own = set(model.modules())

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if m not in self._own:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


TRACING = threading.Lock()  # two tracers at a time would restore each other's patches
