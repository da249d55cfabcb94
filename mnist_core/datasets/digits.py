"""Digits in memory: images with their labels, and their batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from mnist_core.imaging.preprocess import MEAN, STD, normalise

NO_DIGIT = -1  # the label of what is not a digit


@dataclass(frozen=True)
class Digits:
    """Images of digits with their labels.

    Attributes:
        images: uint8 (N, 28, 28), 0 for paper and 255 for ink.
        labels: int64 (N,), 0 to 9, or `NO_DIGIT`.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
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

    def subset(self, which: int | torch.Tensor) -> Digits:
        """The first `which` digits, or those at indices `which`; this object itself if it is all of them."""
        if isinstance(which, int):
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


def as_tensors(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images float32 (N, 1, 28, 28) and labels int64 (N,) of any data set of digits.

    Takes `Digits`, torchvision's MNIST, a `TensorDataset` of images and labels, or any other data set whose
    items are an image (1, 28, 28) and a label.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(data, Digits):
        return data.normalised(), data.labels
    if torch.is_tensor(getattr(data, "data", None)) and torch.is_tensor(getattr(data, "targets", None)):
        digits = Digits(data.data, data.targets.to(torch.int64))
        return digits.normalised(), digits.labels
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and len(data) > 0:
        items = getattr(data, "tensors", None) or tuple(
            zip(*(data[i] for i in range(len(data))), strict=True)
        )
        if len(items) == 2 and torch.is_tensor(items[0][0]) and items[0][0].shape == (1, 28, 28):
            images = items[0] if torch.is_tensor(items[0]) else torch.stack(items[0])
            return images.to(torch.float32), torch.as_tensor(items[1], dtype=torch.int64)
    raise ValueError(
        "Digits to train or test with must be Digits, torchvision's MNIST, or a data set of normalised "
        f"pictures (1, 28, 28) with their labels; got {type(data).__name__}. load_data gives some."
    )


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
