"""What visits do with their runs: one training thread serves them all, and each visit reaches only its own.

One run trains at a time; the others wait in order of arrival. A paused run gives up the slot; one that trains
for long while others wait goes back to the end of the queue.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import optim

from mnist_core import checkpoint
from mnist_core.classifier import Classifier
from mnist_core.config import TrainConfig
from mnist_core.data import synthetic_digits
from mnist_core.engine.calibrate import calibrate
from mnist_core.engine.events import Change
from mnist_core.engine.history import OPTIMIZER_NAMES
from mnist_core.engine.memory import freeze_gc
from mnist_core.engine.setup import initial_model, pick_device, resolve
from mnist_core.runs import fine_tuning, gpu
from mnist_core.runs.archive import Archive
from mnist_core.runs.examine import Examination, examine
from mnist_core.runs.limits import Limits, limits_from, on_a_space
from mnist_core.runs.recipes import Pace
from mnist_core.runs.run import OVER, Beginning, Run
from mnist_core.runs.slot import THREADS, RunError, Slot
from mnist_core.runs.store import DigitStore, Pair
from mnist_core.runs.visits import Visit, Visits
from mnist_core.training import fit

SHIPPED = "shipped"  # the choice that is no run: the built-in model
RUNS_VARIABLE = "MNIST_RUNS_DIR"


class Runs(Visits):
    """The registry. Thread-safe.

    Args:
        limits: None for this machine's defaults.
        folder: where finished runs are archived; None archives nothing.
        digits: what runs train on; None for this machine's own.
        device: to train on, see `engine.setup.pick_device`.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        folder: Path | None = None,
        digits: DigitStore | None = None,
        device: str | None = None,
    ) -> None:
        limits = limits or limits_from()
        super().__init__(limits, Slot(limits, self._over))
        self.digits = digits or DigitStore()
        self.device = pick_device(device)
        self.pace = Pace()
        self._archive = Archive(folder, limits.kept_runs) if folder else None
        self._examining = threading.Lock()
        self._warming: threading.Thread | None = None

    def reading_run(self, secret: str, choice: str | None) -> Run | None:
        """The visit's own run by this id, if it has weights; None leaves its pad to the built-in model."""
        with contextlib.suppress(RunError):
            if isinstance(choice, str) and choice != SHIPPED:
                run = self.run(secret, choice)
                return run if run.weights is not None else None
        return None

    def classifier_for(self, secret: str, choice: str | None) -> Classifier:
        """What reads this visit's pad: one of its own runs by id, else the built-in model."""
        run = self.reading_run(secret, choice)
        return run.classifier() if run is not None else shipped_classifier()

    # Run control

    def warm_up(self) -> threading.Thread:
        """Load in the background what the first run would otherwise wait for.

        That is torch's compiler, which a process's first torch optimizer takes about a second to import, and
        MNIST, if it is here.
        """
        with self._lock:
            if self._warming is None:
                self._warming = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)
                self._warming.start()
            return self._warming

    def start(self, secret: str, config: TrainConfig, worker: gpu.Worker | None = None) -> Run:
        """Queue a new run of a recipe.

        Args:
            worker: trains on a GPU, as `gpu.train` does; then the run waits for `slot.train_outside`, and for
                the slot only if no GPU comes. None trains in the slot.

        Raises:
            RunError: the queue is full, the visit has too many runs or an active one, or the recipe is too
                long.
        """
        if config.epochs > self.limits.epochs:
            raise RunError(f"{config.epochs:g} epochs are too many here: at most {self.limits.epochs:g}.")
        if synthetic_digits(config) + config.non_digits > self.limits.synthetic:
            raise RunError(
                f"This recipe asks for too many synthetic digits: at most {self.limits.synthetic:,} here."
            )
        config = self._resolved(config)

        def begin(run: Run) -> Beginning:
            model = initial_model(config)
            return model, fit(model, *self._digits_of(run), config, self.device, progress=True)

        def begin_outside(run: Run, worker: gpu.Worker) -> Beginning:
            # A process that is forked while a thread of this one imports what training needs waits for that
            # import forever.
            self.warm_up().join()
            return gpu.begin(worker, config, self._digits_of(run))

        def make(name: str) -> Run:
            run = Run(name, config, begin)
            if worker is not None:
                run.gpu = functools.partial(begin_outside, worker=worker)
            return run

        return self._enter(secret, make, wants_mnist=config.data != "synthetic")

    def fine_tune(self, secret: str, choice: str, drawings: list[tuple[np.ndarray, int]]) -> Run:
        """Queue a run that fine-tunes a copy of the chosen weights on the visitor's own drawings.

        Args:
            choice: whose weights to start from, as in `classifier_for`.
            drawings: images (28, 28) uint8 as `preprocess` makes them, each with its label.
        """
        if not 1 <= len(drawings) <= self.limits.drawings:
            raise RunError(f"Fine-tuning takes 1 to {self.limits.drawings} drawings; got {len(drawings)}.")
        start = self.classifier_for(secret, choice).model
        parent = self.visit(secret).runs.get(choice)
        config = self._resolved(fine_tuning.recipe(parent.config if parent else None, self.digits.here()))

        def begin(run: Run) -> Beginning:
            return fine_tuning.begin(run, start, drawings, self._digits_of(run), self.device)

        def make(name: str) -> Run:
            run = Run(name.replace("Run", "Fine-tune"), config, begin, kind="fine-tuned")
            run.result |= {"parent": choice, "drawings": len(drawings)}
            return run

        return self._enter(secret, make, wants_mnist=False)

    def examine(self, secret: str, run_id: str) -> Examination:
        """What the newest snapshot of a run gets wrong on the test digits; computed once for each."""
        run = self.run(secret, run_id)
        with self._examining:
            of = (run.weights_step, run.calibration)
            if run.examination is None or (run.examination.step, run.examination.calibration) != of:
                run.examination = examine(run.classifier(), self.digits.test(run.config), *of)
            return run.examination

    def adopt(self, secret: str, run: Run) -> Run:
        """Add a run that needs no training: uploaded weights."""
        with self._lock:
            visit = self.visit(secret)
            self._check_room(visit)
            visit.made += 1
            visit.runs[run.id] = run
            visit.current = run.id
            return run

    def upload(self, secret: str, path: Path) -> Run:
        """Add weights from a file as a run that needs no training.

        Raises:
            CheckpointError: the file is too large, or holds no weights of this network.
        """
        with path.open("rb") as file:
            model, metadata = checkpoint.load(file, max_bytes=self.limits.upload_bytes)
        network = metadata.get("network") or {}
        run = Run("Uploaded model", TrainConfig(**network), kind="uploaded")
        run.state = "finished"
        run.hold(model, metadata)
        return self.adopt(secret, run)

    def pause(self, secret: str, run_id: str, note: str = "") -> Run:
        """Take a run out of its slot or the queue; resumed, it continues exactly there."""
        run = self.run(secret, run_id)
        if run.gpu is not None:
            raise RunError(f"{run.name} has a GPU for a limited time and cannot be paused. Stop it instead.")
        self.slot.pause(run, note)
        run.settled.wait(1.0)
        return run

    def resume(self, secret: str, run_id: str, *, single_step: bool = False) -> Run:
        """Queue a paused run again, to its end or for one step."""
        run = self.run(secret, run_id)
        with self._lock:
            visit = self.visit(secret)
            if run.state != "paused":
                raise RunError(f"{run.name} is {run.state}; only a paused run can be resumed.")
            self._check_slot(visit)
            run.single_step, run.note = single_step, ""
            self.slot.line_up(run)
            return run

    def stop(self, secret: str, run_id: str) -> Run:
        """End a run; its curves and its weights so far are kept."""
        run = self.run(secret, run_id)
        self.slot.end(run, "")
        run.settled.wait(1.0)
        return run

    def change(
        self, secret: str, run_id: str, *, learning_rate: float | None = None, momentum: float | None = None
    ) -> None:
        """Change a run's learning rate or momentum while it trains; the plot marks the step."""
        run = self.run(secret, run_id)
        if run.state in OVER:
            raise RunError(f"{run.name} is over; the new value applies to the next run.")
        if run.gpu is not None:
            raise RunError(
                f"{run.name} is on a GPU, where a run keeps its rate; the next one can have another."
            )
        if momentum is not None and run.config.optimizer != "momentum":
            raise RunError(
                f"Only SGD with momentum has a momentum, not {OPTIMIZER_NAMES[run.config.optimizer]}."
            )
        said = [f"rate {learning_rate:g}"] if learning_rate is not None else []
        said += [f"momentum {momentum:g}"] if momentum is not None else []
        run.change(Change(learning_rate=learning_rate, momentum=momentum), ", ".join(said))

    def follow_recipe(self, secret: str, run_id: str, recipe: TrainConfig) -> None:
        """Apply to a run whatever in a recipe differs and can be changed while it trains."""
        run = self.run(secret, run_id)
        if run.gpu is not None:
            return
        rate = recipe.learning_rate if recipe.learning_rate != run.learning_rate else None
        momentum = recipe.momentum if recipe.momentum != run.momentum else None
        if run.config.optimizer != "momentum":
            momentum = None
        if rate is not None or momentum is not None:
            self.change(secret, run_id, learning_rate=rate, momentum=momentum)

    def delete(self, secret: str, run_id: str) -> None:
        """Delete a run, in the archive too."""
        run = self.run(secret, run_id)
        self.slot.end(run, "")
        with self._lock:
            visit = self.visit(secret)
            visit.runs.pop(run_id, None)
            visit.compared.discard(run_id)
        if self._archive:
            self._archive.remove(run)

    def rename(self, secret: str, run_id: str, name: str) -> None:
        """Rename a run: up to 40 printable characters."""
        name = "".join(letter for letter in name if letter.isprintable()).strip()[:40]
        if not name:
            raise RunError("A run's name must not be empty.")
        run = self.run(secret, run_id)
        run.name = name
        if self._archive and run.id in self._archive.runs():
            self._archive.keep(run)

    def close(self) -> None:
        """End the threads; a run in training is paused."""
        self.digits.cancel()
        super().close()

    # How runs come in

    def _kept(self) -> dict[str, Run]:
        return self._archive.runs() if self._archive else {}

    def _enter(self, secret: str, make: Callable[[str], Run], *, wants_mnist: bool) -> Run:
        with self._lock:
            visit = self.visit(secret)
            self._check_slot(visit)
            self._check_room(visit)
            run = make(f"Run {visit.made + 1}")
            run.pad = visit.pad
            if wants_mnist and not self.digits.here():
                self._fetch_for(run)
            else:
                self.slot.line_up(run)
            if visit.runs:
                visit.lost = ""
            visit.made += 1
            visit.runs[run.id] = run
            visit.current = run.id
            return run

    def _warm_up(self) -> None:
        optim.SGD([torch.zeros(1)])
        freeze_gc()
        self.digits.warm_up()

    def _resolved(self, config: TrainConfig) -> TrainConfig:
        return resolve(replace(config, threads=config.threads or THREADS), self.device)

    def _digits_of(self, run: Run) -> Pair:
        """The digits to train a run on and to test it on; it is noted whether they are MNIST's."""
        digits = self.digits.get(run.config, run.count_drawn)
        run.foreign = self.digits.foreign(run.config)
        return digits

    def _check_slot(self, visit: Visit) -> None:
        if visit.active is not None:
            how = "Pause or stop" if visit.active.pausable else "Stop"
            raise RunError(f"{visit.active.name} is still {visit.active.state}. {how} it first.")

    def _check_room(self, visit: Visit) -> None:
        if len(visit.runs) >= self.limits.runs:
            raise RunError(f"The limit of runs per visit is {self.limits.runs}. Delete one and start again.")

    def _fetch_for(self, run: Run) -> None:
        """Let a run wait for MNIST outside the queue: a download does not hold the slot."""

        def arrived(error: str | None) -> None:
            with self._lock:
                if run.state != "fetching":
                    return
                if error is None:
                    with contextlib.suppress(RunError):
                        self.slot.line_up(run)
                        return
                run.state = "failed"
                run.note = error or "The queue filled up meanwhile. Start again in a minute."

        run.state = "fetching"
        self.digits.fetch(arrived, wanted=lambda: self._anyone_fetching())

    def _anyone_fetching(self) -> bool:
        with self._lock:
            return any(
                run.state == "fetching" for visit in self._visits.values() for run in visit.runs.values()
            )

    def _over(self, run: Run, state: str, note: str) -> None:
        """What is done when a run ends: it is calibrated, to say "not sure", and archived."""
        run.note = note
        if run.history.last is not None and run.gpu is None:
            self.pace.note(run.history.last)
        if state == "finished" and run.calibration is None:
            try:
                run.calibrated(calibrate(run.model(), self.digits.unseen(run.config)))
            except ValueError as error:  # the weights answer with no numbers: then they stay uncalibrated
                run.note = str(error)
        if self._archive and state in ("finished", "stopped") and run.weights_step:
            self._archive.keep(run, state)


@functools.cache
def shipped_classifier() -> Classifier:
    """The built-in model."""
    return Classifier.load()


@functools.cache
def registry() -> Runs:
    """The one registry of this process, made on first use from the environment."""
    folder = os.environ.get(RUNS_VARIABLE, "runs")
    return Runs(folder=Path(folder) if folder and _on_ones_own_machine() else None)


def _on_ones_own_machine() -> bool:
    """Whether only this machine reaches the page: then runs are archived, and whoever opens it sees them."""
    address = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    return not on_a_space() and address in ("127.0.0.1", "localhost", "::1")
