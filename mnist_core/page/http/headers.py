"""What goes back to the visitor: every refusal a sentence, every answer with security headers."""

from __future__ import annotations

import logging
import re
from typing import Any

import orjson
from starlette.types import Message, Scope, Send

from mnist_core.page.http import agents, visit
from mnist_core.page.http.bodies import RequestError
from mnist_core.page.http.errors import APOLOGY, MALFORMED, OURS
from mnist_core.page.theme import asset

# Who may frame the page is the host's choice, so `Answer` adds it. Gradio's bundle compiles templates and
# `js_on_load` in the page, hence 'unsafe-eval', and writes its configuration inline, hence 'unsafe-inline'.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
_FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"  # a visitor's file runs nothing
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
# nginx holds a stream back until it has filled a buffer, unless the answer says not to.
_STREAM = (b"x-accel-buffering", b"no")
_ROOT = re.compile(rb'const root = "[^"]*"')  # where a script of Gradio's page loads another from
_ICON = '<link rel="icon" href="favicon.ico">'  # or the browser asks at the top of the host
_SCRIPTS = f"<script>{visit.SCRIPT}</script><script>{asset('js/address.js')}</script>"
_SENTENCES = {
    400: "The request was not understood.",
    403: "This is not yours to see.",
    404: "There is nothing here.",
    405: "This address does not answer that.",
    413: "That is too large.",
    422: "The request does not have the form that this address expects.",
    503: "The page is busy. Try again in a moment.",
}

log = logging.getLogger(__name__)


class Answer:
    """An ASGI `send` that inspects Gradio's answer to one request.

    Success passes through, with headers; the page itself gets the visit's script; any other answer is held
    back and rewritten as a sentence. `faults` is 1 when it was our own fault and not yet counted; `refusal`
    is the sentence of a 422, which a page of ours never deserves. `message` is an agent's, or its two ends: a
    refusal is then a JSON-RPC error under its id.

    Args:
        scope: of the request.
        send: where the answer goes.
        server: names this process, so that a page notices when another one answers it.
        frame_ancestors: the sites that may frame the page, as the policy names them.
    """

    def __init__(self, scope: Scope, send: Send, server: str, frame_ancestors: str) -> None:
        self.send = send
        self.server = server
        self.page = scope.get("path") == "/" and scope.get("method") == "GET"
        self.call = "/run/" in scope.get("path", "")
        is_file = "/file=" in scope.get("path", "")
        policy = _FILE_POLICY if is_file else f"{_POLICY}; frame-ancestors {frame_ancestors}"
        policies = [(b"content-security-policy", policy.encode()), (b"x-server", server.encode())]
        self.headers = [*_HEADERS, *policies]
        self.started = False  # something has been sent on
        self.faults = 0
        self.refusal: str | None = None
        self.message = b""
        self._start: Message | None = None  # of an answer held back
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] >= 400 or self.page:
                self._start = message
                return
            self.started = True
            given = list(message.get("headers", ()))
            stream = [_STREAM] if _is_stream(given) else []
            await self.send({**message, "headers": [*given, *stream, *self.headers]})
        elif self._start is None:
            await self.send(message)
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body"):
                await self._release(self._start, b"".join(self._parts))

    async def _release(self, start: Message, body: bytes) -> None:
        if start["status"] < 400:
            opening = f'<head><meta name="server" content="{self.server}">{_ICON}{_SCRIPTS}'
            page = _relative(body).replace(b"<head>", opening.encode(), 1)
            kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            await self._whole(start["status"], kept, page)
            return
        status, sentence = start["status"], _told(body)
        if self.call and status == 500 and sentence:  # from a handler: a mistake, or a fault already counted
            status = {OURS: 500, MALFORMED: 422}.get(orjson.loads(body).get("title"), 400)
        elif status >= 500 and status != 503:
            self.faults += 1
            sentence = APOLOGY
        await self.refuse(RequestError(status, sentence or _SENTENCES.get(status, _SENTENCES[400])))

    async def refuse(self, refusal: RequestError) -> None:
        """Send a refusal as JSON, unless an answer is already under way."""
        if refusal.status == 422:
            self.refusal = refusal.sentence
        if self.started:
            return
        message = agents.message_id(self.message)
        if message is None:
            await self.json(refusal.status, _say(refusal.sentence))
        else:
            await self.json(200, agents.error(message, refusal))

    async def json(self, status: int, value: dict[str, Any]) -> None:
        """Send `value` as the whole answer."""
        await self._whole(status, [(b"content-type", b"application/json")], orjson.dumps(value))

    async def _whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.started = True
        length = (b"content-length", str(len(body)).encode())
        start = {"type": "http.response.start", "status": status}
        await self.send({**start, "headers": [*headers, length, *self.headers]})
        await self.send({"type": "http.response.body", "body": body})


async def own_fault(answer: Answer, error: Exception) -> None:
    """Answer 500 for an unexpected exception. Re-raises it when the answer is already under way."""
    if answer.started:
        raise error
    log.error("A request failed", exc_info=error)
    answer.faults += 1
    await answer.refuse(RequestError(500, APOLOGY))


def _relative(page: bytes) -> bytes:
    """The page, asking for its own files by addresses that hold below any prefix and under any Host."""
    return _ROOT.sub(rb'const root = "."', page).replace(b'href="/manifest.json"', b'href="manifest.json"', 1)


def _is_stream(headers: list[tuple[bytes, bytes]]) -> bool:
    return dict(headers).get(b"content-type", b"").startswith(b"text/event-stream")


def _say(sentence: str) -> dict[str, str]:
    """The sentence where Gradio's page and client look for one."""
    return {"error": sentence, "detail": sentence}


def _told(body: bytes) -> str | None:
    """The sentence in Gradio's own answer, if it is one."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    told = value.get("error") or value.get("detail") if isinstance(value, dict) else None
    if isinstance(told, dict):  # JSON-RPC's
        told = told.get("message")
    return told if isinstance(told, str) and " " in told else None
