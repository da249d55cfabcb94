"""Hostile requests to every route and every function of the running page, then an honest one."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import pickle
import random
import re
import secrets
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from PIL import Image, ImageDraw
from visitors import API, OFFLINE, Visitor, run, sent

AT_ONCE = 16  # requests
REQUEST_SECONDS = 30
CANARY = secrets.token_hex(16)  # stands in files that nobody may read

HEAVY = [  # values that are wrong everywhere, or nearly
    None, True, -1, 0, 2**63, -(10**400), 1e308, "", "0", "x" * 50_000, "\0", "\ud83d", "💥" * 100,
    "../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/x.png",
    "//a.example/x", "<script>alert(1)</script>", "{{7*7}}", "' OR 1=1 --", "shipped", "0" * 64, "f" * 16,
    [], [[]], [None] * 1_000, {}, {"a": {"b": {"c": 1}}}, {"path": "/etc/passwd"}, {"__class__": "x"},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": "http://127.0.0.1:9/x.png", "meta": {"_type": "gradio.FileData"}},
    {"path": "x", "url": "http://127.0.0.1:9/x.png", "meta": {"_type": "gradio.FileData"}},
    {"url": "data:image/png;base64,AAAA", "meta": {"_type": "gradio.FileData"}},
    {"__type__": "update", "value": 1}, {"__type__": "property_input", "value": 1},
    [512, 512], [0, 0, 512, 512], [0, 0, 0, 0], [-1, 0, 9, 9], [560.5, 560], "7cEBAQAAAIAg/69uSEAB", "AA==",
    "9" * 400, {"number": 1, "sheet": [9, 9], "crop": [0, 0, 9, 9], "ink": "A" * 40_000},
    {"picture": "data:,", "caption": 1},
]  # fmt: skip
RAW = [  # bodies that are no JSON, or none that a client of ours writes
    b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"data": [NaN]}', b'{"data": [-Infinity]}',
    b'{"data": ' + b"[" * 3_000,
    b'{"data": [' + b"[" * 200 + b"]" * 200 + b"]}", b'{"data": [' + b"1," * 300_000 + b"1]}",
    b'{"data":[]}' * 2,
    b'{"data": [' + b"9" * 5_000 + b"]}", b'{"data": ["' + b"A" * 1_200_000 + b'"]}', b'{"data": [1e999]}',
]  # fmt: skip


def _bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels in a few thousand bytes."""
    file = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(file, "PNG")
    return file.getvalue()


def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
        archive.writestr("../../outside.txt", CANARY)
    return file.getvalue()


class _Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (Path.write_text, (Path("pickle-was-run.txt"), CANARY))


def _files() -> list[tuple[str, bytes]]:
    """Files to upload: name and content."""
    whole = _picture()
    return [
        ("seven.png", whole),
        ("cut.png", whole[: len(whole) // 2]),
        ("page.png", whole + b"<script>alert(1)</script>"),
        ("bomb.png", _bomb()),
        ("weights.pt", pickle.dumps(_Evil())),
        ("weights.zip", _zip_bomb()),
        ("../../up.png", whole),
        ("a\0b.png", whole),
        ("page.html", b"<script>alert(document.domain)</script>"),
        ("picture.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ("empty.png", b""),
        ("n" * 300 + ".png", whole),
    ]


def _seven() -> Image.Image:
    image = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(image).line([(60, 50), (140, 50), (90, 150)], fill=0, width=14, joint="curve")
    return image


def _picture() -> bytes:
    file = io.BytesIO()
    _seven().save(file, "PNG")
    return file.getvalue()


def _routes() -> list[tuple[str, str]]:
    """Every route of a Gradio app, method and path, whether this page uses it or not."""

    async def build() -> list[Any]:
        with gr.Blocks(analytics_enabled=False) as page:
            gr.Markdown()
        app = gr.routes.App.create_app(page)
        included = [route.original_router.routes for route in app.routes if hasattr(route, "original_router")]
        return [*app.routes, *(route for routes in included for route in routes)]

    found = {
        (method, route.path)
        for route in run(build())
        if hasattr(route, "methods")
        for method in route.methods
    }
    assert len(found) > 50, "Gradio keeps its routes somewhere else now"
    return sorted(found | _AGENTS)


class Fuzzer:
    """Sends requests from a seed and judges each answer."""

    def __init__(self, visitor: Visitor, routes: list[tuple[str, str]], seed: int) -> None:
        self.visitor, self.routes = visitor, routes
        self.random = random.Random(seed)
        self.statuses: Counter[int] = Counter()
        self.reached = 0  # requests whose handler ran
        self.wrong: list[str] = []
        self.uploads: list[str] = []
        self.events: list[str] = []  # of calls by name, whose answers have not been fetched

    async def upload(self) -> None:
        """Leave the hostile files where uploads go."""
        for name, content in _files():
            answer = await self.visitor.http.post(f"{API}/upload", files={"files": (name, content)})
            self.judge(f"upload {name[:20]!r}", answer)
            if answer.is_success:
                self.uploads += answer.json()

    async def one(self, index: int) -> None:
        """The request of this number: three that should reach their handler, then two that are odd."""
        honest = [self.own_route, self.call, self.program][index % 5 % 3]
        odd = [self.mangled, self.mangled_route, self.mangled_program, self.raw, self.route]
        make = honest if index % 5 < 3 else self.random.choice(odd)
        what, request = make()
        try:
            answer = await self.visitor.http.send(request, stream=True)
            text = await self._read(answer)
        except httpx.HTTPError as error:
            self.wrong.append(f"{what}: no answer, {error!r}")
            return
        self.judge(what, answer, text)
        self.events += re.findall(r'^{"event_id":"(\w+)"}$', text) if "/call/" in what else []
        if make == honest and answer.status_code in (
            200,
            202,
            204,
            400,
        ):  # a handler's answer, or its refusal
            self.reached += 1

    async def _read(self, answer: httpx.Response) -> str:
        """The body; empty for an endless one, which is left after half a second."""
        try:
            async with asyncio.timeout(
                0.5 if "event-stream" in answer.headers.get("content-type", "") else 30
            ):
                return (await answer.aread()).decode(errors="replace")
        except TimeoutError:
            return ""
        finally:
            await answer.aclose()

    def judge(self, what: str, answer: httpx.Response, text: str | None = None) -> None:
        """Note what is wrong with an answer, if anything."""
        text = answer.text if text is None else text
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append(f"{what}: {answer.status_code} {text[:200]}")
        if "Traceback" in text or CANARY in text or "root:x:0" in text:
            self.wrong.append(f"{what}: shows what it must not: {text[:200]}")
        if answer.status_code >= 400 and answer.request.method != "HEAD" and not _is_sentence(text):
            self.wrong.append(f"{what}: {answer.status_code} without a sentence: {text[:200]}")

    def value(self) -> Any:
        """Something that does not belong: from the list, or an uploaded file."""
        if self.uploads and self.random.random() < 0.3:
            return {"path": self.random.choice(self.uploads), "meta": {"_type": "gradio.FileData"}}
        return self.random.choice(HEAVY)

    def call(self) -> tuple[str, httpx.Request]:
        """A function with the page's own values, numbers and choices varied as a visitor varies them."""
        function = self.random.choice(self.visitor.page.functions)
        body = self.visitor.body(function)
        return self.function_request(function, body)

    def own_route(self) -> tuple[str, httpx.Request]:
        """What the page's scripts ask while something is drawn or a toy is used."""
        return self.route_request(*self.random.choice(_ASKED))

    def mangled_route(self) -> tuple[str, httpx.Request]:
        """The same with one value replaced, somewhere in it."""
        name, body = self.random.choice(_ASKED)
        body = json.loads(json.dumps(body))
        part = self.random.choice([body, *(each for each in body.values() if isinstance(each, dict))])
        part[self.random.choice([*part, "more"])] = self.value()
        return self.route_request(name, body)

    def route_request(self, name: str, body: dict[str, Any]) -> tuple[str, httpx.Request]:
        text = json.dumps(body)
        return f"{name} {text[:200]}", self.request("POST", f"/api/{name}", text.encode())

    def program(self) -> tuple[str, httpx.Request]:
        """What a program or an agent asks; the answers to calls by name are fetched in between."""
        if self.events and self.random.random() < 0.4:
            path = f"{API}/call/read_digit/{self.events.pop()}"
            return path, self.request("GET", path, b"")
        return self.program_request(*self.random.choice(_PROGRAMS))

    def mangled_program(self) -> tuple[str, httpx.Request]:
        """The same with one value replaced, somewhere in it."""
        path, body = self.random.choice(_PROGRAMS)
        body = json.loads(json.dumps(body))
        part = body
        while self.random.random() < 0.6 and (inner := [v for v in part.values() if isinstance(v, dict)]):
            part = self.random.choice(inner)
        part[self.random.choice([*part, "more", "session_hash"])] = self.value()
        return self.program_request(path, body)

    def program_request(self, path: str, body: dict[str, Any]) -> tuple[str, httpx.Request]:
        text = json.dumps(body)
        request = self.request("POST", path, text.encode())
        request.headers["accept"] = "application/json, text/event-stream"
        return f"{path} {text[:200]}", request

    def mangled(self) -> tuple[str, httpx.Request]:
        """A function with one value or field replaced."""
        function = self.random.choice(self.visitor.page.functions)
        body = self.visitor.body(function)
        if body["data"] and self.random.random() < 0.8:
            body["data"][self.random.randrange(len(body["data"]))] = self.value()
        else:
            body[self.random.choice([*body, "event_id", "batched", "simple_format", "oauth_token"])] = (
                self.value()
            )
        return self.function_request(function, body)

    def function_request(self, function: dict[str, Any], body: dict[str, Any]) -> tuple[str, httpx.Request]:
        path = f"{API}/queue/join" if function["queue"] else f"{API}/run/{function['api_name'] or 'predict'}"
        what = f"{function['api_name']} {json.dumps(body['data'])[:200]}"
        return what, self.request("POST", path, json.dumps(body).encode())

    def raw(self) -> tuple[str, httpx.Request]:
        """A body that is not a call."""
        paths = [
            f"{API}/queue/join",
            f"{API}/run/start",
            "/api/read",
            "/api/toy",
            f"{API}/cancel",
            f"{API}/reset",
            f"{API}/upload",
            f"{API}/mcp/",
            f"{API}/call/read_digit",
            f"{API}/call/v2/predict",
        ]
        path, body = self.random.choice(paths), self.random.choice(RAW)
        return f"{path} {body[:60]!r}", self.request("POST", path, body)

    def route(self) -> tuple[str, httpx.Request]:
        """Any of Gradio's routes, its parameters filled with what does not belong."""
        method, path = self.random.choice(self.routes)
        filled = re.sub(r"{[^}]*}", lambda _: self.random.choice(_PARTS), path)
        query = self.random.choice(["", "?session_hash=x", "?deep_link=../x", "?page=%00", "?upload_id=1"])
        body = b"{}" if method == "POST" else b""
        return f"{method} {filled}{query}", self.request(method, filled + query, body)

    def request(self, method: str, path: str, body: bytes) -> httpx.Request:
        headers = {"content-type": "application/json"} if body else {}
        return self.visitor.http.build_request(method, path, content=body or None, headers=headers)


_PARTS = [
    "x", "0", "-1", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/etc/passwd", "..%2f..%2fapp.py", "%00",
    "http://127.0.0.1:9/",
    "http:%2f%2f127.0.0.1:9%2fx", "C:%5Cwindows", "a" * 2_000, "canary.txt",
    "%F0%9F%92%A5", "index.html", "read",
]  # fmt: skip


def _is_sentence(text: str) -> bool:
    try:
        said = json.loads(text)
    except json.JSONDecodeError:
        return False
    return isinstance(said, dict) and " " in str(said.get("error", "")).strip()


_AGENTS = {
    (method, f"{API}/mcp/{name}")
    for method in ("GET", "POST", "PUT", "DELETE")
    for name in ("", "schema", "sse", "messages/", "http")
}
_TEXT = base64.b64encode(_picture()).decode()
_MESSAGE = {"jsonrpc": "2.0", "id": 1}
_HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
_TOOL = {"name": "read_digit", "arguments": {"picture": _TEXT}, "_meta": {"progressToken": 1}}
_PROGRAMS = [
    (f"{API}/call/read_digit", {"data": [_TEXT]}),
    (f"{API}/call/v2/read_digit", {"picture": _TEXT}),
    (f"{API}/run/read_digit", {"data": [_TEXT]}),
    (f"{API}/mcp/", _MESSAGE | {"method": "initialize", "params": _HELLO}),
    (f"{API}/mcp/", {"jsonrpc": "2.0", "method": "notifications/initialized", "params": {"_meta": {}}}),
    (f"{API}/mcp/", _MESSAGE | {"method": "tools/list", "params": {"cursor": "x"}}),
    (f"{API}/mcp/", _MESSAGE | {"method": "tools/call", "params": _TOOL}),
]
_DRAWINGS = [sent(number, image) for number, image in enumerate([_seven(), Image.new("L", (200, 200), 255)])]
_VIEW = {"layer": "cn1", "map": 3, "open": ["why"], "target": None, "still": False}
_ASKED = [
    *(("read", {"weights": "shipped", "drawing": each}) for each in _DRAWINGS),
    *(("read-in-training", {"drawing": each, "digit": 0}) for each in _DRAWINGS),
    *(("layers", {"weights": "shipped", "drawing": each, "view": _VIEW}) for each in _DRAWINGS),
    ("toy", {"toy": "pooling", "values": {}}),
    ("toy", {"toy": "fully_connected", "values": {"inputs": [1, 0, 0, 1]}}),
]


async def _fuzz(url: str, count: int, routes: list[tuple[str, str]]) -> tuple[Fuzzer, dict[str, Any]]:
    async with Visitor(url) as visitor:
        fuzzer = Fuzzer(visitor, routes, seed=0)
        await fuzzer.upload()
        numbers = iter(range(count))

        async def keep_sending() -> None:
            for index in numbers:
                await fuzzer.one(index)

        await asyncio.gather(*(keep_sending() for _ in range(AT_ONCE)))
    async with Visitor(url) as honest:
        return fuzzer, await honest.draw(1, _seven())


def _check(start_server: Callable[..., Any], tmp_path: Path, count: int) -> None:
    server = start_server(MNIST_LIMIT_RUN_SECONDS="2", **OFFLINE)
    home = tmp_path / "page-0"
    (home / "canary.txt").write_text(CANARY)
    fuzzer, answer = run(_fuzz(server.url, count, _routes()))
    health = httpx.get(f"{server.url}/health").json()
    statuses = dict(sorted(fuzzer.statuses.items()))
    print(f"\n{count} requests, {fuzzer.reached} answered by a handler; by status: {statuses}; {health}")
    assert fuzzer.wrong == [], server.output()[-4_000:]
    assert health["faults"] == 0, server.output()[-4_000:]
    assert "Traceback" not in server.output()
    assert fuzzer.reached >= 0.5 * count
    written = {path.name for path in home.iterdir()} - {"canary.txt", "page.log", "gradio", "runs", "data"}
    assert written == set()
    assert not list(tmp_path.rglob("outside.txt"))
    assert answer["digits"][0]["guess"] == 7


def test_hostile_requests_break_nothing(start_server: Callable[..., Any], tmp_path: Path) -> None:
    _check(start_server, tmp_path, 600)


@pytest.mark.full
def test_ten_thousand_hostile_requests_break_nothing(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    _check(start_server, tmp_path, 10_000)
