"""Calls that come many times a second, answered without Gradio's machinery.

A moving pen asks eight times a second what was drawn. Gradio takes each call through its session's state, a
search for files, and a thread for every component, which costs more than reading the drawing. A handler
marked with `direct` needs none of that: the guard, which has already checked the call, answers it from here,
in the form of Gradio's own answer. The page need not know.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import gradio as gr

from mnist_core.page.http.bodies import RequestError
from mnist_core.page.http.errors import own_sentence, unreadable

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

_direct: set[Callable[..., Any]] = set()


def direct(handler: Handler) -> Handler:
    """Mark a handler: async, one output, and inputs and output whose values are plain JSON."""
    _direct.add(handler)
    return handler


def is_direct(function: Any) -> bool:
    """Whether Gradio's `function` has a handler marked with `direct`."""
    return function.fn in _direct


async def answer(function: Any, data: list[Any]) -> dict[str, Any]:
    """What Gradio would answer to a call of `function` with one JSON value for each input.

    Raises:
        RequestError: the values, or what they ask for, are invalid; anything else is our own fault.
    """
    began = time.perf_counter()
    inputs = _inputs(function, data)
    try:
        value = function.outputs[0].postprocess(await function.fn(*inputs))
    except gr.Error as error:
        raise RequestError(400, error.message) from error
    except ValueError as error:
        sentence = own_sentence(error)
        if sentence is None:
            raise
        raise RequestError(400, sentence) from error
    seconds = time.perf_counter() - began
    return {
        "data": [value],
        "is_generating": False,
        "duration": seconds,
        "average_duration": seconds,
        "render_config": None,
        "changed_state_ids": [],
    }


def _inputs(function: Any, data: list[Any]) -> list[Any]:
    try:
        return [block.preprocess(value) for block, value in zip(function.inputs, data, strict=True)]
    except gr.Error as error:
        raise RequestError(400, error.message) from error
    except Exception as error:  # whatever a component makes of values that no page sends
        raise RequestError(400, unreadable(error, function)) from error
