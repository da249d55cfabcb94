"""MNIST as the chapter loads it, and the same digits held in memory, which is faster."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnist_core.config import TrainConfig, check_recipe
from mnist_core.datasets import synthetic
from mnist_core.datasets.digits import NO_DIGIT, Digits
from mnist_core.datasets.download import (
    FOLDER_VARIABLE,
    Cancelled,
    DataError,
    ForeignDataWarning,
    Progress,
    fetch,
    file_names,
    find_folder,
    foreign_notice,
    problem,
    raw_folder,
)
from mnist_core.datasets.synthetic import Drawn
from mnist_core.imaging.preprocess import MEAN, STD

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

SYNTHETIC_PER_MNIST = 2  # digits, where a recipe asks for both: people write in more ways than MNIST shows
SYNTHETIC_TEST_SIZE = 10_000  # as many as MNIST's
SYNTHETIC_TEST_SEED = 2**31  # outside the range of a recipe's seed, so the test digits are never trained on


def mnist_loaders(
    config: TrainConfig, folder: str | Path | None = None
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """The chapter's two loaders, read picture by picture through torchvision.

    0.1302 and 0.3069 are `train_X.mean() / 256` and `train_X.std() / 256` over the training pixels.
    `ToTensor` divides by 255, for which they would be 0.1307 and 0.3081; the chapter's are kept, since
    weights trained with them expect them.

    Returns:
        Shuffled training batches of `config.batch_size` and test batches of `config.test_batch_size`, each a
        pair float32 (N, 1, 28, 28) and int64 (N,).

    Raises:
        ValueError: the recipe asks for other digits than MNIST's, or for varied ones.
        DataError: MNIST is missing and could not be downloaded.
    """
    check_recipe(config)
    config.check_has("mnist_loaders", data="mnist", non_digits=0, augment="none")
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


def load_mnist(
    folder: str | Path | None = None,
    *,
    train: bool,
    download: bool = True,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Digits:
    """MNIST's 60,000 training or 10,000 test digits, downloaded first if they are missing or broken.

    Files of MNIST's shape that hold something else are taken with a `ForeignDataWarning`.

    Args:
        folder: where they lie, see `find_folder`.
        train: the training digits or the test digits.
        download: whether a missing file may be downloaded.
        progress: called during a download with the bytes so far and in all.
        cancelled: asked during a download, which ends soon after it returns True.

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
    notice = foreign_notice(folder, names)
    if notice is not None:
        warnings.warn(notice, ForeignDataWarning, stacklevel=2)
    images, labels = (np.fromfile(raw / name, np.uint8) for name in names)
    return Digits(
        torch.from_numpy(images[16:].reshape(-1, 28, 28)), torch.from_numpy(labels[8:].astype(np.int64))
    )


def load_data(
    config: TrainConfig,
    folder: str | Path | None = None,
    *,
    progress: Progress | None = None,
    drawn: Drawn | None = None,
) -> tuple[Digits, Digits]:
    """The training and the test digits that a recipe asks for.

    "mnist" gives the first `train_size` training digits; "synthetic" as many synthetic ones, tested on others
    of their kind, so that nothing is downloaded; "both" gives MNIST's and twice as many synthetic ones,
    tested on MNIST. The recipe's `non_digits`, labelled `NO_DIGIT`, are added. `drawn` is called after each
    of the `synthetic_count` drawings; what it raises ends the drawing.

    Raises:
        ValueError: not a recipe.
        DataError: as `load_mnist`.
    """
    check_recipe(config)
    parts = []
    if config.data != "mnist":
        parts.append(Digits(*synthetic.digits(synthetic_digits(config), config.seed, drawn)))
    if config.data == "synthetic":
        test_data = Digits(*synthetic.digits(SYNTHETIC_TEST_SIZE, SYNTHETIC_TEST_SEED, drawn))
    else:
        test_data = load_mnist(folder, train=False, progress=progress)
        train_data = load_mnist(folder, train=True, progress=progress)
        parts.append(train_data.subset(config.train_size))
    if config.non_digits:
        images = synthetic.non_digits(config.non_digits, config.seed, drawn)
        parts.append(Digits(images, torch.full((len(images),), NO_DIGIT, device=images.device)))
    if len(parts) == 1:
        return parts[0], test_data
    images, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels"))
    return Digits(images, labels), test_data


def synthetic_count(config: TrainConfig) -> int:
    """How many synthetic digits and signs `load_data` draws for a recipe."""
    tested_on = SYNTHETIC_TEST_SIZE if config.data == "synthetic" else 0
    return synthetic_digits(config) + config.non_digits + tested_on


def synthetic_digits(config: TrainConfig) -> int:
    """How many synthetic digits a recipe trains on."""
    return config.train_size * {"mnist": 0, "synthetic": 1, "both": SYNTHETIC_PER_MNIST}[config.data]


def epoch_size(config: TrainConfig) -> int:
    """How many pictures one epoch of a recipe has, digits and non-digits."""
    mnist = config.train_size if config.data != "synthetic" else 0
    return mnist + synthetic_digits(config) + config.non_digits
