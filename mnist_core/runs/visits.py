"""The visits: each known by its secret alone, with its own runs only, until it ends."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict

import numpy as np

from mnist_core.engine.memory import give_back_freed_memory
from mnist_core.runs.limits import Limits
from mnist_core.runs.run import Pad, Run
from mnist_core.runs.slot import RunError, Slot

_HOUSEKEEPING_SECONDS = 1.0
_LOSSES = 1000  # visits of which it is known what they lost


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
        self.lost = ""  # what an earlier visit of this page lost when it was forgotten, in a sentence

    @property
    def active(self) -> Run | None:
        """The run that trains or waits to; a visit has at most one."""
        return next((run for run in list(self.runs.values()) if run.active), None)

    @property
    def under_way(self) -> Run | None:
        """The run that a change of the recipe reaches: the active one, else the shown one if it is paused."""
        paused = self.shown if self.shown is not None and self.shown.state == "paused" else None
        return self.active or paused

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
        self._losses: OrderedDict[bytes, str] = (
            OrderedDict()
        )  # of forgotten visits, by their secrets' digests
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
                visit.lost = self._losses.pop(_digest(secret), "")
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

    def forget(self, secret: str, why: str = "") -> None:
        """Stop this visit's runs and release everything that it held.

        Args:
            why: a sentence for the visitor, told together with what was lost if the page comes back.
        """
        with self._lock:
            visit = self._visits.pop(secret, None)
            if visit is None:
                return
            for run in visit.runs.values():
                self.slot.end(run, "")
            lost = _said(len(visit.runs.keys() - self._kept().keys()), len(visit.drawings))
            if why and lost:
                self._losses[_digest(secret)] = f"{why} {lost} gone; what is drawn on the pad is still here."
                while len(self._losses) > _LOSSES:
                    self._losses.popitem(last=False)

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
                if visit.left is not None and now - visit.left > self.limits.gone_seconds:
                    away = f"more than {self.limits.gone_seconds:g} seconds"
                    self.forget(secret, f"This page was closed or without a connection for {away}.")
                elif idle:
                    self.forget(
                        secret, f"Nothing was done here for {self.limits.idle_seconds / 60:g} minutes."
                    )
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


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _said(runs: int, drawings: int) -> str:
    """So many runs and labelled drawings as a subject with its verb; empty for none."""
    counts = ((runs, "run"), (drawings, "labelled drawing"))
    parts = [f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts if count]
    return f"{' and '.join(parts)} {'is' if runs + drawings == 1 else 'are'}" if parts else ""
