"""Which addresses the page answers, below a prefix too, and what it says at all others."""

from __future__ import annotations

import httpx
import pytest
from small_page import API, sentence

from mnist_core.page.http.addresses import strip


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{API}/component_server", 404),
        ("GET", f"{API}/deep_link?session_hash=abc", 404),
        ("GET", f"{API}/proxy=https://x.hf.space/", 404),
        ("GET", f"{API}/runs", 404),
        ("GET", f"{API}/queue/status", 404),
        ("POST", f"{API}/openapi.json", 405),
        ("GET", f"{API}/call/double", 405),
        ("POST", f"{API}/call/double/{'0' * 32}", 405),
        ("GET", f"{API}/call/double/{'0' * 32}", 404),
        ("GET", f"{API}/call/v2/double/{'0' * 32}", 404),
        ("GET", f"{API}/call/double/victim", 404),
        ("POST", f"{API}/call/v2/double/more", 404),
        ("GET", f"{API}/mcp/", 405),
        ("DELETE", f"{API}/mcp", 405),
        ("GET", f"{API}/mcp/sse", 404),
        ("POST", f"{API}/mcp/messages/", 404),
        ("POST", f"{API}/api/double", 404),
        ("POST", f"{API}/process_recording", 404),
        ("POST", f"{API}/stream/abc", 404),
        ("GET", "/monitoring/summary", 404),
        ("GET", "/docs", 404),
        ("POST", "/login", 404),
        ("PUT", "/config", 405),
        ("DELETE", "/", 405),
        ("GET", f"{API}/run/double", 405),
        ("GET", f"{API}/file=/etc/passwd", 403),
        ("GET", f"{API}/file=../../../etc/passwd", 404),
        ("GET", f"{API}/file=http://127.0.0.1:9/x", 403),
        ("GET", f"{API}/file=%2F%2Fa.example/x", 403),
        ("GET", "/static/%2e%2e/%2e%2e/routes.py", 404),
        ("GET", f"/static/{'a' * 256}", 404),
        ("GET", f"/assets/{'a/' * 2100}", 404),
        ("GET", f"{API}/queue/data", 422),
        ("GET", f"{API}/queue/data?session_hash=nobody", 404),
    ],
)
def test_routes_that_the_page_does_not_use_are_closed(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    sentence(client.request(method, path), status)


def test_below_a_prefix_that_nobody_announced_the_answer_says_how_to(client: httpx.Client) -> None:
    for path in ("/digits/", "/digits/config", f"/digits{API}/info"):
        assert "GRADIO_ROOT_PATH=/digits." in sentence(client.get(path), 404)
    for path in ("/nothing", "/<b>/", f"/x{API}/call/predict"):
        assert sentence(client.get(path), 404) == "There is nothing at this address."


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/digits/gradio_api/info", "/gradio_api/info"),
        ("/digits/", "/"),
        ("/digits", "/"),
        ("/digitsx", "/digitsx"),
        ("/config", "/config"),
    ],
)
def test_a_prefix_that_a_proxy_passes_on_is_taken_off_once(path: str, left: str) -> None:
    scope = {"path": path, "raw_path": path.encode()}
    strip(scope, "/digits")
    assert scope == {"path": left, "raw_path": left.encode()}
