"""A command that cannot be meant as it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UsageError(ValueError):
    """The command is wrong, not what it does; the message is one sentence."""


@contextmanager
def asked() -> Iterator[None]:
    """A `ValueError` about what was asked for becomes a `UsageError`."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error
