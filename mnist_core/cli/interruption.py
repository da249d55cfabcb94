"""Ctrl-C, `kill -TERM` and a closed terminal: all three ask a command to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

from mnist_core.cli.output import tell

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Within this context each of the signals raises `KeyboardInterrupt`, unless a method says otherwise.

    Attributes:
        number: of the first that came; None if none did.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._act: Callable[[], None] = _interrupt
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                self._before[number] = signal.signal(number, self._came)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def status(self) -> int:
        """The exit status of a process that ended for it; 0 without any."""
        return 0 if self.number is None else 128 + self.number

    def held(self) -> AbstractContextManager[None]:
        """Raise nothing for as long as this lasts: who works here looks at `number` where it can stop."""
        return self._acting(lambda: None)

    def at_once(self) -> AbstractContextManager[None]:
        """End the process with the signal, for as long as this lasts: an import may swallow an exception."""
        return self._acting(self._exit)

    @contextmanager
    def _acting(self, act: Callable[[], None]) -> Iterator[None]:
        before, self._act = self._act, act
        try:
            yield
        finally:
            self._act = before

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
        self._act()

    def _exit(self) -> None:
        tell_interrupted()
        os._exit(self.status)


def tell_interrupted() -> None:
    """Say so on standard error, below the ^C that a terminal shows."""
    tell("interrupted.", before="\n")


def _interrupt() -> None:
    raise KeyboardInterrupt
