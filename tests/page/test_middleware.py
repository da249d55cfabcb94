"""The guard in front of a small Gradio app: whose fault it was, and what every answer carries."""

from __future__ import annotations

import errno
import os

import httpx
import pytest
from small_page import API, MINE, ask, call, sentence
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.testclient import TestClient

from mnist_core.page.http.errors import APOLOGY
from mnist_core.page.http.intake import Caps
from mnist_core.page.http.middleware import Guard


def test_an_honest_call_is_answered(client: httpx.Client) -> None:
    assert call(client, "double", 21).json()["data"] == [42]


def test_a_mistake_that_the_package_explains_is_a_400_with_its_sentence(client: httpx.Client) -> None:
    assert sentence(call(client, "mistake", -1), 400) == "epochs must be a number from 0.01 to 100; got -1."


def test_a_fault_of_ours_is_a_500_that_says_so_and_is_counted_once(client: httpx.Client) -> None:
    before = client.get("/health").json()["faults"]
    assert sentence(call(client, "breaks", 1), 500) == APOLOGY
    assert client.get("/health").json()["faults"] == before + 1


def test_what_our_own_page_sends_and_we_refuse_is_counted(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    ours = {"sec-fetch-site": "same-origin"}
    before = client.get("/health").json()["faults"]
    ask(client, {"number": "3"}, **ours)
    client.post(f"{API}/run/double", json={"data": [{"a": 1}]}, headers=ours)
    assert client.get("/health").json()["faults"] == before + 2
    assert "Our page sent what we refuse at /api/half: This is not what the page sends" in caplog.text
    ask(client, {"number": 2}, **ours)  # a visitor may ask for what cannot be had
    ask(client, {"number": "3"}, **{"sec-fetch-site": "cross-site"})
    assert client.get("/health").json()["faults"] == before + 2


def test_the_visits_script_runs_before_everything_else_on_the_page(client: httpx.Client) -> None:
    page = client.get("/").text
    config = page.index("window.gradio_config = {")
    assert page.index("visitSecret") < config < page.index('type="module"')
    assert page.index('(window, "gradio_config"') < config


def test_answers_carry_headers_that_let_only_the_page_itself_frame_it(client: httpx.Client) -> None:
    for answer in (client.get("/"), client.get("/nothing"), call(client, "double", 1)):
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"].endswith("; frame-ancestors 'self'")
        assert "connect-src 'self' data: blob:;" in headers["content-security-policy"]
        assert "object-src 'none';" in headers["content-security-policy"]
        assert all(f"{name}=()" in headers["permissions-policy"] for name in ("camera", "microphone"))
        assert "x-frame-options" not in headers
    assert "sandbox" in client.get(f"{API}/file=/x").headers["content-security-policy"]


@pytest.mark.parametrize("origin", ["https://a.example", "null"])
def test_no_page_of_another_site_reads_an_answer(client: httpx.Client, origin: str) -> None:
    """A file that was opened from the disk is such a page too: its origin is "null"."""
    ours = str(client.base_url).rstrip("/")
    for sender, allowed in ((ours, ours), (origin, None)):
        answer = client.get("/config", headers={"origin": sender})
        assert answer.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_takes_nothing_is_no_fault_and_told_with_a_sentence(number: int) -> None:
    def full(request: Request) -> None:
        raise OSError(number, os.strerror(number))

    page = Starlette(routes=[Route("/theme.css", full)], middleware=[Middleware(Guard, Caps())])
    page.get_blocks = lambda: None
    with TestClient(page) as client:
        assert "disk is full or read-only" in sentence(client.get("/theme.css"), 503)
        assert client.get("/health").json()["faults"] == 0


def test_a_stream_tells_nginx_to_pass_it_on_as_it_comes(client: httpx.Client) -> None:
    with client.stream("GET", f"{API}/heartbeat/streamed", headers={"x-visit": MINE}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
    assert "x-accel-buffering" not in client.get("/").headers


def test_no_script_of_the_page_goes_by_the_address_that_the_server_was_called_by(
    client: httpx.Client,
) -> None:
    page = client.get("/", headers={"host": "page.internal"}).text
    assert page.count('"root":"http://page.internal"') == 1, "the page's own script corrects it"
    assert page.count('"http://page.internal"') == 1
    assert 'const root = ".";' in page
    assert 'href="/' not in page and 'src="/' not in page
