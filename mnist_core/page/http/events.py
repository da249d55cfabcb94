"""Whose an event in Gradio's queue is: by names of Gradio's queue that are not public, seen in 6.31.

A program's call names no session, so Gradio puts its event in one of its own, called by the event's id. Only
such an event's answer may be fetched by that id: Gradio would also stream a page's whole session to whoever
knows its name, or one of its events.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from gradio import Blocks

from mnist_core.page.http.bodies import RequestError


def check_stream(page: Blocks, session: str) -> None:
    """Raise `RequestError` where Gradio would say only in a broken stream that nothing runs in `session`."""
    if session not in page._queue.pending_messages_per_session:
        raise RequestError(404, "Nothing is running in this session.")


def own_event(page: Blocks, call: dict[str, Any]) -> dict[str, Any]:
    """A checked request to cancel, without an event that is not of its session: Gradio would end any."""
    own = page._queue.pending_event_ids_session.get(call["session_hash"], ())
    return call if call["event_id"] in own else {**call, "event_id": ""}


@contextlib.contextmanager
def fetching(page: Blocks, event: str) -> Iterator[None]:
    """While a program fetches the answer to its call. Raises `RequestError` if there is no such call."""
    sessions, messages = page._queue.pending_event_ids_session, page._queue.pending_messages_per_session
    if event not in sessions.get(event, ()) or event not in messages:
        raise RequestError(404, "There is no such event, or its answer has been fetched.")
    try:
        yield
    finally:
        if not sessions.get(event, True):  # Gradio keeps its emptied session for good
            del sessions[event]
