"""The chapter's two loops, which print, and `fit`, which yields what happens and prints nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn, optim

from mnist_core.config import TrainConfig
from mnist_core.data import as_tensors, batches
from mnist_core.events import Change, Evaluation, Event, Finished, Step, Testing
from mnist_core.memory import keep_freed_memory
from mnist_core.model import ConvNet
from mnist_core.precision import best_precision
from mnist_core.trainer import TURN, Tally, Trainer, learn

__all__ = [
    "Change",
    "Evaluation",
    "Event",
    "Finished",
    "Step",
    "Testing",
    "fit",
    "follow",
    "initial_model",
    "pick_device",
    "resolve",
    "test",
    "test_line",
    "train",
    "train_line",
]
LOG_EVERY = 10  # batches between two of the book's training lines
CUDA_BLOCK = 50  # steps whose losses are fetched together, so that the device is never waited for in between


def pick_device(name: str | None = None) -> torch.device:
    """The device called `name`; without one, or with "auto", CUDA if there is any, else MPS, else the CPU.

    Raises:
        ValueError: torch knows no such device, or this machine has none.
    """
    if name in (None, "", "auto"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"There is no device {name!r} here; use cpu, cuda, mps or auto.") from error
    return device


def resolve(config: TrainConfig, device: str | torch.device = "cpu") -> TrainConfig:
    """The same recipe with what depends on the machine made concrete: "auto" precision, and 0 threads.

    A run stored with its resolved recipe is repeated bit for bit on the same machine.
    """
    precision = best_precision(torch.device(device)) if config.precision == "auto" else config.precision
    return replace(config, precision=precision, threads=config.threads or torch.get_num_threads())


def initial_model(config: TrainConfig) -> ConvNet:
    """The recipe's network with the weights that its seed gives; torch's global generator stays as it was."""
    with TURN, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return ConvNet.from_config(config)


def train(
    model: nn.Module, device: str | torch.device, train_dataloader: Any, optim: optim.Optimizer, epoch: int
) -> None:
    """Read all training digits once, stepping after each batch; print the loss every ten batches.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities.
        device: where the model is.
        train_dataloader: a `DataLoader` of pairs (N, 1, 28, 28) and (N,).
        optim: steps the model's parameters.
        epoch: is printed.
    """
    model.train()
    for b_i, (X, y) in enumerate(train_dataloader):
        loss = learn(model, optim, X.to(device), y.to(device))
        if b_i % LOG_EVERY == 0:
            print(
                train_line(
                    epoch, b_i, len(train_dataloader), len(X), len(train_dataloader.dataset), loss.item()
                )
            )


def test(model: nn.Module, device: str | torch.device, test_dataloader: Any) -> tuple[float, float]:
    """Read all test digits once and print how well it went.

    Returns:
        The mean loss and the accuracy, from 0 to 1, both summed over all digits and divided by their number.
    """
    model.eval()
    tally = Tally(torch.device(device))
    for X, y in test_dataloader:
        tally.add(model, X.to(device), y.to(device))
    n, correct = len(test_dataloader.dataset), int(tally.confusion.trace())
    assert tally.n == n
    loss = tally.losses.item() / n
    print(test_line(loss, correct, n))
    return loss, correct / n


def train_line(epoch: int, b_i: int, batches: int, size: int, n: int, loss: float) -> str:
    """The book's line for batch `b_i`, from 0, of `batches` with `size` digits each, of `n` in all."""
    return f"epoch: {epoch} [{b_i * size} / {n}] ({100.0 * b_i / batches:.0f}%) \t training loss: {loss:.6f}"


def test_line(loss: float, correct: int, n: int) -> str:
    """The book's line after a test, with an empty line on either side."""
    share = 100.0 * correct / n
    return f"\nTest dataset: Overall Loss: {loss:.4f}, Overall Accuracy: {correct}/{n} ({share:.0f}%)\n"


def fit(
    model: nn.Module,
    train_data: Any,
    test_data: Any,
    config: TrainConfig,
    device: str | torch.device = "cpu",
    *,
    progress: bool = False,
) -> Generator[Event, Change | None, None]:
    """Train `model` by the recipe; yields a `Step` for each step, an `Evaluation` when due, then `Finished`.

    Asking for the next event does the work up to it, so not asking pauses the run, and closing the generator
    stops it. Whenever an event is in hand the model is in evaluation mode, its weights are those after that
    event (on CUDA, up to 49 steps further), and torch's global generator is as the caller left it: each run
    draws its dropout from a state of its own. `send` a `Change` in to change the learning rate of a run that
    is under way.

    Args:
        model: moved to `device`; usually from `initial_model(config)`.
        train_data: `Digits`, or what `data.as_tensors` takes.
        test_data: the same.
        config: the recipe, run as `resolve` makes it concrete.
        device: where to train.
        progress: also yield `Testing` after each batch of an evaluation.

    Raises:
        ValueError: something that holds no digits was given.
    """
    device = torch.device(device)
    keep_freed_memory()
    trainer = Trainer(model.to(device), resolve(config, device), device)
    images, labels = (tensor.to(device) for tensor in as_tensors(train_data))
    test_images, test_labels = (tensor.to(device) for tensor in as_tensors(test_data))
    return follow(trainer, (images, labels), (test_images, test_labels), progress)


def follow(
    trainer: Trainer,
    train_data: tuple[torch.Tensor, ...],
    test_data: tuple[torch.Tensor, ...],
    progress: bool,
) -> Generator[Event, Change | None, None]:
    """Take a trainer through its recipe as `fit` says; data are pictures and labels on its device."""
    block = CUDA_BLOCK if trainer.device.type == "cuda" else 1
    steps_per_epoch = math.ceil(len(train_data[1]) / trainer.config.batch_size)
    trainer.steps = max(1, round(trainer.config.epochs * steps_per_epoch))
    due = _evaluation_steps(trainer.steps, steps_per_epoch, trainer.config.evaluations_per_epoch)
    reading = _read_again_and_again(trainer, train_data)
    while trainer.step < trainer.steps:
        with trainer.turn():
            trainer.learn(*next(reading))
        if trainer.step % block == 0 or trainer.step in due:
            for event in trainer.settle():
                trainer.change((yield event))
        if trainer.step in due:
            evaluation = yield from _evaluate(trainer, test_data, progress)
            trainer.change((yield evaluation))
    yield Finished(trainer.steps, trainer.seconds, evaluation)


def _read_again_and_again(
    trainer: Trainer, train_data: tuple[torch.Tensor, ...]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of one epoch after the other, each shuffled anew."""
    for trainer.epoch in itertools.count(1):
        yield from batches(*train_data, trainer.config.batch_size, trainer.chance)


def _evaluate(
    trainer: Trainer, test_data: tuple[torch.Tensor, ...], progress: bool
) -> Generator[Testing, Change | None, Evaluation]:
    """Read all test digits, a batch at a turn."""
    tally, n, before = Tally(trainer.device), len(test_data[1]), trainer.testing_seconds
    for images, labels in batches(*test_data, trainer.config.test_batch_size):
        with trainer.turn(learning=False):
            trainer.read(tally, images, labels)
        if progress:
            trainer.change((yield Testing(tally.n, n)))
    with trainer.turn(learning=False):
        loss, confusion = trainer.gather(tally.losses).item() / n, trainer.gather(tally.confusion).cpu()
    correct = int(confusion.trace())
    assert confusion.sum() == n
    seconds = trainer.testing_seconds - before
    return Evaluation(trainer.step, trainer.epoch, loss, correct / n, correct, n, confusion, seconds)


def _evaluation_steps(steps: int, steps_per_epoch: int, per_epoch: int) -> set[int]:
    """After which steps the test digits are read: `per_epoch` times an epoch, evenly, and after the last."""
    count = math.floor(steps / steps_per_epoch * per_epoch)
    return {math.ceil(i * steps_per_epoch / per_epoch) for i in range(1, count + 1)} | {steps}
