"""Plain routes beside Gradio's, for what follows the pen: JSON in, JSON out.

The visit's secret comes in the `X-Visit` header, and nowhere else. The body is checked against a pydantic
model, whose twin for the page's scripts stands in `assets/js/types.js`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mnist_core.page.http import visit
from mnist_core.page.http.bodies import RequestError
from mnist_core.page.http.errors import own_sentence
from mnist_core.runs.slot import RunError

PREFIX = "/api/"
FROM_PAGES = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
_LONGEST_REASON = 200  # characters

Asked = TypeVar("Asked", bound=BaseModel)


def json_route(name: str, asked: type[Asked], handler: Callable[[str, Asked], Awaitable[Any]]) -> Route:
    """`POST /api/<name>`.

    Args:
        asked: what the body must hold.
        handler: takes the visit's secret and the body; returns plain JSON, or None for a request that a newer
            one of the same visit has superseded, which is answered with 204.
    """

    async def answer(request: Request) -> Response:
        secret = request.headers.get("x-visit", "")
        if not visit.is_secret(secret):
            raise RequestError(400, "X-Visit must hold the visit's secret, 64 hexadecimal digits.")
        value = await _answered(handler, secret, asked, await request.body())
        if value is None:
            return Response(status_code=204)
        return Response(orjson.dumps(value), media_type="application/json")

    return Route(PREFIX + name, answer, methods=["POST"])


async def _answered(
    handler: Callable[[str, Asked], Awaitable[Any]], secret: str, asked: type[Asked], body: bytes
) -> Any:
    try:
        return await handler(secret, asked.model_validate_json(body))
    except ValidationError as error:
        raise RequestError(422, _complaint(error)) from error
    except RunError as error:
        raise RequestError(400, str(error)) from error
    except ValueError as error:
        sentence = own_sentence(error)
        if sentence is None:
            raise
        raise RequestError(422, sentence) from error


def _complaint(error: ValidationError) -> str:
    """That the body is not as the page sends it, and where."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "the body"
    reason = f"{where}: {first['msg']}"[:_LONGEST_REASON]
    return f"This is not what the page sends here ({reason}). Reload it and try again."
