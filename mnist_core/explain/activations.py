"""What the network sees in a picture, and why it answers as it does.

Plain arguments in, plain arrays out, for a page as well as for a notebook. A picture is what `preprocess`
returns: uint8 (28, 28), 0 for paper and 255 for ink. A model is a `ConvNet`; it is read as it is when
testing, without dropout, whatever mode it is in, and left as it was.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mnist_core.config import check_number
from mnist_core.imaging.preprocess import normalise
from mnist_core.inference import check_picture, evaluating, finite, layer_values, undisturbed
from mnist_core.model import CLASSES, IMAGE_SIZE, POOL_SIZE, ConvNet

STEPS = 16  # points on the way from paper to picture; 32 changed no deletion curve in its third digit
_MOST_STEPS = 1000  # which are computed at once, in some 200 MB
_BATCH = 500  # pictures read at a time, to keep memory small


@dataclass(frozen=True)
class Layer:
    """One layer of the network on the way from a picture to an answer.

    Attributes:
        name: what `feature_maps` calls it.
        shape: of its output for one picture.
        parameters: how many it has.
        code: the lines of the program that compute it.
    """

    name: str
    shape: tuple[int, ...]
    parameters: int
    code: str


@dataclass(frozen=True)
class WorkedPixel:
    """One number of a feature map, worked out.

    Attributes:
        patch: what the kernel lies on: (channels, 3, 3) for a convolution, (1, 2, 2) for pooling.
        weights: the kernel, of the patch's shape; None for pooling, which has none.
        products: patch * weights; None for pooling.
        total: the sum of all products; for pooling, the largest of the patch.
        bias: added to the sum; 0 for pooling.
        before: total + bias.
        after: what stands in the feature map: `before` through the activation.
    """

    patch: np.ndarray
    weights: np.ndarray | None
    products: np.ndarray | None
    total: float
    bias: float
    before: float
    after: float


def layers(model: ConvNet) -> list[Layer]:
    """The network's layers in order, with the shapes they give, (1, 28, 28) to (10,), and their code.

    The code is that of `normalise` and of `ConvNet.forward` itself: every line of it, in its order, each with
    the layer that it belongs to.
    """
    maps = feature_maps(model, np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8))
    parameters = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    code = _code()
    return [Layer(name, values.shape, parameters.get(name, 0), code[name]) for name, values in maps.items()]


_BEGINS = {  # what stands in the first of a layer's lines of `ConvNet.forward`
    "cn1": "self.cn1(",
    "cn2": "self.cn2(",
    "pool": "F.max_pool2d(",
    "flat": "torch.flatten(",
    "fc1": "self.fc1(",
    "fc2": "self.fc2(",
    "log_probabilities": "F.log_softmax(",
}


@functools.cache
def _code() -> dict[str, str]:
    """The program's lines by layer, read once: a drawing's layers are asked for many times a second."""
    lines = {"picture": _body(normalise)}
    for line in _body(ConvNet.forward):
        begun = next((name for name, call in _BEGINS.items() if call in line), None)
        lines.setdefault(begun or next(reversed(lines)), []).append(line)
    return {name: "\n".join(of_layer) for name, of_layer in lines.items()}


def _body(function: Callable[..., object]) -> list[str]:
    """A function's lines as they stand in its file, without signature, docstring and comments."""
    source = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.FunctionDef)
    return [ast.get_source_segment(source, statement) or "" for statement in definition.body[1:]]


def feature_maps(model: ConvNet, picture: np.ndarray) -> dict[str, np.ndarray]:
    """What every layer makes of a picture, float32, after the activation where there is one.

    Returns:
        picture (1, 28, 28) normalised; cn1 (16, 26, 26); cn2 (32, 24, 24); pool (32, 12, 12); flat (4608,);
        fc1 (64,); fc2 (10,), the logits; log_probabilities (10,).

    Raises:
        ValueError: not a picture, or the network's answers are no numbers.
    """
    check_picture(picture)
    values = layer_values(model, picture[None])
    return {name: of_all[0].cpu().numpy() for name, of_all in values.items()}


def kernels(model: ConvNet, layer: str) -> np.ndarray:
    """A convolution's weights (outputs, inputs, 3, 3): (16, 1, 3, 3) for cn1, (32, 16, 3, 3) for cn2."""
    if layer not in ("cn1", "cn2"):
        raise ValueError(f"Only cn1 and cn2 have kernels; got {layer!r}.")
    weight: torch.Tensor = getattr(model, layer).weight
    return weight.detach().cpu().numpy().copy()


def worked_pixel(
    model: ConvNet, picture: np.ndarray, layer: str, index: int, row: int, column: int
) -> WorkedPixel:
    """How one number of a feature map came about.

    Args:
        layer: "cn1", "cn2" or "pool".
        index: which of its feature maps, from 0.
        row, column: which pixel of that map, from 0.

    Raises:
        ValueError: no such layer, map or pixel.
    """
    maps = feature_maps(model, picture)
    if layer not in ("cn1", "cn2", "pool"):
        raise ValueError(f"A pixel can be worked out in cn1, cn2 and pool; got {layer!r}.")
    if any(at not in range(size) for at, size in zip((index, row, column), maps[layer].shape, strict=True)):
        shape = "x".join(map(str, maps[layer].shape))
        raise ValueError(f"{layer} is {shape}; it has no map {index}, row {row}, column {column}.")
    after = float(maps[layer][index, row, column])
    if layer == "pool":
        top, left = row * POOL_SIZE, column * POOL_SIZE
        patch = maps["cn2"][index : index + 1, top : top + POOL_SIZE, left : left + POOL_SIZE]
        return WorkedPixel(patch, None, None, float(patch.max()), 0.0, float(patch.max()), after)
    weights = kernels(model, layer)[index]  # (inputs, 3, 3)
    size = weights.shape[-1]
    below = maps["picture" if layer == "cn1" else "cn1"]
    patch = below[:, row : row + size, column : column + size]
    products = patch * weights
    total, bias = float(products.sum(dtype=np.float64)), getattr(model, layer).bias[index].item()
    return WorkedPixel(patch, weights, products, total, bias, total + bias, after)


@undisturbed()
def ink_that_mattered(model: ConvNet, picture: np.ndarray, digit: int, steps: int = STEPS) -> np.ndarray:
    """How much each pixel's ink spoke for `digit` (positive) or against it (negative).

    Integrated gradients (Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", eq. 3)
    of the digit's log-probability, from blank paper to the picture, by the midpoint rule. The values add up
    to how much the picture raised the log-probability over blank paper, as nearly as `steps` allow.

    Args:
        digit: 0 to 9, the answer to be explained; the runner-up as well as the winner.
        steps: points on the way at which the gradient is taken.

    Returns:
        (28, 28) float32, in units of log-probability; 0 where there is no ink.

    Raises:
        ValueError: not a picture, no such digit, no steps, or the network's answers are no numbers.
    """
    check_picture(picture)
    digit = int(check_number("A digit", digit, 0, CLASSES - 1, whole=True))
    steps = int(check_number("steps", steps, 1, _MOST_STEPS, whole=True))
    paper, inked = _input(model, np.zeros_like(picture)), _input(model, picture)
    share = ((torch.arange(steps, device=inked.device, dtype=inked.dtype) + 0.5) / steps).reshape(-1, 1, 1, 1)
    with evaluating(model), torch.enable_grad():
        way = (paper + share * (inked - paper)).requires_grad_()  # (steps, 1, 28, 28)
        (slope,) = torch.autograd.grad(finite(model(way))[:, digit].sum(), way)
    return (slope.mean(dim=0) * (inked - paper)[0])[0].cpu().numpy()


@undisturbed()
def hidden(model: ConvNet, pictures: np.ndarray | torch.Tensor) -> np.ndarray:
    """Pictures uint8 (N, 28, 28) -> float32 (N, 64): what the last layer decides by."""
    parts = torch.as_tensor(pictures).split(_BATCH)
    return torch.cat([layer_values(model, part)["fc1"].cpu() for part in parts]).numpy()


def nearest_in(known: np.ndarray, point: np.ndarray, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """The pictures that the network finds most like another, by what `hidden` gives for them.

    Args:
        known: (N, 64), where to look.
        point: (64,), the other picture's.
        count: how many to return, as long as there are so many.

    Returns:
        Their indices, nearest first, int64 (count,), and their distances, float32 (count,).

    Raises:
        ValueError: a count below 1.
    """
    check_number("count", count, 1, sys.maxsize, whole=True)
    away = np.sqrt(np.square(known - point).sum(axis=1))
    indices = np.argsort(away, kind="stable")[:count]
    return indices, away[indices]


def _input(model: ConvNet, pictures: np.ndarray | torch.Tensor) -> torch.Tensor:
    """uint8 pictures (N, 28, 28) or (28, 28) -> float32 (N, 1, 28, 28), normalised, where the model is."""
    return normalise(pictures).to(model.cn1.weight.device)
