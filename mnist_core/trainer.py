"""Inside a training run: the step, its chance, its optimizer, and the sums over the test digits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim

from mnist_core.augment import vary
from mnist_core.config import TrainConfig
from mnist_core.data import NO_DIGIT, shift
from mnist_core.events import Change, Step
from mnist_core.model import CLASSES
from mnist_core.muon import Muon

TRIANGLE_PEAK = 0.1  # where in the run the triangle schedule reaches the recipe's learning rate


def learn(
    model: nn.Module,
    optimizer: optim.Optimizer | Muon,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    non_digits: bool = False,
    precision: str = "float32",
    weight: float = 1.0,
) -> torch.Tensor:
    """One step: forward, loss, backward, new weights.

    Args:
        model: (N, 1, 28, 28) -> (N, 10) log-probabilities, in training mode.
        optimizer: steps the model's parameters.
        images: (N, 1, 28, 28), normalised.
        labels: (N,).
        label_smoothing: the share of the target spread evenly over all ten digits.
        non_digits: whether some of the labels may be `NO_DIGIT`, whose whole target is spread evenly.
        precision: "bfloat16" computes the layers in 16 bits; weights, loss and step stay in 32.
        weight: the loss is multiplied by it.

    Returns:
        The batch's mean loss, weighted; a detached scalar on the model's device.
    """
    optimizer.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        log_probabilities = model(images)
    if non_digits:
        spread = torch.where(labels == NO_DIGIT, 1.0, label_smoothing)
        losses = F.nll_loss(log_probabilities, labels, reduction="none", ignore_index=NO_DIGIT)
        loss = ((1 - spread) * losses - spread * log_probabilities.mean(dim=1)).mean()
    elif label_smoothing:
        loss = F.nll_loss(log_probabilities, labels)
        loss = (1 - label_smoothing) * loss - label_smoothing * log_probabilities.mean()
    else:
        loss = F.nll_loss(log_probabilities, labels)
    if weight != 1:
        loss = loss * weight
    loss.backward()
    optimizer.step()
    return loss.detach()


class Tally:
    """Sums over test digits, kept where the model is, so that nothing is waited for between batches.

    Attributes:
        n: digits read so far.
        losses: their losses, summed.
        confusion: int64 (10, 10), how often the row's digit was taken for the column's.
    """

    def __init__(self, device: torch.device) -> None:
        self.n = 0
        exact = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
        self.losses = torch.zeros((), dtype=exact, device=device)
        self.confusion = torch.zeros(CLASSES, CLASSES, dtype=torch.int64, device=device)

    @torch.no_grad()
    def add(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Read one batch, (N, 1, 28, 28) and (N,), with a model in evaluation mode."""
        log_probabilities = model(images)
        self.n += len(labels)
        self.losses += F.nll_loss(log_probabilities, labels, reduction="sum")
        ones = torch.ones_like(labels)
        self.confusion.index_put_((labels, log_probabilities.argmax(dim=1)), ones, accumulate=True)


class Trainer:
    """One run of a resolved recipe: model, optimizer, where chance stands, and how far it has come."""

    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.model = model.to(device, memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.model, config)
        self.peak = config.learning_rate
        self.step, self.steps, self.epoch, self.seen = 0, 0, 1, 0
        self.seconds = self.testing_seconds = 0.0
        self._frozen = 0  # layers
        self.chance = torch.Generator().manual_seed(config.seed)  # shuffles and shifts
        self._seed = int(torch.randint(2**62, (), generator=self.chance))
        self.reseed(0)
        # the steps whose losses are still on the device
        self._unsettled: list[tuple[int, int, int, int, torch.Tensor, float]] = []

    def reseed(self, which: int) -> None:
        """Let dropout and augmentation draw from the `which`-th of the run's chances."""
        dropout, pens = (torch.Generator(self.device).manual_seed(self._seed + 2 * which + i) for i in (0, 1))
        self._dropout = dropout.get_state()  # what torch's global generator is set to at this run's turns
        self._pens = pens

    @contextmanager
    def turn(self, *, learning: bool = True) -> Iterator[None]:
        """Have the model, torch's global generator and the threads to itself; put them back afterwards."""
        with TURN, torch.enable_grad():  # whatever mode the caller is in
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
        learning_rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = self._take_what_learns(self._augmented(images), labels)
        self.step += 1
        self.seen += len(labels)
        self._unsettled.append((self.step, self.epoch, self.seen, len(labels), loss, learning_rate))

    def _take_what_learns(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As `take`; layers that are frozen by now, and all that only they need, are left out."""
        done = self.step / self.steps
        frozen = [getattr(self.model, name) for name, when in freezing(self.config).items() if done >= when]
        for layer in frozen:
            layer.requires_grad_(False)
        if len(frozen) > self._frozen:
            self._frozen = len(frozen)
            self.freeze()
        try:
            return self.take(images, labels)
        finally:
            for layer in frozen:
                layer.requires_grad_(True)  # whoever trains this model next decides anew

    def freeze(self) -> None:
        """One more layer, which wants no gradient just now, stops learning: nobody has to know."""

    def take(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Change the weights by one batch, (N, 1, 28, 28) and (N,); its loss, still on the device."""
        return learn(self.model, self.optimizer, images, labels, **self._manner())

    def _manner(self) -> dict[str, Any]:
        """How the recipe wants each step taken: the named arguments of `learn`."""
        config = self.config
        return {
            "label_smoothing": config.label_smoothing,
            "non_digits": config.non_digits > 0,
            "precision": config.precision,
        }

    def read(self, tally: Tally, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Count how well one batch of test digits is recognised."""
        tally.add(self.model, images, labels)

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """A sum over everything that trains together: here nothing else does."""
        return tensor

    def settle(self) -> list[Step]:
        """The steps taken since the last time, their losses fetched from the device."""
        began = time.perf_counter()
        losses = self.gather(torch.stack([loss for *_, loss, _ in self._unsettled])).tolist()
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


def freezing(config: TrainConfig) -> dict[str, float]:
    """When each of the layers that stop learning before the others does, as a share of the run.

    Layers next to the picture cost most to train and settle first: FreezeOut (Brock et al. 2017,
    arXiv:1706.04983). As there the moments are evenly spaced: cn1's, cn2's, the run's end.
    """
    return {"cn1": config.freeze, "cn2": (config.freeze + 1) / 2}


def make_optimizer(model: nn.Module, config: TrainConfig) -> optim.Optimizer | Muon:
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
        case "muon":
            return Muon(parameters, **common)
        case _:
            return optim.AdamW(parameters, **common)


def _global_generator(device: torch.device) -> torch.Generator:
    """The generator that dropout on `device` draws from."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index]
    return torch.mps._get_default_mps_generator() if device.type == "mps" else torch.default_generator


TURN = threading.RLock()  # one run at a time has torch's global generator
