"""`train`: a run from its recipe to its files."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch

from mnist_core.cli import run_folder
from mnist_core.cli.display import Display
from mnist_core.cli.foreign import warn_of_foreign_files
from mnist_core.cli.interruption import Interruption
from mnist_core.cli.output import discard
from mnist_core.cli.usage import asked
from mnist_core.config import PRESETS, TrainConfig, knobs
from mnist_core.data import load_data, synthetic_count
from mnist_core.datasets.digits import Digits
from mnist_core.engine import distributed
from mnist_core.engine.calibrate import calibrate, unseen_digits
from mnist_core.engine.events import Evaluation, Event, Step
from mnist_core.engine.history import History, Trouble, Watch
from mnist_core.engine.setup import initial_model, pick_device, resolve
from mnist_core.model import ConvNet
from mnist_core.training import LOG_EVERY, fit, test_line

Stop = Callable[[Event], bool]  # whether a run is to stop after an event


def run(options: argparse.Namespace, interruption: Interruption) -> int:
    """Train, and write what came of it to `options.out`, after an interruption as well; the exit status.

    Raises:
        ValueError: the recipe, the device, the data or the folder will not do, or the run diverged.
    """
    config, device = _asked_for(options)
    if options.out:
        run_folder.check(options.out)
    if not distributed.is_writer():
        discard()  # of several processes one speaks
    with (
        distributed.together(device) if distributed.is_launched() else nullcontext(device) as device,
        Display(needed=not options.out) as display,
    ):
        config = resolve(config, device)
        train_data, test_data = _load(config, options.data_dir, display)
        model = initial_model(config)
        display.line(f"Training on {device.type} in {config.precision}, threads: {config.threads}.")
        out = options.out if distributed.is_writer() else None
        with interruption.held():
            events, stop = _begin(model, train_data, test_data, config, device, interruption)
            history = _follow(events, config, len(train_data), display, stop)
            if out:
                display.line("Saving.")
                out = run_folder.free(out)
                run_folder.save(out, model, config, history)
        if out:
            _complete(out, model, config, history, train_data, display, interruption)
    return interruption.status


def _asked_for(options: argparse.Namespace) -> tuple[TrainConfig, torch.device]:
    """The recipe, which the flags change from a preset's, and the device."""
    given = {name: value for name, value in vars(options).items() if name in knobs()}
    with asked():
        return replace(PRESETS[options.preset], **given), pick_device(options.device)


def _load(config: TrainConfig, folder: Path | None, display: Display) -> tuple[Digits, Digits]:
    """The recipe's digits; of several processes the writer has them first, and alone downloads them."""
    drawn, total = count(1), synthetic_count(config)

    def load() -> tuple[Digits, Digits]:
        return load_data(
            config, folder, progress=display.download, drawn=lambda: display.drawing(next(drawn), total)
        )

    digits = distributed.writer_first(load) if distributed.is_launched() else load()
    if config.data != "synthetic" and distributed.is_writer():
        warn_of_foreign_files(folder)
    return digits


def _begin(
    model: ConvNet,
    train_data: Digits,
    test_data: Digits,
    config: TrainConfig,
    device: torch.device,
    interruption: Interruption,
) -> tuple[Iterable[Event], Stop]:
    """A run's events, and when to stop: an interruption ends an evaluation, too, if this process is alone."""
    if distributed.is_launched():
        return distributed.fit(model, train_data, test_data, config, device), _agreed(interruption, device)
    events = fit(model, train_data, test_data, config, device, progress=True)
    return events, lambda _: interruption.number is not None


def _follow(events: Iterable[Event], config: TrainConfig, n: int, display: Display, stop: Stop) -> History:
    """Train on `n` digits to the end or until `stop`, reporting progress.

    Raises:
        ValueError: the run diverged.
    """
    history, watch, batches = History(), Watch(config), math.ceil(n / config.batch_size)
    for event in events:
        if isinstance(event, Step):
            history.add_step(event)
            display.step(event, batches, config.batch_size, n)
            _check(watch.look(event, history.smoothed))
        elif isinstance(event, Evaluation):
            history.add_evaluation(event)
            display.line(test_line(event.loss, event.correct, event.n))
            _check(watch.look_at_test(event, history.last))
        if stop(event):
            display.line("Interrupted: the weights are as they were after the last step.")
            break
    return history


def _check(trouble: Trouble | None) -> None:
    """Raise `ValueError` if a run is not to go on."""
    if trouble is not None and trouble.fatal:
        raise ValueError(trouble.says)


def _agreed(interruption: Interruption, device: torch.device) -> Stop:
    """Whether any of the processes that train together was interrupted; every few steps they all ask."""

    def stop(event: Event) -> bool:
        if not isinstance(event, Step) or event.step % LOG_EVERY:
            return False
        interrupted = torch.tensor(float(interruption.number is not None), device=device)
        torch.distributed.all_reduce(interrupted)
        return interrupted.item() > 0

    return stop


def _complete(
    out: Path,
    model: ConvNet,
    config: TrainConfig,
    history: History,
    train_data: Digits,
    display: Display,
    interruption: Interruption,
) -> None:
    """Add to a run that is saved what takes its time: the calibration, the plots."""
    display.line("Calibrating.")
    calibration = calibrate(model, unseen_digits(config, train_data))
    with interruption.held():
        run_folder.save(out, model, config, history, calibration)
        run_folder.draw(out, history)
    display.line(f"Wrote weights.pt, weights.json, history.csv and plots to {out}.")
