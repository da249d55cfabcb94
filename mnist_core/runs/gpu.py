"""Training in a process of its own that has a GPU: what is sent there, and what comes back.

Everything crosses as arrays and bytes. Tensors would not: between processes torch passes them on as open
files of shared memory, which containers have little of.
"""

from __future__ import annotations

import contextlib
import math
import pickle
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mnist_core.config import TrainConfig
from mnist_core.engine.events import Event, Finished
from mnist_core.engine.setup import fork_between_steps as fork_between_steps  # also for who lends a GPU
from mnist_core.engine.setup import initial_model
from mnist_core.runs.run import Beginning, Events
from mnist_core.training import fit

Arrays = tuple[np.ndarray, ...]  # pictures float32 (N, 1, 28, 28), normalised, and labels int64 (N,)
Parcels = Generator[bytes, None, None]
Worker = Callable[[dict[str, Any], Arrays, Arrays], Parcels]

SEND_SECONDS = 0.25  # between two parcels of events and weights
# What a recipe is expected to take at most: estimates, since asking for too little ends a run half way.
_START_SECONDS = 15.0  # for the process, CUDA and the digits
_SECONDS_PER_STEP = 2e-3
_SECONDS_PER_DIGIT = 4e-6
_SECONDS_PER_TEST = 0.5  # of 10,000 digits


def train(recipe: dict[str, Any], train_data: Arrays, test_data: Arrays) -> Parcels:
    """Train by a recipe, on CUDA where this process has it; nothing else of the process is used.

    Args:
        recipe: of `TrainConfig.to_dict`.
        train_data: pictures float32 (N, 1, 28, 28), normalised, and labels int64 (N,).
        test_data: the same.

    Yields:
        Pickled pairs: the events of `fit` since the last pair, and the weights by then, on the CPU.
    """
    config = TrainConfig.from_dict(recipe)
    model = initial_model(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, test = (TensorDataset(*map(torch.from_numpy, data)) for data in (train_data, test_data))
    events: list[Event] = []
    sent = time.monotonic()
    for event in fit(model, train, test, config, device, progress=True):
        events.append(event)
        if isinstance(event, Finished) or time.monotonic() - sent > SEND_SECONDS:
            yield _packed(events, model)
            events, sent = [], time.monotonic()


def seconds(recipe: dict[str, Any], train_data: Arrays, test_data: Arrays) -> int:
    """For how long `train` should be given a GPU; takes the same arguments."""
    config = TrainConfig.from_dict(recipe)
    digits = config.epochs * len(train_data[1])
    tests = max(1.0, config.epochs * config.evaluations_per_epoch) * len(test_data[1]) / 10_000
    training = digits * _SECONDS_PER_DIGIT + digits / config.batch_size * _SECONDS_PER_STEP
    return math.ceil(_START_SECONDS + training + tests * _SECONDS_PER_TEST)


def begin(worker: Worker, config: TrainConfig, data: tuple[TensorDataset, TensorDataset]) -> Beginning:
    """A model and the events of its training by `worker`, which is called once the first is asked for."""
    train_data, test_data = (tuple(tensor.numpy() for tensor in each.tensors) for each in data)
    model = initial_model(config).eval()
    return model, _unpacked(worker(config.to_dict(), train_data, test_data), model)


def _packed(events: list[Event], model: nn.Module) -> bytes:
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    return pickle.dumps((events, weights))


def _unpacked(parcels: Parcels, model: nn.Module) -> Events:
    """The events in `parcels`, `model` keeping up; ending this ends those."""
    with contextlib.closing(parcels):
        for parcel in parcels:
            events, weights = pickle.loads(parcel)
            model.load_state_dict(weights)
            yield from events
