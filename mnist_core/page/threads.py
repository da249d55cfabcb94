"""Threads that compute for visitors, apart from training."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")

_setting = threading.Lock()


class Latest:
    """A thread that works for many visits in turn, for each of them only at what it asked for last.

    Args:
        name: the thread's, in which torch computes without helpers: it never waits behind training.
    """

    def __init__(self, name: str) -> None:
        self._thread = own_thread(name)
        self._newest: dict[Hashable, object] = {}

    def submit(self, job: Callable[[], Any]) -> None:
        """Have `job` done for nobody in particular."""
        self._thread.submit(job)

    async def run(self, who: Hashable, job: Callable[[], Result]) -> Result | None:
        """What `job` returns; None, and the job not begun, if `who` has asked for another one meanwhile."""
        mine = self._newest[who] = object()
        started = self._thread.submit(lambda: job() if self._newest.get(who) is mine else None)
        try:
            return await asyncio.wrap_future(started)
        finally:
            if self._newest.get(who) is mine:
                del self._newest[who]


def own_thread(name: str) -> ThreadPoolExecutor:
    """One thread for small jobs, in which torch computes without helpers."""
    return ThreadPoolExecutor(1, name, initializer=_without_helpers)


def _without_helpers() -> None:
    """Let torch use one thread here, and as many as before everywhere else.

    `torch.set_num_threads` holds for the thread that calls it and for all that ask for the first time after
    it; so another thread, which ends at once, sets back what those get.
    """
    with _setting:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        others = threading.Thread(target=torch.set_num_threads, args=(before,))
        others.start()
        others.join()
