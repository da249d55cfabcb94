"""How request bodies come in: not too large, not too slow, not too many at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope

from mnist_core.page.http.bodies import RequestError
from mnist_core.runs.limits import overridden

ENDS = 200  # bytes kept of either end of a body that is too large


@dataclass(frozen=True, kw_only=True)
class Caps:
    """How much visitors may send, read from the environment as `limits.Limits` are.

    Attributes:
        json_bytes: of one call; a drawing is about 4,000.
        upload_bytes: of one uploaded file, with what the browser adds; `Limits` has what weights may have.
        upload_bytes_per_hour: of all visitors together; the disk is freed hourly.
        body_seconds: that a body may take to arrive.
        bodies: being received at one time.
        sessions: whose visit is remembered.
    """

    json_bytes: int = 1_000_000
    upload_bytes: int = 9_000_000
    upload_bytes_per_hour: int = 500_000_000
    body_seconds: int = 30
    bodies: int = 64
    sessions: int = 2_000

    @classmethod
    def from_environment(cls) -> Caps:
        """The defaults, overridden by the environment. Raises `ValueError` for what is not a number."""
        return overridden(cls())


class TooLarge(RequestError):
    """The body of a refused request is larger than `cap` bytes; `ends` holds its first and last bytes."""

    def __init__(self, cap: int, ends: bytes = b"") -> None:
        super().__init__(413, f"The body may have at most {cap:,} bytes.")
        self.ends = ends


class Intake:
    """Reads bodies within `caps`. One instance per process."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self.bodies = 0
        self.uploads: deque[tuple[float, int]] = deque()  # when (monotonic seconds), bytes

    async def read(self, scope: Scope, receive: Receive, cap: int, *, to_its_end: bool = False) -> bytes:
        """The whole body.

        Args:
            cap: in bytes.
            to_its_end: wait for the end of a body that is too large, and report its `ends`; otherwise refuse
                it as soon as it is known to be.

        Raises:
            RequestError: it is too large (`TooLarge`), too slow, or one too many at once.
        """
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not (length.isdigit() and (int(length) <= cap or to_its_end)):
            raise TooLarge(cap)
        if self.bodies >= self.caps.bodies:
            raise RequestError(503, "Too many requests at once. Try again in a moment.")
        self.bodies += 1
        try:
            async with asyncio.timeout(self.caps.body_seconds):
                return await _gather(receive, cap, to_its_end)
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


async def _gather(receive: Receive, cap: int, to_its_end: bool) -> bytes:
    body, size, more = bytearray(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "The body ended early.")
        body += message.get("body", b"")
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if size > cap:
            if not to_its_end:
                raise TooLarge(cap)
            del body[ENDS:-ENDS]
    if size > cap:
        raise TooLarge(cap, bytes(body))
    return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` once, then what the real one gives (a disconnect)."""
    given = False

    async def receiver() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiver
