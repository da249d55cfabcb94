"""A small ConvNet that reads handwritten digits: trained as in the book, for any picture, open to view."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_core.checkpoint import CheckpointError
    from mnist_core.classifier import Classifier, Prediction
    from mnist_core.config import PRESETS, TrainConfig
    from mnist_core.data import load_data, load_mnist, mnist_loaders
    from mnist_core.datasets.digits import Digits
    from mnist_core.datasets.download import DataError
    from mnist_core.engine.events import Change, Evaluation, Finished, Step, Testing
    from mnist_core.engine.setup import initial_model, pick_device, resolve
    from mnist_core.model import ConvNet
    from mnist_core.training import fit, test, train

__all__ = [
    "PRESETS",
    "Change",
    "CheckpointError",
    "Classifier",
    "ConvNet",
    "DataError",
    "Digits",
    "Evaluation",
    "Finished",
    "Prediction",
    "Step",
    "Testing",
    "TrainConfig",
    "fit",
    "initial_model",
    "load_data",
    "load_mnist",
    "mnist_loaders",
    "pick_device",
    "resolve",
    "test",
    "train",
]

# Where each name is, so that it is imported on first use: torch takes a second or two, and Python imports
# this file before the command line can listen for Ctrl-C.
_HOMES = {
    "PRESETS": "config",
    "Change": "engine.events",
    "CheckpointError": "checkpoint",
    "Classifier": "classifier",
    "ConvNet": "model",
    "DataError": "datasets.download",
    "Digits": "datasets.digits",
    "Evaluation": "engine.events",
    "Finished": "engine.events",
    "Prediction": "classifier",
    "Step": "engine.events",
    "Testing": "engine.events",
    "TrainConfig": "config",
    "fit": "training",
    "initial_model": "engine.setup",
    "load_data": "data",
    "load_mnist": "data",
    "mnist_loaders": "data",
    "pick_device": "engine.setup",
    "resolve": "engine.setup",
    "test": "training",
    "train": "training",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
