"""`test`: stored weights on all of MNIST's test digits."""

from __future__ import annotations

import argparse

from torch.utils.data import DataLoader, TensorDataset

from mnist_core import checkpoint
from mnist_core.classifier import SHIPPED_WEIGHTS
from mnist_core.cli.display import Display
from mnist_core.cli.foreign import warn_of_foreign_files
from mnist_core.cli.interruption import Interruption
from mnist_core.cli.usage import asked
from mnist_core.config import TrainConfig
from mnist_core.data import load_mnist
from mnist_core.engine.setup import pick_device
from mnist_core.training import test


def run(options: argparse.Namespace, _: Interruption) -> int:
    """Print the book's line for the weights; the exit status."""
    with asked():
        device = pick_device(options.device)
    model = checkpoint.load(options.weights or SHIPPED_WEIGHTS)[0]
    with Display() as display:
        digits = load_mnist(options.data_dir, train=False, progress=display.download)
    warn_of_foreign_files(options.data_dir)
    data = TensorDataset(digits.normalised(), digits.labels)
    test(model.to(device), device, DataLoader(data, batch_size=TrainConfig().test_batch_size))
    return 0
