"""Programs in processes of their own; the command line on pipes, or on a terminal to type at and to close."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
IMPORTABLE = {"PYTHONPATH": str(ROOT)}  # for a program that lies elsewhere

# Few synthetic digits to test and calibrate with: drawing them takes its time. A terminal becomes the one to
# which the process belongs, so that Ctrl-C and its end reach the process.
PROGRAM = """
import fcntl, os, sys, termios
if os.isatty(0):
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from mnist_core import data
from mnist_core.engine import calibrate
data.SYNTHETIC_TEST_SIZE = calibrate.CALIBRATION_DIGITS = 60
from mnist_core.cli.main import main
sys.exit(main())
"""
DRAWN = ("train", "--data=synthetic", "--train-size=320", "--batch-size=16", "--threads=1")
ENDLESS = (*DRAWN, "--epochs=100", "--learning-rate=0.01")  # 2,000 steps


def command(*arguments: str) -> list[str]:
    """The command line with these arguments, with few digits to test on."""
    return [sys.executable, "-c", PROGRAM, *arguments]


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The command line as it is, run to its end; what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "mnist_core", *arguments],
        **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": PATIENCE} | options,
    )


def answer_of(program: str, *arguments: str, **environment: str) -> str:
    """What a Python program in a process of its own prints."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


class Terminal:
    """A terminal of so many columns with a command on it.

    Attributes:
        shown: all that the command has written so far.
    """

    def __init__(self, columns: int, *arguments: str, **environment: str) -> None:
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        self.shown = ""
        self.process = subprocess.Popen(
            command(*arguments),
            cwd=ROOT,
            env=os.environ | environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, text: str) -> None:
        """Read until the command has shown this."""
        while text not in self.shown:
            assert self._read(), f"it ended without {text!r}: {self.shown}"

    def type(self, keys: str) -> None:
        """Type this at the terminal."""
        os.write(self.ours, keys.encode())

    def close(self) -> int:
        """Close the window; the command's exit status."""
        os.close(self.ours)
        return self.process.wait(PATIENCE)

    def end(self) -> int:
        """Read to the command's end; its exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        try:
            came = os.read(self.ours, 65536)
        except OSError:  # nobody is left at the other end
            return False
        self.shown += came.decode()
        return bool(came)


@contextlib.contextmanager
def on_a_terminal(columns: int, *arguments: str, **environment: str) -> Iterator[Terminal]:
    """A command on a terminal; whatever is left of it afterwards is ended."""
    terminal = Terminal(columns, *arguments, **environment)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        with contextlib.suppress(OSError):  # closed in the test
            os.close(terminal.ours)


@contextlib.contextmanager
def on_pipes(*arguments: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A command whose output is read from a pipe; whatever is left of it afterwards is ended."""
    with subprocess.Popen(
        command(*arguments),
        **{"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], start: str) -> None:
    """Read a command's output up to the line that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f"it ended without {start!r}")
