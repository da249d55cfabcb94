"""The page in a process of its own, and a visitor who draws on it over HTTP, as a browser would."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import socket
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from mnist_core.benchmark.leash import leash, leashed

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60  # seconds
UPDATE_SECONDS = 0.06  # between two updates of the pad while a pen moves: `EVERY` in assets/js/ink/sheet.js


class Visitor:
    """One visit to the page at `address`.

    Args:
        address: as `app.py` prints it.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self.secret = secrets.token_hex(32)
        self._config = json.loads(self._get("/config"))
        self._updates = 0

    def draw(self, drawing: Image.Image) -> Any:
        """Send a drawing, mode "L", as the pad sends each change, and wait for what was read in it."""
        self._updates += 1
        width, height = drawing.size
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        ink = base64.b64encode(deflate.compress(drawing.tobytes()) + deflate.flush()).decode()
        sent = {"number": self._updates, "sheet": [width, height], "crop": [0, 0, width, height], "ink": ink}
        body = {"weights": "shipped", "drawing": sent}
        return json.loads(self._get("/api/read", json.dumps(body).encode()))

    def draw_steadily(self, drawing: Image.Image, seconds: float) -> list[float]:
        """Send the drawing as the pad does while a pen moves: every `UPDATE_SECONDS`, and never two at once.

        Returns:
            How many seconds each answer took.
        """
        latencies: list[float] = []
        end = time.perf_counter() + seconds
        while (sent := time.perf_counter()) < end:
            self.draw(drawing)
            latencies.append(time.perf_counter() - sent)
            time.sleep(max(0.0, UPDATE_SECONDS - latencies[-1]))
        return latencies

    def train(self, recipe: dict[str, Any]) -> None:
        """Press Train with this recipe on the form."""
        self.call("start", {"recipe": recipe})

    def steps(self) -> int:
        """How many steps the shown run has taken, as the Train tab says."""
        shown = re.search(r"step ([\d,]+) of", json.dumps(self.call("open", {})))
        return int(shown.group(1).replace(",", "")) if shown else 0

    def call(self, name: str, values: dict[str, Any]) -> Any:
        """Call the page's handler `name` with `values` by element id; other inputs keep their defaults."""
        handler = next(d for d in self._config["dependencies"] if d["api_name"] == name)
        components = {component["id"]: component["props"] for component in self._config["components"]}
        known = {"visit-secret": self.secret} | values
        data = []
        for id in handler["inputs"]:
            props = components[id]
            data.append(known.get(props.get("elem_id"), props.get("value")))
        return json.loads(self._get(f"/gradio_api/run/{name}", json.dumps({"data": data}).encode()))

    def _get(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json", "X-Visit": self.secret}
        request = urllib.request.Request(self.address + path, body, headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            content: bytes = response.read()
            return content


@contextmanager
def served_page(environment: dict[str, str] | None = None) -> Iterator[str]:
    """`python app.py` on a free port, stopped afterwards; yields its address once it can be visited."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    with leash() as stdin:
        process = subprocess.Popen(
            leashed("app.py"),
            cwd=ROOT,
            env=os.environ | ours | (environment or {}),
            stdin=stdin,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield _address(process)
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"https?://\S+", line)
        if found:
            return found.group()
    raise RuntimeError(f"app.py ended before it served the page, with status {process.wait()}.")
