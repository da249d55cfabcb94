"""The page in a frame of another site: only where that site is named."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.browser


@contextmanager
def _site() -> Iterator[tuple[str, Callable[[str], None]]]:
    """Another site: its address, and a function that puts a page in a frame on its one page."""
    framed = ""

    def put(url: str) -> None:
        nonlocal framed
        framed = url

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{framed}/" width="1000" height="850"></iframe>'.encode())

        def log_message(self, *message: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.2", 0), Handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.2:{site.server_port}", put
        site.shutdown()


def test_a_site_that_is_named_shows_the_page_and_the_pad_reads_there(
    start_server: Callable[..., Any], browser: Any
) -> None:
    with _site() as (site, put):
        put(start_server(MNIST_FRAME_ANCESTORS=site).url)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(site)
        frame = page.frame_locator("iframe")
        frame.locator(".pad[data-ready]").first.wait_for(state="attached")
        box = frame.locator("#digit-pad canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=8)
        page.mouse.up()
        frame.locator("#prediction[data-digit='1']").wait_for()
        page.close()


def test_other_sites_may_not_frame_it(server: Any, browser: Any) -> None:
    with _site() as (site, put):
        put(server.url)
        page = browser.new_page()
        with page.expect_event("console", lambda said: "frame-ancestors" in said.text):
            page.goto(site)
        assert page.frame_locator("iframe").locator("canvas").count() == 0
        page.close()
