"""The training slot: one thread, in which one run trains at a time, and its queue."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

import torch

from mnist_core.engine.events import Finished, Step
from mnist_core.engine.memory import give_back_freed_memory
from mnist_core.runs.limits import Limits
from mnist_core.runs.run import Interrupted, NoGPU, Run

LOOK_SECONDS = 0.25  # between two snapshots of a run in training
# One processor fewer than torch would take: its threads wait for each other at every layer, so a single one
# that shares its processor with readers holds all of them up. Asked here, at import, because any thread that
# later sets its number of threads, as the one that reads drawings does, changes torch's answer for every new
# thread.
THREADS = max(1, torch.get_num_threads() - 1)
_log = logging.getLogger(__name__)


class RunError(ValueError):
    """A visitor's request concerning a run cannot be met; the message says why and what to do."""


class Slot:
    """Serves a bounded queue in the order of arrival. Thread-safe.

    Args:
        over: called with a run, its final state and a sentence when it ends, before that state is set.

    Attributes:
        faults: runs that failed for a reason that we did not foresee.
    """

    def __init__(self, limits: Limits, over: Callable[[Run, str, str], None]) -> None:
        self.limits = limits
        self.faults = 0
        self.lock = threading.RLock()
        self._over = over
        self._queue: deque[Run] = deque()
        self._work = threading.Condition(self.lock)
        self._closing = False
        self._thread: threading.Thread | None = None

    def line_up(self, run: Run, *, bounded: bool = True) -> None:
        """Queue a run. Raises `RunError` when the queue is full, unless `bounded` is False."""
        with self._work:
            if bounded and run.gpu is None and len(self._queue) >= self.limits.queue:
                raise RunError(
                    f"The queue is full ({len(self._queue)} waiting). Try again in a minute or two."
                )
            run.order, run.state, run.watched = "run", "waiting", time.monotonic()
            if run.gpu is not None:
                return  # for `train_outside`
            self._queue.append(run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._train, name="training", daemon=True)
                self._thread.start()
            self._work.notify_all()

    def train_outside(self, run: Run) -> None:
        """Train a run on the GPU that is lent to it, in the caller's thread and context, until it is over or
        waits for its turn in the slot after all. Does nothing for a run that isn't waiting for this."""
        while run.state == "fetching":
            time.sleep(LOOK_SECONDS)
        with self.lock:
            if run.gpu is None or run.state != "waiting":
                return
            run.state = "running"
            run.settled.clear()
        try:
            self._serve(run)
        finally:
            run.settled.set()
            give_back_freed_memory()

    def place(self, run: Run) -> int:
        """A run's position in the queue, from 1; 0 when it isn't in it."""
        waiting = tuple(self._queue)
        return waiting.index(run) + 1 if run in waiting else 0

    def pause(self, run: Run, note: str) -> None:
        """Take a run out of the queue or, after its current event, the slot; one on a GPU ends."""
        if run.gpu is not None:
            self.end(run, note)
            return
        with self.lock:
            if run.state == "waiting":
                self._queue.remove(run)
                run.state, run.note = "paused", note
            elif run.state == "running":
                run.order, run.note = "pause", note

    def end(self, run: Run, note: str) -> None:
        """Stop a run, whatever its state."""
        with self.lock:
            run.order = "stop"
            if run.state == "running" or not (run.active or run.state == "paused"):
                return
            if run in self._queue:
                self._queue.remove(run)
            run.state = "stopped"
        self._finish(run, "stopped", note)

    def close(self) -> None:
        """End the thread; a run in training is paused."""
        with self._work:
            self._closing = True
            self._work.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _train(self) -> None:
        _lower_priority()
        torch.set_num_threads(THREADS)
        while not self._closing:
            with self._work:
                if not self._queue:
                    self._work.wait(1.0)
                    continue
                run = self._queue.popleft()
                run.state = "running"
                run.settled.clear()
            try:
                self._serve(run)
            finally:
                run.settled.set()
                del run  # or it would stay in memory until another one comes
                give_back_freed_memory()

    def _serve(self, run: Run) -> None:
        """Give one run the slot until it ends, is paused, or its turn is over."""
        try:
            state, note = self._turn(run)
        except Interrupted:
            state, note = ("stopped" if run.order == "stop" else "paused"), ""
        except NoGPU as error:
            state, note = self._without_gpu(run, str(error))
        except ValueError as error:  # our own, with a sentence for the visitor
            state, note = "failed", str(error)
        except Exception as error:  # whatever a step may raise: the slot is freed and the page is told
            _log.exception("A run failed")
            self.faults += 1
            what = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            state, note = "failed", f"Training failed ({what}). The weights so far are kept; start it again."
        if state == "waiting":
            self.line_up(run, bounded=False)
        elif state == "paused":
            run.state, run.note = "paused", run.note or note
        else:
            self._finish(run, state, note)

    def _turn(self, run: Run) -> tuple[str, str]:
        """Train until there is a reason to end: the next state, and a note on it."""
        run.begin()
        began = looked = time.monotonic()
        for event in iter(run.advance, None):
            now = time.monotonic()
            outcome = self._outcome(run, event, now - began)
            if outcome is not None or now - looked > LOOK_SECONDS:
                looked = now
                run.look()
            if outcome is not None:
                return outcome
        raise AssertionError("a run's events end with Finished")

    def _outcome(self, run: Run, event: object, seconds: float) -> tuple[str, str] | None:
        """Whether and how a run's turn of so many seconds ends with this event."""
        if isinstance(event, Finished):
            return "finished", ""
        if run.trouble is not None and run.trouble.fatal:
            return "diverged", run.trouble.says
        if run.order != "run" or self._closing:
            return ("stopped" if run.order == "stop" or run.gpu is not None else "paused"), ""
        if isinstance(event, Step) and run.single_step:
            return "paused", ""
        if isinstance(event, Step) and event.seconds > self.limits.run_seconds:
            return (
                "stopped",
                f"Stopped: the limit is {self.limits.run_seconds:g} seconds of training per run.",
            )
        if self._queue and run.gpu is None and seconds > self.limits.turn_seconds:
            return "waiting", ""
        return None

    def _without_gpu(self, run: Run, why: str) -> tuple[str, str]:
        """The state that follows when no GPU came, or it went, and what to say of it."""
        if run.order != "run" or self._closing:
            return "stopped", ""
        if run.history.last is not None:
            return "failed", f"The GPU went before the end ({why}). The weights so far are kept."
        run.fall_back(f"On the CPU, because no GPU came ({why}).")
        return "waiting", ""

    def _finish(self, run: Run, state: str, note: str) -> None:
        try:
            self._over(run, state, note)
        finally:
            run.state = state
            run.close()


def _lower_priority() -> None:
    """Let everything else on this machine, above all reading drawings, take precedence over training."""
    with contextlib.suppress(AttributeError, OSError):  # not everywhere, and not where it is forbidden
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
