"""Batches for a run: of digits in memory, or as a `DataLoader` gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader

from mnist_core.datasets.digits import NO_DIGIT, as_tensors, batches
from mnist_core.model import CLASSES, IMAGE_SIZE

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches(ABC):
    """One pass over digits, again and again: pairs float32 (n, 1, 28, 28) and int64 (n,) on one device."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """Digits in a pass."""

    @abstractmethod
    def __len__(self) -> int:
        """Batches in a pass."""

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]:
        """One pass."""


@dataclass(frozen=True)
class MemoryBatches(Batches):
    """Digits on a device, `size` at a time; iterating is one pass over all of them.

    Attributes:
        images: float32 (N, 1, 28, 28), normalised.
        labels: int64 (N,).
        size: digits per batch; the last one may be smaller.
        generator: shuffles each pass anew; None keeps the order.
    """

    images: torch.Tensor
    labels: torch.Tensor
    size: int
    generator: torch.Generator | None = None

    @property
    def samples(self) -> int:
        return len(self.labels)

    def __len__(self) -> int:
        return -(-self.samples // self.size)

    def __iter__(self) -> Iterator[Batch]:
        return batches(self.images, self.labels, self.size, self.generator)


@dataclass(frozen=True)
class LoaderBatches(Batches):
    """What a `DataLoader` gives, as it gives it: its order, sampler, transforms and batch size."""

    loader: DataLoader[Any]
    device: torch.device

    @property
    def samples(self) -> int:
        size, sampler = self.loader.batch_size, self.loader.sampler
        assert size is not None and isinstance(sampler, Sized)
        return size * len(self.loader) if self.loader.drop_last else len(sampler)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            images, labels = _checked(batch)
            yield images.to(self.device), labels.to(self.device)


def batches_of(
    data: Any, size: int, device: torch.device, generator: torch.Generator | None = None
) -> Batches:
    """The batches of whatever holds digits.

    Args:
        data: `Batches` or a `DataLoader`, used as they are, or what `as_tensors` takes.
        size: digits per batch; a loader's own counts instead.
        device: where they are wanted.
        generator: shuffles; a loader has its own order.

    Raises:
        ValueError: something that holds no digits was given.
    """
    found: Batches
    if isinstance(data, Batches):
        found = data
    elif isinstance(data, DataLoader):
        if data.batch_size is None or not hasattr(data.sampler, "__len__"):
            raise ValueError(
                "A DataLoader to train or test with needs a batch_size and a data set of known length; got "
                "one without. Give it batch_size, or pass the data set itself."
            )
        found = LoaderBatches(data, device)
    else:
        images, labels = (tensor.to(device) for tensor in as_tensors(data))
        found = MemoryBatches(images, labels, size, generator)
    if not len(found):
        raise ValueError("Expected digits to train or test with; got none. load_data gives some.")
    return found


def _checked(batch: Any) -> Batch:
    """A loader's batch, if it is one of digits. Raises `ValueError`."""
    pair = isinstance(batch, list | tuple) and len(batch) == 2 and all(map(torch.is_tensor, batch))
    wanted = "float32 pictures (N, 1, 28, 28) and int64 labels (N,)"
    if not pair:
        raise ValueError(f"A DataLoader's batches must be pairs of {wanted}; got {type(batch).__name__}.")
    images, labels = batch
    shaped = images.shape[1:] == (1, IMAGE_SIZE, IMAGE_SIZE) and labels.shape == images.shape[:1]
    if not shaped or images.dtype != torch.float32 or labels.dtype != torch.int64:
        raise ValueError(
            f"A DataLoader's batches must be {wanted}; got {images.dtype} {tuple(images.shape)} and "
            f"{labels.dtype} {tuple(labels.shape)}. mnist_loaders gives such batches."
        )
    low, high = (int(label) for label in labels.aminmax())
    if low < NO_DIGIT or high >= CLASSES:
        raise ValueError(f"Labels must be 0 to 9 (or {NO_DIGIT} for no digit); got {low} to {high}.")
    return images, labels
