"""Freed memory is kept for the next step, not handed back to the system and asked for again."""

from __future__ import annotations

import ctypes
import functools
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 512 * 2**20  # bytes that may lie free at the end of the heap before they go back
_HEAPED = 64 * 2**20  # bytes; larger blocks than this still come from the system, one by one


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc, once a process, to keep what a training step frees; True if told.

    A step allocates and frees some tens of MB. By default glibc hands them back to the system at once, and
    the next step spends up to a third of its time on having each page of them mapped and zeroed again.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(
        mallopt(_M_TRIM_THRESHOLD, _KEPT) and mallopt(_M_MMAP_THRESHOLD, _HEAPED)
    )
