"""The loop of a training run, as a generator of events."""

from __future__ import annotations

import math
from collections.abc import Generator

from mnist_core.engine.batches import Batches, check_some
from mnist_core.engine.events import Change, Evaluation, Event, Finished, Testing
from mnist_core.engine.trainer import Tally, Trainer

CUDA_BLOCK = 50  # steps whose losses are fetched together, so that the device is never waited for in between


def follow(trainer: Trainer, test_data: Batches, progress: bool) -> Generator[Event, Change | None, None]:
    """Take a trainer through its recipe, as `fit` says."""
    block = CUDA_BLOCK if trainer.device.type == "cuda" else 1
    due = _evaluation_steps(trainer.steps, len(trainer.batches), trainer.config.evaluations_per_epoch)
    while trainer.step < trainer.steps:
        with trainer.turn():
            trainer.advance()
        if trainer.step % block == 0 or trainer.step in due:
            for event in trainer.settle():
                trainer.change((yield event))
        if trainer.step in due:
            evaluation = yield from evaluate(trainer, test_data, progress)
            trainer.change((yield evaluation))
    yield Finished(trainer.steps, trainer.seconds, evaluation)


def evaluate(
    trainer: Trainer, test_data: Batches, progress: bool
) -> Generator[Testing, Change | None, Evaluation]:
    """Test the network as it stands on all test digits, a batch at a turn; returns the evaluation."""
    tally, before = Tally(trainer.device), trainer.testing_seconds
    batches = iter(test_data)
    while True:
        with trainer.turn(learning=False):
            batch = next(batches, None)
            if batch is None:
                loss, confusion = trainer.gather(tally.losses).item(), trainer.gather(tally.confusion).cpu()
                break
            trainer.tally(tally, *batch)
        if progress:
            trainer.change((yield Testing(tally.n, test_data.samples)))
    correct, n = int(confusion.trace()), int(confusion.sum())
    check_some(n)
    seconds = trainer.testing_seconds - before
    return Evaluation(
        trainer.step, max(1, trainer.epoch), loss / n, correct / n, correct, n, confusion, seconds
    )


def _evaluation_steps(steps: int, steps_per_epoch: int, per_epoch: int) -> set[int]:
    """After which steps the test digits are read: `per_epoch` times an epoch, evenly, and after the last."""
    count = math.floor(steps / steps_per_epoch * per_epoch)
    return {math.ceil(i * steps_per_epoch / per_epoch) for i in range(1, count + 1)} | {steps}
