"""What a run prints: a progress bar on a terminal, lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType

from tqdm import tqdm

from mnist_core.cli.output import discard
from mnist_core.engine.events import Step
from mnist_core.training import LOG_EVERY, train_line

BAR = "{percentage:3.0f}%|{bar}| {desc}, {remaining} left"
TENTHS = 10  # of a whole, each of which gets a line where there is no terminal

tqdm.monitor_interval = 0  # no thread that watches for slow updates: all of these are drawn as they come


class Display:
    """Prints lines, and between them how far something has come; the bar is gone afterwards.

    Args:
        needed: whether the command is to end, with an `OSError`, when nobody can read its output any more.
    """

    def __init__(self, *, needed: bool = True) -> None:
        self.needed = needed
        self.terminal = sys.stdout.isatty()
        self._bar: tqdm | None = None
        self._shown = ("", 0)  # what has last been reported, and how far it had come

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def line(self, text: str) -> None:
        """Print a line."""
        self._close()
        self._guarded(lambda: print(text, flush=True))

    def step(self, step: Step, batches: int, batch_size: int, n: int) -> None:
        """Report a step of training on `n` digits, in so many batches of up to `batch_size` an epoch."""
        b_i = (step.step - 1) % batches
        if self.terminal:
            speed = step.seen / step.seconds
            says = f"epoch {step.epoch}, loss {step.loss:.4f}, {speed:,.0f} images/s"
            self._draw("training", step.step, step.steps, says)
        elif b_i % LOG_EVERY == 0:
            self.line(train_line(step.epoch, b_i * batch_size, n, b_i, batches, step.loss))

    def download(self, came: int, total: int) -> None:
        """Report how many bytes of MNIST have come."""
        self._progress("Downloading MNIST", came, total, f"{came / 1e6:.1f} of {total / 1e6:.1f} MB")

    def drawing(self, drawn: int, total: int) -> None:
        """Report how many synthetic digits and signs have been drawn."""
        self._progress("Drawing synthetic digits", drawn, total, f"{drawn:,} of {total:,}")

    def _progress(self, what: str, done: int, total: int, amount: str) -> None:
        now = (what, TENTHS * done // total)
        if self.terminal:
            self._draw(what, done, total, f"{what}: {amount}")
        elif now != self._shown:
            self._shown = now
            self.line(f"{what}: {amount}")

    def _draw(self, what: str, done: int, total: int, says: str) -> None:
        if self._bar is None or what != self._shown[0]:
            self._close()
            self._shown = (what, 0)
            self._guarded(lambda: self._begin(done, total, says))
        if (bar := self._bar) is not None:
            bar.set_description_str(says, refresh=False)
            self._guarded(lambda: bar.update(done - bar.n))

    def _begin(self, done: int, total: int, says: str) -> None:
        self._bar = tqdm(
            desc=says,
            total=total,
            initial=done,
            file=sys.stdout,
            leave=False,
            dynamic_ncols=True,
            miniters=0,
            bar_format=BAR,
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._guarded(self._bar.close)
            self._bar = None

    def _guarded(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError:
            if self.needed:
                raise
            discard()
