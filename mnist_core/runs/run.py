"""One run: a recipe in training, and all that its visitor may see of it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from mnist_core.answers import digits_in
from mnist_core.classifier import Classifier
from mnist_core.config import TrainConfig
from mnist_core.engine.events import Change, Evaluation, Event, Finished, Step, Testing
from mnist_core.engine.history import History, Rows, Trouble, Watch
from mnist_core.inference import Calibration
from mnist_core.model import CLASSES, ConvNet
from mnist_core.runs.examine import Examination

ACTIVE = ("fetching", "waiting", "running")  # states that a run leaves by itself
OVER = ("finished", "stopped", "failed", "diverged")  # final states
TRACE_POINTS = 600
KERNEL_FRAMES = 40

Weights = dict[str, torch.Tensor]
Events = Generator[Event, Change | None, None]
Beginning = tuple[ConvNet, Events]


class Interrupted(Exception):
    """A run was paused or stopped before its digits were ready."""


class NoGPU(Exception):
    """A run was not given the GPU that it asked for, or not for long enough; the message says why."""


Lines = list[list[tuple[float, float]]]  # the pen's, each points (x, y) in pixels of the picture


@dataclass
class Pad:
    """What a visitor has drawn, which every run of theirs reads as it trains.

    Attributes:
        ink: (28, 28) uint8, the digit that a run follows, as the network sees it; None when blank.
        sheet: the whole drawing: a picture, and the pen's lines where they are known; None when blank.
        place: of the digit that a run follows, from the left.
    """

    ink: np.ndarray | None = None
    sheet: tuple[Image.Image, Lines | None] | None = None
    place: int = 0

    def hold(
        self, image: Image.Image | None, lines: Lines | None, place: int, ink: np.ndarray | None = None
    ) -> None:
        """What was drawn, and which of its digits is followed."""
        self.sheet = (image, lines) if image is not None else None
        self.place, self.ink = place, ink


class Run:
    """A recipe, its progress, and its weights.

    Only the thread that trains it calls `begin`, `advance` and `look`; everything else may be read from any
    thread, and is replaced as a whole rather than changed in place.

    Attributes:
        id: random; means nothing outside its visit.
        state: "fetching" (MNIST is being downloaded), "waiting" (for the slot), "running", "paused", or one
            of `OVER`.
        kind: "trained", "fine-tuned" or "uploaded".
        order: what its visitor wants of it: "run", "pause" or "stop".
        note: why it is in this state, in a sentence; "" when there is nothing to say.
        gpu: how it begins on a GPU that is lent to it, outside the slot: then it can be stopped, but neither
            paused nor changed. None for all others.
        fallback: why it is not on the GPU that it was to have; "" when there is nothing to say.
        weights: the newest snapshot of the state dict, on the CPU; None before the first turn.
        calibration: by which its classifier says "not sure"; None until the run has finished.
        drawn: synthetic digits and signs drawn for it so far.
        foreign: the files in MNIST's place that it learns from, or is tested on, and that are not MNIST's.
        trace: the network's output for the drawing on the pad: step, then ten probabilities.
        watched: when its page last looked at it, in `time.monotonic` seconds.
    """

    def __init__(
        self,
        name: str,
        config: TrainConfig,
        begin: Callable[[Run], Beginning] | None = None,
        kind: str = "trained",
    ) -> None:
        self.id = secrets.token_hex(8)
        self.name, self.config, self.kind = name, config, kind
        self.state, self.order, self.note = "waiting", "run", ""
        self.gpu: Callable[[Run], Beginning] | None = None
        self.fallback = ""
        self.learning_rate, self.momentum = config.learning_rate, config.momentum  # as they are now
        self.history = History()
        self.trouble: Trouble | None = None
        self.testing: tuple[int, int] | None = None  # test digits done and in all, during an evaluation
        self.weights: Weights | None = None
        self.weights_step = 0
        self.drawn = 0
        self.foreign: list[str] = []
        self.calibration: Calibration | None = None
        self.trace = Rows(1 + CLASSES, TRACE_POINTS)
        self.kernels = Rows(1 + 16 * 9, KERNEL_FRAMES)  # step, then cn1's sixteen 3x3 kernels, row by row
        self.result: dict[str, Any] = {}  # of fine-tuning
        self.examination: Examination | None = None
        self.single_step = False
        self.pad = Pad()
        self.watched = time.monotonic()
        self.settled = threading.Event()  # set whenever the run is not in its turn
        self.settled.set()
        self._begin = begin
        self._model: ConvNet | None = None
        self._events: Events | None = None
        self._watch = Watch(config)
        self._changes: deque[Change] = deque(maxlen=64)
        self._reader: tuple[Weights | None, Classifier] | None = None

    @property
    def active(self) -> bool:
        """Whether it trains or waits to."""
        return self.state in ACTIVE

    @property
    def pausable(self) -> bool:
        """Whether it can be paused now: it waits for its turn or trains, and not on a lent GPU."""
        return self.state in ("waiting", "running") and self.gpu is None

    @property
    def evaluation(self) -> Evaluation | None:
        """The newest evaluation."""
        return self.history.evaluations[-1] if self.history.evaluations else None

    def begin(self) -> None:
        """Build the network and the events, the first time; this may have to load the digits.

        Raises:
            Interrupted: it was told to pause or stop meanwhile.
        """
        if self._events is None:
            begin = self.gpu or self._begin
            assert begin is not None
            self.drawn = 0
            self._model, self._events = begin(self)
            self.snapshot(0)

    def fall_back(self, why: str) -> None:
        """Begin anew without a GPU, and say why."""
        self.gpu = self._events = None
        self.fallback = why

    def count_drawn(self) -> None:
        """Count one more synthetic digit. Raises `Interrupted` when the run is to pause or stop."""
        self.drawn += 1
        if self.order != "run":
            raise Interrupted

    def advance(self) -> Event:
        """Do the work up to the next event, and record the event."""
        assert self._events is not None
        change = self._change_due() if self.history.last else None
        event = self._events.send(change)  # None asks for the next one and changes nothing
        self.testing = (event.done, event.n) if isinstance(event, Testing) else None
        if isinstance(event, Step):
            self.history.add_step(event)
            self.trouble = self._watch.look(event, self.history.smoothed)
        elif isinstance(event, Evaluation):
            self.history.add_evaluation(event)
            self.trouble = self._watch.look_at_test(event, self.history.last) or self.trouble
        elif isinstance(event, Finished):
            self.snapshot(event.step)
        return event

    def change(self, change: Change, said: str) -> None:
        """Apply a change from the next step on, and mark it in the plot."""
        self._changes.append(change)
        self.learning_rate = change.learning_rate or self.learning_rate
        self.momentum = self.momentum if change.momentum is None else change.momentum
        self.history.add_change(said)

    def _change_due(self) -> Change | None:
        """All that was changed since the last event, as one: a slider sends many values between two steps."""
        due = None
        while self._changes:
            newest = self._changes.popleft()
            kept = {name: value for name, value in vars(newest).items() if value is not None}
            due = replace(due or newest, **kept)
        return due

    def look(self) -> None:
        """Take a snapshot, and read the drawing on the visitor's pad with it."""
        last = self.history.last
        step = last.step if last is not None else 0
        if self.trouble is not None and self.trouble.fatal:
            return
        if self._model is not None and self.snapshot(step):
            self._follow_digit()

    def _follow_digit(self) -> None:
        """Record what the newest snapshot reads where the pad has the digit that the run follows."""
        sheet, place = self.pad.sheet, self.pad.place
        if sheet is None or not self.weights_step:
            return
        digits = digits_in(self.classifier().read(*sheet))
        if place < len(digits):
            self.trace.add(self.weights_step, *digits[place].probabilities)

    def snapshot(self, step: int) -> bool:
        """Copy the weights: reading, downloads and examinations never touch the model in training.

        Returns:
            Whether they are finite; if not, the last ones that were are kept.
        """
        assert self._model is not None
        weights = {name: value.detach().cpu().clone() for name, value in self._model.state_dict().items()}
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            return False
        self.weights, self.weights_step = weights, step
        self.kernels.add(step, *weights["cn1.weight"].flatten().tolist())
        return True

    def model(self) -> ConvNet:
        """A network of its own with the newest snapshot, in evaluation mode."""
        if self.weights is None:
            raise ValueError(f"{self.name} has no weights yet: it hasn't begun. Wait for its turn.")
        return ConvNet.with_weights(self.weights, self.config)  # uses no random generator, unlike ConvNet()

    def classifier(self) -> Classifier:
        """Reads pictures with the newest snapshot."""
        weights, reader = self.weights, self._reader
        if reader is None or reader[0] is not weights:
            reader = (weights, Classifier(self.model(), self.calibration))
            self._reader = reader
        return reader[1]

    def hold(self, model: ConvNet, metadata: dict[str, Any]) -> None:
        """Take weights that were trained elsewhere, with their calibration, if any."""
        self.weights = dict(model.state_dict())
        self.weights_step = int(metadata.get("step") or 0)
        self.kernels.add(self.weights_step, *self.weights["cn1.weight"].flatten().tolist())
        known = metadata.get("calibration")
        self.calibration = Calibration.from_dict(known) if known else None

    def calibrated(self, calibration: Calibration) -> None:
        """From now on the run's classifier says when it is not sure."""
        self.calibration, self._reader = calibration, None
        self._follow_digit()

    def close(self) -> None:
        """Release the model in training and the digits; the weights stay."""
        if self._events is not None:
            self._events.close()
        self.gpu = self._begin = self._model = self._events = None


def images_per_second(run: Run) -> float | None:
    """Samples seen per second of training so far; None before the first step."""
    last = run.history.last
    return last.seen / last.seconds if last is not None and last.seconds > 0 else None


def seconds_left(run: Run) -> float | None:
    """How long the rest of the run's steps and evaluations will take at the pace so far."""
    last = run.history.last
    if last is None or last.step == 0:
        return None
    steps = (last.steps - last.step) * last.seconds / last.step
    if not run.history.evaluations:
        return steps
    done, per_epoch = run.history.tested, run.config.evaluations_per_epoch
    tests = max(0, int(run.config.epochs * per_epoch) - done)
    return steps + tests * run.history.evaluations[-1].seconds
