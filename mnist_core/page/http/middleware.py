"""The guard: one ASGI middleware between the network and Gradio, installed by `launch`.

Gradio serves more than this page uses, and answers many bad requests with 500. The guard admits only the
routes that the page, its browser and programs use (`addresses`); reads bodies itself, up to a limit
(`intake`), and passes on what it checked (`bodies`, `agents`); ties sessions to visits (`sessions`) and
events to sessions (`events`); turns every refusal into a 4xx with a sentence; counts our own faults as 500;
and adds the security headers that still let a Space show the page in a frame.

The visit's secret must come with `GET /queue/data` and `/heartbeat` too, and an address is no place for it.
Gradio 6.31's bundle makes these with `fetch`, not `EventSource`, so a header can carry it:
`assets/js/visit.js` wraps `fetch`. Gradio runs `launch(head=...)` only after its first requests, so the guard
itself puts the script at the top of the page it serves.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from mnist_core.page.http import agents, events, visit
from mnist_core.page.http.addresses import (
    API,
    CALL,
    HEALTH,
    MCP,
    PARAMETERS,
    check_file,
    check_route,
    strip,
)
from mnist_core.page.http.bodies import (
    RequestError,
    check_call,
    check_cancel,
    check_program_call,
    check_session,
    parse,
)
from mnist_core.page.http.headers import Answer, own_fault
from mnist_core.page.http.intake import Caps, Intake, TooLarge, again
from mnist_core.page.http.sessions import Sessions

log = logging.getLogger(__name__)


class Guard:
    """Wraps Gradio's app. One instance per process: it knows the visits of this process only.

    Args:
        posts: the addresses of our own routes, which take JSON.
        prefix: below which a proxy shows the page without stripping it.
        frame_ancestors: the sites that may frame the page.
    """

    def __init__(
        self,
        app: ASGIApp,
        caps: Caps | None = None,
        *,
        posts: frozenset[str] = frozenset(),
        prefix: str = "",
        frame_ancestors: str = "'self'",
    ) -> None:
        self.app = app
        self.posts = posts
        self.prefix = prefix
        self.frame_ancestors = frame_ancestors
        self.server = secrets.token_hex(4)
        self.caps = caps or Caps.from_environment()
        self.intake = Intake(self.caps)
        self.sessions = Sessions(self.caps.sessions)
        self.faults = 0
        self.started = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":  # the page uses none
            await send({"type": "websocket.close"})
            return
        strip(scope, self.prefix)
        answer = Answer(scope, send, self.server, self.frame_ancestors)
        try:
            if scope["path"] == HEALTH:
                await answer.json(200, self.health(scope))
            else:
                await self.admit(scope, receive, answer)
        except RequestError as refusal:
            await answer.refuse(refusal)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
                raise
            log.exception("Cannot write")
            await answer.refuse(
                RequestError(503, "The server's disk is full or read-only. Reading digits still works.")
            )
        except Exception as error:
            await own_fault(answer, error)
        self.faults += answer.faults
        if answer.refusal is not None and _from_our_page(scope):
            self.faults += 1
            log.error("Our page sent what we refuse at %s: %s", scope["path"], answer.refusal)

    def health(self, scope: Scope) -> dict[str, Any]:
        """What `/health` reports: that the page answers, its uptime, and its count of faults."""
        blocks = scope["app"].get_blocks()
        return {
            "status": "ok",
            "uptime_seconds": round(time.monotonic() - self.started),
            "sessions": len(self.sessions),
            "faults": self.faults + getattr(blocks, "faults", 0),
        }

    async def admit(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        """Pass a request on to Gradio, or raise `RequestError`."""
        path = check_route(scope["method"], scope["path"], self.posts)
        given = parse_qsl(scope["query_string"].decode("latin-1"))
        query = {name: value for name, value in given if name in PARAMETERS}
        scope["query_string"] = urlencode(query).encode()
        if scope["method"] != "POST":
            held = self.asked(scope, path, query)
        elif path == MCP:
            receive, held = await self.message(scope, receive, answer), contextlib.nullcontext()
        else:
            receive, call = await self.checked_body(scope, receive, path)
            held = self.session(call.get("session_hash"), scope)
        with held:
            await self.app(scope, receive, answer)

    def asked(self, scope: Scope, path: str, query: dict[str, str]) -> AbstractContextManager[None]:
        """What a GET must hold while it is answered. Raises `RequestError` for what it may not ask."""
        page = scope["app"].get_blocks()
        if path == f"{API}/queue/data":
            session = check_session(query.get("session_hash"))
            events.check_stream(page, session)
            return self.session(session, scope)
        if path.startswith(f"{API}/heartbeat/"):
            return self.session(check_session(path.removeprefix(f"{API}/heartbeat/")), scope)
        if path.startswith(f"{API}/file="):
            check_file(path.removeprefix(f"{API}/file="))
        call = CALL.fullmatch(path)
        return events.fetching(page, call["event"]) if call else contextlib.nullcontext()

    @contextlib.contextmanager
    def session(self, session: str | None, scope: Scope) -> Iterator[None]:
        """Hold a session open during a request of its visit. Raises `RequestError` for another visit's."""
        if session is None:
            yield
            return
        if not self.sessions.admits(session, _secret(scope)):
            raise RequestError(
                403, "This session belongs to another visit, or too many pages are open. Reload the page."
            )
        self.sessions.open(session)
        try:
            yield
        finally:
            self.sessions.close(session)

    async def message(self, scope: Scope, receive: Receive, answer: Answer) -> Receive:
        """An agent's message, read and checked, and left with `answer`: a `receive` that gives it again."""
        _check_json(scope)
        try:
            answer.message = await self.intake.read(scope, receive, self.caps.json_bytes, to_its_end=True)
        except TooLarge as refusal:
            answer.message = refusal.ends
            raise
        agents.check_message(answer.message)
        scope["path"] = f"{MCP}/"  # Gradio redirects from the other form, to the Host that it was called by
        return again(answer.message, receive)

    async def checked_body(self, scope: Scope, receive: Receive, path: str) -> tuple[Receive, dict[str, Any]]:
        """The body, read and checked.

        Returns:
            A `receive` that gives it again, and the JSON object in it; that is empty for a file and for a
            route of our own, which reads its body itself.
        """
        if path == f"{API}/upload":
            body = await self.intake.read(scope, receive, self.caps.upload_bytes)
            self.intake.count_upload(len(body))
            return again(body, receive), {}
        _check_json(scope)
        body = await self.intake.read(scope, receive, self.caps.json_bytes)
        if path in self.posts:
            return again(body, receive), {}
        call = _checked(scope, path, parse(body))
        body = orjson.dumps(call)
        scope["headers"] = [
            (key, str(len(body)).encode() if key == b"content-length" else value)
            for key, value in scope["headers"]
        ]
        return again(body, receive), call


def _check_json(scope: Scope) -> None:
    kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise RequestError(415, "The body must be JSON, sent as application/json.")


def _checked(scope: Scope, path: str, call: dict[str, Any]) -> dict[str, Any]:
    """A JSON object that one of Gradio's routes takes, as it will get it. Raises `RequestError`."""
    page = scope["app"].get_blocks()
    if path == f"{API}/reset":  # Gradio does nothing there
        return {"event_id": str(call.get("event_id"))}
    if path == f"{API}/cancel":
        return events.own_event(page, check_cancel(call))
    program = CALL.fullmatch(path)
    if program:
        scope["path"] = f"{API}/call/{program['name']}"
        return check_program_call(call, program["name"], page.fns, named=bool(program["v2"]))
    run = path.removeprefix(f"{API}/run/") if path.startswith(f"{API}/run/") else None
    return check_call(call, run, page.fns)


def _from_our_page(scope: Scope) -> bool:
    """Whether a page of this server sent it: no script of another site can set this header."""
    return dict(scope["headers"]).get(b"sec-fetch-site") == b"same-origin"


def _secret(scope: Scope) -> bytes:
    secret: bytes = dict(scope["headers"]).get(visit.HEADER, b"")
    if secret and not visit.is_secret(secret.decode("latin-1")):
        raise RequestError(400, "X-Visit must be 64 hexadecimal digits, or absent.")
    return secret
