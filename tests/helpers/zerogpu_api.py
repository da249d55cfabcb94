"""A stand-in for what the `spaces` package asks for GPUs on a ZeroGPU Space."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

GPU = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
GRANTED, SPENT, NONE_FREE = (200, GPU), (429, {"left": 3, "wait": 600}), (503, {})


class DeviceAPI:
    """Answers on loopback.

    Attributes:
        url: where.
        answer: status and body for whoever asks for a GPU.
        asked: what came so far: the path, and the query as a dict.
    """

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, object]] = GRANTED
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def of(self, path: str) -> list[dict[str, str]]:
        """The queries that came to this path."""
        return [query for asked, query in self.asked if asked == path]

    @classmethod
    @contextlib.contextmanager
    def serving(cls) -> Iterator[DeviceAPI]:
        """One that serves until the block is left."""
        api = cls()
        threading.Thread(target=api._server.serve_forever, daemon=True).start()
        try:
            yield api
        finally:
            api._server.shutdown()
            api._server.server_close()
            for query in api.of("/allow"):  # a worker outlives the page that forked it; a Space ends both
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(query["pid"]), signal.SIGKILL)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                parts = urlsplit(self.path)
                api.asked.append((parts.path, dict(parse_qsl(parts.query))))
                status, body = api.answer if parts.path == "/schedule" else (200, {})
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: a test's output is its own."""

        return Handler
