"""A small ConvNet that reads handwritten digits: trained as in the book, on any picture, open to the eye."""

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
