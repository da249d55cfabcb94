"""Validation of request bodies: parsed once, checked, and passed on as checked.

Nothing in a request reaches Gradio that was not parsed here: the size is limited while bytes arrive, the
JSON parser accepts no NaN, nesting is bounded, unknown fields are dropped, and files are named by an upload
to this page, never by an address.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_ADDRESS = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*:|//|\\\\)")  # http:, file:, ftp:, //host, \\host
DEPTH = 12  # levels of lists and objects; the page's own values use 4
_CALL_FIELDS = ("data", "event_data", "fn_index", "trigger_id", "session_hash")


class RequestError(Exception):
    """A refused request: its HTTP status (4xx or 503) and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `RequestError` if it is not one, or is nested deeper than `DEPTH`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError(400, "The body is not valid JSON (NaN and Infinity are not either).") from None
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


def check_call(call: dict[str, Any], api_name: str | None, functions: dict[int, Any]) -> dict[str, Any]:
    """A call of one of the page's functions, as Gradio will get it.

    Args:
        call: the JSON object received.
        api_name: the function's name in the address; None where the body must say which one.
        functions: Gradio's functions by index.

    Raises:
        RequestError: no such function, a wrong number of values, or a field of the wrong kind.
    """
    if call.get("session_hash") is not None:
        check_session(call["session_hash"])
    function = _function(call.get("fn_index"), api_name, functions)
    data = call.get("data")
    if not isinstance(data, list):
        raise RequestError(422, "The data must be a list of values, one for each input.")
    if not function.cancels and len(data) != len(function.inputs):
        raise RequestError(422, f"The data must hold {len(function.inputs)} values; got {len(data)}.")
    if not isinstance(call.get("event_data"), dict | None):
        raise RequestError(422, "The event_data must be an object.")
    if not _is_index(call.get("trigger_id")):
        raise RequestError(422, "The trigger_id must be a whole number.")
    _check_files(data)
    return {key: call[key] for key in _CALL_FIELDS if key in call}


def _is_index(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _function(index: Any, api_name: str | None, functions: dict[int, Any]) -> Any:
    if not _is_index(index):
        raise RequestError(422, "The fn_index must be a whole number.")
    if index is not None:
        function = functions.get(index)
    elif api_name is None or not _NAME.fullmatch(api_name):
        raise RequestError(422, "The body must name a function by its fn_index.")
    else:
        function = next((each for each in functions.values() if each.api_name == api_name), None)
    if function is None or function.fn is None:
        raise RequestError(404, "This page has no such function.")
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
