"""Batches for a run: of digits in memory, of a data set's items, or as a `DataLoader` gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from mnist_core.datasets.digits import as_tensors, batches, checked, collated, is_held
from mnist_core.inference import undisturbed

NO_DIGITS = "Expected digits to train or test with; got none. load_data gives some."

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
    non_digits: bool = False

    @property
    def samples(self) -> int:
        size, sampler = self.loader.batch_size, self.loader.sampler
        assert size is not None and isinstance(sampler, Sized)
        return size * len(self.loader) if self.loader.drop_last else len(sampler)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            images, labels = checked(batch, non_digits=self.non_digits)
            yield images.to(self.device), labels.to(self.device)


@dataclass(frozen=True)
class ItemBatches(Batches):
    """A data set that may make its items anew whenever they are read: each is read once in every pass.

    Attributes:
        size, generator: as of `MemoryBatches`.
    """

    data: Dataset[Any]
    size: int
    device: torch.device
    generator: torch.Generator | None = None
    non_digits: bool = False

    @property
    def samples(self) -> int:
        return len(self.data)  # type: ignore[arg-type]  # torch's type of a data set has no length

    def __len__(self) -> int:
        return -(-self.samples // self.size)

    def __iter__(self) -> Iterator[Batch]:
        n, generator = self.samples, self.generator
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)
        for which in order.split(self.size):
            items = [self.data[i] for i in which.tolist()]
            images, labels = collated(items, non_digits=self.non_digits)
            yield images.to(self.device), labels.to(self.device)


@undisturbed()
def batches_of(
    data: Any,
    size: int,
    device: torch.device,
    generator: torch.Generator | None = None,
    *,
    non_digits: bool = False,
) -> Batches:
    """The batches of whatever holds digits.

    Args:
        data: `Batches` or a `DataLoader`, used as they are; a data set, with its transforms; or what
            `as_tensors` takes.
        size: digits per batch; a loader's own counts instead.
        device: where they are wanted.
        generator: shuffles; a loader has its own order.
        non_digits: whether labels may be `NO_DIGIT`.

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
        found = LoaderBatches(data, device, non_digits)
    elif isinstance(data, Dataset) and hasattr(data, "__len__") and not is_held(data):
        found = ItemBatches(data, size, device, generator, non_digits)
    else:
        images, labels = as_tensors(data, non_digits=non_digits)
        found = MemoryBatches(images.to(device), labels.to(device), size, generator)
    check_some(len(found))
    return found


def check_some(n: int) -> None:
    """Raise `ValueError` if there are no digits."""
    if not n:
        raise ValueError(NO_DIGITS)
