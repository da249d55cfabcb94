"""Threads that compute for visitors, apart from training."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

_setting = threading.Lock()


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
