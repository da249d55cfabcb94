"""The page as programs call it: `gradio_client`, curl, and an agent's own library."""

from __future__ import annotations

import ast
import base64
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from visitors import run

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "mnist_core" / "page" / "API.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7860"  # in the guide
PROXIES = {"http": "http", "https": "socks5", "all": "socks5h"}  # by whom they are for


@pytest.fixture(scope="module")
def seven() -> bytes:
    """A PNG file of a seven."""
    image = np.full((200, 200), 255, np.uint8)
    image[40:52, 60:140] = image[40:170, 128:140] = 0
    return _png(Image.fromarray(image))


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _text(file: bytes) -> str:
    return base64.b64encode(file).decode()


@contextmanager
def _mirror() -> Iterator[tuple[str, list[str]]]:
    """An address that nobody may ask for, and the paths that somebody asked it for."""
    asked: list[str] = []

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Mirror) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{mirror.server_port}/seven.png", asked
        mirror.shutdown()


def test_gradios_client_sends_a_file_and_no_address_is_fetched(
    server: Any, seven: bytes, tmp_path: Path
) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    (tmp_path / "seven.png").write_bytes(seven)
    client = gradio_client.Client(server.url, verbose=False)
    answer = client.predict(gradio_client.handle_file(str(tmp_path / "seven.png")), api_name="/predict")
    assert answer["digit"] == 7
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert client.predict(_text(seven), api_name="/read_digit") == answer

    (tmp_path / "none.png").write_bytes(b"no picture")
    with pytest.raises(Exception, match="not a picture"):
        client.predict(gradio_client.handle_file(str(tmp_path / "none.png")), api_name="/predict")

    with _mirror() as (address, asked):
        with pytest.raises(Exception, match="400"):
            client.predict({"path": address, "meta": {"_type": "gradio.FileData"}}, api_name="/predict")
        with pytest.raises(Exception, match="does not fetch addresses"):
            client.predict(address, api_name="/read_digit")
    assert asked == []
    client.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_guides_curl_lines_work_as_they_stand(server: Any, seven: bytes, tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(seven)
    lines = re.search(r"<!-- curl -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)[1]
    assert ADDRESS in lines
    command = ["bash", "-euc", lines.replace(ADDRESS, server.url)]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    answers = [json.loads(each)[0] for each in re.findall(r"event: complete\ndata: (.*)", shown)]
    assert [answer["digit"] for answer in answers] == [7, 7]
    assert answers[0] == answers[1]


def _read(url: str, picture: Any) -> tuple[str, Any]:
    """The event and the data that a picture sent as text is answered with."""
    called = httpx.post(f"{url}/gradio_api/call/read_digit", json={"data": [picture]})
    event = called.raise_for_status().json()["event_id"]
    streamed = httpx.get(f"{url}/gradio_api/call/read_digit/{event}", timeout=60).text
    kind, data = re.search(r"event: (complete|error)\ndata: (.*)", streamed).groups()
    return kind, json.loads(data)


def test_a_picture_sent_as_text_is_read_in_every_form_that_is_promised(server: Any, seven: bytes) -> None:
    wrapped = base64.encodebytes(seven).decode()
    for picture in (_text(seven), wrapped, f"data:image/png;base64,{_text(seven)}"):
        kind, data = _read(server.url, picture)
        assert (kind, data[0]["digit"]) == ("complete", 7)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        ("http://127.0.0.1:9/seven.png", "does not fetch addresses"),
        ("file:///etc/passwd", "not base64"),
        ("data:text/plain;base64,aGVsbG8=", "not a picture"),
        ("data:,", "not a picture"),
        ("", "not a picture"),
        ("hello", "not base64"),
        ("siebenäöü", "not base64"),
        (_text(_png(Image.new("1", (5_001, 4_000)))), "at most 20 million pixels"),
        (None, "as text"),
        ([["A"]], "as text"),
        (7, "as text"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(server: Any, picture: Any, said: str) -> None:
    kind, data = _read(server.url, picture)
    assert kind == "error"
    assert said in data["error"]
    assert httpx.get(f"{server.url}/health").json()["faults"] == 0


def _with_agent(url: str, talk: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `talk` returns, given a session of the agents' library with the page at `url`."""
    mcp = pytest.importorskip("mcp", reason="the mcp package is not installed (tests/requirements.txt)")
    from mcp.client.streamable_http import streamable_http_client

    async def session() -> Any:
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp/") as (reads, writes, _),
            mcp.ClientSession(reads, writes) as session,
        ):
            await session.initialize()
            return await talk(session)

    return run(session())


def test_an_agent_reads_a_digit_with_the_one_tool_that_it_finds(server: Any, seven: bytes) -> None:
    async def talk(session: Any) -> tuple[Any, Any]:
        called = await session.call_tool("read_digit", {"picture": _text(seven)})
        return (await session.list_tools()).tools, called

    (tool,), called = _with_agent(server.url, talk)
    assert tool.name == "read_digit"
    assert "base64" in tool.inputSchema["properties"]["picture"]["description"]
    assert not called.isError
    assert [ast.literal_eval(called.content[0].text)] == _read(server.url, _text(seven))[1]


def test_an_agent_hears_what_was_wrong_and_goes_on(server: Any, seven: bytes) -> None:
    from_elsewhere = {"picture": "http://127.0.0.1:9/seven.png"}

    async def talk(session: Any) -> list[str]:
        told = []
        for name, arguments in (
            ("read_digit", from_elsewhere),
            ("read_digit", {"picture": "hello"}),
            ("read_digit", {"picture": 7}),
            ("predict", {"path": from_elsewhere}),
            ("start", {}),
        ):
            answer = await session.call_tool(name, arguments)
            assert answer.isError
            told.append(answer.content[0].text)
        with pytest.raises(Exception, match="at most 1,000,000 bytes"):
            await session.call_tool("read_digit", {"picture": "A" * 3_000_000})
        assert not (await session.call_tool("read_digit", {"picture": _text(seven)})).isError
        return told

    told = _with_agent(server.url, talk)
    expected = ("fetch addresses", "not base64", "not of type 'string'", "Unknown tool", "Unknown tool")
    for sentence, part in zip(told, expected, strict=True):
        assert part in sentence
    assert httpx.get(f"{server.url}/health").json()["faults"] == 0


def test_an_agent_is_answered_where_the_environment_names_proxies(
    start_server: Callable[..., Any], seven: bytes
) -> None:
    """Neither the page as it starts nor a tool's call may go to one, or ask for what SOCKS needs."""

    async def talk(session: Any) -> Any:
        return await session.call_tool("read_digit", {"picture": _text(seven)})

    proxies = {f"{name}_proxy": f"{scheme}://127.0.0.1:9" for name, scheme in PROXIES.items()}
    url = start_server(**proxies, no_proxy="elsewhere").url
    assert not _with_agent(url, talk).isError


def test_the_page_starts_without_the_agents_package(start_server: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "__init__.py").write_text("raise ImportError('not here')")
    url = start_server(PYTHONPATH=str(tmp_path)).url
    refused = httpx.post(f"{url}/gradio_api/mcp/", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert refused.json()["error"]["message"] == "Not Found"
