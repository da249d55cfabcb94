"""What becomes of memory: kept for the next step, handed back after a run, passed over by the collector."""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 512 * 2**20  # bytes that may lie free at the end of the heap before they go back
_HEAPED = 64 * 2**20  # bytes; larger blocks than this still come from the system, one by one


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc, once a process, to keep what a training step frees; True if told.

    A step allocates and frees some tens of MB. By default glibc hands them back to the system at once, and
    the next step spends up to a third of its time on having each page of them mapped and zeroed again.
    """
    mallopt = _glibc("mallopt")  # musl has none
    return mallopt is not None and bool(
        mallopt(_M_TRIM_THRESHOLD, _KEPT) and mallopt(_M_MMAP_THRESHOLD, _HEAPED)
    )


def give_back_freed_memory() -> bool:
    """Hand what lies free in malloc's heaps back to the system now; True if glibc could be told.

    Between two runs nothing takes a next step, and every run leaves its holes elsewhere: a process that keeps
    them all grows from run to run.
    """
    trim = _glibc("malloc_trim")
    return trim is not None and bool(trim(0))


def freeze_gc() -> None:
    """Have Python's garbage collector leave alone all that is in memory now.

    torch and Gradio bring some 300,000 objects that stay. A full collection looks at each of them, and for
    the 150 to 250 ms that this takes no thread of Python goes on: no drawing is read.
    """
    gc.freeze()


@functools.cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library; None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
