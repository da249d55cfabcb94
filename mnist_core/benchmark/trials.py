"""The benchmark's trials. Each runs in a process of its own, so that none warms up another.

python -m mnist_core.benchmark.trials NAME '{"argument": value}'

prints one line of JSON: what the function called NAME returns.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from itertools import islice, pairwise
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.flop_counter import FlopCounterMode

from mnist_core.classifier import Classifier
from mnist_core.config import TrainConfig
from mnist_core.data import load_data, load_mnist, mnist_loaders
from mnist_core.engine.batches import batches_of
from mnist_core.engine.events import Evaluation, Step
from mnist_core.engine.loop import follow
from mnist_core.engine.network import training_network
from mnist_core.engine.setup import initial_model, pick_device, resolve
from mnist_core.engine.trainer import Trainer, freezing
from mnist_core.imaging.preprocess import normalise
from mnist_core.model import ConvNet
from mnist_core.training import fit, test, train

WARM_UP = 10  # batches before the clock starts
MATRIX = 2048  # rows and columns of the matrices whose product shows what the processor can do
CANVAS = 280  # pixels; ten to each of MNIST's

Result = dict[str, Any]


def book_pace(folder: str, batches: int) -> Result:
    """The book's loop over its `DataLoader`: images per second, after a few batches to warm up."""
    torch.manual_seed(0)
    model = ConvNet().train()
    optimizer = optim.Adadelta(model.parameters(), lr=0.5)
    train_dataloader, _ = mnist_loaders(TrainConfig(), folder)
    seen, began = 0, 0.0
    for i, (X, y) in enumerate(islice(train_dataloader, WARM_UP + batches)):
        if i == WARM_UP:
            seen, began = 0, time.perf_counter()
        optimizer.zero_grad()
        F.nll_loss(model(X), y).backward()
        optimizer.step()
        seen += len(y)
    return {"images_per_second": seen / (time.perf_counter() - began)}


def fit_pace(folder: str, recipe: Result, batches: int | None = None) -> Result:
    """`fit` with a recipe, for so many batches or to its end: images per second after the warm-up."""
    config = TrainConfig.from_dict(recipe)
    train_data = load_mnist(folder, train=True)
    events = fit(initial_model(config), train_data, load_mnist(folder, train=False), config)
    steps = [event for event in islice(events, batches and WARM_UP + batches) if isinstance(event, Step)]
    seen, seconds = steps[-1].seen - steps[WARM_UP - 1].seen, steps[-1].seconds - steps[WARM_UP - 1].seconds
    return {"images_per_second": seen / seconds, "precision": resolve(config).precision}


def book_race(folder: str, seed: int, epochs: int) -> Result:
    """The book's script from the files on disk: seconds without tests, and accuracy, after each epoch."""
    torch.manual_seed(seed)
    began, testing = time.perf_counter(), 0.0
    device, model = torch.device("cpu"), ConvNet()
    optimizer = optim.Adadelta(model.parameters(), lr=0.5)
    train_dataloader, test_dataloader = mnist_loaders(TrainConfig(), folder)
    seconds, accuracies = [], []
    for epoch in range(1, epochs + 1):
        with contextlib.redirect_stdout(io.StringIO()):
            train(model, device, train_dataloader, optimizer, epoch)
            test_began = time.perf_counter()
            seconds.append(test_began - began - testing)
            accuracies.append(test(model, device, test_dataloader)[1])
        testing += time.perf_counter() - test_began
    return {"seconds": seconds, "accuracies": accuracies}


def fit_race(folder: str, seed: int, recipe: Result, device: str = "cpu") -> Result:
    """`fit` from the files on disk: seconds to its last step, without evaluations, and the final accuracy.

    The choice of precision, which times a few steps, is part of the time.
    """
    config = TrainConfig.from_dict(recipe | {"seed": seed})
    began, testing, seconds, accuracy = time.perf_counter(), 0.0, 0.0, 0.0
    train_data, test_data = load_data(config, folder)
    for event in fit(initial_model(config), train_data, test_data, config, pick_device(device)):
        if isinstance(event, Step):
            seconds = time.perf_counter() - began - testing
        elif isinstance(event, Evaluation):
            testing += event.seconds
            accuracy = event.accuracy
    return {"seconds": seconds, "accuracy": accuracy, "precision": resolve(config, device).precision}


def book_parts(folder: str, digits: int) -> Result:
    """Where the time of the book's step goes: mean milliseconds over one epoch of so many digits."""
    torch.manual_seed(0)
    model = ConvNet()
    optimizer = optim.Adadelta(model.parameters(), lr=0.5)
    parts = _Parts(model, optimizer)
    train_dataloader, _ = mnist_loaders(TrainConfig(train_size=digits), folder)
    with contextlib.redirect_stdout(io.StringIO()):
        train(parts, torch.device("cpu"), train_dataloader, optimizer, 1)
    return parts.per_step()


def fit_parts(folder: str, recipe: Result, steps: int | None = None) -> Result:
    """The same for `fit` with a recipe, for so many steps or all; without evaluations."""
    device = torch.device("cpu")
    config = resolve(TrainConfig.from_dict(recipe), device)
    train_data, test_data = (load_mnist(folder, train=train) for train in (True, False))
    trainer = Trainer(initial_model(config), config, device, train_data)
    trainer.network = parts = _Parts(trainer.network, trainer.optimizer)
    tests = batches_of(test_data, config.test_batch_size, device)
    for event in islice(follow(trainer, tests, progress=False), steps):
        if isinstance(event, Step) and event.step == event.steps:
            break  # before the evaluation
    return parts.per_step()


class _Parts(nn.Module):
    """A network with a stopwatch on the parts of a training step, read where one ends and the next begins."""

    def __init__(self, network: nn.Module, optimizer: Any) -> None:
        super().__init__()
        self.network = network
        self._marks: list[tuple[str, float]] = []
        change_weights = optimizer.step

        def step() -> None:
            self._mark("loss and backward")
            change_weights()
            self._mark("optimizer")

        optimizer.step = step

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1, 28, 28) -> (N, 10), as the network gives it."""
        self._mark("batch and the rest")
        log_probabilities: torch.Tensor = self.network(images)
        self._mark("forward")
        return log_probabilities

    def _mark(self, ended: str) -> None:
        self._marks.append((ended, time.perf_counter()))

    def per_step(self) -> Result:
        """Mean milliseconds by part, over all steps but the first few."""
        marks = self._marks[4 * WARM_UP - 1 :]  # a step leaves four
        spent: dict[str, list[float]] = {}
        for (_, began), (part, ended) in pairwise(marks):
            spent.setdefault(part, []).append(1000 * (ended - began))
        return {part: mean(times) for part, times in spent.items()}


def matrix_peak(precision: str, repeats: int) -> Result:
    """The fastest of a few square matrix products, in FLOP/s."""
    matrix = torch.randn(MATRIX, MATRIX, dtype=getattr(torch, precision))
    best = min(_seconds(lambda: matrix @ matrix, repeats))
    return {"flops_per_second": 2 * MATRIX**3 / best}


def step_flops(recipe: Result) -> Result:
    """Floating-point operations of training on one image, as torch counts them; the mean over a run."""
    config = TrainConfig.from_dict(recipe)
    model = ConvNet.from_config(config).train()
    network = training_network(model).train()
    images = torch.zeros(config.batch_size, 1, 28, 28)
    flops, began = 0.0, 0.0
    for name, ends in (freezing(config) | {"fc1": 1.0}).items():
        with FlopCounterMode(display=False) as counter:
            network(images).sum().backward()
        flops += (ends - began) * counter.get_total_flops() / config.batch_size
        began = ends
        getattr(model, name).requires_grad_(False)
    return {"flops_per_image": flops}


def one_prediction(repeats: int) -> Result:
    """Milliseconds for one prediction on a drawing of 280 pixels, and for the bare network, alternating."""
    classifier, canvas = Classifier.load(), drawing()
    model_input = normalise(classifier.predict(canvas).model_input)

    def forward() -> None:
        with torch.inference_mode():
            classifier.model(model_input)

    bare, whole = [], []
    for _ in range(repeats):
        bare += _seconds(forward, 1)
        whole += _seconds(lambda: classifier.predict(canvas), 1)
    return {"forward": [1000 * s for s in bare[WARM_UP:]], "predict": [1000 * s for s in whole[WARM_UP:]]}


def drawing() -> Any:
    """A seven as a pad of 280 pixels would send it: dark ink on white, mode "L"."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (CANVAS, CANVAS), 255)
    ImageDraw.Draw(canvas).line([(80, 70), (200, 70), (130, 220)], fill=0, width=22, joint="curve")
    return canvas


def _seconds(run: Any, repeats: int) -> list[float]:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return seconds


TRIALS = {
    trial.__name__: trial
    for trial in (
        book_pace,
        fit_pace,
        book_race,
        fit_race,
        book_parts,
        fit_parts,
        matrix_peak,
        step_flops,
        one_prediction,
    )
}

if __name__ == "__main__":
    print(json.dumps(TRIALS[sys.argv[1]](**json.loads(sys.argv[2]))))
