"""The guard: one ASGI middleware between the network and Gradio, installed by `launch`.

Gradio serves more than this page uses, and answers many bad requests with 500. The guard admits only the
routes that the page, its browser and `gradio_client` use (`GETS`, `POSTS`); reads bodies itself, up to a
limit, and passes on what it checked (`bodies`); ties sessions to visits (`sessions`); turns every refusal
into a 4xx with a sentence; counts our own faults as 500; and adds the security headers that still let a
Space show the page in a frame.

The visit's secret must come with `GET /queue/data` and `/heartbeat` too, and an address is no place for it.
Gradio 6.31's bundle makes these with `fetch`, not `EventSource`, so a header can carry it:
`assets/js/visit.js` wraps `fetch`. Gradio runs `launch(head=...)` only after its first requests, so the guard
itself puts the script at the top of the page it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_core.page.http import visit
from mnist_core.page.http.bodies import RequestError, check_call, check_session, parse
from mnist_core.page.http.headers import Answer, own_fault
from mnist_core.page.http.sessions import Sessions
from mnist_core.runs.limits import overridden

API = "/gradio_api"
GETS = {
    "/", "/config", "/theme.css", f"{API}/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json",
    f"{API}/info", f"{API}/app_id", f"{API}/startup-events", f"{API}/queue/data", f"{API}/upload_progress",
}  # fmt: skip
GETS_BELOW = ("/assets/", "/static/", "/app/", f"{API}/heartbeat/", f"{API}/file=")
POSTS = {f"{API}/queue/join", f"{API}/cancel", f"{API}/reset", f"{API}/upload"}
POSTS_BELOW = (f"{API}/run/",)
PARAMETERS = {"session_hash", "upload_id"}  # of an address; Gradio's others (pages, deep links) are dropped
HEALTH = "/health"
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,40}){1,4}")  # below which a proxy may show the page
LONGEST_PATH, LONGEST_NAME = 1000, 255  # bytes, in all and between slashes: files have no longer names

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Caps:
    """How much visitors may send, read from the environment as `limits.Limits` are.

    Attributes:
        json_bytes: of one call; a drawing is about 4,000.
        upload_bytes: of one uploaded file.
        upload_bytes_per_hour: of all visitors together; the disk is freed hourly.
        body_seconds: that a body may take to arrive.
        bodies: being received at one time.
        sessions: whose visit is remembered.
    """

    json_bytes: int = 1_000_000
    upload_bytes: int = 5_000_000
    upload_bytes_per_hour: int = 500_000_000
    body_seconds: int = 30
    bodies: int = 64
    sessions: int = 2_000

    @classmethod
    def from_environment(cls) -> Caps:
        """The defaults, overridden by the environment. Raises `ValueError` for what is not a number."""
        return overridden(cls())


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
        self.sessions = Sessions(self.caps.sessions)
        self.bodies = 0
        self.uploads: deque[tuple[float, int]] = deque()  # when (monotonic seconds), bytes
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
        session = None
        if scope["method"] == "POST":
            receive, call = await self.checked_body(scope, receive, path)
            session = call.get("session_hash")
        elif path == f"{API}/queue/data":
            session = check_session(query.get("session_hash"))
            if session not in scope["app"].get_blocks()._queue.pending_messages_per_session:
                raise RequestError(
                    404, "Nothing is running in this session."
                )  # Gradio says so only in a broken stream
        elif path.startswith(f"{API}/heartbeat/"):
            session = check_session(path.removeprefix(f"{API}/heartbeat/"))
        elif path.startswith(f"{API}/file="):
            check_file(path.removeprefix(f"{API}/file="))
        with self.session(session, scope):
            await self.app(scope, receive, answer)

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

    async def checked_body(self, scope: Scope, receive: Receive, path: str) -> tuple[Receive, dict[str, Any]]:
        """The body, read and checked.

        Returns:
            A `receive` that gives it again, and the JSON object in it; that is empty for a file and for a
            route of our own, which reads its body itself.
        """
        if path == f"{API}/upload":
            body = await self.read(scope, receive, self.caps.upload_bytes)
            self.count_upload(len(body))
            return _again(body, receive), {}
        kind = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise RequestError(415, "The body must be JSON, sent as application/json.")
        body = await self.read(scope, receive, self.caps.json_bytes)
        if path in self.posts:
            return _again(body, receive), {}
        call = parse(body)
        if path == f"{API}/reset":  # Gradio does nothing there
            return _again(orjson.dumps({"event_id": str(call.get("event_id"))}), receive), {}
        if path == f"{API}/cancel":
            call = check_cancel(call)
        else:
            functions = scope["app"].get_blocks().fns
            name = path.removeprefix(f"{API}/run/") if path.startswith(f"{API}/run/") else None
            call = check_call(call, name, functions)
            if name is None:
                check_session(call.get("session_hash"))
        body = orjson.dumps(call)
        scope["headers"] = [
            (key, str(len(body)).encode() if key == b"content-length" else value)
            for key, value in scope["headers"]
        ]
        return _again(body, receive), call

    async def read(self, scope: Scope, receive: Receive, cap: int) -> bytes:
        """The whole body; refused if larger than `cap` bytes, too slow, or one too many at once."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > cap:
            raise RequestError(413, f"The body may have at most {cap:,} bytes.")
        if self.bodies >= self.caps.bodies:
            raise RequestError(503, "Too many requests at once. Try again in a moment.")
        self.bodies += 1
        try:
            async with asyncio.timeout(self.caps.body_seconds):
                return await _gather(receive, cap)
        except TimeoutError:
            raise RequestError(
                408, f"The body did not arrive within {self.caps.body_seconds} seconds."
            ) from None
        finally:
            self.bodies -= 1

    def count_upload(self, size: int) -> None:
        """Count an upload of `size` bytes; refuse it if all visitors together sent too much in an hour."""
        now = time.monotonic()
        while self.uploads and self.uploads[0][0] < now - 3600:
            self.uploads.popleft()
        if sum(each for _, each in self.uploads) + size > self.caps.upload_bytes_per_hour:
            raise RequestError(
                503, "Too many files were sent in the last hour. Draw instead, or come back later."
            )
        self.uploads.append((now, size))


def check_route(method: str, path: str, posts: frozenset[str] = frozenset()) -> str:
    """The path without its trailing slash, if Gradio or `posts` has such a route. Raises `RequestError`."""
    plain = path.rstrip("/") or "/"
    encoded = path.encode()
    names = encoded.split(b"/")
    too_long = len(encoded) > LONGEST_PATH or max(map(len, names)) > LONGEST_NAME
    if b"\0" in encoded or b".." in names or too_long:
        raise RequestError(404, "There is nothing at this address.")
    readable = plain in GETS or path.startswith(GETS_BELOW)
    postable = plain in POSTS or plain in posts or path.startswith(POSTS_BELOW)
    if not (readable or postable):
        raise RequestError(404, _nothing_at(path))
    if method not in (("GET", "HEAD") if readable else ("POST",)):
        raise RequestError(405, f"This address does not answer {method[:10]}.")
    return plain if postable or plain in GETS else path


def strip(scope: Scope, prefix: str) -> None:
    """Take `prefix` off a request's path, where a proxy has passed it on: Gradio then sees what it would see
    behind a proxy that strips it."""
    path = scope["path"]
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        scope["path"] = path.removeprefix(prefix) or "/"
        scope["raw_path"] = scope.get("raw_path", b"").removeprefix(prefix.encode()) or b"/"


def _nothing_at(path: str) -> str:
    """What is told at an unknown address; below a prefix that nobody announced, how to announce it."""
    below = next((path[: -len(each)] for each in ("/", "/config", f"{API}/info") if path.endswith(each)), "")
    if not PREFIX.fullmatch(below):
        return "There is nothing at this address."
    return (
        f"There is nothing at this address. If a proxy shows the page below {below}, start it with "
        f"GRADIO_ROOT_PATH={below}."
    )


def check_file(path: str) -> None:
    """Refuse addresses of other hosts. What is left, Gradio checks against its cache."""
    if "://" in path or path.startswith(("//", "\\\\")) or "\0" in path:
        raise RequestError(403, "Only files of this page are served, nothing from anywhere else.")


def check_cancel(call: dict[str, Any]) -> dict[str, Any]:
    """A request to stop one's own running call. Raises `RequestError`."""
    index, event = call.get("fn_index"), call.get("event_id")
    if not isinstance(index, int) or isinstance(index, bool) or not isinstance(event, str):
        raise RequestError(422, "To cancel, send session_hash, fn_index (a whole number) and event_id.")
    return {"session_hash": check_session(call.get("session_hash")), "fn_index": index, "event_id": event}


def _from_our_page(scope: Scope) -> bool:
    """Whether a page of this server sent it: no script of another site can set this header."""
    return dict(scope["headers"]).get(b"sec-fetch-site") == b"same-origin"


def _secret(scope: Scope) -> bytes:
    secret = dict(scope["headers"]).get(visit.HEADER, b"")
    if secret and not visit.is_secret(secret.decode("latin-1")):
        raise RequestError(400, "X-Visit must be 64 hexadecimal digits, or absent.")
    return secret


async def _gather(receive: Receive, cap: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "The body ended early.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > cap:
            raise RequestError(413, f"The body may have at most {cap:,} bytes.")
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once, then what the real one gives (a disconnect)."""
    given = False

    async def receiver() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiver
