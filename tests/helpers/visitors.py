"""Visitors without a browser: the page's own requests over HTTP, many at a time, heartbeats included."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import re
import secrets
import zlib
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
from PIL import Image

Result = TypeVar("Result")

API = "/gradio_api"
FEW_DIGITS = Path(__file__).parent / "few_digits_page.py"  # for a page that trains on synthetic digits
OFFLINE = {
    "MNIST_MIRROR": "http://127.0.0.1:9/"
}  # for a page that must not reach anyone: nobody answers there


def sent(number: int, image: Image.Image) -> dict[str, Any]:
    """A drawing as the page sends it: `image` ("L", dark on light) as a sheet that is all crop."""
    grey = np.asarray(image.convert("L"))
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    ink = base64.b64encode(deflater.compress(grey.tobytes()) + deflater.flush()).decode()
    height, width = grey.shape
    return {"number": number, "sheet": [width, height], "crop": [0, 0, width, height], "ink": ink}


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` in a thread of its own: a browser that is open in this one keeps a loop running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Page:
    """What `/config` tells about the page: its components, and the functions that their events call."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.components = {component["id"]: component for component in config["components"]}
        self.functions = config["dependencies"]

    def component(self, elem_id: str) -> dict[str, Any]:
        """The component with this element id."""
        return next(each for each in self.components.values() if each["props"].get("elem_id") == elem_id)

    def function(self, elem_id: str, event: str) -> dict[str, Any]:
        """What happens on this event of this component: Gradio's description of the function."""
        target = [self.component(elem_id)["id"], event]
        return next(each for each in self.functions if target in each["targets"])

    def follower(self, function: dict[str, Any]) -> dict[str, Any]:
        """What the page calls when `function` has answered: the one wired to it by `then`."""
        return next(each for each in self.functions if each["trigger_after"] == function["id"])

    def values(self, function: dict[str, Any], secret: str, **given: Any) -> list[Any]:
        """The inputs of a function: the visit's secret, what is `given` by element id, else first values."""
        return [self._value(self.components[each]["props"], secret, given) for each in function["inputs"]]

    @staticmethod
    def _value(props: dict[str, Any], secret: str, given: dict[str, Any]) -> Any:
        if props.get("component_class_name") == "VisitSecret":
            return secret
        elem_id = (props.get("elem_id") or "").replace("-", "_")
        return given.get(elem_id, props.get("value"))


class Visitor:
    """One visit: its secret, its session, its connections. Use as `async with Visitor(url) as visitor`.

    Args:
        url: of the page, without closing slash; it may end in a prefix.
        session: Gradio's session hash.
        source: the address of this machine that the visitor comes from.

    Attributes:
        servers: the processes that answered the drawings, each once, in the order in which they came.
    """

    def __init__(self, url: str, *, session: str | None = None, source: str = "127.0.0.1") -> None:
        self.secret = secrets.token_hex(32)
        self.session = session or secrets.token_hex(6)
        self.headers = {"x-visit": self.secret}
        limits = httpx.Limits(max_connections=None)
        transport = httpx.AsyncHTTPTransport(local_address=source, limits=limits)
        self.http = httpx.AsyncClient(base_url=url, headers=self.headers, timeout=60, transport=transport)
        self.servers: list[str] = []
        self._heartbeat: asyncio.Task[None] | None = None
        # Forty visitors' updates cost httpx more processor time than the page takes to answer them, so these
        # go over a plain connection, in a thread of the visitor's own.
        host, slash, prefix = url.removeprefix("http://").partition("/")
        self._prefix = slash + prefix
        self._pen = http.client.HTTPConnection(host, timeout=60, source_address=(source, 0))
        self._hand = ThreadPoolExecutor(1)

    async def __aenter__(self) -> Visitor:
        (await self.http.get("/")).raise_for_status()
        self.page = Page((await self.http.get("/config")).json())
        beats = asyncio.Event()
        self._heartbeat = asyncio.create_task(self._beat(beats))
        await asyncio.wait_for(beats.wait(), 30)
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Leave as a closed tab does: every connection of this visit ends."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                await self._heartbeat
        await self.http.aclose()
        self._hand.shutdown(cancel_futures=True)
        self._pen.close()

    async def _beat(self, beats: asyncio.Event) -> None:
        async with self.http.stream("GET", f"{API}/heartbeat/{self.session}", timeout=None) as answer:
            async for _ in answer.aiter_bytes():
                beats.set()

    def body(self, function: dict[str, Any], **given: Any) -> dict[str, Any]:
        """The request that the page would send."""
        data = self.page.values(function, self.secret, **given)
        trigger = function["targets"][0][0] if function["targets"] else None
        body = {"data": data, "fn_index": function["id"], "trigger_id": trigger, "event_data": None}
        return {**body, "session_hash": self.session}

    async def call(self, function: dict[str, Any], **given: Any) -> httpx.Response:
        """Call a function as the page does: at once, or by putting it into the queue."""
        path = f"{API}/queue/join" if function["queue"] else f"{API}/run/{function['api_name']}"
        return await self.http.post(path, json=self.body(function, **given))

    async def on(self, elem_id: str, event: str, **given: Any) -> httpx.Response:
        """Do what the page does on this event of this component."""
        return await self.call(self.page.function(elem_id, event), **given)

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        """The messages of this session's queued functions, until all of them have ended."""
        address = f"{API}/queue/data?session_hash={self.session}"
        async with self.http.stream("GET", address, timeout=None) as answer:
            async for text in answer.aiter_lines():
                if text.startswith("data:"):
                    message = json.loads(text.removeprefix("data:"))
                    if message["msg"] == "close_stream":
                        return
                    yield message

    async def train(self, button: str = "train-start", **recipe: Any) -> AsyncIterator[dict[str, Any]]:
        """Press Train with this recipe and follow the run as the page does: its messages until it ends."""
        start = self.page.function(button, "click")
        chosen = self.page.component("recipe")["props"]["value"] | recipe
        answer = await self.call(start, recipe=chosen)
        answer.raise_for_status()
        (await self.call(self.page.follower(start))).raise_for_status()
        async for message in self.stream():
            yield message

    async def status(self) -> str:
        """What the Train tab says of this visit's run, as HTML."""
        look = next(
            each
            for each in self.page.functions
            for component, event in each["targets"]
            if event == "select" and self.page.components[component]["props"].get("id") == "train"
        )
        answer = await self.call(look)
        answer.raise_for_status()
        place = look["outputs"].index(self.page.component("train-status")["id"])
        return answer.json()["data"][place]

    async def steps(self) -> int:
        """Training steps that this visit's run has taken."""
        told = re.search(r"step ([\d,]+) of", await self.status())
        return int(told[1].replace(",", "")) if told else 0

    async def draw(self, number: int, image: Image.Image) -> dict[str, Any]:
        """One update of the pad, and what was read in it. Raises `OSError` unless it was answered."""
        return await asyncio.get_running_loop().run_in_executor(self._hand, self._draw, number, image)

    def _draw(self, number: int, image: Image.Image) -> dict[str, Any]:
        body = json.dumps({"weights": "shipped", "drawing": sent(number, image)})
        headers = {"content-type": "application/json", **self.headers}
        self._pen.request("POST", f"{self._prefix}/api/read", body, headers)
        answer = self._pen.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"The update was answered with {answer.status}: {text[:200]!r}")
        if (server := answer.getheader("x-server")) not in self.servers:
            self.servers.append(server)
        return json.loads(text)
