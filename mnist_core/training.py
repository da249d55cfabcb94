"""The chapter's two loops, which print, and `fit`, which yields what happens and prints nothing."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

from mnist_core.augment import vary
from mnist_core.config import TrainConfig, knobs
from mnist_core.data import as_tensors, batches, shift
from mnist_core.model import CLASSES, ConvNet
from mnist_core.precision import best_precision

LOG_EVERY = 10  # batches between two of the book's training lines
CUDA_BLOCK = 50  # steps whose losses are fetched together, so that the device is never waited for in between
TRIANGLE_PEAK = 0.25  # where in the run the triangle schedule reaches the recipe's learning rate


@dataclass(frozen=True)
class Step:
    """One step of training was taken.

    Attributes:
        step: its number, from 1.
        steps: how many the run will have.
        epoch: from 1.
        seen: digits read since the run began, this step's among them.
        size: digits in this step's batch.
        loss: the batch's mean loss, dropout on, before the step changed the weights.
        learning_rate: what this step was taken with.
        seconds: spent on training since the run began; evaluations and pauses do not count.
    """

    step: int
    steps: int
    epoch: int
    seen: int
    size: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Testing:
    """An evaluation has read `done` of its `n` test digits."""

    done: int
    n: int


@dataclass(frozen=True)
class Evaluation:
    """All test digits were read.

    Attributes:
        step: steps taken so far.
        epoch: the epoch of the last step.
        loss: summed over all test digits, then divided by their number.
        accuracy: from 0 to 1.
        correct: digits that were recognised.
        n: digits that were read: all of them.
        confusion: int64 (10, 10), how often the row's digit was taken for the column's.
        seconds: this evaluation took.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    correct: int
    n: int
    confusion: torch.Tensor = field(repr=False, compare=False)
    seconds: float


@dataclass(frozen=True)
class Finished:
    """The run is over: its last step, the seconds spent on training, the last evaluation."""

    step: int
    seconds: float
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to change in a run that is under way, by `events.send(Change(...))`; None leaves it."""

    learning_rate: float | None = None
    momentum: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("learning_rate", self.learning_rate), ("momentum", self.momentum)):
            if value is not None:
                knobs()[name].check(name, value, 0.0)


Event = Step | Testing | Evaluation | Finished


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
    with _TURN, torch.random.fork_rng(devices=[]):
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
            seen, n = b_i * len(X), len(train_dataloader.dataset)
            share = 100.0 * b_i / len(train_dataloader)
            print(f"epoch: {epoch} [{seen} / {n}] ({share:.0f}%) \t training loss: {loss.item():.6f}")


def test(model: nn.Module, device: str | torch.device, test_dataloader: Any) -> tuple[float, float]:
    """Read all test digits once and print how well it went.

    Returns:
        The mean loss and the accuracy, from 0 to 1, both summed over all digits and divided by their number.
    """
    model.eval()
    tally = Tally(torch.device(device))
    for X, y in test_dataloader:
        tally.add(model, X.to(device), y.to(device))
    loss, correct, n = tally.loss(), tally.correct(), tally.n
    assert n == len(test_dataloader.dataset)
    print(test_line(loss, correct, n))
    return loss, correct / n


def test_line(loss: float, correct: int, n: int) -> str:
    """The book's line after a test, with an empty line on either side."""
    share = 100.0 * correct / n
    return f"\nTest dataset: Overall Loss: {loss:.4f}, Overall Accuracy: {correct}/{n} ({share:.0f}%)\n"


def learn(
    model: nn.Module,
    optimizer: optim.Optimizer,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    precision: str = "float32",
) -> torch.Tensor:
    """One step: forward, loss, backward, new weights.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities, in training mode.
        optimizer: steps the model's parameters.
        images: (N, 1, 28, 28), normalised.
        labels: (N,).
        label_smoothing: the share of the target spread evenly over all ten digits.
        precision: "bfloat16" computes the layers in 16 bits; weights, loss and step stay in 32.

    Returns:
        The batch's mean loss, a detached scalar on the model's device.
    """
    optimizer.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        log_probabilities = model(images)
    loss = F.nll_loss(log_probabilities, labels)
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * log_probabilities.mean()
    loss.backward()
    optimizer.step()
    return loss.detach()


class Tally:
    """Sums over test digits, kept where the model is, so that nothing is waited for between batches."""

    def __init__(self, device: torch.device) -> None:
        self.n = 0
        self._loss = torch.zeros(
            (), dtype=torch.float64 if device.type != "mps" else torch.float32, device=device
        )
        self._confusion = torch.zeros(CLASSES * CLASSES, dtype=torch.int64, device=device)

    @torch.no_grad()
    def add(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Read one batch, (N, 1, 28, 28) and (N,), with a model in evaluation mode."""
        log_probabilities = model(images)
        self.n += len(labels)
        self._loss += F.nll_loss(log_probabilities, labels, reduction="sum")
        cells = labels * CLASSES + log_probabilities.argmax(dim=1)
        self._confusion += torch.bincount(cells, minlength=CLASSES * CLASSES)

    def loss(self) -> float:
        """The mean loss so far."""
        return self._loss.item() / self.n

    def correct(self) -> int:
        """How many were recognised so far."""
        return int(self.confusion().trace())

    def confusion(self) -> torch.Tensor:
        """int64 (10, 10) on the CPU: how often the row's digit was taken for the column's."""
        return self._confusion.reshape(CLASSES, CLASSES).cpu()


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
    run = _Run(model.to(device), resolve(config, device), device)
    images, labels = (tensor.to(device) for tensor in as_tensors(train_data))
    test_images, test_labels = (tensor.to(device) for tensor in as_tensors(test_data))
    return _events(run, (images, labels), (test_images, test_labels), progress)


def _events(
    run: _Run, train_data: tuple[torch.Tensor, ...], test_data: tuple[torch.Tensor, ...], progress: bool
) -> Generator[Event, Change | None, None]:
    block = CUDA_BLOCK if run.device.type == "cuda" else 1
    epochs = itertools.count(1)
    steps_per_epoch = math.ceil(len(train_data[1]) / run.config.batch_size)
    run.steps = max(1, round(run.config.epochs * steps_per_epoch))
    due = _evaluation_steps(run.steps, steps_per_epoch, run.config.evaluations_per_epoch)
    reading = itertools.chain.from_iterable(
        batches(*train_data, run.config.batch_size, run.chance) for run.epoch in epochs
    )
    while run.step < run.steps:
        with run.turn():
            run.learn(*next(reading))
        if run.step % block == 0 or run.step in due:
            for event in run.settle():
                run.change((yield event))
        if run.step in due:
            evaluation = yield from _evaluate(run, test_data, progress)
            run.change((yield evaluation))
    yield Finished(run.steps, run.seconds, evaluation)


def _evaluate(
    run: _Run, test_data: tuple[torch.Tensor, ...], progress: bool
) -> Generator[Testing, Change | None, Evaluation]:
    """Read all test digits, a batch at a turn."""
    tally, n, before = Tally(run.device), len(test_data[1]), run.testing_seconds
    for images, labels in batches(*test_data, run.config.test_batch_size):
        with run.turn(learning=False):
            tally.add(run.model, images, labels)
        if progress:
            run.change((yield Testing(tally.n, n)))
    assert tally.n == n
    with run.turn(learning=False):
        loss, correct, confusion = tally.loss(), tally.correct(), tally.confusion()
    seconds = run.testing_seconds - before
    return Evaluation(run.step, run.epoch, loss, correct / n, correct, n, confusion, seconds)


def _evaluation_steps(steps: int, steps_per_epoch: int, per_epoch: int) -> set[int]:
    """After which steps the test digits are read: `per_epoch` times an epoch, evenly, and after the last."""
    count = math.floor(steps / steps_per_epoch * per_epoch)
    return {math.ceil(i * steps_per_epoch / per_epoch) for i in range(1, count + 1)} | {steps}


class _Run:
    """One run of a resolved recipe: model, optimizer, where chance stands, and how far it has come."""

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.model = model.to(device, memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.model, config)
        self.peak = config.learning_rate
        self.step, self.steps, self.epoch, self.seen = 0, 0, 1, 0
        self.seconds = self.testing_seconds = 0.0
        self.chance = torch.Generator().manual_seed(config.seed)  # shuffles and shifts
        seed = int(torch.randint(2**62, (), generator=self.chance))
        self._dropout = torch.Generator(device).manual_seed(seed).get_state()  # what dropout draws from
        self._pens = torch.Generator(device).manual_seed(seed + 1)  # what the augmentation draws from
        # the steps whose losses are still on the device
        self._unsettled: list[tuple[int, int, int, int, torch.Tensor, float]] = []

    @contextmanager
    def turn(self, *, learning: bool = True) -> Iterator[None]:
        """Have the model, torch's global generator and the threads to itself; put them back afterwards."""
        with _TURN:
            began = time.perf_counter()
            everyones, threads = _global_generator(self.device), torch.get_num_threads()
            outside = everyones.get_state()
            everyones.set_state(self._dropout)
            if threads != self.config.threads:
                torch.set_num_threads(self.config.threads)
            if self.model.training != learning:
                self.model.train(learning)
            try:
                yield
            finally:
                self._dropout = everyones.get_state()
                everyones.set_state(outside)
                if threads != self.config.threads:
                    torch.set_num_threads(threads)
                self.model.eval()
                spent = time.perf_counter() - began
                if learning:
                    self.seconds += spent
                else:
                    self.testing_seconds += spent

    def learn(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Take the next step, on a batch (N, 1, 28, 28) and (N,)."""
        config, learning_rate = self.config, self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = learn(
            self.model,
            self.optimizer,
            self._augmented(images),
            labels,
            label_smoothing=config.label_smoothing,
            precision=config.precision,
        )
        self.step += 1
        self.seen += len(labels)
        self._unsettled.append((self.step, self.epoch, self.seen, len(labels), loss, learning_rate))

    def settle(self) -> list[Step]:
        """The steps taken since the last time, their losses fetched from the device."""
        began = time.perf_counter()
        losses = torch.stack([loss for *_, loss, _ in self._unsettled]).tolist()
        self.seconds += time.perf_counter() - began
        steps = [
            Step(step, self.steps, epoch, seen, size, loss, learning_rate, self.seconds)
            for (step, epoch, seen, size, _, learning_rate), loss in zip(self._unsettled, losses, strict=True)
        ]
        self._unsettled.clear()
        return steps

    def change(self, change: Change | None) -> None:
        """Do as the caller wishes from the next step on."""
        if change is None:
            return
        if change.learning_rate is not None:
            self.peak = change.learning_rate
        if change.momentum is not None:
            if self.config.optimizer != "momentum":
                raise ValueError(
                    f"Only SGD with momentum has a momentum to change, not {self.config.optimizer}."
                )
            for group in self.optimizer.param_groups:
                group["momentum"] = change.momentum

    def _learning_rate(self) -> float:
        if self.config.schedule == "constant":
            return self.peak
        done = (self.step + 0.5) / self.steps  # the middle of the step to come
        return self.peak * min(done / TRIANGLE_PEAK, (1 - done) / (1 - TRIANGLE_PEAK))

    def _augmented(self, images: torch.Tensor) -> torch.Tensor:
        if self.config.augment == "shift":
            return shift(images, self.chance)
        return vary(images, self._pens) if self.config.augment == "pen" else images


def make_optimizer(model: nn.Module, config: TrainConfig) -> optim.Optimizer:
    """The recipe's optimizer over all of the model's parameters."""
    common = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    parameters = model.parameters()
    match config.optimizer:
        case "sgd":
            return optim.SGD(parameters, **common)
        case "momentum":
            return optim.SGD(parameters, momentum=config.momentum, **common)
        case "adadelta":
            return optim.Adadelta(parameters, **common)
        case "adam":
            return optim.Adam(parameters, **common)
        case _:
            return optim.AdamW(parameters, **common)


def _global_generator(device: torch.device) -> torch.Generator:
    """The generator that dropout on `device` draws from."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.mps._get_default_mps_generator() if device.type == "mps" else torch.default_generator


_TURN = threading.RLock()  # one run at a time has torch's global generator
