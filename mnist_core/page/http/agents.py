"""What agents send by the Model Context Protocol: JSON-RPC messages, each in a POST of its own.

An agent's library takes a plain 4xx for a broken connection, so a refusal is a JSON-RPC error under the id of
the message that was refused.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from gradio import Blocks

from mnist_core.page.http.bodies import RequestError, parse

# Gradio answers others too, and calls its own page over the network for some of those.
METHODS = {
    "initialize", "notifications/cancelled", "notifications/initialized", "ping", "prompts/list",
    "resources/list", "resources/templates/list", "tools/call", "tools/list",
}  # fmt: skip
_ID = re.compile(rb'"id"\s*:\s*(\d{1,15}|"[ !#-\[\]-~]{1,64}")')
_CODES = {404: -32601, 500: -32603}  # JSON-RPC's "method not found", "internal error"
_INVALID_REQUEST = -32600


def check_message(body: bytes) -> None:
    """Raise `RequestError` unless `body` is a message that this page answers."""
    method = parse(body).get("method")
    if not isinstance(method, str) or method not in METHODS:
        raise RequestError(404, f"This page does not answer the method {str(method)[:50]!r}.")


def message_id(body: bytes) -> int | str | None:
    """The id in a message, or in the two ends of one; None where there is none, as in a notification."""
    try:
        found = orjson.loads(body).get("id")
    except (orjson.JSONDecodeError, AttributeError):
        match = _ID.search(body)
        found = orjson.loads(match[1]) if match else None
    return found if isinstance(found, (int, str)) else None


def error(message: int | str, refusal: RequestError) -> dict[str, Any]:
    """The JSON-RPC answer to the message of this id that was refused."""
    said = {"code": _CODES.get(refusal.status, _INVALID_REQUEST), "message": refusal.sentence}
    return {"jsonrpc": "2.0", "id": message, "error": said}


def offer_only(page: Blocks, api_name: str) -> None:
    """Make one endpoint the only tool of a launched page: Gradio 6.31 makes a tool of every public one."""
    server = page.mcp_server_obj
    if server is not None:  # the `mcp` package is there, and Gradio gets on with it
        tools = server.tool_to_endpoint.items()
        server.tool_to_endpoint = {tool: name for tool, name in tools if name == f"/{api_name}"}
