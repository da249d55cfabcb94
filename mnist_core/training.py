"""The chapter's two loops, which print, and `fit`, which yields what happens and prints nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

from mnist_core.config import TrainConfig
from mnist_core.engine.batches import batches_of, check_some
from mnist_core.engine.events import Change, Event
from mnist_core.engine.loop import follow
from mnist_core.engine.setup import resolve
from mnist_core.engine.trainer import Trainer
from mnist_core.inference import device_named

LOG_EVERY = 10  # batches between two of the book's training lines


def train(
    model: nn.Module, device: str | torch.device, train_dataloader: Any, optim: optim.Optimizer, epoch: int
) -> None:
    """Train for one epoch: a step after each batch; print the loss every ten batches.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities.
        device: where the model is.
        train_dataloader: a `DataLoader` of pairs (N, 1, 28, 28) and (N,).
        optim: steps the model's parameters.
        epoch: its number, which is printed.
    """
    n = len(train_dataloader.sampler)  # digits in an epoch: the data set's, unless a sampler says otherwise
    seen = 0
    model.train()
    for b_i, (X, y) in enumerate(train_dataloader):
        X, y = X.to(device), y.to(device)
        optim.zero_grad()
        pred_prob = model(X)  # (N, 10)
        loss = F.nll_loss(pred_prob, y)
        loss.backward()
        optim.step()
        if b_i % LOG_EVERY == 0:
            print(train_line(epoch, seen, n, b_i, len(train_dataloader), loss.item()))
        seen += len(X)


def test(model: nn.Module, device: str | torch.device, test_dataloader: Any) -> tuple[float, float]:
    """Test the model on all test digits and print how well it did.

    Returns:
        The mean loss and the accuracy, from 0 to 1, both summed over all digits and divided by their number.

    Raises:
        ValueError: there are no digits.
    """
    model.eval()
    loss, success, n = 0.0, 0, 0
    with torch.no_grad():
        for X, y in test_dataloader:
            X, y = X.to(device), y.to(device)
            pred_prob = model(X)  # (N, 10)
            loss += F.nll_loss(pred_prob, y, reduction="sum").item()
            pred = pred_prob.argmax(dim=1)  # (N,)
            success += int(pred.eq(y).sum())
            n += len(y)
    check_some(n)
    loss /= n
    print(test_line(loss, success, n))
    return loss, success / n


def train_line(epoch: int, seen: int, n: int, b_i: int, batches: int, loss: float) -> str:
    """The book's line for batch `b_i`, from 0, of `batches`: `seen` of the epoch's `n` digits came before it.

    The book multiplies `b_i` by the size of this batch, which is wrong where the last one is smaller.
    """
    return f"epoch: {epoch} [{seen} / {n}] ({100.0 * b_i / batches:.0f}%) \t training loss: {loss:.6f}"


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
        train_data: `Digits`, or what `as_tensors` takes, a data set with its transforms; or a `DataLoader`,
            whose own batches, order and transforms are used as they are.
        test_data: the same.
        config: the recipe, run as `resolve` makes it concrete.
        device: where to train.
        progress: also yield `Testing` after each batch of an evaluation.

    Raises:
        ValueError: not a network, digits, a recipe or a device to train with, or a network without the layers
            that the recipe freezes; while it runs, a batch that is none.
    """
    device = device_named(device)
    trainer = Trainer(model, resolve(config, device), device, train_data)
    return follow(trainer, batches_of(test_data, config.test_batch_size, device), progress)
