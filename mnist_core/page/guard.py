"""The door: one ASGI middleware between strangers and Gradio."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_core.page import visit

_OPENING = b"<head><script>" + visit.SCRIPT.encode() + b"</script>"


class Guard:
    """Wraps Gradio's app; `launch.settings` puts it in place."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/":
            send = _with_script(send)
        await self.app(scope, receive, send)


def _with_script(send: Send) -> Send:
    """`send` for the page itself, with the visit's script put before everything else that runs in it."""
    start: Message = {}
    parts: list[bytes] = []

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = b"".join(parts).replace(b"<head>", _OPENING, 1)
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})

    return sender
