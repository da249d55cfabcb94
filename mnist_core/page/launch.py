"""How the page is served: what Gradio turns on by default, decided one by one.

| setting | decision | why |
|---|---|---|
| analytics | off (`CarefulBlocks`) | nothing is reported to anyone |
| `run_history` | off | it would keep drawings in the browser, or in a bucket |
| `enable_monitoring` | off | its page shows who called what |
| `ssr_mode`, `num_workers` | off | a Node process in front, on a machine of two cores |
| `mcp_server` | on where the `mcp` package is | agents get one tool, `read_digit` (`http.agents`) |
| `pwa`, `share` | off | an installed copy, a tunnel: neither is asked for |
| `footer_links` | none | API docs and settings are for developers; the README has what they need |
| `show_error` | off | errors reach visitors as sentences written for them (`http.errors`) |
| `strict_cors` | on | other sites' pages cannot call a page that runs on a laptop |
| `allowed_paths` | none | only Gradio's own cache is served |
| `max_file_size` | as `http.intake.Caps` | and JSON bodies are capped too, by the guard |
| `delete_cache` | hourly (`CarefulBlocks`) | uploaded and generated files do not pile up |
| `state_session_capacity` | 32 | what Gradio remembers of a page, up to a megabyte, is never asked for |
| `api_open` | off | a queued function cannot be called past the queue |
| `max_size` | 64 | the queue is bounded and says no politely when full |
| `sleep_when_free` | 20 and 100 ms | at Gradio's 1 and 10 ms an empty queue takes 5 % of a processor |
| `root_path` | `GRADIO_ROOT_PATH` | any closing slash is dropped; the guard strips it where a proxy did not |
| `server_name`, `server_port` | `GRADIO_SERVER_NAME`, `_PORT` | 127.0.0.1:7860; on a Space 0.0.0.0 |
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import Any
from urllib.request import getproxies

import PIL.Image
from starlette.middleware import Middleware
from starlette.routing import Route

from mnist_core.engine.memory import freeze_gc
from mnist_core.page.http.agents import offer_only
from mnist_core.page.http.api import TOOL
from mnist_core.page.http.errors import CarefulBlocks
from mnist_core.page.http.intake import Caps
from mnist_core.page.http.middleware import Guard
from mnist_core.runs.hosting import hosting_from
from mnist_core.runs.limits import on_a_space

QUEUE_LENGTH = 64  # waiting calls
QUEUE_LOOK_SECONDS, PROGRESS_LOOK_SECONDS = 0.02, 0.1  # between two looks whether there is something to do
SESSION_STATES = 32  # the page's values travel with each call, and visits keep what must last (`runs`)
PICTURE_PIXELS = 20_000_000  # a phone's photograph has 12 million; larger ones are not unpacked


def serve(demo: CarefulBlocks, routes: list[Route], **look: Any) -> None:
    """Serve `demo`, and `routes` beside it, until interrupted.

    `look` (theme, styles, scripts) goes to Gradio's `launch` as it is.
    """
    address = start(demo, routes, Caps.from_environment(), **look)
    freeze_gc()
    asked = os.environ.get("GRADIO_SERVER_PORT", "7860")
    if str(demo.server_port) != asked:
        print(f"Port {asked} is taken, so this page has {demo.server_port}.")
    print(f"The page is at {address}", flush=True)
    demo.block_thread()


def start(demo: CarefulBlocks, routes: list[Route], caps: Caps, **look: Any) -> str:
    """Serve `demo` from threads of its own; `demo.close()` ends it. Returns the address."""
    # Gradio asks matplotlib for its backend around every call; to find one out, it would import all of pyplot
    # in the middle of the first visitor's first stroke.
    os.environ.setdefault("MPLBACKEND", "agg")
    # Gradio asks its own page whether it has started, and must not ask a proxy.
    unproxied = (getproxies().get("no"), "127.0.0.1", "localhost")
    os.environ["no_proxy"] = ",".join(filter(None, unproxied))
    PIL.Image.MAX_IMAGE_PIXELS = PICTURE_PIXELS
    warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
    demo.queue(max_size=QUEUE_LENGTH, api_open=False)
    demo._queue.sleep_when_free = QUEUE_LOOK_SECONDS  # no argument of Gradio's reaches these
    demo._queue.progress_update_sleep_when_free = PROGRESS_LOOK_SECONDS
    hosting = hosting_from()
    guard = Middleware(
        Guard,
        caps=caps,
        posts=frozenset(route.path for route in routes if "POST" in (route.methods or ())),
        prefix=hosting.prefix,
        frame_ancestors=hosting.frame_ancestors,
    )
    _, address, _ = demo.launch(
        app_kwargs={"routes": routes, "middleware": [guard]},
        root_path=hosting.root_path,
        server_name=os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if on_a_space() else None),
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=find_spec("mcp") is not None,
        share=False,
        footer_links=[],
        show_error=False,
        strict_cors=True,
        max_file_size=caps.upload_bytes,
        state_session_capacity=SESSION_STATES,
        quiet=True,
        prevent_thread_lock=True,
        **look,
    )
    offer_only(demo, TOOL)
    return address
