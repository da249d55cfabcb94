"""Memory: kept between steps, returned to the system after a run, ignored by the garbage collector."""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 512 * 2**20  # free bytes at the top of the heap, above which they are returned
_HEAPED = 64 * 2**20  # bytes; larger blocks than this are still mapped one by one


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc, once per process, to keep what a training step frees; True if it could be told.

    A step allocates and frees tens of MB. By default glibc returns them to the system at once, and the next
    step spends up to a third of its time on having their pages mapped and zeroed again.
    """
    mallopt = _glibc("mallopt")  # musl has none
    return mallopt is not None and bool(
        mallopt(_M_TRIM_THRESHOLD, _KEPT) and mallopt(_M_MMAP_THRESHOLD, _HEAPED)
    )


def give_back_freed_memory() -> bool:
    """Return malloc's free memory to the system now; True if glibc could be told.

    Between runs no step needs it, and every run leaves gaps elsewhere in the heap: a process that keeps them
    all grows from run to run.
    """
    trim = _glibc("malloc_trim")
    return trim is not None and bool(trim(0))


def freeze_gc() -> None:
    """Have Python's garbage collector ignore all objects that exist now.

    torch and Gradio bring some 300,000 permanent objects. A full collection visits each of them, and for the
    150 to 250 ms that this takes no Python thread runs: no drawing is read.
    """
    gc.freeze()


@functools.cache
def _glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library by name; None if there is none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
