"""Whose fault it was: every error in a handler becomes a sentence for the visitor, and ours are counted.

What fails before a handler is reached is the request's fault, unless our own page sent it (`middleware`
knows). A `ValueError` that this package raises itself is a sentence meant for the visitor. Anything else is
our own fault: the visitor is told so, the log has the traceback, and `/health` shows the count.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

import gradio as gr

Answer = TypeVar("Answer")

CACHE_SECONDS = 3600  # uploaded and generated files are deleted once an hour, when they are older than that
# Titles that tell `headers` a visitor's mistake from our own fault, and from what no page of ours sends.
OURS, MALFORMED = "Something broke here", "Not what the page sends"
APOLOGY = (
    "That was our fault, not yours, and it has been logged. Try again; the rest of the page still works."
)
UNREADABLE = (
    "This is not what the page sends here: expected {expected}, got something else. Reload and try again."
)

log = logging.getLogger(__name__)


class CarefulBlocks(gr.Blocks):
    """`gr.Blocks` whose errors are sentences and whose files go after an hour.

    Args:
        elsewhere: how many faults of our own came about outside of the handlers.
    """

    def __init__(self, *, elsewhere: Callable[[], int] = int, **options: Any) -> None:
        super().__init__(analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS), **options)
        self._failed = 0  # handlers
        self._elsewhere = elsewhere

    @property
    def faults(self) -> int:
        """Our own faults so far, in all."""
        return self._failed + self._elsewhere()

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *rest: Any, **options: Any) -> Any:
        """The handler's inputs; invalid values raise `gr.Error` with what was expected."""
        try:
            return await super().preprocess_data(block_fn, inputs, *rest, **options)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            sentence = own_sentence(error)
            if sentence is not None:
                raise gr.Error(sentence, print_exception=False) from error
            expected = ", ".join(block.get_block_name() for block in block_fn.inputs)
            told = UNREADABLE.format(expected=expected)
            raise gr.Error(told, title=MALFORMED, print_exception=False) from error

    async def call_function(self, *arguments: Any, **options: Any) -> Any:
        return await self._blame(super().call_function(*arguments, **options))

    async def postprocess_data(self, *arguments: Any, **options: Any) -> Any:
        return await self._blame(super().postprocess_data(*arguments, **options))

    async def _blame(self, work: Awaitable[Answer]) -> Answer:
        try:
            return await work
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            sentence = own_sentence(error)
            if sentence is not None:
                raise gr.Error(sentence, print_exception=False) from error
            self._failed += 1
            log.exception("A handler failed")
            raise gr.Error(APOLOGY, title=OURS, print_exception=False) from error


def own_sentence(error: BaseException) -> str | None:
    """The text of a `ValueError` that this package raised itself, possibly below Gradio's own wrapping."""
    while error.__cause__ is not None and not _raised_here(error.__traceback__):
        error = error.__cause__
    return str(error) if isinstance(error, ValueError) and _raised_here(error.__traceback__) else None


def _raised_here(trace: TracebackType | None) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("mnist_core.")
