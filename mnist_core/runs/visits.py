"""The visits: each known by its secret alone, with its own runs only, until it ends."""

from __future__ import annotations

import threading
import time

import numpy as np

from mnist_core.engine.memory import give_back_freed_memory
from mnist_core.runs.limits import Limits
from mnist_core.runs.run import Pad, Run
from mnist_core.runs.slot import RunError, Slot

_HOUSEKEEPING_SECONDS = 1.0


class Visit:
    """One visitor's runs, by id in the order they were made, and their pad."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.pad = Pad()
        self.drawings: list[tuple[np.ndarray, int]] = []  # labelled by the visitor, to fine-tune on
        self.compared: set[str] = set()  # ids of the runs whose curves are shown together
        self.current: str | None = None  # id of the run that the Train tab shows
        self.panel = "runs"  # which results it shows
        self.sessions: set[str] = set()  # open pages
        self.made = 0  # runs so far, for their names
        self.touched = time.monotonic()
        self.left: float | None = None  # when the last page closed

    @property
    def active(self) -> Run | None:
        """The run that trains or waits to; a visit has at most one."""
        return next((run for run in list(self.runs.values()) if run.active), None)

    @property
    def shown(self) -> Run | None:
        """The run that the Train tab shows: the one chosen, else the newest."""
        newest = next(reversed(list(self.runs.values())), None)
        return self.runs.get(self.current or "", newest)


class Visits:
    """Everybody's visits, by secret. Thread-safe.

    A run whose page has closed gives up the slot; a visit's runs end with it.

    Args:
        slot: where the visits' runs train.
    """

    def __init__(self, limits: Limits, slot: Slot) -> None:
        self.limits, self.slot = limits, slot
        self._lock = slot.lock
        self._visits: dict[str, Visit] = {}
        self._closing = threading.Event()
        self._housekeeper: threading.Thread | None = None

    def visit(self, secret: str, session: str | None = None) -> Visit:
        """The visit of `secret`, made if there is none; `session` names the page that asks.

        Raises:
            RunError: there are too many visits already.
        """
        with self._lock:
            visit = self._visits.get(secret)
            if visit is None:
                if len(self._visits) >= self.limits.visits:
                    raise RunError(
                        f"The page is full: the limit of visitors is {self.limits.visits}. Try again later."
                    )
                visit = self._visits[secret] = Visit()
                visit.runs.update(self._kept())
                visit.made = len(visit.runs)
                self._start_housekeeping()
            visit.touched, visit.left = time.monotonic(), None
            if session:
                visit.sessions.add(session)
            return visit

    def leave(self, session: str) -> None:
        """A page has closed; its visit is forgotten soon unless another page of it is open or comes back."""
        with self._lock:
            for visit in self._visits.values():
                if session in visit.sessions:
                    visit.sessions.discard(session)
                    if not visit.sessions:
                        visit.left = time.monotonic()

    def forget(self, secret: str) -> None:
        """Stop this visit's runs and release everything that it held."""
        with self._lock:
            visit = self._visits.pop(secret, None)
            for run in visit.runs.values() if visit else ():
                self.slot.end(run, "")

    def run(self, secret: str, run_id: str) -> Run:
        """One of this visit's own runs.

        Raises:
            RunError: this visit has no such run; whether another one has it makes no difference.
        """
        with self._lock:
            visit = self._visits.get(secret)
            if visit is None or not isinstance(run_id, str) or run_id not in visit.runs:
                raise RunError("This visit has no such run any more; choose another one.")
            visit.touched, visit.left = time.monotonic(), None
            return visit.runs[run_id]

    def sweep(self) -> None:
        """Pause the runs that nobody watches, and forget the visits that are over."""
        now = time.monotonic()
        with self._lock:
            known = len(self._visits)
            for secret, visit in list(self._visits.items()):
                # A page that said it is closing gets less time than one that only fell silent.
                patience = self.limits.unwatched_seconds * (0.5 if visit.left is not None else 1)
                for run in visit.runs.values():
                    if run.active and now - run.watched > patience:
                        self.slot.pause(run, "Paused because no page was watching it.")
                seen = max((visit.touched, *(run.watched for run in visit.runs.values())))
                idle = now - seen > self.limits.idle_seconds
                if idle or (visit.left is not None and now - visit.left > self.limits.gone_seconds):
                    self.forget(secret)
            forgot = len(self._visits) < known
        if forgot:
            give_back_freed_memory()

    def close(self) -> None:
        """End the threads; a run in training is paused."""
        self._closing.set()
        self.slot.close()

    def _kept(self) -> dict[str, Run]:
        """The runs that every visit begins with."""
        return {}

    def _start_housekeeping(self) -> None:
        if self._housekeeper is None:
            self._housekeeper = threading.Thread(target=self._housekeep, name="housekeeping", daemon=True)
            self._housekeeper.start()

    def _housekeep(self) -> None:
        while not self._closing.wait(_HOUSEKEEPING_SECONDS):
            self.sweep()
