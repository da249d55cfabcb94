"""Ctrl-C, `kill -TERM` and a closed terminal: all three ask a command to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Within this context each of the signals raises `KeyboardInterrupt`, unless they are held.

    Attributes:
        number: of the first that came; None if none did.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._held = False
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

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raise nothing for as long as this lasts: who works here looks at `number` where it can stop."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
        if not self._held:
            raise KeyboardInterrupt
