"""Programs that end with the process that started them, even when that one is killed.

python -m mnist_core.benchmark.leash MODULE|FILE.py ARGUMENT...

runs the module or the file until its standard input ends, which `leash` gives it.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def leashed(program: str, *arguments: str) -> list[str]:
    """The command that runs a program on the leash."""
    return [sys.executable, "-m", "mnist_core.benchmark.leash", program, *arguments]


@contextmanager
def leash() -> Iterator[int]:
    """A file descriptor for a program's standard input, which ends with this process."""
    programs, ours = os.pipe()
    try:
        yield programs
    finally:
        os.close(programs)
        os.close(ours)


def _end_with_standard_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    sys.argv = sys.argv[1:]
    if sys.argv[0].endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
