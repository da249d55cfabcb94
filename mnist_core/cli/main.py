"""One command from its words to its exit status."""

from __future__ import annotations

import warnings
from importlib import import_module

from mnist_core.cli.interruption import Interruption, tell_interrupted
from mnist_core.cli.output import flush, prepare, tell
from mnist_core.cli.usage import UsageError

FAILURE, USAGE = 1, 2  # exit statuses


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 for success; 1 for a failure and 2 for a wrong command, each with one sentence on standard error; 130
    for Ctrl-C, and for another signal 128 and its number as well, as shells have it. A reader who has had
    enough of the output (`| head -1`) is no failure.

    Args:
        arguments: None for those of this process.
    """
    prepare()
    with Interruption() as interruption, warnings.catch_warnings():
        try:
            return _run(arguments, interruption)
        except BrokenPipeError:
            return 0
        except KeyboardInterrupt:
            tell_interrupted()
            return interruption.status
        except (ValueError, OSError) as error:
            tell(str(error))
            return USAGE if isinstance(error, UsageError) else FAILURE


def _run(arguments: list[str] | None, interruption: Interruption) -> int:
    try:
        with interruption.at_once():
            from mnist_core.cli.flags import parser  # and numpy
            from mnist_core.datasets.download import ForeignDataWarning
        options = parser().parse_args(arguments)
        warnings.simplefilter("ignore", ForeignDataWarning)  # the commands say it in a sentence of their own
        with interruption.at_once():
            command = import_module(f"mnist_core.cli.{options.command}")  # and torch
        status: int = command.run(options, interruption)
        return status
    finally:
        flush()
