"""A network on pictures: its answers, and the values of every layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from mnist_core.config import check_number
from mnist_core.imaging.preprocess import SIZE, normalise
from mnist_core.model import POOL_SIZE, ConvNet

BATCH_SIZE = 16  # pictures; what so few need fits a processor's cache, which doubles the speed

Pictures = np.ndarray | torch.Tensor


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the caller's autocast, inference mode and default device from changing what is computed.

    Only those that are on are switched off: each switch slows down every call of torch.
    """
    with ExitStack() as modes:
        for device in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(device):
                modes.enter_context(torch.autocast(device, enabled=False))
        if torch.is_inference_mode_enabled():
            modes.enter_context(torch.inference_mode(False))
        if torch.empty(0).device.type != "cpu":  # quicker than torch.get_default_device
            modes.enter_context(torch.device("cpu"))
        yield


@undisturbed()
def predict(model: nn.Module, pictures: Pictures) -> torch.Tensor:
    """A network's log-probabilities for pictures, without dropout: float32 (N, 10) on the CPU.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities; in any mode, and left in it.
        pictures: uint8 (N, 28, 28), or normalised float32 (N, 1, 28, 28).

    Raises:
        ValueError: not such pictures, or the log-probabilities are no finite numbers.
    """
    with evaluating(model), torch.no_grad():
        batches = _inputs(model, pictures).split(BATCH_SIZE)
        return finite(torch.cat([model(batch).to("cpu", torch.float32) for batch in batches]))


@undisturbed()
def layer_values(model: ConvNet, pictures: Pictures) -> dict[str, torch.Tensor]:
    """Every layer's output for pictures, without dropout: `ConvNet.forward`, layer by layer.

    Args:
        pictures: as `predict` takes them.

    Returns:
        float32 on the model's device, after the activation where there is one: picture (N, 1, 28, 28)
        normalised; cn1 (N, 16, 26, 26); cn2 (N, 32, 24, 24); pool (N, 32, 12, 12); flat (N, 4608);
        fc1 (N, 64); fc2 (N, 10), the logits; log_probabilities (N, 10).

    Raises:
        ValueError: as `predict`.
    """
    with evaluating(model), torch.no_grad():
        values = {"picture": _inputs(model, pictures)}
        values["cn1"] = model.activate(model.cn1(values["picture"]))
        values["cn2"] = model.activate(model.cn2(values["cn1"]))
        values["pool"] = F.max_pool2d(values["cn2"], POOL_SIZE)
        values["flat"] = torch.flatten(values["pool"], 1)
        values["fc1"] = model.activate(model.fc1(values["flat"]))
        values["fc2"] = model.fc2(values["fc1"])
        values["log_probabilities"] = finite(F.log_softmax(values["fc2"], dim=1))
    return values


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Keep the whole model in evaluation mode meanwhile; each of its modules then has its own mode again."""
    training = [module for module in model.modules() if module.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How log-probabilities become an answer, or "not sure".

    Attributes:
        temperature: the logits are divided by it before the softmax (Guo et al. 2017, "On calibration of
            modern neural networks").
        threshold: the probability, at that temperature, from which a guess is an answer.

    Raises:
        ValueError: a value that is no number or out of range.
    """

    temperature: float = 1.0
    threshold: float = 0.5

    def __post_init__(self) -> None:
        for name, low, high in (("temperature", 0.01, 100), ("threshold", 0, 1)):
            object.__setattr__(self, name, check_number(name, getattr(self, name), low, high))

    @classmethod
    def from_dict(cls, values: Any) -> Calibration:
        """The calibration that `dataclasses.asdict` wrote. Raises `ValueError` for anything else."""
        if not isinstance(values, dict) or set(values) != {"temperature", "threshold"}:
            raise ValueError(f"expected a dict with temperature and threshold; got {values!r:.80}.")
        return cls(**values)


def tempered(log_probabilities: np.ndarray, temperature: float) -> NDArray[np.float64]:
    """(..., 10) log-probabilities at a temperature (Guo et al. 2017), in float64."""
    scaled: NDArray[np.float64] = log_probabilities.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    total: NDArray[np.float64] = np.exp(scaled).sum(axis=-1, keepdims=True)
    return scaled - np.log(total)


def check_picture(picture: Any) -> None:
    """Raise `ValueError` unless this is one picture as `preprocess` gives it."""
    if _kind(picture) != ("uint8", (SIZE, SIZE)):
        raise ValueError(_unlike(f"a picture, uint8 {(SIZE, SIZE)}", picture))


def _inputs(model: nn.Module, pictures: Pictures) -> torch.Tensor:
    """Pictures as the network's input, (N, 1, 28, 28), on its device and in its floating-point type."""
    dtype, shape = _kind(pictures)
    grey = dtype == "uint8" and shape[1:] == (SIZE, SIZE)
    if not grey and not ("float" in dtype and shape[1:] == (1, SIZE, SIZE)):
        raise ValueError(
            _unlike(f"pictures, uint8 (N, {SIZE}, {SIZE}) or normalised (N, 1, {SIZE}, {SIZE})", pictures)
        )
    first = next(model.parameters())
    inputs = normalise(pictures) if grey else torch.as_tensor(pictures)
    return inputs.to(first.device, first.dtype)


def _kind(pictures: Any) -> tuple[str, tuple[int, ...]]:
    """An array's or a tensor's dtype and shape; of anything else its type, and ()."""
    if isinstance(pictures, np.ndarray | torch.Tensor):
        return str(pictures.dtype).removeprefix("torch."), tuple(pictures.shape)
    return type(pictures).__name__, ()


def _unlike(expected: str, pictures: Any) -> str:
    dtype, shape = _kind(pictures)
    return (
        f"Expected {expected}; got {dtype} {shape or ''}".rstrip()
        + ". mnist_core.imaging.preprocess.preprocess makes such pictures of any others."
    )


def finite(log_probabilities: torch.Tensor) -> torch.Tensor:
    """The same (N, 10), checked: weights that have diverged give no numbers.

    Raises:
        ValueError: they are not finite.
    """
    if not math.isfinite(log_probabilities.amax(dim=1).sum().item()):
        raise ValueError(
            "The network's answers are no finite numbers, because its weights have diverged: load others, or "
            "train again at a lower learning rate."
        )
    return log_probabilities


def device_named(name: str | torch.device) -> torch.device:
    """The device called `name`. Raises `ValueError` if torch or this machine has none of that name."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # nothing comes back from "meta"
    except (RuntimeError, AssertionError, ImportError, TypeError) as error:
        raise ValueError(f"There is no device {name!r} here; use cpu, cuda or mps.") from error
    return device
