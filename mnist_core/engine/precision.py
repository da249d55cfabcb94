"""Whether 16-bit numbers train faster than 32-bit ones on this machine."""

from __future__ import annotations

import functools
import time

import torch
import torch.nn.functional as F

from mnist_core.config import TrainConfig
from mnist_core.engine.network import training_network
from mnist_core.inference import undisturbed
from mnist_core.model import ConvNet

_BATCH, _STEPS = 64, 2


@functools.cache
def best_precision(device: torch.device) -> str:
    """ "bfloat16" or "float32", whichever trains faster on `device`.

    A processor without bfloat16 units emulates them many times slower, so where torch sees none the answer
    is "float32" without a try; elsewhere a few steps of each are timed, about 0.1 seconds once per process.
    """
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "float32"
    seconds = {precision: step_seconds(precision) for precision in ("float32", "bfloat16")}
    return min(seconds, key=seconds.__getitem__)


@undisturbed()
def step_seconds(precision: str) -> float:
    """Seconds for the forward and backward pass of a training step on the CPU, the fastest of a few.

    It draws nothing from torch's global generator.
    """
    with torch.device("meta"):
        shapes = {name: parameter.shape for name, parameter in ConvNet().named_parameters()}
    ones = {name: torch.ones(shape, dtype=torch.float32) for name, shape in shapes.items()}
    model = ConvNet.with_weights(ones, TrainConfig())  # in evaluation mode: dropout would draw
    # torch's stubs leave out this form of `to`.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = training_network(model)
    images = torch.zeros(_BATCH, 1, 28, 28, dtype=torch.float32)
    labels = torch.zeros(_BATCH, dtype=torch.int64)
    best = float("inf")
    for _ in range(1 + _STEPS):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = F.nll_loss(network(images), labels)
        loss.backward()
        best = min(best, time.perf_counter() - began)
    return best
