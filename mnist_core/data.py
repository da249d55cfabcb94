"""MNIST as the chapter loads it, and the same digits held in memory, which is faster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnist_core import synthetic
from mnist_core.augment import vary
from mnist_core.config import TrainConfig
from mnist_core.download import (
    Cancelled,
    DataError,
    DownloadCancelled,
    Progress,
    fetch,
    file_names,
    problem,
    raw_folder,
)
from mnist_core.preprocess import MEAN, STD, denormalise, normalise
from mnist_core.synthetic import Drawn

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

__all__ = [
    "FOLDER_VARIABLE",
    "NO_DIGIT",
    "DataError",
    "Digits",
    "DownloadCancelled",
    "as_tensors",
    "batches",
    "drawn_by_rule",
    "find_folder",
    "load_data",
    "load_mnist",
    "mnist_is_here",
    "mnist_loaders",
    "shift",
    "unseen_digits",
]

FOLDER_VARIABLE = "MNIST_DATA_DIR"
NO_DIGIT = -1  # the label of what is none
SYNTHETIC_TEST_SIZE = 10_000  # as many as MNIST's
_SYNTHETIC_TEST_SEED = 2**31  # outside the range of a recipe's seed, so the test digits are never trained on
_UNSEEN_SEED = _SYNTHETIC_TEST_SEED + 1  # nor are these, nor are they test digits


@dataclass(frozen=True)
class Digits:
    """Pictures of digits with their labels.

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
                "pictures through mnist_core.preprocess first."
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != torch.int64:
            raise ValueError(
                f"labels must be int64 ({len(self.images)},), one for each picture; got {self.labels.dtype} "
                f"{tuple(self.labels.shape)}."
            )

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, which: int | torch.Tensor) -> Digits:
        """The first `which` digits, or those at the indices `which`; all of them are the same object."""
        if isinstance(which, int):
            if not 1 <= which <= len(self):
                raise ValueError(f"A subset has from 1 to {len(self)} digits; {which} were asked for.")
            if which == len(self):
                return self
            return Digits(self.images[:which], self.labels[:which])
        return Digits(self.images[which], self.labels[which])

    def normalised(self) -> torch.Tensor:
        """float32 (N, 1, 28, 28), as the network wants them; computed once and kept."""
        return self._normalised

    @cached_property
    def _normalised(self) -> torch.Tensor:
        return normalise(self.images)


def find_folder(folder: str | Path | None = None) -> Path:
    """Where MNIST lies or will: `folder`, else $MNIST_DATA_DIR, else ./data."""
    return Path(folder or os.environ.get(FOLDER_VARIABLE) or "data")


def mnist_is_here(folder: str | Path | None = None) -> bool:
    """Whether all four files lie in the folder, by their sizes and headers. Downloads nothing."""
    raw = raw_folder(find_folder(folder))
    return all(problem(raw / name) is None for train in (True, False) for name in file_names(train))


def load_mnist(
    folder: str | Path | None = None,
    *,
    train: bool,
    download: bool = True,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Digits:
    """MNIST's 60,000 training or 10,000 test digits, downloaded first if they are missing or broken.

    Args:
        folder: where they lie, see `find_folder`.
        train: the training digits or the test digits.
        download: whether a missing file may be downloaded.
        progress: called during a download with the bytes that came and the bytes there are.
        cancelled: asked during a download; it ends soon after this says True.

    Raises:
        DataError: the files are missing or broken and could not be downloaded.
    """
    raw = raw_folder(find_folder(folder))
    names = file_names(train)
    if download and any(problem(raw / name) is not None for name in names):
        fetch(find_folder(folder), progress, cancelled)
    for name in names:
        wrong = problem(raw / name)
        if wrong is not None:
            raise DataError(
                f"{name} in {raw} {wrong}: let it be downloaded, or name the folder that holds MNIST with "
                f"--data-dir or {FOLDER_VARIABLE}."
            )
    images, labels = (np.fromfile(raw / name, np.uint8) for name in names)
    return Digits(
        torch.from_numpy(images[16:].reshape(-1, 28, 28)), torch.from_numpy(labels[8:].astype(np.int64))
    )


def load_data(
    config: TrainConfig,
    folder: str | Path | None = None,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    drawn: Drawn | None = None,
) -> tuple[Digits, Digits]:
    """The training and the test digits that a recipe asks for.

    "mnist" gives the first `train_size` training digits; "synthetic" as many drawn by rule, tested on others
    drawn by rule, so that nothing is downloaded; "both" gives as many of each, tested on MNIST. The
    recipe's `non_digits`, labelled `NO_DIGIT`, come on top. `drawn` is called after each of the
    `drawn_by_rule` drawings; what it raises ends the drawing of more.
    """
    parts = []
    if config.data != "mnist":
        parts.append(_synthetic(config.train_size, config.seed, drawn))
    if config.data == "synthetic":
        test_data = _synthetic(SYNTHETIC_TEST_SIZE, _SYNTHETIC_TEST_SEED, drawn)
    else:
        test_data = load_mnist(folder, train=False, progress=progress, cancelled=cancelled)
        train_data = load_mnist(folder, train=True, progress=progress, cancelled=cancelled)
        parts.append(train_data.subset(config.train_size))
    if config.non_digits:
        images = synthetic.non_digits(config.non_digits, config.seed, drawn)
        parts.append(Digits(images, torch.full((len(images),), NO_DIGIT)))
    if len(parts) == 1:
        return parts[0], test_data
    images, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    return Digits(images, labels), test_data


def drawn_by_rule(config: TrainConfig) -> int:
    """How many digits and signs `load_data` draws by rule for a recipe."""
    digits = config.train_size if config.data != "mnist" else 0
    return digits + (SYNTHETIC_TEST_SIZE if config.data == "synthetic" else 0) + config.non_digits


def unseen_digits(config: TrainConfig, train_data: Any, n: int) -> Digits:
    """`n` digits to calibrate a recipe's weights with: neither trained on as they are, nor test digits.

    Drawn by rule where the recipe learned from such, else the last of MNIST's training digits, varied as
    hands vary them.

    Args:
        train_data: the training digits that the last of MNIST's are taken from, in any form that `as_tensors`
            takes; as many come back as there are.
    """
    if config.data != "mnist":
        return _synthetic(n, _UNSEEN_SEED, None)
    images, labels = as_tensors(train_data)
    last = (labels != NO_DIGIT).nonzero()[-n:, 0]
    varied = vary(images[last], torch.Generator().manual_seed(0), share=1.0)
    return Digits(denormalise(varied), labels[last])


def _synthetic(n: int, seed: int, drawn: Drawn | None) -> Digits:
    return Digits(*synthetic.digits(n, seed, drawn))


def as_tensors(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised pictures float32 (N, 1, 28, 28) and labels int64 (N,) of whatever holds digits.

    Takes `Digits`, torchvision's MNIST, a `TensorDataset` of pictures and labels, any other data set whose
    items are a picture (1, 28, 28) and a label, or a `DataLoader` over one of these.

    Raises:
        ValueError: something else came.
    """
    data = getattr(data, "dataset", data) if hasattr(data, "batch_size") else data  # a DataLoader's
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
    images: torch.Tensor, labels: torch.Tensor, size: int, chance: torch.Generator | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One reading of all digits, `size` at a time; the last batch may be smaller.

    Args:
        images: (N, 1, 28, 28), on any device.
        labels: (N,), on the same.
        size: digits per batch.
        chance: shuffles them; without it they come in their own order.

    Yields:
        Pictures (size, 1, 28, 28) and labels (size,).
    """
    if chance is None:
        yield from zip(images.split(size), labels.split(size), strict=True)
        return
    order = torch.randperm(len(labels), generator=chance).to(labels.device)
    for batch in order.split(size):
        yield images.index_select(0, batch), labels[batch]


def shift(images: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """A batch (N, 1, 28, 28) moved by up to one pixel, all its pictures alike; paper comes in at the edge."""
    down, right = (torch.randint(3, (2,), generator=chance) - 1).tolist()
    moved = torch.full_like(images, -MEAN / STD)
    height, width = images.shape[-2:]
    moved[..., max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        ..., max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved


def mnist_loaders(config: TrainConfig, folder: str | Path | None = None) -> tuple[DataLoader, DataLoader]:
    """The chapter's two loaders, read picture by picture through torchvision.

    0.1302 and 0.3069 are `train_X.mean() / 256` and `train_X.std() / 256` over the training pixels.
    `ToTensor` divides by 255, for which they would be 0.1307 and 0.3081; the chapter's are kept, since its
    weights want them.

    Returns:
        Shuffled training batches of `config.batch_size` and test batches of `config.test_batch_size`, each a
        pair float32 (N, 1, 28, 28) and int64 (N,).

    Raises:
        DataError: MNIST is missing and could not be downloaded.
    """
    from torch.utils.data import DataLoader, Subset
    from torchvision import datasets, transforms

    root = find_folder(folder)
    for train in (True, False):
        load_mnist(root, train=train)  # downloads and checks
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    train_data = datasets.MNIST(root, train=True, transform=transform)
    test_data = datasets.MNIST(root, train=False, transform=transform)
    if config.train_size < len(train_data):
        train_data = Subset(train_data, range(config.train_size))
    return (
        DataLoader(train_data, batch_size=config.batch_size, shuffle=True),
        DataLoader(test_data, batch_size=config.test_batch_size, shuffle=False),
    )
