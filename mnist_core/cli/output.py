"""Standard output and error, which may lack letters, be closed, or go away meanwhile."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path


def prepare() -> None:
    """Let any text be written: what the encoding lacks, as an escape; to a closed stream, nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def tell(text: str, before: str = "") -> None:
    """Say something beside the output, on standard error; if that is gone, to nobody."""
    with contextlib.suppress(OSError):
        print(f"{before}mnist_core: {text}", file=sys.stderr, flush=True)


def flush() -> None:
    """Write what is still to be written. Raises `OSError` if that fails; then the rest goes nowhere."""
    try:
        sys.stdout.flush()
    except OSError:
        discard()
        raise


def discard() -> None:
    """Send standard output nowhere from now on: nobody reads it any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
