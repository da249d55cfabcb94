"""Inside a training run: its step, random generators and optimizer, and the sums over the test digits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mnist_core.config import TrainConfig
from mnist_core.datasets.augment import vary
from mnist_core.datasets.digits import shift
from mnist_core.engine.batches import NO_DIGITS, Batch, batches_of
from mnist_core.engine.events import Change, Step
from mnist_core.engine.memory import keep_freed_memory
from mnist_core.engine.network import check_network, training_network
from mnist_core.engine.optimizers import make_optimizer
from mnist_core.engine.setup import TURN, fork_between_steps, threads_here
from mnist_core.engine.train_step import train_step
from mnist_core.inference import undisturbed
from mnist_core.model import CLASSES

TRIANGLE_PEAK = 0.1  # where in the run the triangle schedule reaches the recipe's learning rate


class Tally:
    """Sums over test digits, kept where the model is, so that nothing is waited for between batches.

    Attributes:
        n: digits read so far.
        losses: their losses, summed.
        confusion: int64 (10, 10), how often the row's digit was taken for the column's.
    """

    @undisturbed()
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
    """One run of a resolved recipe: network, optimizer, batches, random generators, and how far it has come.

    Attributes:
        model: whose weights are trained; in evaluation mode outside of a turn.
        network: what computes the steps: `model`, made faster, with the same parameters.
        steps: how many the run will have.
        step: taken so far.
        epoch: of the last step, from 1.
        seen: samples trained on so far.
        seconds, testing_seconds: spent on steps and on evaluations.
    """

    dropout = True  # while it trains

    @undisturbed()
    def __init__(self, model: nn.Module, config: TrainConfig, device: torch.device, data: Any) -> None:
        """Start a run.

        Args:
            model: moved to `device`.
            config: resolved.
            data: what to train on, as `batches_of` takes it.

        Raises:
            ValueError: the network cannot be trained, or the data hold no digits.
        """
        check_network(model)
        _check_freezing(model, config)
        keep_freed_memory()
        fork_between_steps()
        self.config = config
        self.device = device
        with TURN:  # torch imports more at its first use; no fork meanwhile
            # torch's stubs leave out this form of `to`.
            self.model: nn.Module = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.network = training_network(self.model)
            self.optimizer = make_optimizer(self.model, config)
        self.peak = config.learning_rate
        self.generator = torch.Generator().manual_seed(config.seed)  # shuffles and shifts
        self._seed = int(torch.randint(2**62, (), generator=self.generator))
        self.reseed(0)
        non_digits = config.non_digits > 0
        self.batches = batches_of(data, config.batch_size, device, self.generator, non_digits=non_digits)
        self.steps = max(1, round(config.epochs * len(self.batches)))
        self.step, self.epoch, self.seen = 0, 0, 0
        self.seconds = self.testing_seconds = 0.0
        self._coming: Iterator[Batch] = iter(())  # the rest of the epoch
        self._frozen = 0  # layers
        # the steps whose losses are still on the device
        self._unsettled: list[tuple[int, int, int, int, torch.Tensor, float]] = []

    def reseed(self, which: int) -> None:
        """Let dropout and augmentation draw from the `which`-th of the run's random generators."""
        dropout, pens = (torch.Generator(self.device).manual_seed(self._seed + 2 * which + i) for i in (0, 1))
        self._dropout = dropout.get_state()  # what torch's global generator is set to at this run's turns
        self._pens = pens

    @contextmanager
    def turn(self, *, learning: bool = True) -> Iterator[None]:
        """Have the model, torch's global generator and the threads to itself; put them back afterwards."""
        with TURN, undisturbed(), torch.enable_grad():  # whatever mode the caller is in
            began = time.perf_counter()
            everyones, threads = _global_generator(self.device), torch.get_num_threads()
            wanted = threads_here(self.config.threads)
            outside = everyones.get_state()
            everyones.set_state(self._dropout)
            if threads != wanted:
                torch.set_num_threads(wanted)
            training = learning and self.dropout
            if self.model.training != training:
                self._switch(training)
            try:
                yield
            finally:
                self._dropout = everyones.get_state()
                everyones.set_state(outside)
                if threads != wanted:
                    torch.set_num_threads(threads)
                if training:
                    self._switch(False)
                spent = time.perf_counter() - began
                if learning:
                    self.seconds += spent
                else:
                    self.testing_seconds += spent

    def _switch(self, training: bool) -> None:
        self.model.train(training)
        self.network.train(training)

    def advance(self) -> None:
        """Take the next step."""
        images, labels = self._next_batch()
        learning_rate = self._learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        loss = self._step_unfrozen(self.augmented(images), labels)
        self.step += 1
        self.seen += len(labels)
        self._unsettled.append((self.step, self.epoch, self.seen, len(labels), loss, learning_rate))

    def _next_batch(self) -> Batch:
        """The next batch of this epoch, or the first of the next one, shuffled anew."""
        batch = next(self._coming, None)
        if batch is None:
            self.epoch += 1
            self._coming = iter(self.batches)
            batch = next(self._coming, None)
        if batch is None or not len(batch[1]):
            raise ValueError(NO_DIGITS)
        return batch

    def _step_unfrozen(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As `train_step`, without gradients for the layers that are frozen by now."""
        done = self.step / self.steps
        layers = [getattr(self.model, name) for name, when in freezing(self.config).items() if done >= when]
        frozen = [each for layer in layers for each in layer.parameters() if each.requires_grad]
        for parameter in frozen:
            parameter.requires_grad_(False)
        if len(layers) > self._frozen:
            self._frozen = len(layers)
            self.freeze()
        try:
            return self.train_step(images, labels)
        finally:
            for parameter in frozen:
                parameter.requires_grad_(True)  # whoever trains this model next decides anew

    def freeze(self) -> None:
        """Called when one more layer has been frozen, before the step is taken."""

    def train_step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Change the weights by one batch, (N, 1, 28, 28) and (N,); its loss, still on the device."""
        return train_step(self.network, self.optimizer, images, labels, **self.step_options())

    def step_options(self) -> dict[str, Any]:
        """The keyword arguments of `train_step` that the recipe asks for."""
        config = self.config
        return {
            "label_smoothing": config.label_smoothing,
            "non_digits": config.non_digits > 0,
            "precision": config.precision,
        }

    def tally(self, tally: Tally, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Count how well one batch of test digits is recognised."""
        tally.add(self.model, images, labels)

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes that train together: here there is only this one."""
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
        """Apply a change from the next step on."""
        if change is None:
            return
        if not isinstance(change, Change):
            raise ValueError(f"A run can be sent a Change; got {type(change).__name__}. See events.Change.")
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

    def augmented(self, images: torch.Tensor) -> torch.Tensor:
        """A batch (N, 1, 28, 28), varied as the recipe says."""
        if self.config.augment == "shift":
            return shift(images, self.generator)
        return vary(images, self._pens) if self.config.augment == "pen" else images


def freezing(config: TrainConfig) -> dict[str, float]:
    """The layers that are frozen before the end, and when: as a share of the run.

    Layers next to the picture cost most to train and settle first: FreezeOut (Brock et al. 2017,
    arXiv:1706.04983). As there the moments are evenly spaced: cn1's, cn2's, the run's end.
    """
    return {"cn1": config.freeze, "cn2": (config.freeze + 1) / 2}


def _check_freezing(model: nn.Module, config: TrainConfig) -> None:
    """Raise `ValueError` unless the network has the layers that the recipe freezes."""
    names = freezing(config)
    missing = [name for name in names if not isinstance(getattr(model, name, None), nn.Module)]
    if config.freeze < 1 and missing:
        raise ValueError(
            f"A recipe with freeze below 1 freezes the layers {' and '.join(names)}; got a network without "
            f"{' and '.join(missing)}. Set freeze to 1."
        )


def _global_generator(device: torch.device) -> torch.Generator:
    """The generator that dropout on `device` draws from."""
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index]
    return torch.mps._get_default_mps_generator() if device.type == "mps" else torch.default_generator
