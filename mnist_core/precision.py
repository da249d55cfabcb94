"""Whether 16-bit numbers train faster than 32-bit ones on this machine."""

from __future__ import annotations

import functools
import time

import torch
import torch.nn.functional as F

from mnist_core.model import ConvNet

_BATCH, _STEPS = 128, 3


@functools.cache
def best_precision(device: torch.device) -> str:
    """ "bfloat16" or "float32", whichever trains faster on `device`.

    A processor without units for 16-bit numbers imitates them many times slower, so where torch sees no such
    units the answer is "float32" untried; elsewhere a few steps of each are measured, about 0.1 seconds once
    a process.
    """
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "float32"
    seconds = {precision: _seconds(precision) for precision in ("float32", "bfloat16")}
    return min(seconds, key=seconds.__getitem__)


def _seconds(precision: str) -> float:
    """The fastest of a few training steps."""
    with torch.device("meta"):  # draws no weights, so torch's global generator stays as it is
        model = ConvNet()
    model = model.to_empty(device="cpu").to(memory_format=torch.channels_last)
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter)
    images, labels = torch.zeros(_BATCH, 1, 28, 28), torch.zeros(_BATCH, dtype=torch.int64)
    best = float("inf")
    model.eval()  # dropout would draw from everyone's generator
    for _ in range(1 + _STEPS):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = F.nll_loss(model(images), labels)
        loss.backward()
        best = min(best, time.perf_counter() - began)
    return best
