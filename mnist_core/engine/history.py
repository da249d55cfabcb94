"""A run's history: every step and evaluation of it, and the diagnosis when something goes wrong."""

from __future__ import annotations

import csv
import io
import math
from array import array
from dataclasses import dataclass

import numpy as np

from mnist_core.config import TrainConfig
from mnist_core.engine.events import Evaluation, Step

POINTS = 4000  # rows of a picture; the book's 3,750 steps all fit
EVALUATIONS = 300  # held with their confusion matrices
CHANGES = 50  # of the learning rate or the momentum that the plot marks
CHANCE_LOSS = math.log(10)  # of a network that gives every digit the same probability
FLAT_STEPS = 100  # steps in a row before a loss is called flat
_FLAT_WIDTH = 0.06  # how far from CHANCE_LOSS still counts as flat
_EXPLODED = 3 * CHANCE_LOSS  # a smoothed loss above this has diverged
_HUGE = 1e3  # no single batch of a run that learns comes near this loss

# The rate at which each optimizer trains this network well, found by experiment; offered to a diverged run.
GENTLE_RATES = {"sgd": 0.05, "momentum": 0.01, "adadelta": 0.5, "adam": 1e-3, "adamw": 1e-3, "muon": 0.05}


class Rows:
    """At most `limit` rows of numbers: when full, every other row is dropped.

    From then on only every second (fourth, eighth, ...) new row is kept, so the rows stay evenly spaced; the
    newest is always kept as the last one.
    """

    def __init__(self, width: int, limit: int = POINTS) -> None:
        self.width, self.limit, self.every, self._count = width, limit, 1, 0
        self._kept = array("d")
        self._newest: tuple[float, ...] | None = None

    def add(self, *row: float) -> None:
        """Append a row of `width` numbers."""
        assert len(row) == self.width
        self._newest = None
        if self._count % self.every == 0:
            self._kept.extend(row)
        else:
            self._newest = row
        self._count += 1
        if len(self._kept) // self.width >= self.limit:
            self.every *= 2
            self._newest = self._newest or tuple(self._kept[-self.width :])
            halved = array("d")
            for start in range(0, len(self._kept), 2 * self.width):
                halved.extend(self._kept[start : start + self.width])
            self._kept = halved

    def rows(self, wanted: int | None = None) -> list[tuple[float, ...]]:
        """The rows, thinned to about `wanted` if there are more; the first and the newest always included."""
        kept, newest = self._kept, self._newest  # taken once: another thread may be adding
        count = len(kept) // self.width
        stride = max(1, math.ceil(count / wanted)) if wanted else 1
        rows = [tuple(kept[i * self.width : (i + 1) * self.width]) for i in range(0, count, stride)]
        last = newest or (tuple(kept[(count - 1) * self.width : count * self.width]) if count else None)
        if last is not None and (not rows or rows[-1] != last):
            rows.append(last)
        return rows

    def __len__(self) -> int:
        return len(self._kept) // self.width + (self._newest is not None)


class Curve:
    """All rows of numbers that were added; for a plot, fewer of them that still show every peak.

    Args:
        width: numbers in a row.
        shown: which of them is plotted, and keeps its lowest and highest values when rows are left out.
    """

    def __init__(self, width: int, shown: int) -> None:
        self.width, self.shown = width, shown
        self._numbers = array("d")

    def add(self, *row: float) -> None:
        """Append a row of `width` numbers."""
        assert len(row) == self.width
        self._numbers.extend(row)

    def rows(self, wanted: int | None = None) -> list[tuple[float, ...]]:
        """All rows, or about `wanted` of them: the lowest and the highest of every `stretch(wanted)`.

        The first and the newest are always included.
        """
        numbers = self._numbers[:]  # a copy: another thread may be adding
        table = np.frombuffer(numbers, np.float64)[: len(numbers) // self.width * self.width]
        table = table.reshape(-1, self.width)
        stretch = self.stretch(wanted)
        if stretch > 1:
            table = table[_extremes(table[:, self.shown], stretch)]
        return [tuple(row) for row in table.tolist()]

    def stretch(self, wanted: int | None) -> int:
        """How many rows in a row two of `rows(wanted)` stand for; 1 if none is left out."""
        return math.ceil(2 * len(self) / wanted) if wanted and len(self) > wanted else 1

    def __len__(self) -> int:
        return len(self._numbers) // self.width


def _extremes(values: np.ndarray, stretch: int) -> np.ndarray:
    """In order, the indices of the lowest and the highest of every `stretch` values, the first and the last.

    What is no number is passed over.
    """
    kept = {0, len(values) - 1}
    for start in range(0, len(values), stretch):
        part = values[start : start + stretch]
        kept.add(start + int(np.where(np.isnan(part), np.inf, part).argmin()))
        kept.add(start + int(np.where(np.isnan(part), -np.inf, part).argmax()))
    return np.array(sorted(kept))


class History:
    """The losses of a run, raw and smoothed, its evaluations, and the changes made during it."""

    def __init__(self) -> None:
        self.losses = Curve(5, shown=2)  # step, samples seen, loss, smoothed loss, learning rate
        self.tests = Curve(3, shown=1)  # step, loss, accuracy of every evaluation
        self.evaluations: list[Evaluation] = []
        self.changes: list[tuple[int, str]] = []  # after which step, what changed
        self.reached: dict[float, float] = {}  # accuracy -> training seconds when it was first measured
        self.tested = 0  # evaluations so far, dropped ones included
        self.last: Step | None = None
        self.smoothed = math.nan  # the exponential moving average of the losses over 5 to 50 steps
        self._smooth = self._weight = 0.0

    def add_step(self, step: Step) -> None:
        """Record a step."""
        keep = 1 - 1 / min(max(step.steps / 100, 5), 50)
        self._smooth = keep * self._smooth + (1 - keep) * step.loss
        self._weight = keep * self._weight + (1 - keep)
        self.smoothed = self._smooth / self._weight
        self.last = step
        self.losses.add(step.step, step.seen, step.loss, self.smoothed, step.learning_rate)

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Record an evaluation; of too many, about every other is dropped, but no peak of the loss."""
        self.tests.add(evaluation.step, evaluation.loss, evaluation.accuracy)
        self.evaluations.append(evaluation)
        self.tested += 1
        if len(self.evaluations) > EVALUATIONS:
            losses = np.array([kept.loss for kept in self.evaluations])
            self.evaluations = [self.evaluations[i] for i in _extremes(losses, 4)]
        if self.last is not None:
            for goal in (0.98, 0.99):
                if evaluation.accuracy >= goal:
                    self.reached.setdefault(goal, self.last.seconds)

    def add_change(self, text: str) -> None:
        """Record a change made during the run, up to `CHANGES` of them; of one step's, the last counts."""
        step, what = self.last.step if self.last is not None else 0, text.split()[::2]
        others = [each for each in self.changes if each[0] != step or each[1].split()[::2] != what]
        if len(others) < CHANGES:
            self.changes = [*others, (step, text)]

    def batches_shown(self, wanted: int) -> str:
        """Which batches' losses are among `losses.rows(wanted)`, in words for a plot's legend."""
        stretch = self.losses.stretch(wanted)
        return "each batch" if stretch == 1 else f"lowest and highest of every {stretch} batches"

    def to_csv(self) -> str:
        """One line for each step, with the evaluation after it; then evaluations after any other step."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(
            ["step", "samples_seen", "loss", "smoothed_loss", "learning_rate", "test_loss", "test_accuracy"]
        )
        tests = {kept.step: (kept.loss, kept.accuracy) for kept in self.evaluations}
        tests |= {int(step): (loss, accuracy) for step, loss, accuracy in self.tests.rows()}
        for step, seen, loss, smoothed, rate in self.losses.rows():
            writer.writerow([int(step), int(seen), loss, smoothed, rate, *tests.pop(int(step), ("", ""))])
        for step, tested in tests.items():
            writer.writerow([step, "", "", "", "", *tested])
        return out.getvalue()


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a run.

    Attributes:
        fatal: whether the run has to stop.
        says: what is wrong, in a sentence or two, while the run goes on or as it stops.
        learning_rate: one that should do, where the present one is too high.
        afterwards: the same as `says`, once the run has come to its end; "" if it never does.
    """

    fatal: bool
    says: str
    learning_rate: float | None = None
    afterwards: str = ""


class Watch:
    """Checks every step for a loss that explodes or does not fall."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self._worst = 0.0
        self._flat = 0

    def look(self, step: Step, smoothed: float) -> Trouble | None:
        """What is wrong at this step, if anything; the caller stops a run if it is fatal."""
        self._worst = max(self._worst, step.loss)
        self._flat = self._flat + 1 if abs(smoothed - CHANCE_LOSS) < _FLAT_WIDTH else 0
        if not math.isfinite(step.loss):
            return self._diverged(step, "The loss is no longer a number")
        if step.loss > _HUGE or (step.step >= 5 and smoothed > _EXPLODED):
            return self._diverged(step, f"The loss shot up to {self._worst:,.0f}")
        if self._flat < FLAT_STEPS:
            return None
        if self._worst > 2 * CHANCE_LOSS:
            return self._diverged(step, "The loss shot up and has stood at 2.303 since: the units are dead")
        return self._not_learning(step)

    def look_at_test(self, evaluation: Evaluation, last: Step | None) -> Trouble | None:
        """What is wrong if the weights that the `last` step left no longer give numbers."""
        if last is None or math.isfinite(evaluation.loss):
            return None
        return self._diverged(last, "The loss is no longer a number")

    def _diverged(self, step: Step, what: str) -> Trouble:
        name = OPTIMIZER_NAMES[self.config.optimizer]
        better = gentler(self.config.optimizer, step.learning_rate)
        return Trouble(
            True,
            f"{what}. A learning rate of {step.learning_rate:g} is too high for {name}; try {better:g}.",
            better,
        )

    def _not_learning(self, step: Step) -> Trouble:
        reasons = []
        if step.learning_rate < GENTLE_RATES[self.config.optimizer]:
            reasons.append(f"a learning rate of {step.learning_rate:g} is too low")
        if self.config.activation in ("sigmoid", "tanh"):
            reasons.append(f"{self.config.activation} shrinks the gradients on their way back")
        if step.learning_rate > 10 * GENTLE_RATES[self.config.optimizer]:
            reasons.append(f"a learning rate of {step.learning_rate:g} is too high")
        if max(self.config.dropout1, self.config.dropout2) > 0.6:
            reasons.append("dropout switches off most of the network")
        why = " and ".join(reasons) or "it only needs more steps"
        return Trouble(
            False,
            f"The loss stands at 2.303, as if guessing (ln 10): it isn't learning yet. Perhaps {why}.",
            afterwards=f"The loss still stood at 2.303 at the end, as if guessing (ln 10). Perhaps {why}.",
        )


OPTIMIZER_NAMES = {
    "sgd": "plain SGD",
    "momentum": "SGD with momentum",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamw": "AdamW",
    "muon": "Muon",
}


def gentler(optimizer: str, learning_rate: float) -> float:
    """A learning rate to try after `learning_rate` was too high: a tenth of it, or the optimizer's own."""
    return min(float(f"{learning_rate / 10:.1g}"), GENTLE_RATES[optimizer])
