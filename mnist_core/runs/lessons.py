"""Teach it your hand: a few labelled drawings fine-tune a copy of the weights in seconds.

Every step reads some of the drawings, varied as hands vary them, beside three times as many digits that the
network knows already; without those it would forget them ("rehearsal", Robins 1995, "Catastrophic
forgetting, rehearsal and pseudorehearsal").
"""

from __future__ import annotations

import copy
import time
from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import TensorDataset

from mnist_core.augment import vary
from mnist_core.config import TrainConfig
from mnist_core.events import Evaluation, Event, Finished, Step, Testing
from mnist_core.model import ConvNet
from mnist_core.preprocess import normalise
from mnist_core.runs.run import Beginning, Run
from mnist_core.trainer import Tally, learn, make_optimizer

STEPS = 60
THEIRS, KNOWN = 16, 48  # pictures per step
KNOWN_DIGITS = 10_000  # to rehearse with


def recipe(parent: TrainConfig | None, mnist_is_here: bool) -> TrainConfig:
    """The lesson's recipe: Adam, gently, on a network of the parent's shape; None for the shipped one's."""
    return replace(
        parent or TrainConfig(),
        data="mnist" if mnist_is_here else "synthetic",
        train_size=KNOWN_DIGITS,
        batch_size=THEIRS + KNOWN,
        optimizer="adam",
        learning_rate=3e-4,
        weight_decay=0.0,
        schedule="constant",
        epochs=STEPS * (THEIRS + KNOWN) / KNOWN_DIGITS,
        augment="pen",
    )


def begin(
    run: Run,
    start: ConvNet,
    drawings: list[tuple[np.ndarray, int]],
    data: tuple[TensorDataset, TensorDataset],
    device: torch.device,
) -> Beginning:
    """A copy of `start` and the events of its lesson; what was gained and lost goes to `run.result`.

    Args:
        drawings: pictures (28, 28) uint8 as `preprocess` makes them, each with the digit it is.
        data: the digits to rehearse with, and those to test on; normalised.
    """
    model = copy.deepcopy(start).to(device).eval()
    pictures = torch.from_numpy(np.stack([picture for picture, _ in drawings]))  # (N, 28, 28) uint8
    labels = torch.tensor([digit for _, digit in drawings])
    return model, _events(run, model, (pictures, labels), data, device)


def _events(
    run: Run,
    model: ConvNet,
    theirs: tuple[torch.Tensor, torch.Tensor],
    data: tuple[TensorDataset, TensorDataset],
    device: torch.device,
) -> Generator[Event, None, None]:
    known, test = data
    chance = torch.Generator().manual_seed(run.config.seed)
    optimizer = make_optimizer(model, run.config)
    run.result["right_before"] = _right(model, theirs, device)
    yield from _evaluate(model, test, 0, device)
    seconds = 0.0
    for step in range(1, STEPS + 1):
        began = time.perf_counter()
        images, labels = _batch(theirs, known, chance)
        # In evaluation mode: so few steps need no dropout, and torch's global generator is left alone.
        loss = learn(model, optimizer, images.to(device), labels.to(device)).item()
        seconds += time.perf_counter() - began
        seen = step * (THEIRS + KNOWN)
        yield Step(step, STEPS, 1, seen, THEIRS + KNOWN, loss, run.config.learning_rate, seconds)
    run.result["right_after"] = _right(model, theirs, device)
    evaluation = yield from _evaluate(model, test, STEPS, device)
    yield Finished(STEPS, seconds, evaluation)


def _batch(
    theirs: tuple[torch.Tensor, torch.Tensor], known: TensorDataset, chance: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    pictures, labels = theirs
    mine = torch.randint(len(labels), (THEIRS,), generator=chance)
    others = torch.randint(len(known), (KNOWN,), generator=chance)
    known_images, known_labels = known.tensors
    images = torch.cat([vary(normalise(pictures[mine]), chance), known_images[others]])  # (64, 1, 28, 28)
    return images, torch.cat([labels[mine], known_labels[others]])


def _right(model: ConvNet, theirs: tuple[torch.Tensor, torch.Tensor], device: torch.device) -> int:
    with torch.no_grad():
        said = model(normalise(theirs[0]).to(device)).argmax(dim=1).cpu()
    return int((said == theirs[1]).sum())


def _evaluate(
    model: ConvNet, test: TensorDataset, step: int, device: torch.device
) -> Generator[Event, None, Evaluation]:
    began, tally = time.perf_counter(), Tally(device)
    for images, labels in zip(*(tensor.split(500) for tensor in test.tensors), strict=True):
        tally.add(model, images.to(device), labels.to(device))
        yield Testing(tally.n, len(test))
    confusion = tally.confusion.cpu()
    loss, correct, seconds = (
        tally.losses.item() / tally.n,
        int(confusion.trace()),
        time.perf_counter() - began,
    )
    evaluation = Evaluation(step, 1, loss, correct / tally.n, correct, tally.n, confusion, seconds)
    yield evaluation
    return evaluation
