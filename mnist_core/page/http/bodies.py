"""Validation of request bodies: parsed once, checked, and passed on as checked.

Nothing in a request reaches Gradio that was not parsed here: the size is limited while bytes arrive, the
JSON parser accepts no NaN, nesting is bounded, unknown fields are dropped, and files are named by an upload
to this page, never by an address.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, TypeAlias

import orjson

SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_ADDRESS = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*:|//|\\\\)")  # http:, file:, ftp:, //host, \\host
DEPTH = 12  # levels of lists and objects; the page's own values use 4
_NO_FUNCTION = "This page has no such function."
_CALL_FIELDS = ("data", "event_data", "fn_index", "trigger_id", "session_hash")

Functions: TypeAlias = dict[int, Any]


class RequestError(Exception):
    """A refused request: its HTTP status (4xx; 500 and 503 are our own fault) and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `RequestError` if it is not one, or is nested deeper than `DEPTH`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError(400, "The body is not valid JSON, which has no NaN or Infinity.") from None
    if not isinstance(value, dict):
        raise RequestError(422, "The body must be a JSON object.")
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
        if not level:
            return
    raise RequestError(422, f"The body is nested deeper than {DEPTH} levels.")


def _children(parent: dict[str, Any] | list[Any]) -> Any:
    return parent.values() if isinstance(parent, dict) else parent


def check_session(value: Any) -> str:
    """A session hash in Gradio's form. Raises `RequestError`."""
    if not isinstance(value, str) or not SESSION.fullmatch(value):
        raise RequestError(422, "A session_hash must be 1 to 64 letters, digits, - or _.")
    return value


def check_call(call: dict[str, Any], api_name: str | None, functions: Functions) -> dict[str, Any]:
    """A call of one of the page's functions, as Gradio will get it.

    Args:
        call: the JSON object received.
        api_name: the function's name in the address; None where the body must say which one.
        functions: Gradio's functions by index.

    Raises:
        RequestError: no such function, a wrong number of values, or a field of the wrong kind.
    """
    if api_name is None or call.get("session_hash") is not None:
        check_session(call.get("session_hash"))
    function = _function(call.get("fn_index"), api_name, functions)
    _check_values(call.get("data"), function)
    if not isinstance(call.get("event_data"), dict | None):
        raise RequestError(422, "The event_data must be an object.")
    if not _is_index(call.get("trigger_id")):
        raise RequestError(422, "The trigger_id must be a whole number.")
    return {key: call[key] for key in _CALL_FIELDS if key in call}


def check_program_call(
    call: dict[str, Any], api_name: str, functions: Functions, *, named: bool
) -> dict[str, Any]:
    """A program's call of one of the functions that are for programs, as Gradio will get it.

    Only the values are passed on, so that a program can name no session: Gradio then makes one of the event.

    Args:
        call: the JSON object received.
        api_name: the function's name in the address.
        functions: Gradio's functions by index.
        named: whether `call` holds each value by its parameter's name; otherwise they are a list, its `data`.

    Raises:
        RequestError: no such function, or not the values that it takes.
    """
    function = _function(None, api_name, functions)
    if function.api_visibility != "public":
        raise RequestError(404, _NO_FUNCTION)
    values = _in_order(call, function) if named else call.get("data")
    _check_values(values, function)
    return {"data": values}


def _in_order(call: dict[str, Any], function: Any) -> list[Any]:
    names = list(inspect.signature(function.fn).parameters)
    if set(call) != set(names):
        raise RequestError(422, f"The body must hold these values, by name: {', '.join(names)}.")
    return [call[name] for name in names]


def _check_values(values: Any, function: Any) -> None:
    if not isinstance(values, list):
        raise RequestError(422, "The data must be a list of values, one for each input.")
    if not function.cancels and len(values) != len(function.inputs):
        raise RequestError(422, f"The data must hold {len(function.inputs)} values; got {len(values)}.")
    _check_files(values)


def check_cancel(call: dict[str, Any]) -> dict[str, Any]:
    """A request to stop one's own running call. Raises `RequestError`."""
    index, event = call.get("fn_index"), call.get("event_id")
    if index is None or not _is_index(index) or not isinstance(event, str):
        raise RequestError(422, "To cancel, send session_hash, fn_index (a whole number) and event_id.")
    return {"session_hash": check_session(call.get("session_hash")), "fn_index": index, "event_id": event}


def _is_index(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _function(index: Any, api_name: str | None, functions: Functions) -> Any:
    if not _is_index(index):
        raise RequestError(422, "The fn_index must be a whole number.")
    if index is not None:
        function = functions.get(index)
    elif api_name is None or not _NAME.fullmatch(api_name):
        raise RequestError(422, "The body must name a function by its fn_index.")
    else:
        function = next((each for each in functions.values() if each.api_name == api_name), None)
    if function is None or function.fn is None:
        raise RequestError(404, _NO_FUNCTION)
    return function


def _check_files(value: Any) -> None:
    """Refuse addresses in place of files, at any depth; drop the display addresses that pages add."""
    if isinstance(value, list):
        for each in value:
            _check_files(each)
    elif isinstance(value, dict):
        if "path" in value or "meta" in value:
            _check_file(value)
        for each in value.values():
            _check_files(each)


def _check_file(value: dict[str, Any]) -> None:
    path = value.get("path")
    if not isinstance(path, str) or not path or "\0" in path:
        raise RequestError(422, "A file is named by the path that its upload returned.")
    if _ADDRESS.match(path):
        raise RequestError(400, "Send the file itself, not an address: nothing is fetched from anywhere.")
    if not str(value.get("url") or "").startswith("data:"):
        value.pop("url", None)
