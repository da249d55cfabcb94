"""Digits in memory: images with their labels, and their batches."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset, default_collate

from mnist_core.imaging.preprocess import MEAN, SIZE, STD, normalise
from mnist_core.model import CLASSES

NO_DIGIT = -1  # the label of what is not a digit
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True, eq=False)
class Digits:
    """Images of digits with their labels; also a data set whose items are a normalised image and a label.

    Attributes:
        images: uint8 (N, 28, 28), 0 for paper and 255 for ink.
        labels: int64 (N,), 0 to 9, or `NO_DIGIT`.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        for name, given in (("images", self.images), ("labels", self.labels)):
            if not torch.is_tensor(given):
                raise ValueError(
                    f"{name} must be a tensor; got {type(given).__name__}. torch.from_numpy makes one of an "
                    "array."
                )
        if self.images.dtype != torch.uint8 or self.images.dim() != 3 or self.images.shape[1:] != (28, 28):
            raise ValueError(
                f"images must be uint8 (N, 28, 28); got {self.images.dtype} {tuple(self.images.shape)}. Send "
                "pictures through mnist_core.imaging.preprocess first."
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 ({len(self.images)},), one for each picture; got {self.labels.dtype} "
                f"{tuple(self.labels.shape)}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        at = operator.index(index)
        return self.normalised()[at], int(self.labels[at])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digits):
            return NotImplemented
        return torch.equal(self.images, other.images) and torch.equal(self.labels, other.labels)

    def subset(self, which: int | torch.Tensor) -> Digits:
        """The first `which` digits, or those at indices `which`; this object itself if it is all of them."""
        if isinstance(which, int | np.integer):
            if not 1 <= which <= len(self):
                raise ValueError(f"A subset has from 1 to {len(self)} digits; {which} were asked for.")
            if which == len(self):
                return self
            return Digits(self.images[:which], self.labels[:which])
        return Digits(self.images[which], self.labels[which])

    def normalised(self) -> torch.Tensor:
        """float32 (N, 1, 28, 28), the network's input; computed once and kept."""
        return self._normalised

    @cached_property
    def _normalised(self) -> torch.Tensor:
        return normalise(self.images)


def as_tensors(data: Any, *, non_digits: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images float32 (N, 1, 28, 28) and labels int64 (N,) of any data set of digits.

    Takes `Digits`, torchvision's MNIST, a `TensorDataset` of images and labels, or any other data set whose
    items are an image (1, 28, 28) and a label. Transforms are applied, once to each item.

    Raises:
        ValueError: as `checked`, or for anything else.
    """
    if isinstance(data, Digits):
        return checked((data.normalised(), data.labels), non_digits=non_digits)
    if _is_untransformed(data):
        return as_tensors(Digits(data.data, data.targets.to(torch.int64)), non_digits=non_digits)
    if isinstance(data, TensorDataset):
        return checked(data.tensors, non_digits=non_digits)
    if not (hasattr(data, "__getitem__") and hasattr(data, "__len__")) or not len(data):
        raise ValueError(_unlike(data))
    try:
        items = [data[i] for i in range(len(data))]
    except (LookupError, TypeError) as error:
        raise ValueError(_unlike(data)) from error
    return collated(items, non_digits=non_digits)


def is_held(data: Any) -> bool:
    """Whether a data set holds its items as they are; others may make each of them anew when it is read."""
    return isinstance(data, Digits | TensorDataset | list | tuple) or _is_untransformed(data)


def _is_untransformed(data: Any) -> bool:
    """Whether this is one of torchvision's data sets, as MNIST is, and gives its tensors as they are."""
    transforms = (getattr(data, name, None) for name in ("transform", "target_transform"))
    tensors = (getattr(data, name, None) for name in ("data", "targets"))
    return all(map(torch.is_tensor, tensors)) and not any(transforms)


def collated(items: list[Any], *, non_digits: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Items of a data set, each an image and a label, as `checked` tensors."""
    try:
        batch = default_collate(items)
    except (TypeError, RuntimeError) as error:
        raise ValueError(_unlike(items[0])) from error
    return checked(batch, non_digits=non_digits)


def checked(batch: Any, *, non_digits: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Images float32 (N, 1, 28, 28) and labels int64 (N,), if this is a pair of normalised images and labels.

    Args:
        non_digits: whether a label may be `NO_DIGIT`.

    Raises:
        ValueError: not such a pair, images that are not normalised, or labels out of range.
    """
    if not (isinstance(batch, list | tuple) and len(batch) == 2 and all(map(torch.is_tensor, batch))):
        raise ValueError(_unlike(batch))
    images, labels = batch
    shaped = images.shape[1:] == (1, SIZE, SIZE) and labels.shape == images.shape[:1]
    if not (shaped and images.is_floating_point() and labels.dtype in _WHOLE):
        raise ValueError(_unlike(batch))
    if len(labels):
        _check_values(images, labels, NO_DIGIT if non_digits else 0)
    return images.to(torch.float32), labels.to(torch.int64)


def _check_values(images: torch.Tensor, labels: torch.Tensor, lowest: int) -> None:
    dark, light = (float(value) for value in images.aminmax())
    if not (math.isfinite(dark) and math.isfinite(light) and dark < 0):
        raise ValueError(
            f"Images to train or test with must be normalised, paper at {-MEAN / STD:.2f}; got values from "
            f"{dark:g} to {light:g}. Put transforms.Normalize(({MEAN},), ({STD},)) after ToTensor, or give "
            "Digits."
        )
    low, high = (int(value) for value in labels.aminmax())
    if low < lowest or high >= CLASSES:
        raise ValueError(
            f"Labels must be 0 to {CLASSES - 1}, or, in a recipe with non_digits, {NO_DIGIT} for no digit; "
            f"got {low} to {high}. Leave the others out."
        )


def _unlike(given: Any) -> str:
    return (
        f"Digits to train or test with must be pairs of normalised images, float32 (N, 1, {SIZE}, {SIZE}), "
        f"and labels, int64 (N,), or Digits, or torchvision's MNIST; got {_described(given)}. load_data "
        "gives some."
    )


def _described(given: Any) -> str:
    if torch.is_tensor(given):
        return f"{given.dtype} {tuple(given.shape)}"
    if isinstance(given, list | tuple) and 0 < len(given) < 4:
        return " and ".join(map(_described, given))
    return type(given).__name__


def batches(
    images: torch.Tensor, labels: torch.Tensor, size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One pass over all digits, `size` at a time; the last batch may be smaller.

    Args:
        images: (N, 1, 28, 28), on any device.
        labels: (N,), on the same.
        size: digits per batch.
        generator: shuffles them; without it they keep their order.

    Yields:
        Pictures (size, 1, 28, 28) and labels (size,).
    """
    if generator is None:
        yield from zip(images.split(size), labels.split(size), strict=True)
        return
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    for batch in order.split(size):
        yield images.index_select(0, batch), labels[batch]


def shift(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A batch (N, 1, 28, 28) shifted by up to one pixel, all its images alike; paper fills the edge."""
    down, right = (torch.randint(3, (2,), generator=generator) - 1).tolist()
    moved = torch.full_like(images, -MEAN / STD)
    height, width = images.shape[-2:]
    moved[..., max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        ..., max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved
